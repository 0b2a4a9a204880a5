"""ST7789 display on SPI. Source: Sitronix ST7789V datasheet, sections 8.4 (4-line serial) and 9.1 (commands)."""

import asyncio
import time

_SWRESET, _SLPIN, _SLPOUT, _INVON, _DISPOFF, _DISPON = 0x01, 0x10, 0x11, 0x21, 0x28, 0x29
_CASET, _RASET, _RAMWR, _COLMOD, _MADCTL = 0x2A, 0x2B, 0x2C, 0x3A, 0x36
_BLINK_MS = 80


class St7789:
    """`width` x `height` pixels of RGB565, high byte first; `backlight` is a machine.Signal."""

    def __init__(self, spi, dc, cs, backlight, width=240, height=240):
        self._spi = spi
        self._dc = dc
        self._cs = cs
        self._backlight = backlight
        self.width = width
        self.height = height
        self._awake = False
        backlight.off()

    def show(self, pixels):
        """Put a full picture on the panel and light it."""
        if not self._awake:
            self._wake()
        self._command(_CASET, bytes((0, 0, (self.width - 1) >> 8, (self.width - 1) & 255)))
        self._command(_RASET, bytes((0, 0, (self.height - 1) >> 8, (self.height - 1) & 255)))
        self._command(_RAMWR, pixels)
        self._backlight.on()

    async def blink(self, times: int):
        for _ in range(times):
            self._backlight.off()
            await asyncio.sleep_ms(_BLINK_MS)
            self._backlight.on()
            await asyncio.sleep_ms(_BLINK_MS)

    def off(self):
        """Dark, and the controller asleep: under 10 uA."""
        self._backlight.off()
        if self._awake:
            self._command(_DISPOFF)
            self._command(_SLPIN)
            self._awake = False

    def _wake(self):
        self._command(_SWRESET)
        time.sleep_ms(5)
        self._command(_SLPOUT)
        time.sleep_ms(120)
        self._command(_COLMOD, b"\x55")  # 16 bits a pixel
        self._command(_MADCTL, b"\x00")
        self._command(_INVON)  # IPS panel
        self._command(_DISPON)
        self._awake = True

    def _command(self, command, data=b""):
        self._cs.off()
        self._dc.off()
        self._spi.write(bytes((command,)))
        if data:
            self._dc.on()
            self._spi.write(data)
        self._cs.on()
