"""What every ESP32-S3 board has: time since boot, random bytes, NVS blobs, the journal's flash, resets, clock rate."""

import os
import sys
import time

import esp32
import machine

_CAUSES = {
    machine.PWRON_RESET: "power",
    machine.HARD_RESET: "pin",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "deep sleep",
    machine.SOFT_RESET: "software",
}
_EPOCH_2000_S = 946684800
_JOURNAL = "journal"  # the label of its partition
_BLOB_BYTES = 1024
_FAST_HZ, _SLOW_HZ = 240000000, 80000000  # a UART's clock keeps its rate down to 80 MHz


class Chip:
    def __init__(self):
        self._uptime_ms = 0
        self._ticks = time.ticks_ms()
        self._hurries: "bool | None" = None
        self._nvs = esp32.NVS("muster")
        self.stdin = sys.stdin.buffer  # bytes: text would wait for the rest of a character
        self.stdout = sys.stdout

    def uptime_ms(self):
        """Milliseconds since boot, unbounded; to be called at least once in six days, before the ticks wrap."""
        ticks = time.ticks_ms()
        self._uptime_ms += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._uptime_ms

    def random(self, n: int) -> bytes:
        return os.urandom(n)

    def reset_cause(self) -> str:
        return _CAUSES.get(machine.reset_cause(), "unknown")

    def reset(self):
        machine.reset()

    def woke_by_press(self) -> bool:
        """Whether a press ended the last sleep, also the deep one before this boot."""
        return machine.wake_reason() == machine.EXT0_WAKE

    def hurry(self, is_needed: bool):
        """Full clock rate, or the least."""
        if is_needed is not self._hurries:
            self._hurries = is_needed
            machine.freq(_FAST_HZ if is_needed else _SLOW_HZ)

    def partition(self):
        """The raw partition of the journal. Raises OSError when the partition table has none."""
        found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=_JOURNAL)
        if not found:
            raise OSError("flash: no partition labelled %s: run make flash" % _JOURNAL)
        return found[0]

    def blob(self, name: str):
        """A blob of provisioning or enrolment, or None."""
        buffer = bytearray(_BLOB_BYTES)
        try:
            return bytes(buffer[: self._nvs.get_blob(name, buffer)])
        except OSError:
            return None

    def keep_blob(self, name: str, data: bytes):
        self._nvs.set_blob(name, data)
        self._nvs.commit()

    def drop_blob(self, name: str):
        try:
            self._nvs.erase_key(name)
        except OSError:
            return  # there is none
        self._nvs.commit()

    def rtc_unix_ms(self):
        """The RTC's time, or None when it has lost it with the power."""
        seconds = time.time()
        return (seconds + _EPOCH_2000_S) * 1000 if seconds > 20 * 365 * 86400 else None

    def keep_rtc(self, unix_s: int):
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(unix_s - _EPOCH_2000_S)
        machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
