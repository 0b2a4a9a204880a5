"""Espressif ESP32-S3-EYE v2.2: pins and parts.

Source: Espressif, ESP32-S3-EYE Getting Started Guide and schematics (main board V2.2, sub-board V1.1). Fitted by us: a
GNSS module on the pins of the microSD slot (38 to its RX, 39 to its TX), and through two equal resistors each the
battery on GPIO2 and USB's 5 V on the slot's GPIO40. Octal PSRAM. It lacks a vibration motor. The backlight is lit by a
low level.
"""

from machine import SPI, UART, Pin, Signal

from boards.parts.button import Button
from boards.parts.cell import Cell
from boards.parts.lens import Lens
from boards.parts.st7789 import St7789
from boards.parts.ublox import Ublox
from boards.parts.usb import Usb
from boards.parts.wearable import Wearable


class Board(Wearable):
    def __init__(self):
        super().__init__()
        self.display = St7789(SPI(2, 40000000, sck=Pin(21), mosi=Pin(47)), dc=Pin(43, Pin.OUT), cs=Pin(44, Pin.OUT),
                              backlight=Signal(Pin(48, Pin.OUT, value=1), invert=True))
        self.lens = Lens(Signal(Pin(3, Pin.OUT)), data_pins=[11, 9, 8, 10, 12, 18, 17, 16], pclk_pin=13, vsync_pin=6,
                         href_pin=7, sda_pin=4, scl_pin=5, xclk_pin=15, xclk_freq=20000000)
        self.gnss = UART(1, 9600, tx=Pin(38), rx=Pin(39), rxbuf=2048)
        self.standby = Ublox(self.gnss)
        self.usb = Usb(40)
        self.cell = Cell(2, divider=2)
        self.button = Button(0)
