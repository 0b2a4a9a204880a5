"""simulator.devices.gnss: what the emulated receiver says is good NMEA, repeatable, and as wrong as real ones are."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pynmeagps
import pytest

from simulator.devices.gnss import KINDS, METRES_PER_DEGREE, Gnss, GnssError, Window
from simulator.route import Route, still

START_S = int(datetime(2026, 7, 1, 6, tzinfo=UTC).timestamp())
HOME = still(46.05, 14.5)


def receiver(kind: str = "open", seed: int = 1, **options) -> Gnss:
    return Gnss(HOME, seed, [Window(START_S, START_S + 86400, kind)], **options)


def messages(data: bytes) -> list[pynmeagps.NMEAMessage]:
    assert data == b"" or data.endswith(b"\r\n")
    return [pynmeagps.NMEAReader.parse(line + b"\r\n", validate=pynmeagps.VALCKSUM)
            for line in data.split(b"\r\n") if line]


def positions(gnss: Gnss, length_s: int) -> np.ndarray:
    fields = [gnss.sentences((START_S + n) * 1000).split(b",") for n in range(length_s)]
    return np.array([(int(rmc[3][:2]) + float(rmc[3][2:]) / 60, int(rmc[5][:3]) + float(rmc[5][3:]) / 60)
                     for rmc in fields])


def test_a_second_in_the_open_is_rmc_gga_gsa_of_that_second():
    rmc, gga, gsa = messages(receiver().sentences((START_S + 3723) * 1000 + 999))
    assert [message.identity for message in (rmc, gga, gsa)] == ["GNRMC", "GNGGA", "GNGSA"]
    assert datetime.combine(rmc.date, rmc.time) == datetime(2026, 7, 1, 7, 2, 3)
    assert (rmc.status, rmc.posMode, gga.quality, gga.time, gsa.navMode) == ("A", "A", 1, rmc.time, 3)
    assert (rmc.lat, rmc.lon) == (gga.lat, gga.lon) == pytest.approx((46.05, 14.5), abs=2e-4)
    assert 9 <= gga.numSV <= 12 and 0.7 < gga.HDOP < 1.2 and gsa.HDOP == gga.HDOP
    assert len([used for n in range(1, 13) if (used := getattr(gsa, f"svid_{n:02}")) != ""]) == gga.numSV


@pytest.mark.parametrize(("lat", "lon", "text"), [(46.05, 14.5, (b",N,", b",E,")), (-33.68, -151.2, (b",S,", b",W,")),
                                                  (0.5, 0.25, (b",N,", b",E,")), (-0.5, 179.9, (b",S,", b",E,"))])
def test_every_hemisphere_is_written_as_pynmeagps_reads_it(lat, lon, text):
    data = Gnss(still(lat, lon), 1).sentences(START_S * 1000)
    rmc, gga, _ = messages(data)
    assert (rmc.lat, rmc.lon) == (gga.lat, gga.lon) == pytest.approx((lat, lon), abs=3e-4)
    assert data.count(text[0]) == data.count(text[1]) == 2


def test_speed_and_course_are_the_route_s():
    way = Route([(START_S, 46.0, 14.0), (START_S + 1000, 46.0, 14.2)])
    gnss = Gnss(way, 1)
    rmc = messages(gnss.sentences((START_S + 500) * 1000))[0]
    true = gnss.true_position(START_S + 500)
    assert true == way.position(START_S + 500)
    assert rmc.spd * 1852 / 3600 == pytest.approx(true.speed_mps, abs=0.11)
    assert rmc.cog == pytest.approx(90, abs=0.01)


@pytest.mark.parametrize(("kind", "low_m", "high_m"), [("open", 2.0, 3.0), ("canyon", 7.0, 11.5)])
def test_errors_have_the_size_and_the_correlation_of_their_condition(kind, low_m, high_m):
    found = positions(receiver(kind), 3600 * 6)
    errors_m = (found - (46.05, 14.5)) * METRES_PER_DEGREE * (1, np.cos(np.radians(46.05)))
    assert np.all((low_m < errors_m.std(0)) & (errors_m.std(0) < high_m))
    assert np.all(np.abs(errors_m.mean(0)) < high_m / 3)
    steps_m = np.abs(np.diff(errors_m, axis=0))
    assert steps_m.max() < 1.5 * high_m  # no jumps, not at the full hour either
    assert np.median(steps_m) < low_m / 2


def test_without_a_fix_the_time_stays_and_the_position_does_not():
    for kind, satellites in (("indoors", {1, 2, 3}), ("tunnel", {0}), ("jammed", {0})):
        gnss = receiver(kind)
        heard = set()
        for n in range(0, 100, 7):
            rmc, gga, gsa = messages(gnss.sentences((START_S + n) * 1000))
            assert (rmc.status, gga.quality, gsa.navMode, rmc.lat, gga.lat) == ("V", 0, 1, "", "")
            assert datetime.combine(rmc.date, rmc.time, UTC).timestamp() == START_S + n
            heard.add(gga.numSV)
        assert heard == satellites


def test_a_cold_receiver_knows_nothing_and_a_silent_one_says_nothing():
    rmc, gga, gsa = messages(receiver("cold").sentences(START_S * 1000))
    assert (rmc.time, rmc.date, rmc.status, gga.time, gga.quality, gga.numSV, gsa.navMode) == ("", "", "V", "", 0, 0, 1)
    assert receiver("silent").sentences(START_S * 1000) == b""


def test_windows_hold_from_their_start_to_before_their_end_and_the_later_one_wins():
    gnss = Gnss(HOME, 1, [Window(START_S + 10, START_S + 30, "tunnel"), Window(START_S + 20, START_S + 25, "silent")])
    found = [gnss.sentences((START_S + n) * 1000) for n in range(40)]
    assert [n for n in range(40) if not found[n]] == [20, 21, 22, 23, 24]
    assert [n for n in range(40) if b",V," in found[n]] == [*range(10, 20), *range(25, 30)]


def test_a_rollover_reports_the_date_1024_weeks_ago():
    rmc = messages(receiver(rollover=True).sentences(START_S * 1000))[0]
    assert datetime.combine(rmc.date, rmc.time, UTC).timestamp() == START_S - 1024 * 7 * 86400


def test_a_second_says_the_same_whatever_was_asked_before():
    conditions = [Window(START_S + 3590, START_S + 3610, "canyon"), Window(START_S + 3700, START_S + 3800, "indoors")]
    forward = Gnss(HOME, 5, conditions)
    all_seconds = [forward.sentences((START_S + n) * 1000) for n in range(7300)]
    for n in (7299, 3600, 3599, 3750, 0):
        assert Gnss(HOME, 5, conditions).sentences((START_S + n) * 1000) == all_seconds[n]
    assert Gnss(HOME, 6, conditions).sentences(START_S * 1000) != all_seconds[0]


def test_every_sentence_of_a_mixed_hour_has_its_checksum_and_form():
    windows = [Window(START_S + 100 * n, START_S + 100 * n + 50, kind) for n, kind in enumerate(KINDS)]
    gnss = Gnss(HOME, 9, windows)
    form = re.compile(rb"(\$GN(RMC|GGA|GSA),[0-9A-Z.,]*\*[0-9A-F]{2}\r\n)*")
    for n in range(1000):
        data = gnss.sentences((START_S + n) * 1000)
        assert form.fullmatch(data)
        assert len(messages(data)) in (0, 3)
        assert all(len(line) <= 80 for line in data.split(b"\r\n"))


@pytest.mark.parametrize(("window", "reason"), [
    (Window(0, 10, "cellar"),
     "condition 1: kind 'cellar' is none of open, canyon, indoors, tunnel, jammed, cold, silent"),
    (Window(10, 10, "tunnel"), "condition 1: its end is not after its start")])
def test_impossible_conditions_are_named(window, reason):
    with pytest.raises(GnssError) as caught:
        Gnss(HOME, 1, [window])
    assert str(caught.value) == reason
