"""The power-cut-safe log: frames on a raw flash partition, a ring of sectors, one erase a sector filled.

A frame is written by one program operation and is there when its checksum holds. What a power cut tore is never
programmed over: the rest of its sector is given up, or the sector begun anew when it holds nothing else. Bytes:
docs/SPEC.md, section Journal.
"""

import struct
from binascii import crc32

from micropython import const

SECTOR = const(4096)
LARGEST = const(4000)  # bytes of a frame's body
_LARGEST_MARK = const(64)
_SECTOR_HEAD = const(12)  # magic, sequence, checksum of both
_FRAME_HEAD = const(8)  # body length, kind, mark length, checksum of all but itself
_MAGIC = b"MJ01"
_COUNT, _ERASE = const(4), const(6)  # requests of a block device's ioctl


class JournalFull(Exception):
    """The oldest frames are still needed: nothing was written."""


class Journal:
    """`partition` has esp32.Partition's readblocks, writeblocks and ioctl.

    A position is sector sequence * 4096 + offset and only grows. Raises OSError when the flash does; a frame whose
    append() did so may be there or not. The flash wears out long before the sequence reaches 2**32.
    """

    def __init__(self, partition):
        self._flash = partition
        self.sectors = partition.ioctl(_COUNT, 0)
        self.erases = 0
        self._head = -1  # sequence of the sector being filled
        self._tail = 0  # sequence of the oldest sector in use
        self._offset = SECTOR  # where the next frame goes
        self._has_frames = True  # the head sector is worth keeping
        self._mount()

    @property
    def start(self) -> int:
        """Position of the oldest frame."""
        return self._tail * SECTOR + _SECTOR_HEAD

    @property
    def free_sectors(self) -> int:
        """Sectors that can still be begun before something old must go."""
        return self.sectors - (self._head - self._tail + 1)

    def append(self, kind: int, body: bytes, mark: bytes = b"", spare: int = 0) -> int:
        """Write a frame and return its position. kind: 0 to 254; body: up to LARGEST bytes; mark: up to 64.

        Raises JournalFull when fewer than `spare` sectors would be free then.
        """
        if len(body) > LARGEST or len(mark) > _LARGEST_MARK:
            raise ValueError("frame too large")
        size = _FRAME_HEAD + len(mark) + len(body)
        is_over = self._offset + size > SECTOR
        if self.free_sectors - (is_over and self._has_frames) < spare:
            raise JournalFull("journal: every sector is still needed")
        if is_over:
            self._next_sector()
        frame = struct.pack("<HBB", len(body), kind, len(mark))
        check = struct.pack("<I", crc32(body, crc32(mark, crc32(frame))))
        offset, self._offset = self._offset, SECTOR  # unless it works: nothing is programmed over what failed
        self._has_frames = True
        self._flash.writeblocks(self._head % self.sectors, frame + check + mark + body, offset)
        self._offset = offset + size
        return self._head * SECTOR + offset

    def frames(self, position: int):
        """Yield (position, kind, mark, body) of each frame from `position` on, sector by sector as each was when its
        first frame was asked for."""
        sector = bytearray(SECTOR)
        sequence, offset = position // SECTOR, position % SECTOR
        while sequence <= self._head:
            self._flash.readblocks(sequence % self.sectors, sector, 0)
            while True:
                frame = _frame(sector, offset)
                if frame is None:
                    break
                yield (sequence * SECTOR + offset,) + frame
                offset += _FRAME_HEAD + len(frame[1]) + len(frame[2])
            sequence, offset = sequence + 1, _SECTOR_HEAD

    def release(self, position: int):
        """What lies before `position`, which is that of a frame, is needed no more."""
        self._tail = max(self._tail, position // SECTOR)

    def _mount(self):
        """Find the newest sector, the run of sectors that leads to it, and the end of its frames."""
        sequences = [self._sequence(block) for block in range(self.sectors)]
        self._head = self._tail = max(sequences)
        if self._head < 0:
            self._tail = 0
            return
        while self._tail and self.free_sectors and sequences[(self._tail - 1) % self.sectors] == self._tail - 1:
            self._tail -= 1
        end = _SECTOR_HEAD
        for position, _, mark, body in self.frames(self._head * SECTOR + _SECTOR_HEAD):
            end = position % SECTOR + _FRAME_HEAD + len(mark) + len(body)
        self._has_frames = end > _SECTOR_HEAD
        rest = bytearray(SECTOR - end)
        self._flash.readblocks(self._head % self.sectors, rest, end)
        if self._has_frames and rest == b"\xff" * len(rest):  # without a frame it may be half erased, for all its head
            self._offset = end

    def _sequence(self, block):
        """The sequence in a sector's head, -1 where there is none."""
        head = bytearray(_SECTOR_HEAD)
        self._flash.readblocks(block, head, 0)
        magic, sequence, check = struct.unpack("<4sII", head)
        if magic != _MAGIC or check != crc32(head[:8]) or sequence % self.sectors != block:
            return -1
        return sequence

    def _next_sector(self):
        sequence = self._head + self._has_frames
        block = sequence % self.sectors
        self._flash.ioctl(_ERASE, block)
        self.erases += 1
        head = _MAGIC + struct.pack("<I", sequence)
        self._flash.writeblocks(block, head + struct.pack("<I", crc32(head)), 0)
        self._head = sequence
        self._offset = _SECTOR_HEAD
        self._has_frames = False


def _frame(sector, offset):
    """(kind, mark, body) of the frame at `offset`, or None where none is whole."""
    if offset + _FRAME_HEAD > SECTOR:
        return None
    length, kind, mark_length, check = struct.unpack_from("<HBBI", sector, offset)
    mark_at = offset + _FRAME_HEAD
    body_at = mark_at + mark_length
    if length > LARGEST or body_at + length > SECTOR:
        return None
    view = memoryview(sector)
    if crc32(view[mark_at : body_at + length], crc32(view[offset : offset + 4])) != check:
        return None
    return kind, bytes(view[mark_at:body_at]), bytes(view[body_at : body_at + length])
