"""Seeed Studio XIAO ESP32S3 Sense: pins and parts.

Source: Seeed Studio Wiki, "Getting Started with Seeed Studio XIAO ESP32S3 (Sense)" (pins D0 to D10, user LED, BOOT
button) and "Camera Usage in Seeed Studio XIAO ESP32S3 Sense" (camera slot). Fitted by us: a GNSS module on D6 (43, to
its RX) and D7 (44, to its TX), an LED with its resistor from D1 (2) to ground that asks in place of a screen, and
through two equal resistors each the battery on D0 (1) and USB's 5 V on D3 (4). Octal PSRAM. It lacks a screen and a
vibration motor. The user LED (21) is the camera's light and is lit by a low level; it is also the card slot's select
line, so the slot stays empty.
"""

from machine import UART, Pin, Signal

from boards.parts.button import Button
from boards.parts.cell import Cell
from boards.parts.lamps import Led
from boards.parts.lens import Lens
from boards.parts.ublox import Ublox
from boards.parts.usb import Usb
from boards.parts.wearable import Wearable


class Board(Wearable):
    def __init__(self):
        super().__init__()
        self.lamp = Led(Signal(Pin(2, Pin.OUT)))
        self.lens = Lens(Signal(Pin(21, Pin.OUT, value=1), invert=True), data_pins=[15, 17, 18, 16, 14, 12, 11, 48],
                         pclk_pin=13, vsync_pin=38, href_pin=47, sda_pin=40, scl_pin=39, xclk_pin=10,
                         xclk_freq=20000000)
        self.gnss = UART(1, 9600, tx=Pin(43), rx=Pin(44), rxbuf=2048)
        self.standby = Ublox(self.gnss)
        self.usb = Usb(4)
        self.cell = Cell(1, divider=2)
        self.button = Button(0)
