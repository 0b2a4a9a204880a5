"""The emulated u-blox receiver around what the sky gives: its standby commands, its start, and what it draws.

UBX-RXM-PMREQ after u-blox M8 Receiver Description (UBX-13003221), section 32.18.3, the form of 16 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from simulator.devices.gnss import COLD
from simulator.world import World

SYNC = b"\xb5\x62"
PMREQ = (0x02, 0x41)
BACKUP, UARTRX = 2, 8  # bits of PMREQ's flags, and of its wake-up sources
LONGEST_FRAME = 512
BOOT_US = 500_000  # from waking to the first sentences
FIX_US = 1_000_000  # and to the first fix: hot start, SAM-M8Q Data Sheet
WARM_AFTER_US, WARM_FIX_US = 4 * 3_600_000_000, 26_000_000  # ephemerides are old: as cold start
SECOND_US = 1_000_000
BEGIN_US = 50_000  # from the start of a second to its first sentence
BYTE_US = 1042  # at 9600 baud, the receiver's own
FOREVER_US = 1 << 62
ACQUISITION, TRACKING, STANDBY = "acquisition", "tracking", "standby"


class Ublox:
    """`sky(unix_ms)`: the sentences of a second. Any byte on its RX line wakes it from a standby that allows that."""

    def __init__(self, sky: Callable[[int], bytes]):
        self.sky = sky
        self.state = ACQUISITION
        self._buffer = bytearray()
        self._wake_us = 0  # when its standby ends by itself
        self._by_uart = False
        self._boots_us = self._fixes_us = 0  # when the first sentences, and the first fix, can be there
        self._slept_us = 0

    def hear(self, data: bytes, now_us: int) -> None:
        """Bytes on its RX line."""
        if self.is_resting(now_us):
            if self._by_uart:
                self._wake(now_us)
            return  # what wakes it is lost
        if now_us < self._boots_us:
            return
        self._buffer += data
        while (frame := self._frame()) is not None:
            kind, payload = frame
            if kind == PMREQ and len(payload) == 16:
                self._power(payload, now_us)

    def says(self, unix_ms: int, now_us: int) -> bytes:
        """What it has to say of this second."""
        if self.is_resting(now_us) or now_us < self._boots_us:
            return b""
        data = self.sky(unix_ms)  # nothing: it is broken
        if data and now_us < self._fixes_us:
            data = COLD
        self.state = TRACKING if b",A," in data[:24] else ACQUISITION
        return data

    def is_resting(self, now_us: int) -> bool:
        """Also notices that a standby is over."""
        if self.state == STANDBY and now_us >= self._wake_us:
            self._wake(self._wake_us)
        return self.state == STANDBY

    @property
    def wakes_us(self) -> int:
        """When it wakes by itself, FOREVER_US for never; only in standby."""
        return self._wake_us

    def power_on(self, now_us: int) -> None:
        """Its own backup cell has kept time and ephemerides."""
        self.state = ACQUISITION
        self._buffer.clear()
        self._boots_us = self._fixes_us = now_us

    def _power(self, payload: bytes, now_us: int) -> None:
        version, duration_ms, flags, sources = struct.unpack("<B3xIII", payload)
        if version == 0 and flags & BACKUP:
            self.state = STANDBY
            self._slept_us = now_us
            self._wake_us = now_us + duration_ms * 1000 if duration_ms else FOREVER_US
            self._by_uart = bool(sources & UARTRX)
            self._buffer.clear()

    def _wake(self, now_us: int) -> None:
        self.state = ACQUISITION
        is_warm = now_us - self._slept_us > WARM_AFTER_US
        self._boots_us = now_us + BOOT_US
        self._fixes_us = self._boots_us + (WARM_FIX_US if is_warm else FIX_US)

    def _frame(self) -> tuple[tuple[int, int], bytes] | None:
        """The next whole UBX frame with a right checksum; what is none is passed over. None: not yet."""
        buffer = self._buffer
        while True:
            start = buffer.find(SYNC[:1])
            del buffer[:len(buffer) if start < 0 else start]
            if len(buffer) < 8:
                return None
            length = int.from_bytes(buffer[4:6], "little")
            if buffer[:2] != SYNC or length > LONGEST_FRAME:
                del buffer[:1]
                continue
            if len(buffer) < length + 8:
                return None
            body, check = bytes(buffer[2:6 + length]), bytes(buffer[6 + length:8 + length])
            if checksum(body) != check:
                del buffer[:1]
                continue
            del buffer[:8 + length]
            return (body[0], body[1]), body[4:]


def checksum(body: bytes) -> bytes:
    """Fletcher's, over class, id, length and payload: section 32.4 of the same."""
    a = b = 0
    for byte in body:
        a = (a + byte) & 255
        b = (b + a) & 255
    return bytes((a, b))


class Line:
    """The receiver's TX line at 9600 baud: the sentences of each second begin BEGIN_US after it.

    `deliver(data, began_us)` is called when the last byte is over, `told(state)` as the receiver's state changes.
    """

    def __init__(self, world: World, receiver: Ublox, deliver: Callable[[bytes, int], None],
                 told: Callable[[str], None]):
        self._world, self._receiver, self._deliver, self._told = world, receiver, deliver, told
        self._plan = 0  # the number of the one plan that counts

    def power_on(self) -> None:
        self._receiver.power_on(self._world.now_us)
        self._told(self._receiver.state)
        self._begin_after(self._world.now_us)

    def hear(self, data: bytes) -> None:
        """Bytes from the chip are over."""
        was_resting = self._receiver.is_resting(self._world.now_us)
        self._receiver.hear(data, self._world.now_us)
        self._told(self._receiver.state)
        if was_resting and self._receiver.state != STANDBY:
            self._begin_after(self._world.now_us)

    def _begin_after(self, time_us: int) -> None:
        """The next sentences are those of the first whole second from `time_us` on."""
        self._plan += 1
        plan = self._plan
        self._world.at(-(-time_us // SECOND_US) * SECOND_US + BEGIN_US, lambda: self._begin(plan))

    def _begin(self, plan: int) -> None:
        world, receiver = self._world, self._receiver
        if plan != self._plan:
            return
        began_us = world.now_us
        if receiver.is_resting(began_us):
            if receiver.wakes_us < FOREVER_US:
                self._begin_after(receiver.wakes_us)
            return
        data = receiver.says(world.unix_ms - BEGIN_US // 1000, began_us)
        self._told(receiver.state)
        world.after(len(data) * BYTE_US, lambda: self._end(plan, data, began_us))

    def _end(self, plan: int, data: bytes, began_us: int) -> None:
        if plan == self._plan:
            self._begin_after(began_us - BEGIN_US + SECOND_US)
        if data:
            self._deliver(data, began_us)
