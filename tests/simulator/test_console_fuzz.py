"""Any lines at the console of the whole firmware: commands with arguments of all kinds, garbage, and floods of both."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = ["enrol", "fix", "frame", "help", "journal", "log", "prompt", "screen", "selftest", "status", "time", "upload"]
WORDS = ["now", "dump", "set", "debug", "quiet", "error", "0", "-1", "1767225600", "9" * 10, "9" * 40, "²", "%s", "{}"]
LINES = st.one_of(
    st.lists(st.sampled_from(NAMES + WORDS), min_size=1, max_size=4).map(" ".join).map(str.encode),
    st.binary(max_size=200)).map(lambda line: line.replace(b"\x03", b""))  # Ctrl-C is MicroPython's own
WAIT_S = 400  # each of eight questions to the wearer goes unanswered, and the screen is dark again
GROWTH_BYTES = 64 << 10  # of the heap in use, after any number of lines


@pytest.fixture(scope="module")
def watch(tmp_path_factory):
    from simulator.bench import on_bench

    with on_bench(None, tmp_path_factory.mktemp("fuzz"), settings={"prompts_per_day": 1}) as watch:
        watch.run(until_s=60)
        yield watch


def used(watch) -> int:
    """Bytes of the heap."""
    return int(re.search(r"heap +\d+ free, (\d+) used", watch.console("\rstatus"))[1])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, min_size=1, max_size=8))
def test_no_line_ends_the_watch_opens_the_camera_or_fills_the_memory(watch, lines):
    before = used(watch)
    watch.type(b"\r" + b"\r".join(lines) + b"\rlog quiet\r")
    watch.run(until_s=watch.world.now_us / 1e6 + WAIT_S)
    assert used(watch) < before + GROWTH_BYTES
    assert len(watch.boots) == 1 and watch.camera_opened == []
