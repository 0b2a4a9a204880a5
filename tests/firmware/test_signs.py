"""A lamp in the place of a screen: each sign has a rhythm of its own, to the millisecond."""

import pytest

SCRIPT = """
import asyncio
from muster.signs import Signs

class Lamp:
    def __init__(self):
        self.log = []

    def light(self, red, green, blue):
        self.log.append([now_ms, red, green, blue])

now_ms = 0

async def sleep_ms(ms):
    global now_ms
    await real_sleep_ms(0)
    if now_ms + ms > 4000:
        raise asyncio.CancelledError
    now_ms += ms

real_sleep_ms, asyncio.sleep_ms = asyncio.sleep_ms, sleep_ms

async def shown(calls):
    global now_ms
    now_ms = 0
    lamp = Lamp()
    signs = Signs(lamp)
    for name, arguments in calls:
        getattr(signs, name)(*arguments)
    for _ in range(200):
        await real_sleep_ms(0)
    return [signs.lit, lamp.log]

result = [asyncio.run(shown(one)) for one in data]
"""
IDLE = ["10:05", "2026-06-10", 80]


@pytest.fixture
def flashes(vm):
    """[lit ms, dark ms, lit ms...] of each row of calls within 4 s, the colours it had, and whether a sign is on."""
    def run(*rows):
        found = []
        for lit, log in vm(SCRIPT, rows):
            edges = [(ms, any(rgb)) for ms, *rgb in log]
            kept = [edge for n, edge in enumerate(edges) if n == 0 or edge[1] != edges[n - 1][1]]
            kept = kept[1:] if not kept[0][1] else kept
            times = [ms for ms, _ in kept]
            found.append([[b - a for a, b in zip(times, times[1:], strict=False)],
                          {tuple(rgb) for _, *rgb in log} - {(0, 0, 0)}, lit])
        return found
    return run


def test_a_prompt_flashes_twice_and_pauses_for_as_long_as_it_is_asked(flashes):
    (rhythm, colours, lit), = flashes([["prompt", [15]]])
    assert rhythm == [150, 150, 150, 1050] * 2 + [150, 150, 150]
    assert (colours, lit) == ({(64, 150, 255)}, True)


def test_every_sign_has_a_rhythm_of_its_own_without_its_colour(flashes):
    rows = [[["prompt", [15]]], [["ask_enrol", []]], [["capture", ["Closer"]]], [["low_battery", [7]]],
            [["message", ["Enrolled", ""]]], [["result", [0]]], [["result", [1]]], [["result", [3]]],
            [["idle", [*IDLE, 0, "11:00", True]]], [["idle", [*IDLE, 2, "11:00", True]]],
            [["idle", [*IDLE, 2, "11:00", False]]]]
    rhythms = [tuple(rhythm) for rhythm, _, _ in flashes(*rows)]
    assert len(set(rhythms)) == len(rows)


def test_a_missed_prompt_is_no_worse_than_one_not_matched(flashes):
    assert flashes([["result", [1]]]) == flashes([["result", [2]]])


def test_a_new_sign_ends_the_one_before_and_off_ends_all(flashes):
    alone, after, off = flashes([["result", [0]]], [["prompt", [1]], ["result", [0]]], [["prompt", [1]], ["off", []]])
    assert alone == after
    assert off == [[], set(), False]
