"""What the console sends as text comes out at the desk as it went in, through the desk's own parser."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools import picture
from tools.session import Block, parse

SCRIPT = """
from muster import exports

def lines(kind, name, about, text):
    data = bytes.fromhex(text)
    pieces = exports.runs(data, int(about.split()[0]) * 2) if kind == "runs" else exports.pieces(data)
    return list(exports.framed(name, about, pieces))

result = [lines(*one) for one in data]
"""


@pytest.fixture
def sent(vm):
    """The blocks that the desk reads out of what the watch says."""
    def run(*exports):
        said = vm(SCRIPT, [[kind, name, about, data.hex()] for kind, name, about, data in exports])
        assert all(len(line) <= 100 for lines in said for line in lines)
        return [parse("\r\n".join([*lines, ""]).encode()) for lines in said]
    return run


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(st.binary(max_size=500), min_size=1, max_size=20))
def test_any_bytes_arrive_whole(sent, data):
    assert sent(*[("plain", "segment", str(n), one) for n, one in enumerate(data)]) == [
        ([], [Block("segment", str(n), one)]) for n, one in enumerate(data)]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(st.sampled_from([0, 1, 0x00FF, 0xFF00, 0xFFFF]), min_size=300, max_size=300),
                     min_size=1, max_size=4))
def test_any_picture_arrives_in_runs_as_in_plain_pixels(sent, rows):
    pixels = b"".join(pixel.to_bytes(2, "big") for row in rows for pixel in row)
    (_, [packed]), (_, [plain]) = sent(("runs", "screen", "300 runs", pixels), ("plain", "frame", "300 rgb565", pixels))
    assert (picture.rgb(packed) == picture.rgb(plain)).all()
    assert picture.rgb(plain).shape == (len(rows), 300, 3)


def test_one_colour_takes_little_room(sent):
    (_, [block]), = sent(("runs", "screen", "240 runs", b"\x12\x34" * 240 * 240))
    assert len(block.data) == 3 * 240
    assert (picture.rgb(block) == [(0x12 >> 3) * 255 // 31, 17 * 255 // 63, 20 * 255 // 31]).all()
