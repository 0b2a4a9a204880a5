"""The power-cut-safe log: frames on a raw flash partition, a ring of sectors, one erase a sector filled.

A frame is written by one program operation and is there when its checksum holds. What a power cut tore is never
programmed over: the rest of its sector is given up. Bytes: docs/SPEC.md, section Journal.
"""

import struct
from binascii import crc32

from micropython import const

SECTOR = const(4096)
_SECTOR_HEAD = const(12)  # magic, sequence, checksum of both
_FRAME_HEAD = const(8)  # body length, kind, mark length, checksum of all but itself
LARGEST = const(4000)  # bytes of a frame's body
_MAGIC = b"MJ01"
_COUNT, _ERASE = const(4), const(6)  # requests of a block device's ioctl
_CHUNK = const(256)


class JournalFull(Exception):
    """The oldest frames are still needed: nothing was written."""


class Journal:
    """`partition` has esp32.Partition's readblocks, writeblocks and ioctl.

    A position is sector sequence * 4096 + offset and only grows. Raises OSError when the flash does.
    """

    def __init__(self, partition):
        self._flash = partition
        self._count = partition.ioctl(_COUNT, 0)
        self._head = None  # sequence of the sector being filled
        self._offset = SECTOR  # where its next frame goes
        self._tail = 0  # sequence of the oldest sector in use
        self.erases = 0
        self._mount()

    @property
    def start(self) -> int:
        """Position of the oldest frame."""
        return self._tail * SECTOR + _SECTOR_HEAD

    @property
    def free_sectors(self) -> int:
        """Sectors that can still be begun before something old must go."""
        if self._head is None:
            return self._count
        return self._count - (self._head - self._tail + 1)

    def append(self, kind: int, body: bytes, mark: bytes = b"") -> int:
        """Write a frame and return its position. kind and len(mark): 0 to 254. Raises JournalFull."""
        size = _FRAME_HEAD + len(mark) + len(body)
        if len(body) > LARGEST or len(mark) > 64:
            raise ValueError("frame too large")
        if self._offset + size > SECTOR:
            self._next_sector()
        frame = struct.pack("<HBB", len(body), kind, len(mark))
        check = crc32(body, crc32(mark, crc32(frame)))
        position = self._head * SECTOR + self._offset
        self._offset = SECTOR  # unless it works: nothing is programmed after what failed
        self._flash.writeblocks(self._head % self._count, frame + struct.pack("<I", check) + mark + body,
                                position % SECTOR)
        self._offset = position % SECTOR + size
        return position

    def frames(self, position: int):
        """Yield (position, kind, mark, body) of each frame from `position` on."""
        while self._head is not None and position // SECTOR <= self._head:
            frame = self._read(position)
            if frame is None:
                position = (position // SECTOR + 1) * SECTOR + _SECTOR_HEAD
                continue
            yield (position,) + frame
            position += _FRAME_HEAD + len(frame[1]) + len(frame[2])

    def release(self, position: int):
        """What lies before `position` is needed no more."""
        self._tail = max(self._tail, min(position // SECTOR, self._head or 0))

    def _mount(self):
        """Find the newest sector, the run of sectors that leads to it, and the end of its frames."""
        sequences = [self._sequence(block) for block in range(self._count)]
        known = [s for s in sequences if s is not None]
        if not known:
            return
        self._head = self._tail = max(known)
        while self._head - self._tail + 1 < self._count and self._tail and sequences[
                (self._tail - 1) % self._count] == self._tail - 1:
            self._tail -= 1
        self._offset = _SECTOR_HEAD
        for position, _, mark, body in self.frames(self._head * SECTOR + _SECTOR_HEAD):
            self._offset = position % SECTOR + _FRAME_HEAD + len(mark) + len(body)
        if not self._is_blank(self._offset):
            self._offset = SECTOR

    def _sequence(self, block):
        head = self._bytes(block, 0, _SECTOR_HEAD)
        sequence, check = struct.unpack_from("<II", head, 4)
        if head[:4] != _MAGIC or check != crc32(head[:8]) or sequence % self._count != block:
            return None
        return sequence

    def _next_sector(self):
        if not self.free_sectors:
            raise JournalFull("journal: every sector is still needed")
        sequence = 0 if self._head is None else self._head + 1
        block = sequence % self._count
        self._flash.ioctl(_ERASE, block)
        self.erases += 1
        head = _MAGIC + struct.pack("<I", sequence)
        self._flash.writeblocks(block, head + struct.pack("<I", crc32(head)), 0)
        if self._head is None:
            self._tail = sequence
        self._head = sequence
        self._offset = _SECTOR_HEAD

    def _read(self, position):
        """(kind, mark, body) of the frame at `position`, or None where none is whole."""
        block, offset = position // SECTOR % self._count, position % SECTOR
        if offset + _FRAME_HEAD > SECTOR:
            return None
        head = self._bytes(block, offset, _FRAME_HEAD)
        length, kind, mark_length, check = struct.unpack("<HBBI", head)
        if offset + _FRAME_HEAD + mark_length + length > SECTOR or length > LARGEST:
            return None
        data = self._bytes(block, offset + _FRAME_HEAD, mark_length + length)
        if crc32(data, crc32(head[:4])) != check:
            return None
        return kind, data[:mark_length], data[mark_length:]

    def _is_blank(self, offset):
        """Whether nothing was ever programmed from `offset` to the head sector's end."""
        while offset < SECTOR:
            part = self._bytes(self._head % self._count, offset, min(_CHUNK, SECTOR - offset))
            if part.count(b"\xff") != len(part):
                return False
            offset += len(part)
        return True

    def _bytes(self, block, offset, length):
        data = bytearray(length)
        self._flash.readblocks(block, data, offset)
        return bytes(data)
