"""What the wearer sees, pixel by pixel: each picture is drawn whole, within the panel, in the panel's bytes."""

from base64 import b64decode

import numpy as np
import pytest

SCRIPT = """
from binascii import b2a_base64
from muster.screen import Screen

class Panel:
    def __init__(self):
        self.log = []

    def show(self, pixels):
        self.log.append(bytes(pixels))

    def off(self):
        self.log.append(None)

def drawn(name, arguments):
    panel = Panel()
    screen = Screen(panel)
    getattr(screen, name)(*arguments)
    assert len(panel.log) == 1
    return [screen.lit, None if panel.log[0] is None else b2a_base64(panel.log[0]).decode()]

result = [drawn(*one) for one in data]
"""
BACK, WHITE, GREY = (8, 10, 16), (240, 240, 240), (120, 126, 138)
BLUE, GREEN, AMBER, RED = (64, 150, 255), (70, 200, 110), (255, 176, 32), (240, 84, 84)
IDLE = ["10:05", "2026-06-10", 80, 0, "11:00", True]
STATES = [["idle", IDLE], ["idle", ["--:--", "no time yet", 0, 12, "soon", False]], ["prompt", [15]],
          ["capture", ["Look here"]], ["capture", ["Face the camera"]], ["result", [0]], ["result", [1]],
          ["result", [2]], ["result", [3]], ["ask_enrol", []], ["ask_frame", []],
          ["message", ["Enrolled", "Thank you"]],
          ["low_battery", [7]]]
REVIEW = """
portraits = [bytearray(bytes([n, 255 - n]) * 4096) for n in (1, 2, 3)]
result = [drawn("review", [portraits])]
"""


def rgb565(colour):
    red, green, blue = colour
    return (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3


@pytest.fixture
def draw(vm):
    """The panel's pixels, [row, column] of RGB565, after each call of a method of Screen."""
    def run(*calls):
        pictures = []
        for lit, pixels in vm(SCRIPT, calls):
            assert lit == (pixels is not None)
            pictures.append(pixels if pixels is None else np.frombuffer(
                b64decode(pixels), ">u2").reshape(240, 240).astype(int))
        return pictures
    return run


def colours(picture, rows=slice(None), columns=slice(None)):
    return set(np.unique(picture[rows, columns]))


def test_every_state_is_a_picture_of_its_own_in_the_colours_of_the_house(draw):
    pictures = draw(*STATES)
    known = {rgb565(colour) for colour in (BACK, WHITE, GREY, BLUE, GREEN, AMBER, RED)}
    assert len({picture.tobytes() for picture in pictures}) == len(STATES)
    for (name, _), picture in zip(STATES, pictures, strict=True):
        assert colours(picture) <= known, name
        assert rgb565(BACK) in colours(picture) and len(colours(picture)) > 1, name


def test_off_darkens_the_panel(draw):
    assert draw(["off", []]) == [None]


def test_the_ring_says_what_is_asked_of_the_wearer(draw):
    prompt, capture, enrol, idle = draw(["prompt", [15]], ["capture", ["Look here"]], ["ask_enrol", []], ["idle", IDLE])
    assert [picture[4, 120] for picture in (prompt, capture, enrol, idle)] == [
        rgb565(BLUE), rgb565(GREEN), rgb565(AMBER), rgb565(BACK)]
    for picture in (prompt, capture, enrol):
        assert picture[120, 4] == picture[120, 236] == picture[236, 120] == picture[4, 120]


def test_a_letter_is_eight_by_eight_squares_of_its_scale(draw):
    """"l" of MicroPython's font (petme128 8x8) in the middle of the message's title, three pixels a dot."""
    picture, = draw(["message", ["l", ""]])
    ink = picture == rgb565(WHITE)
    rows, columns = np.nonzero(ink)
    assert 90 <= rows.min() and rows.max() < 90 + 24
    assert 108 <= columns.min() and columns.max() < 132
    dots = ink[90:114, 108:132].reshape(8, 3, 8, 3)
    assert np.array_equal(dots.any((1, 3)), dots.all((1, 3)))
    assert dots.any()


def test_text_is_centred_and_cut_to_the_panel(draw):
    fits, cut, short = draw(["message", ["W" * 10, ""]], ["message", ["W" * 30, "W" * 99]], ["message", ["WW", ""]])
    assert np.array_equal(fits[90:114], cut[90:114])
    assert colours(cut, slice(130, 146)) == {rgb565(BACK), rgb565(GREY)}
    _, columns = np.nonzero(short[90:114] == rgb565(WHITE))
    assert 96 <= columns.min() < 120 <= columns.max() < 144


def test_odd_text_is_drawn_without_harm(draw):
    empty, odd = draw(["message", ["", ""]], ["message", ["\u00e9\u4f60\x00", "\u20ac"]])
    assert colours(empty) == {rgb565(BACK)}
    assert colours(odd) <= {rgb565(BACK), rgb565(WHITE), rgb565(GREY)}


@pytest.mark.parametrize("percent, colour, width", [(100, GREEN, 26), (50, GREEN, 13), (30, AMBER, 7), (10, RED, 2),
                                                    (0, RED, 1)])
def test_the_battery_is_filled_as_it_is_charged(draw, percent, colour, width):
    picture, = draw(["idle", ["10:05", "2026-06-10", percent, 0, "11:00", True]])
    row = picture[20, 198:224]
    assert list(row == rgb565(colour)) == [True] * width + [False] * (26 - width)
    assert picture[14, 196] == picture[27, 225] == rgb565(GREY)


def test_a_low_battery_is_a_large_one_and_never_empty(draw):
    for percent, width in ((0, 2), (7, 5), (14, 11)):
        picture, = draw(["low_battery", [percent]])
        assert list(picture[100, 74:158] == rgb565(RED)) == [True] * width + [False] * (84 - width)


def test_idle_says_what_waits_and_whether_the_receiver_was_reached(draw):
    sent, waits, offline, other_time = draw(
        ["idle", IDLE], ["idle", [*IDLE[:3], 3, "11:00", True]], ["idle", [*IDLE[:5], False]],
        ["idle", [*IDLE[:4], "12:00", True]])
    line = slice(166, 182)
    assert colours(sent, line) == {rgb565(BACK), rgb565(GREEN)}
    assert colours(waits, line) == {rgb565(BACK), rgb565(WHITE)}
    line = slice(190, 198)
    assert colours(sent, line) == {rgb565(BACK), rgb565(GREY)}
    assert colours(offline, line) == {rgb565(BACK), rgb565(AMBER)}
    assert not np.array_equal(sent[line], other_time[line])


def test_a_review_shows_what_was_seen_side_by_side_and_how_to_agree(vm):
    (lit, pixels), = vm(SCRIPT.rsplit("result =", 1)[0] + REVIEW)
    picture = np.frombuffer(b64decode(pixels), ">u2").reshape(240, 240).astype(int)
    assert lit and picture[4, 120] == rgb565(AMBER)
    for n in (1, 2, 3):
        left = 20 + 68 * (n - 1)
        assert colours(picture, slice(72, 136), slice(left, left + 64)) == {n << 8 | 255 - n}
    assert rgb565(WHITE) in colours(picture, slice(146, 186))


def test_no_result_but_a_match_is_green_and_none_is_red(draw):
    discs = [picture[64, 120] for picture in draw(*[["result", [outcome]] for outcome in range(4)])]
    assert discs == [rgb565(GREEN), rgb565(AMBER), rgb565(AMBER), rgb565(BLUE)]


def test_the_console_gets_what_is_shown_but_never_the_wearers_face(vm):
    assert vm("""
from muster.screen import Screen

class Panel:
    show = off = lambda self, pixels=None: None

screen = Screen(Panel())
result = [screen.picture() is None]
for draw in (screen.ask_frame, lambda: screen.review([bytearray(64 * 64 * 2)]), screen.ask_enrol, screen.off):
    draw()
    result.append(screen.picture() is None)
""") == [True, False, True, False, True]
