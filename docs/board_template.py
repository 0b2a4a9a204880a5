"""MAKER MODEL VERSION: pins and parts.

Source: the maker's DOCUMENT, the sheet or table that each pin is from. Fitted by us: what, on which pins. Octal or quad
PSRAM. It lacks: what.
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
        # A lamp where there is no screen: self.lamp = Led(Signal(Pin(2, Pin.OUT))) or Ws2812(48), of boards.parts.lamps
        self.display = St7789(SPI(2, 40000000, sck=Pin(21), mosi=Pin(47)), dc=Pin(41, Pin.OUT), cs=Pin(42, Pin.OUT),
                              backlight=Signal(Pin(48, Pin.OUT)))
        # The light is the camera's alone. One that a low level lights: Signal(Pin(2, Pin.OUT, value=1), invert=True).
        # Without one leave the lens out: the board then says of each prompt that it was unable to ask.
        self.lens = Lens(Signal(Pin(2, Pin.OUT)), data_pins=[11, 9, 8, 10, 12, 18, 17, 16], pclk_pin=13, vsync_pin=6,
                         href_pin=7, sda_pin=4, scl_pin=5, xclk_pin=15, xclk_freq=20000000)
        self.gnss = UART(1, 9600, tx=Pin(39), rx=Pin(38), rxbuf=2048)
        self.standby = Ublox(self.gnss)  # a receiver that cannot be told to rest has none, and stays on
        self.usb = Usb(14)
        self.cell = Cell(1, divider=2)
        self.button = Button(0)
