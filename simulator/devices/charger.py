"""The emulated SY6970: the registers that a watch reads and writes.

Silergy SY6970 datasheet: 02h bit 7 starts conversions, 0Bh bit 2 says that USB powers it, 0Eh holds the cell's voltage:
2.304 V and 20 mV a step.
"""

from __future__ import annotations

from collections.abc import Callable

ADDRESS = 0x6A
CONVERSION, STATUS, BATV = 0x02, 0x0B, 0x0E
START, POWER_GOOD = 0x80, 0x04


class Charger:
    """`microvolts()` is the cell's voltage now; BATV stays 0 until conversions are started."""

    def __init__(self, microvolts: Callable[[], int]):
        self._microvolts = microvolts
        self.is_plugged = False  # USB's cable is in
        self._registers = bytearray(0x15)
        self._registers[CONVERSION] = 0x1D

    def write(self, register: int, value: int) -> None:
        self._registers[register] = value

    def read(self, register: int) -> int:
        if register == BATV and self._registers[CONVERSION] & START:
            return min(0x7F, max(0, (self._microvolts() - 2_304_000) // 20_000))
        if register == STATUS:
            return POWER_GOOD if self.is_plugged else 0
        return self._registers[register]
