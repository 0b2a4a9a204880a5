"""The emulated GNSS receiver: each second's RMC, GGA and GSA for a route, with the errors of real reception."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime
from functools import lru_cache, reduce
from operator import xor
from typing import NamedTuple

import numpy as np

from simulator.route import Position, Route

METRES_PER_DEGREE = 111_195
HOUR_S = 3600
ROLLOVER_S = 1024 * 7 * 86400


class GnssError(Exception):
    """Conditions that cannot be; one line with the window and the reason."""


class _Reception(NamedTuple):
    """sigma_m: error north and east, each; settle_s: its correlation time; hdop and satellites: lowest, highest."""

    sigma_m: float
    settle_s: int
    hdop: tuple[float, float]
    satellites: tuple[int, int]


RECEPTION = {"open": _Reception(2.5, 60, (0.75, 1.15), (9, 12)),
             "canyon": _Reception(9.0, 30, (1.6, 4.2), (5, 8))}  # streets between high houses: reflections
NO_FIX = {"indoors": (1, 3), "tunnel": (0, 0), "jammed": (0, 0)}  # satellites heard; the receiver keeps its time
NOTHING = ("cold", "silent")  # neither time nor place known; and no word at all
KINDS = (*RECEPTION, *NO_FIX, *NOTHING)

WITH_FIX = b"$GNRMC,hhmmss.00,A,ddmm.mmmmm,N,dddmm.mmmmm,E,kkk.kk,ccc.cc,DDMMYY,,,A*xx\r\n" \
           b"$GNGGA,hhmmss.00,ddmm.mmmmm,N,dddmm.mmmmm,E,1,nn,h.hh,300.0,M,46.0,M,,*xx\r\n"
WITHOUT_FIX = b"$GNRMC,hhmmss.00,V,,,,,,,DDMMYY,,,N*xx\r\n$GNGGA,hhmmss.00,,,,,0,nn,99.99,,,,,,*xx\r\n" \
              b"$GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99*xx\r\n"
COLD = b"$GNRMC,,V,,,,,,,,,,N*4D\r\n$GNGGA,,,,,,0,00,99.99,,,,,,*56\r\n" \
       b"$GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99*2E\r\n"


class Window(NamedTuple):
    """Unix seconds start_s (included) to end_s (not) in which one of KINDS holds; elsewhere it is "open"."""

    start_s: float
    end_s: float
    kind: str


class Gnss:
    """A receiver at 1 Hz, talker GN. Every second's bytes depend on the seed and that second alone.

    Errors north and east are first-order Gauss-Markov. rollover: the receiver has lost a round of the GPS week counter
    and reports dates 1024 weeks ago; days_off: it is `days_off` days ahead. Where windows overlap the later in the list
    holds. Raises GnssError.
    """

    def __init__(self, route: Route, seed: int, conditions: Sequence[Window] = (), rollover: bool = False,
                 days_off: int = 0):
        for index, window in enumerate(conditions):
            if window.kind not in KINDS:
                raise GnssError(f"condition {index + 1}: kind {window.kind!r} is none of {', '.join(KINDS)}")
            if not window.start_s < window.end_s:
                raise GnssError(f"condition {index + 1}: its end is not after its start")
        self._route = route
        self._seed = seed
        self._conditions = list(conditions)
        self._shift_s = (ROLLOVER_S if rollover else 0) - days_off * 86400
        self._hour = -1
        self._seconds: list[bytes] = []

    def sentences(self, unix_ms: int) -> bytes:
        """What the receiver says in the second that unix_ms is in."""
        hour, second = divmod(unix_ms // 1000, HOUR_S)
        if hour != self._hour:
            self._seconds = self._render(hour)
            self._hour = hour
        return self._seconds[second]

    def under(self, kind: str) -> Gnss:
        """A receiver at the same places with this reception, whatever its windows say. Raises GnssError."""
        if kind not in KINDS:
            raise GnssError(f"kind {kind!r} is none of {', '.join(KINDS)}")
        other = copy(self)
        other._conditions, other._hour = [Window(0, float("inf"), kind)], -1
        return other

    def true_position(self, unix_s: float) -> Position:
        """Where the receiver truly is."""
        return self._route.position(unix_s)

    def _render(self, hour: int) -> list[bytes]:
        """The hour's 3600 answers."""
        times = hour * HOUR_S + np.arange(HOUR_S)
        kinds = np.full(HOUR_S, KINDS.index("open"))
        for window in self._conditions:
            kinds[(times >= window.start_s) & (times < window.end_s)] = KINDS.index(window.kind)
        day = datetime.fromtimestamp(hour * HOUR_S - self._shift_s, UTC)
        seconds = [b""] * HOUR_S
        for kind in np.unique(kinds):
            name = KINDS[kind]
            chosen = np.flatnonzero(kinds == kind)
            if name in RECEPTION:
                answers = self._fixes(hour, chosen, RECEPTION[name], day)
            elif name in NO_FIX:
                answers = self._misses(hour, chosen, NO_FIX[name], day)
            else:
                answers = [COLD if name == "cold" else b""] * len(chosen)
            for index, answer in zip(chosen.tolist(), answers, strict=True):
                seconds[index] = answer
        return seconds

    def _fixes(self, hour: int, chosen: np.ndarray, reception: _Reception, day: datetime) -> list[bytes]:
        """Answers of the chosen seconds of the hour, with a fix."""
        quality = np.clip(0.5 + 0.25 * self._wander(hour, 2, 120), 0, 1)[chosen]  # 0 good, 1 bad geometry
        low, high = reception.hdop
        hdop_e2 = np.rint(100 * (low + quality * (high - low))).astype(int)
        few, many = reception.satellites
        satellites = np.rint(many - quality * (many - few)).astype(int)
        sigma_deg = reception.sigma_m * hdop_e2 / (50 * (low + high)) / METRES_PER_DEGREE
        lat, lon, speed_mps, course_deg = self._route.sample(hour * HOUR_S + chosen)
        lat_noisy = np.clip(lat + sigma_deg * self._wander(hour, 0, reception.settle_s)[chosen], -90, 90)
        east = sigma_deg * self._wander(hour, 1, reception.settle_s)[chosen] / np.maximum(np.cos(np.radians(lat)), 0.01)
        lon_noisy = (lon + east + 180) % 360 - 180
        knots_e2 = np.rint((speed_mps + 0.1 * self._draws(hour, 4)[chosen]) * 194.384).astype(int)
        rows = _stamped(WITH_FIX, chosen, day)
        for at in _places(WITH_FIX, b"ddmm.mmmmm,N"):
            _angle(rows, at, lat_noisy, 4, b"NS")
        for at in _places(WITH_FIX, b"dddmm.mmmmm,E"):
            _angle(rows, at, lon_noisy, 5, b"EW")
        _decimal(rows, WITH_FIX.index(b"kkk.kk"), np.minimum(knots_e2, 99999), 3)
        _decimal(rows, WITH_FIX.index(b"ccc.cc"), np.rint(course_deg * 100).astype(int) % 36000, 3)
        _digits(rows, WITH_FIX.index(b"nn"), satellites, 2)
        _decimal(rows, WITH_FIX.index(b"h.hh"), hdop_e2, 1)
        kept = zip(_finished(WITH_FIX, rows), satellites.tolist(), hdop_e2.tolist(), strict=True)
        return [answer + _gsa(count, hdop) for answer, count, hdop in kept]

    def _misses(self, hour: int, chosen: np.ndarray, heard: tuple[int, int], day: datetime) -> list[bytes]:
        """Answers of the chosen seconds of the hour without a fix, some satellites heard."""
        low, high = heard
        rows = _stamped(WITHOUT_FIX, chosen, day)
        satellites = low + np.floor(self._draws(hour, 3)[chosen] * (high - low + 1)).astype(int)
        _digits(rows, WITHOUT_FIX.index(b"nn"), satellites, 2)
        return _finished(WITHOUT_FIX, rows)

    def _draws(self, hour: int, stream: int) -> np.ndarray:
        """3600 random numbers of [0, 1), of this hour and stream."""
        return np.random.default_rng([self._seed, hour, stream]).random(HOUR_S)

    def _wander(self, hour: int, stream: int, settle_s: int) -> np.ndarray:
        """The hour of a Gauss-Markov process of unit variance: two hours' normal draws through its filter."""
        draws = [np.random.default_rng([self._seed, part, stream]).standard_normal(HOUR_S) for part in (hour, hour + 1)]
        kernel = np.exp(-np.arange(8 * settle_s) / settle_s)
        kernel /= np.sqrt(np.sum(kernel ** 2))
        return np.convolve(np.concatenate(draws)[HOUR_S - len(kernel) + 1:], kernel, "valid")


def _places(template: bytes, field: bytes) -> list[int]:
    return [found.start() for found in re.finditer(b"(?<=,)" + re.escape(field), template)]


def _stamped(template: bytes, seconds: np.ndarray, day: datetime) -> np.ndarray:
    """A row of bytes for each second of the hour, with its time and date."""
    rows = np.tile(np.frombuffer(template, np.uint8), (len(seconds), 1))
    for at in _places(template, b"hhmmss"):
        _digits(rows, at, day.hour * 10000 + seconds // 60 * 100 + seconds % 60, 6)
    _digits(rows, template.index(b"DDMMYY"), int(day.strftime("%d%m%y")), 6)
    return rows


def _finished(template: bytes, rows: np.ndarray) -> list[bytes]:
    """The rows with each sentence's checksum."""
    hexadecimal = np.frombuffer(b"0123456789ABCDEF", np.uint8)
    for sentence in re.finditer(rb"\$([^*]+)\*", template):
        sums = np.bitwise_xor.reduce(rows[:, sentence.start(1):sentence.end(1)], axis=1)
        rows[:, sentence.end()] = hexadecimal[sums >> 4]
        rows[:, sentence.end() + 1] = hexadecimal[sums & 15]
    data = rows.tobytes()
    return [data[at:at + len(template)] for at in range(0, len(data), len(template))]


def _digits(rows: np.ndarray, at: int, values: np.ndarray | int, width: int) -> None:
    """Write each value in decimal over its row's bytes from `at`."""
    for place in range(at + width - 1, at - 1, -1):
        rows[:, place] = 48 + values % 10
        values = values // 10


def _decimal(rows: np.ndarray, at: int, values_e2: np.ndarray, whole: int) -> None:
    _digits(rows, at, values_e2 // 100, whole)
    _digits(rows, at + whole + 1, values_e2 % 100, 2)


def _angle(rows: np.ndarray, at: int, degrees: np.ndarray, width: int, hemispheres: bytes) -> None:
    """Write [d]ddmm.mmmmm,H: width digits before the point."""
    minutes_e5 = np.rint(np.abs(degrees) * 6e6).astype(np.int64)
    _digits(rows, at, minutes_e5 // 6_000_000 * 100 + minutes_e5 // 100_000 % 60, width)
    _digits(rows, at + width + 1, minutes_e5 % 100_000, 5)
    rows[:, at + width + 7] = np.where(degrees < 0, hemispheres[1], hemispheres[0])


@lru_cache(maxsize=4096)
def _gsa(satellites: int, hdop_e2: int) -> bytes:
    """GSA of a three-dimensional fix; PDOP and VDOP as they usually follow from HDOP."""
    used = ",".join(f"{number:02}" if number <= satellites else "" for number in range(1, 13))
    text = f"GNGSA,A,3,{used},{hdop_e2 * 0.018:.2f},{hdop_e2 / 100:.2f},{hdop_e2 * 0.015:.2f}".encode()
    return b"$%s*%02X\r\n" % (text, reduce(xor, text))
