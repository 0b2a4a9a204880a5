"""muster.track: what is kept of a day's fixes, and what is said where there are none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools import bench_track

SCRIPT = """
from muster.gnss import Fix
from muster.track import Track

def play(steps, heartbeat_s=600):
    track = Track(0, heartbeat_s)
    events = []
    still = []
    for step in steps:
        if len(step) == 2:
            found = track.tick(*step)
        else:
            now_s, valid, lat_e6, lon_e6, hdop_e2, satellites = step
            found = track.add(Fix(valid, None, 0, lat_e6, lon_e6, hdop_e2, satellites, 3, 0), now_s)
            found = found + track.tick(now_s)
        events += [list(event) for event in found]
        if track.still != bool(len(still) & 1):
            still.append(step[0])
    return events, still, track.last

result = [play(*case) for case in data]
"""
SILENT, SEARCHING, WEAK, POOR, OFF = 1, 2, 3, 4, 5
ON, RESTING, SWITCHED_OFF = 0, 1, 2
HOME = (46_050_000, 14_500_000)
E6_PER_M = 8.983
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Step = tuple[Any, ...]


def at(now_s: int, north_m: float = 0, east_m: float = 0, hdop_e2: int = 90, home: tuple[int, int] = HOME) -> Step:
    """A good fix so far from home."""
    east_e6 = east_m * E6_PER_M / math.cos(math.radians(home[0] / 1e6))
    return now_s, True, home[0] + round(north_m * E6_PER_M), home[1] + round(east_e6), hdop_e2, 9


def stay(from_s: int, to_s: int, north_m: float = 0) -> list[Step]:
    return [at(t, north_m) for t in range(from_s, to_s)]


def walk(from_s: int, to_s: int, north_m: float = 0, speed_mps: float = 1.5) -> list[Step]:
    """North from north_m on."""
    return [at(t, north_m + speed_mps * (t - from_s)) for t in range(from_s, to_s)]


def miss(from_s: int, to_s: int, satellites: int = 0) -> list[Step]:
    return [(t, False, None, None, 9999, satellites) for t in range(from_s, to_s)]


def ticks(from_s: int, to_s: int, receiver: int = ON) -> list[Step]:
    return [(t, receiver) for t in range(from_s, to_s)]


def play_all(vm: Any, cases: list[list[Step]]) -> list[tuple[list[list], list[int], list[int]]]:
    return [tuple(answer) for answer in vm(SCRIPT, [[steps] for steps in cases])]


def play(vm: Any, steps: list[Step]) -> list[list]:
    return play_all(vm, [steps])[0][0]


def fixes(events: list[list]) -> list[list]:
    return [event for event in events if event[0] == "fix"]


def gaps(events: list[list]) -> list[list]:
    return [event[1:] for event in events if event[0] == "nofix"]


def wander(sigma_m: float, settle_s: float, length_s: int, seed: int) -> np.ndarray:
    """Correlated noise, north and east, in metres."""
    draws = np.random.default_rng(seed).standard_normal((length_s, 2)) * sigma_m
    keep = math.exp(-1 / settle_s)
    for i in range(1, length_s):
        draws[i] = keep * draws[i - 1] + math.sqrt(1 - keep * keep) * draws[i]
    return draws


def test_the_third_good_fix_in_a_row_is_the_first_kept(vm):
    steps = [at(10), *miss(11, 12), at(12), at(13), at(14)]
    assert play(vm, steps) == [["nofix", 0, 12, SEARCHING], ["fix", 14, 4_605_000, 1_450_000, 9]]


def test_a_straight_walk_is_kept_every_four_minutes(vm):
    events = play(vm, walk(1, 1000))
    assert [event[1] for event in fixes(events)] == [3, 243, 483, 723, 963]
    assert fixes(events)[1][2] == 4_605_000 + round(1.5 * 242 * E6_PER_M / 10)


def test_a_corner_is_kept(vm):
    steps = walk(1, 201) + [at(t, 300, 1.5 * (t - 201)) for t in range(201, 401)]
    kept = [event[1] for event in fixes(play(vm, steps))]
    assert len(kept) == 2
    assert abs(kept[1] - 201) <= 5


def test_a_day_in_one_place_is_a_fix_each_heartbeat(vm):
    ((events, still, last),) = play_all(vm, [[at(t) for t in range(0, 86400, 10)]])
    assert [event[1] for event in fixes(events)] == [20, *range(200, 86400, 600)]
    assert still == [200]
    assert last == [86390, *HOME, 9]


@pytest.mark.parametrize(("sigma_m", "settle_s", "hdop_e2"), [(2.5, 60, 90), (4, 20, 120), (9, 30, 300)])
def test_noise_makes_no_movement_of_a_still_day(vm, sigma_m, settle_s, hdop_e2):
    noise = wander(sigma_m, settle_s, 43200, 7)
    ((events, still, _),) = play_all(vm, [[at(t + 1, *noise[t], hdop_e2) for t in range(0, 43200, 4)]])
    assert len(still) == 1
    assert 72 <= len(events) <= 110


def test_leaving_is_noticed_and_its_start_kept(vm):
    steps = stay(1, 1000) + walk(1000, 1300)
    ((events, still, _),) = play_all(vm, [steps])
    assert still[0] == 183 and 1020 <= still[1] <= 1030
    times = [event[1] for event in fixes(events)]
    assert times[:3] == [3, 183, 783]
    assert 1000 <= times[3] <= 1010


def test_a_short_excursion_of_the_fixes_is_no_leaving(vm):
    steps = stay(1, 400) + stay(400, 409, north_m=60) + stay(409, 700)
    ((events, still, _),) = play_all(vm, [steps])
    assert still == [183]
    assert [event[1] for event in fixes(events)] == [3, 183]


def test_a_slow_walk_is_not_lost_in_stillness(vm):
    steps = stay(1, 1000) + walk(1000, 1600, speed_mps=0.3)
    ((events, still, _),) = play_all(vm, [steps])
    assert len(still) == 2 and still[1] < 1120
    times, north = zip(*[(event[1], (event[2] - 4_605_000) * 10 / E6_PER_M) for event in fixes(events)], strict=True)
    seconds = np.arange(1000, times[-1])
    assert np.abs(np.interp(seconds, times, north) - 0.3 * (seconds - 1000)).max() < 12


def test_one_wild_fix_is_passed_over_and_a_persistent_one_believed(vm):
    wild = walk(1, 100)
    wild[50] = at(51, 5000)
    moved = walk(1, 100) + stay(100, 110, north_m=5000)
    (passed, _, _), (believed, _, last) = play_all(vm, [wild, moved])
    assert [event[1] for event in fixes(passed)] == [3]
    assert gaps(passed) == gaps(believed) == [[0, 1, SEARCHING]]
    assert 99 in [event[1] for event in fixes(believed)] or 98 in [event[1] for event in fixes(believed)]
    assert last[1] == HOME[0] + round(5000 * E6_PER_M)


def test_only_the_first_fix_of_a_second_counts(vm):
    doubled = [step for t in range(1, 100) for step in (at(t, 1.5 * t), at(t, 1.5 * t + 40))]
    plain = [at(t, 1.5 * t) for t in range(1, 100)]
    (first, _, _), (second, _, _) = play_all(vm, [doubled, plain])
    assert first == second


def test_a_bridge_is_no_gap_and_a_tunnel_is(vm):
    bridge = walk(1, 100) + miss(100, 129) + walk(129, 200, north_m=192)
    tunnel = walk(1, 100) + miss(100, 220) + walk(220, 400, north_m=328.5)
    (short, _, _), (long, _, _) = play_all(vm, [bridge, tunnel])
    assert gaps(short) == [[0, 1, SEARCHING]]
    assert gaps(long) == [[0, 1, SEARCHING], [99, 220, SEARCHING]]
    assert [event[1] for event in fixes(long)][:3] == [3, 99, 222]


REASONS = {SILENT: ticks(100, 200), SEARCHING: miss(100, 200), WEAK: miss(100, 200, satellites=3),
           POOR: [at(t, hdop_e2=601) for t in range(100, 200)], OFF: ticks(100, 200, SWITCHED_OFF)}


def test_each_reason_is_told_apart(vm):
    cases = play_all(vm, [walk(1, 100) + steps + stay(200, 210) for steps in REASONS.values()])
    assert [gaps(events)[1] for events, _, _ in cases] == [[99, 200, reason] for reason in REASONS]


def test_an_unknown_hdop_is_poor(vm):
    steps = walk(1, 100) + [at(t, hdop_e2=9999) for t in range(100, 200)] + stay(200, 210)
    assert gaps(play(vm, steps))[1] == [99, 200, POOR]


def test_a_receiver_never_heard_is_reported_within_half_an_hour(vm):
    assert play(vm, ticks(0, 4000)) == [["nofix", 0, 5, SEARCHING], ["nofix", 5, 1805, SILENT],
                                        ["nofix", 1805, 3605, SILENT]]


def test_a_reason_that_changes_for_less_than_a_minute_splits_nothing(vm):
    flicker = [step for t in range(100, 1000, 50) for step in miss(t, t + 30) + miss(t + 30, t + 50, satellites=2)]
    lasting = miss(100, 400) + miss(400, 700, satellites=2)
    cases = [walk(1, 100) + steps + stay(1000, 1010) for steps in (flicker, lasting)]
    (brief, _, _), (long, _, _) = play_all(vm, cases)
    assert gaps(brief)[1:] == [[99, 1000, SEARCHING]]
    assert gaps(long)[1:] == [[99, 400, SEARCHING], [400, 1000, WEAK]]


def test_a_still_wearer_s_receiver_may_pause_for_four_minutes(vm):
    steps = stay(1, 200)
    for start in range(200, 3000, 260):
        steps += ticks(start, start + 240, RESTING) + stay(start + 240, start + 260)
    ((events, still, _),) = play_all(vm, [steps])
    assert gaps(events) == [[0, 1, SEARCHING]]
    assert still == [183]


def test_a_fix_regained_in_the_same_place_is_still(vm):
    ((events, still, _),) = play_all(vm, [stay(1, 300) + miss(300, 700) + stay(700, 760)])
    assert events == [["nofix", 0, 1, SEARCHING], ["fix", 3, 4_605_000, 1_450_000, 9],
                      ["fix", 183, 4_605_000, 1_450_000, 9], ["fix", 299, 4_605_000, 1_450_000, 9],
                      ["nofix", 299, 700, SEARCHING]]
    assert still == [183, 599, 702]


@pytest.mark.parametrize("home", [(0, 179_999_000), (89_000_000, 0), (-46_000_000, -179_999_999), (0, 0)])
def test_a_straight_way_is_straight_anywhere_on_earth(vm, home):
    def point(t: int) -> Step:
        now_s, valid, lat, lon, *rest = at(t, 0, 2.0 * t, home=home)
        return (now_s, valid, lat, (lon + 180_000_000) % 360_000_000 - 180_000_000, *rest)

    events = play(vm, [point(t) for t in range(1, 500)])
    assert [event[1] for event in fixes(events)] == [3, 243, 483]


def test_a_wearer_still_on_the_date_line_is_still(vm):
    steps = [(t, True, -16_800_000, 179_999_990 if t % 2 else -179_999_990, 90, 9) for t in range(1, 1000)]
    ((events, still, _),) = play_all(vm, [steps])
    assert still == [183]
    assert [event[1] for event in fixes(events)] == [3, 183, 783]


def test_memory_stays_bounded_over_a_day(vm):
    used = vm("""
import gc
from muster.gnss import Fix
from muster.track import Track
track = Track(0)

def used(start_s):
    for now_s in range(start_s, start_s + 5000):
        track.add(Fix(now_s % 700 < 500, None, 0, now_s * 7 % 9000, now_s * 5 % 9000, 90, 5, 3, 0), now_s)
        track.tick(now_s)
    gc.collect()
    return gc.mem_alloc()

result = -used(1) + used(5001)
""")
    assert used <= 64


WALK = st.tuples(st.integers(0, 10 ** 6), st.floats(0.7, 20), st.floats(0, 3))


@FEW
@given(walks=st.lists(WALK, min_size=3, max_size=6))
def test_the_line_between_kept_fixes_passes_every_fix_within_the_tolerance(vm, walks):
    cases, ways = [], []
    for seed, speed_mps, noise_m in walks:
        random = np.random.default_rng(seed)
        courses = np.cumsum(random.normal(0, 0.05, 600)) + np.repeat(random.uniform(-1, 1, 10), 60)
        way = np.cumsum(np.stack([np.cos(courses), np.sin(courses)], 1) * speed_mps, 0) + wander(noise_m, 30, 600, seed)
        cases.append([at(t + 1, *way[t]) for t in range(600)])
        ways.append(way)
    for (events, still, _), way in zip(play_all(vm, cases), ways, strict=True):
        kept = np.array([event[1:4] for event in fixes(events)])
        seconds = np.arange(kept[0, 0], kept[-1, 0] + 1)
        north = np.interp(seconds, kept[:, 0], (kept[:, 1] * 10 - HOME[0]) / E6_PER_M)
        scale = E6_PER_M / math.cos(math.radians(46.05))
        east = np.interp(seconds, kept[:, 0], (kept[:, 2] * 10 - HOME[1]) / scale)
        errors = np.abs(np.stack([north, east], 1) - way[seconds - 1])
        assert errors.max() < (30 if still else 7.2)


STEP = st.one_of(
    st.tuples(st.integers(0, 40), st.sampled_from([ON, RESTING, SWITCHED_OFF])),
    st.tuples(st.integers(0, 3), st.booleans(), st.integers(-90_000_000, 90_000_000),
              st.integers(-180_000_000, 180_000_000), st.integers(0, 9999), st.integers(0, 12)),
    st.tuples(st.integers(0, 400), st.just(True), st.integers(-600, 600), st.integers(-600, 600), st.just(100),
              st.just(8)))


@FEW
@given(cases=st.lists(st.lists(STEP, max_size=60), min_size=5, max_size=20))
def test_whatever_comes_events_are_in_order_and_in_range(vm, cases):
    prepared = []
    for case in cases:
        times = np.cumsum([0, *(step[0] for step in case)])[1:].tolist()
        prepared.append([(now_s, *step[1:]) for now_s, step in zip(times, case, strict=True)])
    for events, _, _ in play_all(vm, prepared):
        ended_s = 0
        for kind, *values in events:
            if kind == "fix":
                t_s, lat_e5, lon_e5, hdop_e1 = values
                assert t_s >= ended_s
                assert abs(lat_e5) <= 9_000_000 and abs(lon_e5) <= 18_000_000 and 0 <= hdop_e1 <= 60
                ended_s = t_s
            else:
                from_s, to_s, reason = values
                assert ended_s <= from_s < to_s and 1 <= reason <= 5
                ended_s = to_s


def test_the_benchmark_reaches_its_goals():
    rows = {row["name"]: row["value"] for row in bench_track.figures()}
    assert rows["track.p95_m"] < 10
    assert rows["track.bytes_per_fix"] < 8
