"""The benchmark of the prompts counts what it says it counts."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tools import zones
from tools.bench_schedule import COUNT, SECRET, SPACING_S, WAKING, asked_by_rule, faults
from tools.due_times import due_times

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
FIRST = date(2027, 3, 27)  # the clock is put forward on the next day


@pytest.fixture
def asked():
    zone = zones.zone("Europe/Berlin")
    return [t for n in range(3) for t in due_times(SECRET, FIRST + timedelta(days=n), zone, WAKING, COUNT, SPACING_S)]


def judged(asked):
    return faults(asked, zones.zone("Europe/Berlin"), FIRST, 3)


def test_the_watch_asks_at_an_auditors_times(asked):
    assert asked_by_rule([BERLIN], FIRST, 3) == {BERLIN: asked}
    assert judged(asked) == 0


def test_a_missed_a_doubled_and_a_moved_prompt_are_faults(asked):
    assert judged(asked[1:]) == 1
    assert judged([*asked, asked[3]]) == 1
    assert judged([asked[0] + 1, *asked[1:]]) == 2  # one missed, one that should not be


def test_a_prompt_in_the_night_is_unexpected_and_outside(asked):
    assert judged([*asked, asked[-1] + 8 * 3600]) == 2
