"""Reads the words on the emulated panel, for those who do not see it: text drawn in MicroPython's own font.

    Reader().lines(display.memory) -> ["Check-in", "Press and look", "15 min left"]
"""

from __future__ import annotations

import subprocess

import numpy as np

from tools import vm as micropython

CELL = 8  # pixels of a character, each way
LARGEST = 8  # times its size
BLANK = 32
_FONT = """
import framebuf
data = bytearray(8)
frame = framebuf.FrameBuffer(data, 8, 8, framebuf.MONO_HLSB)
for code in range(32, 127):
    frame.fill(0)
    frame.text(chr(code), 0, 0)
    print(data.hex())
"""


class Reader:
    """Knows the font as the real VM draws it."""

    def __init__(self) -> None:
        glyphs = subprocess.run([micropython.find(), "-c", _FONT], capture_output=True, text=True, timeout=20,
                                check=True).stdout.split()
        known = sorted((int(glyph, 16), BLANK + n) for n, glyph in enumerate(glyphs))
        self._shapes = np.array([shape for shape, _ in known], np.uint64)
        self._characters = np.array([character for _, character in known], np.uint8)

    def lines(self, memory: np.ndarray) -> list[str]:
        """The lines of text on a panel of colours [height, width], top to bottom; its corner has the background's."""
        ink = memory != memory[0, 0]
        found: list[tuple[int, int, str]] = []  # (y, x, text)
        for scale in range(min(LARGEST, min(ink.shape) // CELL), 0, -1):
            for y, x, text in self._read(ink, scale):
                found.append((y, x, text))
                ink[y:y + CELL * scale, x:x + CELL * scale * len(text)] = False  # and not again when smaller
        return [text for _, _, text in sorted(found)]

    def _read(self, ink: np.ndarray, scale: int) -> list[tuple[int, int, str]]:
        """(y, x, text) of each run of characters that are drawn `scale` times their size."""
        full, touched = _codes(ink, scale), ~_codes(~ink, scale)  # the same where each pixel of the font is one colour
        at = np.searchsorted(self._shapes, full).clip(max=len(self._shapes) - 1)
        characters = np.where((self._shapes[at] == full) & (full == touched), self._characters[at], 0)
        rows = np.flatnonzero((characters > BLANK).any(axis=1))
        return [(int(y), x, text) for y in rows for x, text in _runs(characters[y], CELL * scale)]


def _codes(ink: np.ndarray, scale: int) -> np.ndarray:
    """At each place the 64 bits, as the font's bytes hold them, of which of the 8 x 8 pixels from it are all ink."""
    full = ink
    for axis in (0, 1):
        last = ink.shape[axis] - scale + 1
        full = np.logical_and.reduce([full.take(range(n, n + last), axis) for n in range(scale)])
    height, width = (length - (CELL - 1) * scale for length in full.shape)
    bits = full.astype(np.uint64)
    rows = sum(bits[:, n * scale:n * scale + width] << np.uint64(7 - n) for n in range(CELL))
    return sum(rows[n * scale:n * scale + height] << np.uint64(8 * (7 - n)) for n in range(CELL))


def _runs(characters: np.ndarray, pitch: int) -> list[tuple[int, str]]:
    """Where characters follow each other `pitch` apart, two or more, a letter or a digit among them: (x, text)."""
    runs, used = [], 0
    for x in np.flatnonzero(characters > BLANK):
        if x < used:
            continue
        text = bytes(characters[x::pitch]).split(b"\0")[0].decode().split("   ")[0].rstrip()
        if len(text) > 1 and any(map(str.isalnum, text)):
            runs.append((int(x), text))
            used = x + pitch * len(text)
    return runs
