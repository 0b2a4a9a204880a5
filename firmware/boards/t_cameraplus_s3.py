"""LilyGO T-CameraPlus-S3 V1.2: pins and parts.

Source: LilyGO, repository T-CameraPlus-S3: README.md, PinOverview of V1.2, and components/private_library/pin_config.h.
Fitted by us at the connector of UART0: a GNSS module's TX on 44, and on 43 the camera's light, an LED with its resistor
to 3.3 V, lit by a low level: a UART rests high. Quad PSRAM, which leaves 33 to 37 to the board. It lacks a vibration
motor. V1.0 and V1.1 have other pins.
"""

from machine import I2C, SPI, UART, Pin, Signal

from boards.parts.button import Button
from boards.parts.lens import Lens
from boards.parts.st7789 import St7789
from boards.parts.sy6970 import Sy6970
from boards.parts.wearable import Wearable


class Board(Wearable):
    def __init__(self):
        super().__init__()
        self.display = St7789(SPI(2, 40000000, sck=Pin(35), mosi=Pin(34)), dc=Pin(45, Pin.OUT), cs=Pin(36, Pin.OUT),
                              backlight=Signal(Pin(46, Pin.OUT)))
        self.lens = Lens(Signal(Pin(43, Pin.OUT, value=1), invert=True), data_pins=[12, 14, 15, 13, 11, 9, 8, 6],
                         pclk_pin=10, vsync_pin=3, href_pin=5, sda_pin=1, scl_pin=2, xclk_pin=7, powerdown_pin=4,
                         xclk_freq=20000000)
        self.gnss = UART(1, 9600, rx=Pin(44), rxbuf=2048)
        self.cell = self.usb = Sy6970(I2C(0, sda=Pin(33), scl=Pin(37), freq=400000))
        self.button = Button(17)
