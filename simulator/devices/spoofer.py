"""A transmitter that makes the GNSS receiver believe that it is elsewhere, or on another day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.devices.gnss import METRES_PER_DEGREE, Gnss
from simulator.route import Position, Route


class Deceit(NamedTuple):
    """From unix second start_s (included) to end_s (not): metres off, and days ahead."""

    start_s: float
    end_s: float
    north_m: float
    east_m: float
    days: int


class Spoofer:
    """The receiver's sentences: honest ones, and in the times of `deceits` those of a clear sky over a false place."""

    def __init__(self, honest: Gnss, route: Route, seed: int, deceits: Sequence[Deceit]):
        self._honest = honest
        self._deceits = [(deceit, Gnss(_Moved(route, deceit), seed, days_off=deceit.days)) for deceit in deceits]

    def sentences(self, unix_ms: int) -> bytes:
        """What the receiver says in the second that unix_ms is in."""
        for deceit, false in self._deceits:
            if deceit.start_s * 1000 <= unix_ms < deceit.end_s * 1000:
                return false.sentences(unix_ms)
        return self._honest.sentences(unix_ms)


class _Moved(Route):
    """A route, shifted."""

    def __init__(self, route: Route, deceit: Deceit):
        self._route, self._deceit = route, deceit

    def sample(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        lat, lon, speed_mps, course_deg = self._route.sample(times)
        lat = np.clip(lat + self._deceit.north_m / METRES_PER_DEGREE, -90, 90)
        east = self._deceit.east_m / METRES_PER_DEGREE / np.maximum(np.cos(np.radians(lat)), 0.01)
        return lat, (lon + east + 180) % 360 - 180, speed_mps, course_deg

    def position(self, unix_s: float) -> Position:
        return Position(*(float(values[0]) for values in self.sample(np.array([unix_s]))))
