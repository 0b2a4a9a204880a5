"""The emulated ST7789 panel: SPI commands and data become a picture; each finished picture is kept.

Commands after Sitronix ST7789V datasheet, section 9: CASET, RASET, RAMWR, MADCTL (ignored), SLPIN/SLPOUT, DISPON/OFF.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

CASET, RASET, RAMWR = 0x2A, 0x2B, 0x2C
SLPIN, SLPOUT, DISPOFF, DISPON, SWRESET = 0x10, 0x11, 0x28, 0x29, 0x01


class Display:
    """A panel of `width` x `height` RGB565 pixels, on one SPI bus with a data/command pin and a backlight pin."""

    def __init__(self, width: int = 240, height: int = 240):
        self.width, self.height = width, height
        self.memory = np.zeros((height, width), ">u2")
        self.lit = False  # backlight
        self.on = False
        self.asleep = True  # the controller
        self.finished: Callable[[], None] = lambda: None  # called when a written window is full
        self._command = 0
        self._arguments = bytearray()
        self._window = [0, width - 1, 0, height - 1]
        self._pixels = bytearray()

    def write(self, data: bytes, is_data: bool) -> None:
        """Bytes on the SPI bus; `is_data` is the level of the D/C pin."""
        if not is_data:
            for command in data:
                self._begin(command)
        elif self._command == RAMWR:
            self._pixels += data
            self._fill()
        else:
            self._arguments += data
            if self._command in (CASET, RASET) and len(self._arguments) == 4:
                first = 0 if self._command == CASET else 2
                self._window[first] = int.from_bytes(self._arguments[:2], "big")
                self._window[first + 1] = int.from_bytes(self._arguments[2:], "big")

    def fill(self, rgb: tuple[int, int, int]) -> None:
        """Show one colour, the brightest that it can be."""
        red, green, blue = (channel * 255 // max(rgb) for channel in rgb)
        self.memory[:] = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3
        self.on = True

    def rgb(self) -> np.ndarray:
        """What the wearer sees: uint8 (height, width, 3); black when the panel or its light is off."""
        if not (self.lit and self.on):
            return np.zeros((self.height, self.width, 3), np.uint8)
        v = self.memory.astype(np.uint16)
        red, green, blue = v >> 11, v >> 5 & 63, v & 31
        return np.stack([red * 255 // 31, green * 255 // 63, blue * 255 // 31], axis=-1).astype(np.uint8)

    def png(self) -> bytes:
        return cv2.imencode(".png", self.rgb()[..., ::-1])[1].tobytes()

    def _begin(self, command: int) -> None:
        self._command = command
        self._arguments.clear()
        self._pixels.clear()
        if command in (DISPON, DISPOFF):
            self.on = command == DISPON
        elif command in (SLPIN, SWRESET):
            self.on, self.asleep = False, True
        elif command == SLPOUT:
            self.asleep = False

    def _fill(self) -> None:
        left, right, top, bottom = self._window
        width, height = right - left + 1, bottom - top + 1
        if len(self._pixels) < 2 * width * height or width <= 0 or height <= 0:
            return
        block = np.frombuffer(bytes(self._pixels[:2 * width * height]), ">u2").reshape(height, width)
        target = self.memory[top:bottom + 1, left:right + 1]
        target[:] = block[:target.shape[0], :target.shape[1]]
        self._pixels.clear()
        self.finished()


class Screens:
    """Keeps each different picture that the wearer could see, as PNG files named by virtual time."""

    def __init__(self, display: Display, folder: Path, now_us: Callable[[], int]):
        self.display, self.folder, self.now_us = display, folder, now_us
        self.shown: list[tuple[int, str]] = []  # (time_us, file name)
        self._last = b""
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self) -> None:
        if not (self.display.lit and self.display.on):
            return
        digest = hashlib.sha256(self.display.memory.tobytes()).digest()
        if digest == self._last:
            return
        self._last = digest
        name = f"{self.now_us() // 1000:09d}.png"
        (self.folder / name).write_bytes(self.display.png())
        self.shown.append((self.now_us(), name))
