"""What the desk makes of a watch's bytes: whatever comes, an answer or one line of error, in bounded time and room."""

from base64 import b64encode
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import picture
from tools.port import BoardError
from tools.session import Block, parse


def framed(name: str, about: str, data: bytes, digest: str = "") -> bytes:
    return b"\r\n".join([f"begin {name} {about}".encode(), b64encode(data),
                         f"end {name} {digest or sha256(data).hexdigest()}".encode(), b""])


def test_lines_and_blocks_are_told_apart():
    assert parse(b"first\r\n" + framed("frame", "8 rgb565", b"data") + b"last\r\n") == (
        ["first", "last"], [Block("frame", "8 rgb565", b"data")])


def test_what_is_no_text_is_shown_as_a_question_mark():
    assert parse(b"\x1b[31mred\x07 \xc3\xa9\r\n") == (["?[31mred? ??"], [])


@pytest.mark.parametrize(("text", "reason"), [
    (b"begin frame 8 rgb565\r\nAAAA\r\n", "frame: its end is missing: once more"),
    (b"begin frame 8 rgb565\r\nAA*A\r\nend", "frame: what came is no base64: once more"),
    (framed("frame", "8", b"data", "0" * 64), "frame: not as the watch sent it: once more"),
    (framed("frame", "8", b"data").replace(b"end frame", b"end other"), "frame: not as the watch sent it: once more"),
])
def test_a_block_that_is_not_whole_is_one_line(text, reason):
    with pytest.raises(BoardError) as error:
        parse(text)
    assert str(error.value) == reason


PIECES = st.sampled_from([b"begin frame 8 rgb565", b"end frame " + b"0" * 64, b"AAAA", b"\r\n", b"\x1b[2J"])
ABOUT = st.sampled_from(["8 rgb565", "8 runs", "0 runs", "-8 rgb565", "240 runs"])


@given(st.lists(st.one_of(PIECES, st.binary(max_size=40)), max_size=30).map(b"".join))
def test_any_bytes_are_lines_of_text_blocks_or_one_line_of_error(text):
    try:
        lines, blocks = parse(text)
    except BoardError as error:
        assert "\n" not in str(error)
        return
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert sum(map(len, lines)) + sum(len(block.data) for block in blocks) <= len(text)


@given(about=st.one_of(ABOUT, st.text(max_size=12)), data=st.binary(max_size=600))
def test_any_block_is_a_picture_of_bounded_size_or_one_line_of_error(about, data):
    try:
        shown = picture.rgb(Block("frame", about, data))
    except BoardError as error:
        assert str(error).startswith("frame: no picture: ")
        return
    assert shown.dtype == np.uint8 and shown.ndim == 3 and 0 < shown.size <= 3 * picture.PIXELS


def test_runs_that_say_more_pixels_than_a_screen_has_are_refused_before_they_are_made():
    with pytest.raises(BoardError):
        picture.rgb(Block("screen", "255 runs", b"\xff\x00\x00" * 5000))


def test_a_picture_is_saved_and_drawn_for_a_terminal(tmp_path):
    shown = picture.rgb(Block("frame", "4 rgb565", b"\xf8\x00" * 8 + b"\x07\xe0" * 8))
    picture.save(shown, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    lines = picture.text(shown, columns=4).split("\n")
    assert len(lines) == 2 and lines[0].count("▀") == 4
    assert "\x1b[38;2;255;0;0m\x1b[48;2;255;0;0m" in lines[0] and "\x1b[38;2;0;255;0m" in lines[1]
