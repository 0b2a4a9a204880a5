"""Espressif ESP32-S3-EYE v2.2: pins and parts.

Source: Espressif, ESP32-S3-EYE Getting Started Guide and schematics (main board V2.2, sub-board V1.1); OV2640 camera,
ST7789 240x240 display whose backlight is lit by a low level, one button on GPIO0 and four on an ADC ladder. The board
has no vibration motor: a prompt blinks the screen instead (the light is the camera's alone). Added by us: a GNSS
module on the pins of the microSD slot (38 TX, 39 RX), and the battery through a 1:2 divider on GPIO2.
"""

import asyncio

from machine import ADC, SPI, UART, Pin, Signal

from boards.parts.chip import Chip
from boards.parts.lens import Lens
from boards.parts.st7789 import St7789
from boards.parts.wifi import uplink

_GNSS_BAUD = 9600
_BATTERY_DIVIDER = 2
_BLINK_MS = 80


class Board(Chip):
    uplink = staticmethod(uplink)

    def __init__(self):
        super().__init__()
        self._backlight = Signal(Pin(48, Pin.OUT), invert=True)
        self.display = St7789(SPI(2, 40000000, sck=Pin(21), mosi=Pin(47)), Pin(43, Pin.OUT), Pin(44, Pin.OUT),
                              self._backlight)
        self.lens = Lens(Signal(Pin(3, Pin.OUT)), data_pins=[11, 9, 8, 10, 12, 18, 17, 16], pclk_pin=13, vsync_pin=6,
                         href_pin=7, sda_pin=4, scl_pin=5, xclk_pin=15, xclk_freq=20000000)
        self.gnss = UART(1, _GNSS_BAUD, tx=Pin(38), rx=Pin(39), rxbuf=2048)
        self._battery = ADC(Pin(2), atten=ADC.ATTN_11DB)
        self._pressed = asyncio.ThreadSafeFlag()
        self._button = Pin(0, Pin.IN, Pin.PULL_UP)
        self._button.irq(lambda pin: self._pressed.set(), Pin.IRQ_FALLING)

    async def press(self):
        """Wait for the wearer's press; one from before, or a bounce of the button, is none."""
        self._pressed.clear()
        await self._pressed.wait()

    async def buzz(self, times: int):
        """Draw the wearer's attention to a picture on the display: it blinks."""
        for _ in range(times):
            self._backlight.off()
            await asyncio.sleep_ms(_BLINK_MS)
            self._backlight.on()
            await asyncio.sleep_ms(_BLINK_MS)

    def battery_mv(self) -> int:
        return self._battery.read_uv() * _BATTERY_DIVIDER // 1000
