"""The standby of a u-blox GNSS receiver, series 8 to 10.

Source: u-blox M8 Receiver Description (UBX-13003221), UBX-RXM-PMREQ; the form of 16 bytes is M10's too.
"""

import struct
import time

_PMREQ = b"\x02\x41\x10\x00"  # class, id, length
_BACKUP_FORCED, _UARTRX = 6, 8  # flags; what wakes it
_WAKE = b"\xff" * 8
_START_MS = 600  # from waking until it takes commands


class Ublox:
    """`uart` leads to its RX."""

    def __init__(self, uart):
        self._uart = uart
        self._is_on = False  # as far as is known: it may rest since before the boot

    def rest(self, for_ms: int):
        """Standby, with time and ephemerides kept, until then or `wake`; 0: until `wake`."""
        if not self._is_on:
            self.wake()  # the first byte of a command would do that, and the command be lost
            time.sleep_ms(_START_MS)
        self._is_on = False
        body = _PMREQ + struct.pack("<IIII", 0, for_ms, _BACKUP_FORCED, _UARTRX)
        a = b = 0
        for byte in body:
            a = (a + byte) & 255
            b = (b + a) & 255
        self._uart.write(b"\xb5\x62" + body + bytes((a, b)))
        self._uart.flush()  # a chip that falls asleep now would keep the rest of it

    def wake(self):
        """Any byte does, and is lost by it."""
        self._is_on = True
        self._uart.write(_WAKE)
        self._uart.flush()
