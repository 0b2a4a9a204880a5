"""Freenove ESP32-S3-WROOM CAM (FNK0085): pins and parts.

Source: Freenove, repository Freenove_ESP32_S3_WROOM_Board: ESP32S3_Pinout.png (WS2812 on 48); camera_pins.h of
C/Sketches/Sketch_07.1_CameraWebServer (CAMERA_MODEL_ESP32S3_EYE); Python/Python_Codes/01.1_Blink (LED on 2). Fitted by
us: a GNSS module (41 to its RX, 42 to its TX), and through two equal resistors each the battery on GPIO1 and USB's 5 V
on GPIO14. Octal PSRAM. It lacks a screen and a vibration motor: the WS2812 asks in their place, and the LED is the
camera's light.
"""

from machine import UART, Pin, Signal

from boards.parts.button import Button
from boards.parts.cell import Cell
from boards.parts.lamps import Ws2812
from boards.parts.lens import Lens
from boards.parts.ublox import Ublox
from boards.parts.usb import Usb
from boards.parts.wearable import Wearable


class Board(Wearable):
    def __init__(self):
        super().__init__()
        self.lamp = Ws2812(48)
        self.lens = Lens(Signal(Pin(2, Pin.OUT)), data_pins=[11, 9, 8, 10, 12, 18, 17, 16], pclk_pin=13, vsync_pin=6,
                         href_pin=7, sda_pin=4, scl_pin=5, xclk_pin=15, xclk_freq=20000000)
        self.gnss = UART(1, 9600, tx=Pin(41), rx=Pin(42), rxbuf=2048)
        self.standby = Ublox(self.gnss)
        self.usb = Usb(14)
        self.cell = Cell(1, divider=2)
        self.button = Button(0)
