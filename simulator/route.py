"""Where the wearer truly is: a position over time, from a GPX track, waypoints with times, or one place."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

EARTH_RADIUS_M = 6_371_000
MAX_GPX_BYTES = 16 << 20
MAX_POINTS = 200_000


class RouteError(Exception):
    """A route that cannot be used; one line with the file, the field and the reason."""


class Position(NamedTuple):
    """Degrees north and east, metres a second over ground, degrees clockwise from north."""

    lat: float
    lon: float
    speed_mps: float
    course_deg: float


class Route:
    """Straight legs at constant speed between points; the first and last place hold before and after."""

    def __init__(self, points: Sequence[tuple[float, float, float]], source: str = "route"):
        """points: (unix_s, lat, lon) with increasing times; source is what errors name. Raises RouteError."""
        if not points:
            raise RouteError(f"{source}: no points")
        for index, (unix_s, lat, lon) in enumerate(points):
            for field, value, limit in (("lat", lat, 90), ("lon", lon, 180), ("time", unix_s, 1e11)):
                if not abs(value) <= limit:
                    raise RouteError(f"{source}: point {index + 1}: {field} {value} is not within {limit:g}")
            if index and unix_s <= points[index - 1][0]:
                raise RouteError(f"{source}: point {index + 1}: time is not after that of the point before it")
        table = np.array(points, dtype=float)
        self._times = table[:, 0]
        self._lats = table[:, 1]
        self._lons = np.unwrap(table[:, 2], period=360)
        east = np.radians(np.diff(self._lons)) * np.cos(np.radians((self._lats[1:] + self._lats[:-1]) / 2))
        north = np.radians(np.diff(self._lats))
        speeds = np.hypot(east, north) * EARTH_RADIUS_M / np.diff(self._times)
        courses = np.degrees(np.arctan2(east, north)) % 360
        self._speeds = np.concatenate(([0], speeds, [0]))  # of the leg that ends at each point, and after the last
        self._courses = np.concatenate((courses[:1], courses, courses[-1:])) if len(courses) else np.zeros(2)

    @property
    def start_s(self) -> float:
        """Unix time of the first point."""
        return float(self._times[0])

    @property
    def end_s(self) -> float:
        """Unix time of the last point."""
        return float(self._times[-1])

    def sample(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """lat, lon, speed_mps and course_deg at each unix time, as in Position."""
        leg = np.searchsorted(self._times, times, side="right")
        lon = (np.interp(times, self._times, self._lons) + 180) % 360 - 180
        return np.interp(times, self._times, self._lats), lon, self._speeds[leg], self._courses[leg]

    def position(self, unix_s: float) -> Position:
        """Where the wearer is at a time."""
        return Position(*(float(values[0]) for values in self.sample(np.array([unix_s]))))


def still(lat: float, lon: float) -> Route:
    """One place, always. Raises RouteError."""
    return Route([(0, lat, lon)], "still")


def from_waypoints(waypoints: Any, day: date, zone: tzinfo = UTC, source: str = "waypoints") -> Route:
    """A day's route from [{at: "08:10", lat, lon}, ...]; `at` is local time of the day, "HH:MM" or "HH:MM:SS".

    A wall time that a clock change repeats is its first; one that it skips is as many minutes past the change.
    Raises RouteError.
    """
    if not isinstance(waypoints, list):
        raise RouteError(f"{source}: waypoints must be a list")
    points = []
    for index, waypoint in enumerate(waypoints):
        where = f"{source}: waypoint {index + 1}"
        if not isinstance(waypoint, dict) or set(waypoint) != {"at", "lat", "lon"}:
            raise RouteError(f"{where}: must have at, lat and lon, and nothing else")
        for field in ("lat", "lon"):
            if isinstance(waypoint[field], bool) or not isinstance(waypoint[field], int | float):
                raise RouteError(f"{where}: {field} must be a number of degrees")
        moment = datetime.combine(day, _time_of_day(waypoint["at"], where), zone)
        points.append((moment.timestamp(), waypoint["lat"], waypoint["lon"]))
    return Route(points, source)


def _time_of_day(text: Any, where: str) -> time:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", text):
        raise RouteError(f'{where}: at must be "HH:MM" or "HH:MM:SS", in quotes')
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise RouteError(f"{where}: at: {error}") from None


def from_gpx(path: Path, start_s: float | None = None, speed_mps: float | None = None) -> Route:
    """The track points of a GPX 1.0 or 1.1 file, all tracks and segments as one.

    Each point's time is its own, or follows from speed_mps, which then needs start_s. start_s: the first point's unix
    time, all others move with it. A point that repeats the time before it is left out. Raises RouteError.
    """
    points = _gpx_points(Path(path))
    if speed_mps is not None:
        if start_s is None or not 0 < speed_mps < math.inf:
            raise RouteError(f"{path}: speed: needs a start, and more than 0 m/s")
        return Route(_timed(points, start_s, speed_mps), str(path))
    timed: list[tuple[float, float, float]] = []
    for index, (unix_s, lat, lon) in enumerate(points):
        if unix_s is None:
            raise RouteError(f"{path}: point {index + 1}: no time, and no speed is given for the track")
        if not timed or unix_s != timed[-1][0]:
            timed.append((unix_s, lat, lon))
    shift_s = start_s - timed[0][0] if start_s is not None and timed else 0
    return Route([(unix_s + shift_s, lat, lon) for unix_s, lat, lon in timed], str(path))


def _timed(points: list[tuple[float | None, float, float]], start_s: float, speed_mps: float
           ) -> list[tuple[float, float, float]]:
    timed: list[tuple[float, float, float]] = []
    for _, lat, lon in points:
        if not timed:
            timed.append((start_s, lat, lon))
            continue
        unix_s, lat0, lon0 = timed[-1]
        east = math.radians((lon - lon0 + 180) % 360 - 180) * math.cos(math.radians((lat + lat0) / 2))
        way_m = math.hypot(east, math.radians(lat - lat0)) * EARTH_RADIUS_M
        if way_m > 0.01:
            timed.append((unix_s + way_m / speed_mps, lat, lon))
    return timed


def _gpx_points(path: Path) -> list[tuple[float | None, float, float]]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_GPX_BYTES + 1)
    except OSError as error:
        raise RouteError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_GPX_BYTES:
        raise RouteError(f"{path}: larger than {MAX_GPX_BYTES >> 20} MiB")
    target = _TrackPoints(path)
    try:
        parser = ElementTree.XMLParser(target=target)
        parser.feed(data)
        parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise RouteError(f"{path}: not XML: {error}") from None
    return target.points


class _TrackPoints:
    """What the XML parser tells: the track points, and nothing kept of the rest."""

    def __init__(self, path: Path):
        self.points: list[tuple[float | None, float, float]] = []
        self._path = path
        self._open: list[str] = []
        self._point: tuple[float, float] | None = None
        self._unix_s: float | None = None
        self._text = ""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise RouteError(f"{self._path}: a document type is not accepted")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        if not self._open and name != "gpx":
            raise RouteError(f"{self._path}: not GPX: the root is {name[:40]}")
        if len(self._open) > 50:
            raise RouteError(f"{self._path}: nested deeper than 50 elements")
        self._open.append(name)
        self._text = ""
        if name == "trkpt":
            self._point = (self._degrees(attributes, "lat"), self._degrees(attributes, "lon"))
            self._unix_s = None

    def data(self, text: str) -> None:
        if self._open[-1:] == ["time"] and len(self._text) < 40:
            self._text += text[:40]

    def end(self, tag: str) -> None:
        name = self._open.pop()
        if name == "time" and self._open[-1:] == ["trkpt"]:
            self._unix_s = self._time(self._text.strip())
        elif name == "trkpt" and self._point:
            self.points.append((self._unix_s, *self._point))
            self._point = None
            if len(self.points) > MAX_POINTS:
                raise RouteError(f"{self._path}: more than {MAX_POINTS} points")

    def close(self) -> None:
        if not self.points:
            raise RouteError(f"{self._path}: no track points (trkpt)")

    def _degrees(self, attributes: dict[str, str], field: str) -> float:
        text = attributes.get(field, "")
        try:
            degrees = float(text)
        except ValueError:
            degrees = math.nan
        if not math.isfinite(degrees):
            raise RouteError(f"{self._path}: point {len(self.points) + 1}: {field} {text[:40]!r} is no number")
        return degrees

    def _time(self, text: str) -> float:
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise RouteError(f"{self._path}: point {len(self.points) + 1}: time {text!r} is no ISO 8601 time") from None
