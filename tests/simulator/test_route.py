"""simulator.route: positions over time, and one clear line for every route that cannot be used."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator import route
from simulator.route import Route, RouteError, from_gpx, from_waypoints, still

METRES_PER_DEGREE = 111_194.93
POINT = '<trkpt lat="{}" lon="{}"><time>{}</time></trkpt>'


def gpx(*points: str, head: str = "") -> str:
    return (f'<?xml version="1.0"?>{head}<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">'
            f'<metadata><time>2001-01-01T00:00:00Z</time></metadata><wpt lat="1" lon="1"/>'
            f'<trk><trkseg>{"".join(points)}</trkseg></trk></gpx>')


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "way.gpx"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def error_of(call, *arguments) -> str:
    with pytest.raises(RouteError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_between_points_the_way_is_straight_and_even():
    way = Route([(1000, 46.0, 14.0), (1100, 46.001, 14.0), (1200, 46.001, 14.002)])
    assert way.position(1050) == pytest.approx((46.0005, 14.0, METRES_PER_DEGREE / 1e5, 0), rel=1e-6)
    north, east, speed, course = way.position(1150)
    assert (north, east, course) == pytest.approx((46.001, 14.001, 90))
    assert speed == pytest.approx(0.002 * METRES_PER_DEGREE * np.cos(np.radians(46.001)) / 100, rel=1e-6)
    assert (way.start_s, way.end_s) == (1000, 1200)


def test_before_and_after_a_route_its_ends_hold_still():
    way = Route([(1000, 46.0, 14.0), (1100, 45.999, 14.0)])
    assert way.position(0) == (46.0, 14.0, 0, 180)
    assert way.position(5000) == (45.999, 14.0, 0, 180)
    assert still(-33.5, 151.25).position(1e9) == (-33.5, 151.25, 0, 0)


def test_the_date_line_is_crossed_the_short_way():
    way = Route([(0, 0, 179.999), (100, 0, -179.999)])
    lat, lon, speed, course = way.position(75)
    assert (lat, lon, course) == pytest.approx((0, -179.9995, 90))
    assert speed == pytest.approx(0.002 * METRES_PER_DEGREE / 100, rel=1e-5)


def test_waypoints_are_local_times_of_the_day():
    points = [{"at": "08:10", "lat": 46.0, "lon": 14}, {"at": "08:10:30", "lat": 46.001, "lon": 14}]
    way = from_waypoints(points, date(2026, 7, 1), ZoneInfo("Europe/Ljubljana"))
    assert way.start_s == datetime(2026, 7, 1, 6, 10, tzinfo=UTC).timestamp()
    assert way.end_s - way.start_s == 30


def test_waypoints_around_a_clock_change_keep_their_order():
    points = [{"at": at, "lat": 46.0, "lon": 14} for at in ("01:30", "02:30", "03:30")]
    zone = ZoneInfo("Europe/Ljubljana")
    autumn = from_waypoints(points, date(2026, 10, 25), zone)
    assert autumn.end_s - autumn.start_s == 3 * 3600
    spring = error_of(from_waypoints, points, date(2026, 3, 29), zone)
    assert spring == "waypoints: point 3: time is not after that of the point before it"


@pytest.mark.parametrize(("points", "reason"), [
    ([], "day.yaml: no points"),
    ("08:10", "day.yaml: waypoints must be a list"),
    ([["08:10", 1, 2]], "day.yaml: waypoint 1: must have at, lat and lon, and nothing else"),
    ([{"at": "08:10", "lat": 1}], "day.yaml: waypoint 1: must have at, lat and lon, and nothing else"),
    ([{"at": "08:10", "lat": 1, "lon": 2, "way": 3}],
     "day.yaml: waypoint 1: must have at, lat and lon, and nothing else"),
    ([{"at": 490, "lat": 1, "lon": 2}], 'day.yaml: waypoint 1: at must be "HH:MM" or "HH:MM:SS", in quotes'),
    ([{"at": "8:10", "lat": 1, "lon": 2}], 'day.yaml: waypoint 1: at must be "HH:MM" or "HH:MM:SS", in quotes'),
    ([{"at": "25:10", "lat": 1, "lon": 2}], "day.yaml: waypoint 1: at: hour must be in 0..23"),
    ([{"at": "08:10", "lat": "1", "lon": 2}], "day.yaml: waypoint 1: lat must be a number of degrees"),
    ([{"at": "08:10", "lat": 1, "lon": True}], "day.yaml: waypoint 1: lon must be a number of degrees"),
    ([{"at": "08:10", "lat": 90.5, "lon": 2}], "day.yaml: point 1: lat 90.5 is not within 90"),
    ([{"at": "08:10", "lat": 1, "lon": float("nan")}], "day.yaml: point 1: lon nan is not within 180"),
    ([{"at": "08:10", "lat": 1, "lon": 2}] * 2, "day.yaml: point 2: time is not after that of the point before it")])
def test_wrong_waypoints_are_named(points, reason):
    assert error_of(from_waypoints, points, date(2026, 7, 1), UTC, "day.yaml") == reason


def test_a_huge_number_is_named_too():
    points = [{"at": "08:10", "lat": 10 ** 400, "lon": 2}]
    assert error_of(from_waypoints, points, date(2026, 7, 1)).endswith("is not within 90")


def test_gpx_points_keep_their_times_or_move_to_a_start(tmp_path):
    path = write(tmp_path, gpx(POINT.format(46, 14, "2026-07-01T08:00:00Z"),
                               POINT.format(46, 14.1, "2026-07-01T08:00:00Z"),
                               POINT.format(46.001, 14, "2026-07-01T10:01:40+02:00"),
                               POINT.format(46.002, 14, "2026-07-01T08:03:20.5")))
    start_s = datetime(2026, 7, 1, 8, tzinfo=UTC).timestamp()
    way = from_gpx(path)
    assert (way.start_s, way.end_s) == (start_s, start_s + 200.5)
    assert way.position(start_s + 100)[:2] == pytest.approx((46.001, 14))
    moved = from_gpx(path, start_s=5000)
    assert (moved.start_s, moved.end_s) == (5000, 5200.5)


def test_gpx_without_times_is_walked_at_a_speed(tmp_path):
    path = write(tmp_path, gpx(*[f'<trkpt lat="{lat}" lon="14"/>' for lat in (46, 46.001, 46.001, 46.003)]))
    way = from_gpx(path, start_s=1000, speed_mps=2.0)
    assert way.end_s == pytest.approx(1000 + 0.003 * METRES_PER_DEGREE / 2)
    assert way.position(1010).speed_mps == pytest.approx(2.0)
    assert "no time, and no speed" in error_of(from_gpx, path)
    assert "needs a start" in error_of(from_gpx, path, None, 2.0)
    assert "more than 0" in error_of(from_gpx, path, 1000, 0)


LAUGHS = ('<!DOCTYPE gpx [<!ENTITY a "ha">' + "".join(f'<!ENTITY {b} "{("&" + a + ";") * 10}">'
                                                     for a, b in zip("abcdefgh", "bcdefghi", strict=True)) + "]>")


@pytest.mark.parametrize(("text", "reason"), [
    ("", "not XML"), ("hello", "not XML"), (gpx()[:-3], "not XML"), ("<kml/>", "not GPX: the root is kml"),
    (gpx(), "no track points (trkpt)"), (b"\xff\xfe\x00", "not XML"),
    (gpx(POINT.format("x", 14, "2026-07-01T08:00:00Z")), "point 1: lat 'x' is no number"),
    (gpx('<trkpt lat="1"/>'), "point 1: lon '' is no number"),
    (gpx(POINT.format("nan", 14, "2026-07-01T08:00:00Z")), "point 1: lat 'nan' is no number"),
    (gpx(POINT.format(91, 14, "2026-07-01T08:00:00Z")), "point 1: lat 91.0 is not within 90"),
    (gpx(POINT.format(1, 14, "yesterday")), "point 1: time 'yesterday' is no ISO 8601 time"),
    (gpx(POINT.format(1, 14, "2026-07-01T08:00:01Z"), POINT.format(1, 14, "2026-07-01T08:00:00Z")),
     "point 2: time is not after"),
    (gpx(head='<!DOCTYPE gpx SYSTEM "http://example.org/x.dtd">'), "a document type is not accepted"),
    (gpx(POINT.format("&i;", 1, "2026-07-01T08:00:00Z"), head=LAUGHS), "a document type is not accepted"),
    ('<?xml version="1.0" encoding="UTF-16"?><gpx/>', "not XML"),
    ('<?xml version="1.0" encoding="klingon"?><gpx/>', "not XML"),
    ("<gpx>" + "<a>" * 100 + "</a>" * 100 + "</gpx>", "nested deeper than 50")])
def test_wrong_gpx_files_are_named(tmp_path, text, reason):
    path = write(tmp_path, text)
    message = error_of(from_gpx, path)
    assert message.startswith(f"{path}: ") and reason in message


def test_gpx_that_is_missing_or_too_large_is_named(tmp_path, monkeypatch):
    assert error_of(from_gpx, tmp_path / "none.gpx") == f"{tmp_path / 'none.gpx'}: No such file or directory"
    path = write(tmp_path, gpx(*[POINT.format(1, 14, f"2026-07-01T08:00:0{n}Z") for n in range(4)]))
    monkeypatch.setattr(route, "MAX_POINTS", 3)
    assert error_of(from_gpx, path) == f"{path}: more than 3 points"
    monkeypatch.setattr(route, "MAX_GPX_BYTES", 100)
    assert "larger than" in error_of(from_gpx, path)


def test_a_real_track_is_read(shared):
    way = from_gpx(shared / "gpx" / "cerknicko-jezero.gpx")
    assert way.start_s == datetime(2010, 8, 5, 14, 23, 59, tzinfo=UTC).timestamp()
    assert way.end_s - way.start_s == 7190
    assert way.position(way.start_s)[:2] == pytest.approx((45.772175035, 14.357659249))


PIECES = st.sampled_from(["<gpx>", "</gpx>", "<trk>", "<trkseg>", "</trkseg>", "</trk>", "<trkpt>", "</trkpt>",
                          '<trkpt lat="1" lon="2">', '<trkpt lat="1e999" lon="-0"/>', "<time>", "</time>", "2026-07-01",
                          "T08:00:00Z", "9999-12-31T23:59:59-23:00", "<!--", "-->", "<![CDATA[", "]]>", "&#0;", "&lt;",
                          "<!DOCTYPE gpx>", "<a:b xmlns:a='c'>", "\x00", "é"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=200),
                      st.lists(PIECES, max_size=20).map(lambda pieces: "".join(pieces).encode()),
                      st.lists(PIECES, max_size=12).map(lambda pieces: gpx("".join(pieces)).encode())))
def test_whatever_a_file_holds_it_is_a_route_or_a_route_error(tmp_path, data):
    path = write(tmp_path, data)
    try:
        way = from_gpx(path)
    except RouteError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert abs(way.position(0).lat) <= 90


@settings(max_examples=60, deadline=None)
@given(points=st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=1, max_size=8),
       times=st.lists(st.floats(-1e9, 1e10), min_size=1, max_size=20))
def test_every_position_of_any_route_is_on_earth(points, times):
    way = Route([(1000.0 * n, lat, lon) for n, (lat, lon) in enumerate(points)])
    lat, lon, speed, course = way.sample(np.array(times))
    assert np.all(np.abs(lat) <= 90) and np.all(np.abs(lon) <= 180)
    assert np.all(speed >= 0) and np.all((course >= 0) & (course <= 360))
