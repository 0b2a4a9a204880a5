"""What a scenario does to a watch: cells that run flat and are charged, crystals that drift, transmitters that lie."""

import io
from dataclasses import replace

import pytest
from pynmeagps import NMEAReader

from simulator.devices.battery import Battery
from simulator.devices.crystal import Crystal
from simulator.devices.gnss import METRES_PER_DEGREE, Gnss
from simulator.devices.meter import HOUR_US, Meter
from simulator.devices.spoofer import Deceit, Spoofer
from simulator.expect import judge
from simulator.route import still
from simulator.scenario import Expectation, load

START_S = 1781064000  # 2026-06-10 04:00 UTC


def test_a_cell_runs_flat_stays_flat_and_is_charged():
    meter = Meter()
    cell = Battery(meter, level=0.1, capacity_mah=500)
    assert cell.microvolts(0) == 3_593_333
    meter.set("lamp", 25_000, "light", 0)
    assert cell.charge(HOUR_US) == 0.05
    assert cell.charge(2 * HOUR_US) == cell.charge(4 * HOUR_US) == 0
    assert cell.microvolts(4 * HOUR_US) == 3_200_000
    cell.plug(True, 4 * HOUR_US)
    assert cell.charge(5 * HOUR_US) == 0.4  # full in two and a half hours, and the lamp burns on USB
    cell.plug(False, 5 * HOUR_US)
    assert cell.charge(7 * HOUR_US) == pytest.approx(0.3)
    cell.plug(True, 7 * HOUR_US)
    assert cell.charge(10 * HOUR_US) == 1
    assert cell.life_h(500, 10 * HOUR_US) == 20
    assert Battery(Meter()).life_h(500, HOUR_US) is None


@pytest.mark.parametrize("ppm", [-500, -18, 0, 1, 500])
def test_a_crystal_counts_as_it_drifts_and_never_waits_for_a_time_that_is_past(ppm):
    crystal = Crystal(ppm)
    assert crystal.chip_us(10**12) == 10**12 + 10**6 * ppm
    for chip_us in [*range(3000), *range(10**12, 10**12 + 3000)]:
        world_us = crystal.world_us(chip_us)
        assert crystal.chip_us(world_us) >= chip_us > crystal.chip_us(world_us - 1)


def rmc(data: bytes):
    return next(message for _, message in NMEAReader(io.BytesIO(data)) if message.msgID == "RMC")


def test_a_spoofer_moves_place_and_day_in_its_time_only():
    route = still(46.0569, 14.5058)
    deceit = Deceit(START_S + 10, START_S + 20, north_m=5000, east_m=-3000, days=3)
    spoofer = Spoofer(Gnss(route, 7), route, 7, [deceit])
    honest = Gnss(route, 7)
    for second in (0, 9, 20, 30):
        unix_ms = (START_S + second) * 1000
        assert spoofer.sentences(unix_ms) == honest.sentences(unix_ms)
    for second in (10, 19):
        unix_ms = (START_S + second) * 1000
        true, false = rmc(honest.sentences(unix_ms)), rmc(spoofer.sentences(unix_ms))
        assert (false.lat - true.lat) * METRES_PER_DEGREE == pytest.approx(5000, abs=1)
        assert (false.lon - true.lon) * METRES_PER_DEGREE == pytest.approx(-3000 / 0.694, abs=20)
        assert ((false.date - true.date).days, false.time) == (3, true.time)


VALUES = {"prompts": [{"outcome": "matched", "reason": "none"}, {"outcome": "unable", "reason": "camera"}],
          "outcomes": {"matched": 1, "not matched": 0, "missed": 0, "unable": 1}, "records_by_type": {"track": 7},
          "no_fix": [{"reason": "poor geometry"}], "boots": [{"cause": "power"}], "fixes": 40,
          "track_error_m": {"p95": 8.5}, "start": "2026-06-10 06:00", "power": {"life_h_500mah": 47.9}}


@pytest.mark.parametrize("what, wanted, found, is_met", [
    ("prompts", ["matched", "unable"], None, True), ("prompts", ["matched", "unable: camera"], None, True),
    ("prompts", ["matched", "unable: too dark"], None, False), ("prompts", ["matched"], None, False),
    ("outcomes", {"matched": 1, "unable": 1}, None, True), ("outcomes", {"matched": 1}, None, False),
    ("outcomes", {"matched": [1, 2], "unable": [0, 5]}, None, True),
    ("records", {"track": 7, "gap": 0}, None, True), ("records", {"track": [8, 9]}, None, False),
    ("no_fix", ["poor geometry"], None, True), ("no_fix", [], None, False),
    ("boots", ["power"], None, True), ("boots", ["power", "power"], None, False),
    ("fixes", [40, 41], None, True), ("fixes", 41, None, False),
    ("track_p95_m", 8.5, None, True), ("track_p95_m", 8.4, None, False),
    ("console", {"line": "log", "contains": "sent"}, "log\r\n12 sent 1\r\n", True),
    ("console", {"line": "log", "contains": "enrolled"}, "log\r\n12 sent 1\r\n", False),
    ("battery_h", 47, None, True), ("battery_h", 48, None, False),
    ("clock_within_s", 1, 1.0, True), ("clock_within_s", 1, 2.0, False), ("clock_within_s", 1, None, False),
])
def test_an_expectation_is_met_or_not(what, wanted, found, is_met):
    day = load("day")
    expected = Expectation(what, wanted, None, 12)
    verdict, = judge(replace(day, expect=(expected,)), VALUES, {0: found})
    assert (verdict.line, verdict.is_met) == (12, is_met)


def test_records_at_a_time_are_those_that_the_receiver_had_then():
    day = load("day")
    expected = Expectation("records", {"track": 2}, 3600, 12)
    verdict, = judge(replace(day, expect=(expected,)), VALUES, {0: {"track": 2}})
    assert verdict == (12, "records track 2 at 07:00", True, "track 2")
