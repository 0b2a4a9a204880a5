"""What is soldered to which pin, seen from outside the chip: one entry a board, from the maker's documents.

These are written again here, and not read from the board's file in firmware/, so that a wrong pin there finds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Line:
    """A GPIO, and the level at which what hangs on it is on."""

    pin: int
    on: int = 1


@dataclass(frozen=True)
class Panel:
    """An ST7789 on an SPI bus."""

    bus: int
    sck: int
    mosi: int
    dc: int
    cs: int
    backlight: Line


@dataclass(frozen=True)
class Ladder:
    """Buttons that share an ADC input: name to µV while pressed."""

    pin: int
    idle_uv: int
    pressed_uv: dict[str, int]


@dataclass(frozen=True)
class Bus:
    """The charger's I2C pins."""

    sda: int
    scl: int


@dataclass(frozen=True)
class Camera:
    """By the names of the `camera` module; data from D0 to D7."""

    data_pins: tuple[int, ...]
    pclk_pin: int
    vsync_pin: int
    href_pin: int
    sda_pin: int
    scl_pin: int
    xclk_pin: int
    powerdown_pin: int = -1
    reset_pin: int = -1

    def fits(self, pins: dict[str, Any]) -> bool:
        """Whether the driver was given these pins."""
        return vars(self) == pins | {"data_pins": tuple(pins["data_pins"])}


@dataclass(frozen=True)
class Wiring:
    """GPIO numbers. `gnss`: the chip's TX and RX, TX None where it is not connected. `psram`: quad, or octal, which
    takes 33 to 37."""

    buttons: dict[str, int]  # name to pin, low while pressed; the first is the wearer's
    camera: Camera
    light: Line  # the camera's
    gnss: tuple[int | None, int]
    gnss_uart: int = 1
    psram: str = "octal"
    panel: Panel | None = None
    lamp: Line | None = None  # an LED in the place of a panel
    pixel: int | None = None  # a WS2812 in the place of a panel
    cell: int | None = None  # ADC pin, behind two equal resistors
    charger: Bus | None = None  # an SY6970 that measures the cell
    ladder: Ladder | None = None
    usb: int | None = None  # high while USB's 5 V are there
    sensor: str = "OV2640"  # this and the receiver: which rows of devices/currents.py
    receiver: str = "SAM-M8Q"
    named: dict[str, int] = field(default_factory=dict)  # other pins on which the board has something of its own

    @property
    def button_names(self) -> list[str]:
        return [*self.buttons, *(self.ladder.pressed_uv if self.ladder else ())]


_EYE_CAMERA = Camera(data_pins=(11, 9, 8, 10, 12, 18, 17, 16), pclk_pin=13, vsync_pin=6, href_pin=7, sda_pin=4,
                     scl_pin=5, xclk_pin=15)

BOARDS = {
    # Espressif, ESP32-S3-EYE schematics: main board V2.2, sub-board V1.1. GNSS and cell as in docs/BOARDS.md.
    "esp32_s3_eye": Wiring(
        buttons={"boot": 0}, camera=_EYE_CAMERA, light=Line(3), gnss=(38, 39), cell=2, usb=40,
        panel=Panel(bus=2, sck=21, mosi=47, dc=43, cs=44, backlight=Line(48, on=0)),
        ladder=Ladder(1, 3_300_000, {"up": 380_000, "down": 820_000, "play": 1_980_000, "menu": 2_410_000}),
        named={"microphone SCK": 41, "microphone WS": 42}),
    # Seeed Studio Wiki: "Getting Started with ... XIAO ESP32S3 (Sense)"; "Camera Usage", table of the slot's GPIOs.
    "xiao_esp32s3_sense": Wiring(
        buttons={"boot": 0}, light=Line(21, on=0), gnss=(43, 44), cell=1, usb=4, lamp=Line(2),
        camera=Camera(data_pins=(15, 17, 18, 16, 14, 12, 11, 48), pclk_pin=13, vsync_pin=38, href_pin=47, sda_pin=40,
                      scl_pin=39, xclk_pin=10),
        named={"microphone CLK": 42, "microphone DATA": 41, "card SCK": 7, "card MISO": 8, "card MOSI": 9}),
    # Freenove, Freenove_ESP32_S3_WROOM_Board: ESP32S3_Pinout.png, CAMERA_MODEL_ESP32S3_EYE, Sketch_04.1_SDMMC_Test.
    "freenove_esp32_s3_wroom": Wiring(
        buttons={"boot": 0}, camera=_EYE_CAMERA, light=Line(2), gnss=(41, 42), cell=1, usb=14, pixel=48,
        named={"card CMD": 38, "card CLK": 39, "card D0": 40, "UART0 TX": 43, "UART0 RX": 44}),
    # LilyGO, T-CameraPlus-S3: README.md, PinOverview of V1.2.
    "t_cameraplus_s3": Wiring(
        psram="quad", buttons={"key1": 17, "boot": 0}, light=Line(43, on=0), gnss=(None, 44),
        charger=Bus(sda=33, scl=37),
        panel=Panel(bus=2, sck=35, mosi=34, dc=45, cs=36, backlight=Line(46)),
        camera=Camera(data_pins=(12, 14, 15, 13, 11, 9, 8, 6), pclk_pin=10, vsync_pin=3, href_pin=5, sda_pin=1,
                      scl_pin=2, xclk_pin=7, powerdown_pin=4),
        named={"card CS": 21, "card MISO": 48, "microphone LRCLK": 40, "microphone DATA": 38, "amplifier BCLK": 41,
               "amplifier LRCLK": 42, "amplifier DATA": 39, "audio enable": 18, "infrared filter": 16,
               "touch INT": 47}),
}
