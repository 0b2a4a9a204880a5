"""Trusted time on the VM: which source is followed, what counts as a jump, and how doubt grows."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

NONE, RTC, NETWORK, GNSS = range(4)
T = 1_800_000_000_000  # some unix ms of 2027
UNKNOWN = 2**31 - 1

RUN = """
from muster.clock import Clock, ClockError
uptime = [0]
clock = Clock(lambda: uptime[0], **data["options"])
result = []
for name, *values in data["steps"]:
    if name == "up":
        uptime[0] += values[0]
    elif name == "set":
        try:
            jump = clock.set(*values)
            result.append(jump and [jump.old_ms, jump.new_ms, jump.source])
        except ClockError as error:
            result.append(str(error))
    elif name == "quality":
        result.append(list(clock.quality()))
    else:
        result.append(getattr(clock, name)())
"""


def run(vm, *steps, **options):
    return vm(RUN, {"steps": steps, "options": options})


def test_without_a_source_there_is_no_time(vm):
    assert run(vm, ["up", 5000], ["now_ms"], ["now_s"], ["quality"], ["quality_byte"]) == [
        None, None, [NONE, UNKNOWN], 31]


def test_the_first_source_is_a_jump_from_nothing_and_time_goes_on_with_the_uptime(vm):
    steps = [["up", 777], ["set", T, RTC, 60000], ["up", 1999], ["now_ms"], ["now_s"]]

    assert run(vm, *steps) == [[None, T, RTC], T + 1999, T // 1000 + 1]


def test_doubt_grows_with_the_drift_of_the_crystal(vm):
    steps = [["set", T, GNSS, 500], ["quality"], ["up", 3_600_000], ["quality"], ["quality_byte"]]

    assert run(vm, *steps)[1:] == [[GNSS, 500], [GNSS, 572], GNSS << 5 | 10]
    assert run(vm, *steps, drift_ppm=1000)[1:] == [[GNSS, 500], [GNSS, 4100], GNSS << 5 | 13]


def test_doubt_has_an_end(vm):
    assert run(vm, ["set", T, RTC, UNKNOWN - 1], ["up", 10**12], ["quality"], ["quality_byte"])[1:] == [
        [RTC, UNKNOWN], RTC << 5 | 31]


@given(st.integers(0, UNKNOWN) | st.sampled_from([0, 1, 2, 3, 4, 7, 8, 1023, 1024]))
@settings(max_examples=10, deadline=None, phases=(Phase.generate,),
          suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_quality_byte_is_the_source_and_the_rounded_up_logarithm(vm, uncertainty_ms):
    steps = [["set", T, NETWORK, uncertainty_ms], ["quality_byte"]]

    assert run(vm, *steps)[1] == NETWORK << 5 | min(31, math.ceil(math.log2(uncertainty_ms + 1)))


def test_a_better_source_corrects_and_a_worse_one_is_not_heard(vm):
    steps = [["set", T, NETWORK, 500], ["set", T + 100_000, RTC, 1000], ["now_ms"],
             ["set", T + 200_000, GNSS, 800], ["now_ms"], ["quality"],
             ["set", T + 300_000, NETWORK, 801], ["now_ms"]]

    assert run(vm, *steps) == [[None, T, NETWORK], None, T, [T, T + 200_000, GNSS], T + 200_000, [GNSS, 800],
                               None, T + 200_000]


def test_a_worse_source_is_heard_when_ours_has_grown_worse_than_it(vm):
    # 1,000 ms and 20 ppm of 50,000 s are 2,000 ms
    steps = [["set", T, GNSS, 1000], ["up", 50_000_000], ["set", T, RTC, 2001], ["quality"],
             ["set", T + 50_000_500, NETWORK, 2000], ["quality"], ["now_ms"]]

    assert run(vm, *steps)[1:] == [None, [GNSS, 2000], None, [NETWORK, 2000], T + 50_000_500]


def test_the_same_source_is_heard_when_it_is_as_certain(vm):
    steps = [["set", T, GNSS, 300], ["set", T + 40, GNSS, 301], ["now_ms"], ["set", T + 40, GNSS, 300], ["now_ms"]]

    assert run(vm, *steps)[1:] == [None, T, None, T + 40]


@pytest.mark.parametrize(("first_ms", "second_ms", "change_ms", "jumps"), [
    (0, 0, 2000, False), (0, 0, 2001, True), (0, 0, -2000, False), (0, 0, -2001, True),
    (5000, 4000, 9000, False), (5000, 4000, 9001, True), (5000, 4000, -9001, True)])
def test_a_jump_is_more_than_both_doubts_and_two_seconds(vm, first_ms, second_ms, change_ms, jumps):
    steps = [["set", T, RTC, first_ms], ["set", T + change_ms, GNSS, second_ms], ["now_ms"]]

    assert run(vm, *steps)[1:] == [[T, T + change_ms, GNSS] if jumps else None, T + change_ms]


def test_times_before_the_bound_or_after_2099_are_refused(vm):
    steps = [["set", T - 1, GNSS, 0], ["now_ms"], ["set", T, GNSS, 0], ["set", 4102444800000, GNSS, 0],
             ["set", 4102444799999, GNSS, 0]]

    assert run(vm, *steps, not_before_ms=T) == [
        "clock: source 3: 1799999999999 ms is outside 1800000000000 to 4102444800000", None, [None, T, GNSS],
        "clock: source 3: 4102444800000 ms is outside 1800000000000 to 4102444800000", [T, 4102444799999, GNSS]]


@pytest.mark.parametrize(("source", "uncertainty_ms"), [(NONE, 0), (4, 0), (-1, 0), (GNSS, -1)])
def test_what_is_no_source_is_refused(vm, source, uncertainty_ms):
    assert run(vm, ["set", T, source, uncertainty_ms], ["now_ms"]) == [
        f"clock: source {source}, uncertainty {uncertainty_ms} ms: not a source", None]
