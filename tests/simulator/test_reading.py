"""Words are read back from pictures that the firmware's own screen and the VM's framebuf draw."""

import numpy as np

from simulator.reading import Reader

SCREENS = """
from muster.screen import Screen
class Panel:
    def show(self, pixels):
        result.append(bytes(pixels).hex())
result = []
screen = Screen(Panel())
screen.idle("07:45", "2026-06-10", 80, 12, "08:30", True)
screen.prompt(15)
screen.result(1)
screen.ask_enrol()
"""
TEXTS = """
import framebuf
result = []
for lines, colour, paper in data:
    pixels = bytearray(240 * 240 * 2)
    frame = framebuf.FrameBuffer(pixels, 240, 240, framebuf.RGB565)
    frame.fill(paper)
    frame.line(0, 120, 239, 160, colour)
    for n, text in enumerate(lines):
        frame.text(text, 3 + n, 10 + 15 * n, colour)
    result.append(pixels.hex())
"""


def panel(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text), ">u2").reshape(240, 240)


def test_the_watchs_screens_are_read_line_by_line(vm):
    read = [Reader().lines(panel(pixels)) for pixels in vm(SCREENS)]
    assert read == [["07:45", "2026-06-10", "12 to send", "Next upload 08:30"],
                    ["Check-in", "Press and look", "15 min left"],
                    ["Not matched", "A person will", "look at it"],
                    ["Enrol your face?", "Press", "if you agree"]]


def test_every_printable_character_is_read_in_any_colour(vm):
    rows = ["".join(map(chr, range(first, first + 19))).strip() for first in range(32, 127, 19)]
    read = [Reader().lines(panel(pixels)) for pixels in vm(TEXTS, [(rows, 65535, 0), (rows, 31, 63488)])]
    assert read == [rows, rows]


def test_a_picture_without_words_has_no_lines():
    picture = np.zeros((240, 240), ">u2")
    picture[40:200, 90:150] = 65535
    picture[::7, ::11] = 1000
    assert Reader().lines(picture) == []
