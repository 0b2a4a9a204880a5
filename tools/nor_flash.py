"""NOR flash with esp32.Partition's calls, which counts its operations and lets the power fail in any of them.

Runs on the MicroPython VM. Programming is taken only where every byte is erased: so bits are only ever cleared, and no
byte is programmed twice.
"""

import random

SECTOR = 4096
NOTHING, HALF, BITS, ALL, REST = range(5)  # what of a cut operation is done; REST: what HALF leaves out
MODES = 5


class PowerCut(Exception):
    """The power failed; the flash takes no operation until `power_on`."""


class Misuse(Exception):
    """An operation that real flash would not forgive."""


class Flash:
    """`cut_in`: the operation in which the power fails, 0 the next; None: none. `mode`: what of it is done.

    `is_failing`: operations raise OSError instead, having done what `mode` says. `before(start, new)`, when set, is
    called before every operation, which would put `new` at `start`.
    """

    def __init__(self, sectors, data=None):
        self.sectors = sectors
        self.data = bytearray(data or b"\xff" * (sectors * SECTOR))
        self.operations = self.erases = 0
        self.is_failing = False
        self.before = None
        self.power_on()

    def power_on(self, cut_in=None, mode=NOTHING):
        self.is_on, self.cut_in, self.mode = True, cut_in, mode

    def readblocks(self, block, buf, offset=0):
        start = self._start(block, offset, len(buf))
        buf[:] = self.data[start : start + len(buf)]

    def writeblocks(self, block, buf, offset):
        start = self._start(block, offset, len(buf))
        if self.data[start : start + len(buf)] != b"\xff" * len(buf):
            raise Misuse(f"programs {len(buf)} bytes at block {block} offset {offset} over what is there")
        self._operate(start, bytes(buf))

    def ioctl(self, request, argument):
        if request == 4:
            return self.sectors
        if request != 6:
            raise Misuse(f"ioctl {request}")
        self.erases += 1
        self._operate(self._start(argument, 0, SECTOR), b"\xff" * SECTOR)
        return 0

    def _start(self, block, offset, length):
        if not self.is_on:
            raise PowerCut
        if not 0 <= block < self.sectors or offset < 0 or offset + length > SECTOR:
            raise Misuse(f"block {block} offset {offset} length {length}")
        return block * SECTOR + offset

    def _operate(self, start, new):
        if self.before:
            self.before(start, new)
        self.operations += 1
        if self.is_failing:
            self.tear(start, new)
            raise OSError(5)
        if self.cut_in == 0:
            self.is_on = False
            self.tear(start, new)
            raise PowerCut
        if self.cut_in is not None:
            self.cut_in -= 1
        self.data[start : start + len(new)] = new

    def tear(self, start, new):
        """Do the operation as far as `mode` says."""
        self.data[start : start + len(new)] = self._torn(start, new)

    def _torn(self, start, new):
        """What is there after a cut: each bit is old or new."""
        old = bytes(self.data[start : start + len(new)])
        half = len(new) // 2
        if self.mode == NOTHING:
            return old
        if self.mode == ALL:
            return new
        if self.mode == BITS:
            length = len(new)
            mask = b"".join([random.getrandbits(16).to_bytes(2, "little") for _ in range((length + 1) // 2)])[:length]
            old, new, mask = [int.from_bytes(part, "little") for part in (old, new, mask)]
            return (old & ~mask | new & mask).to_bytes(length, "little")
        middle = bytes((old[half] & 0xf0 | new[half] & 0x0f,))  # a byte in whose midst the power went
        if self.mode == HALF:
            return new[:half] + middle + old[half + 1 :]
        return old[:half] + middle + new[half + 1 :]
