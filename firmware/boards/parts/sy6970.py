"""SY6970 charger on I2C: the cell's voltage, and whether USB powers it; it has no line that could wake the chip.

Source: Silergy SY6970 datasheet, registers 02h (CONV_START, CONV_RATE: a conversion each second), 0Bh (bit 2, PG_STAT:
power good) and 0Eh (BATV).
"""

_ADDRESS = 0x6A
_CONVERSION, _STATUS, _BATV = 0x02, 0x0B, 0x0E
_START_EACH_SECOND = 0xC0
_BASE_MV, _STEP_MV = 2304, 20


class Sy6970:
    def __init__(self, i2c):
        self._i2c = i2c
        self._converts = False

    def millivolts(self) -> int:
        """0: the charger does not answer."""
        try:
            if not self._converts:
                kept = self._i2c.readfrom_mem(_ADDRESS, _CONVERSION, 1)[0]
                self._i2c.writeto_mem(_ADDRESS, _CONVERSION, bytes((kept | _START_EACH_SECOND,)))
                self._converts = True
            return _BASE_MV + _STEP_MV * (self._i2c.readfrom_mem(_ADDRESS, _BATV, 1)[0] & 0x7F)
        except OSError:
            return 0

    def is_plugged(self) -> bool:
        try:
            return bool(self._i2c.readfrom_mem(_ADDRESS, _STATUS, 1)[0] & 4)
        except OSError:
            return False
