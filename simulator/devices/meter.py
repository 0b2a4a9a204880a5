"""Integrates what the parts draw over virtual time: exactly, in microampere-microseconds, by hour, part and service."""

from __future__ import annotations

from collections import Counter

HOUR_US = 3_600_000_000
MAH = 1000 * HOUR_US  # microampere-microseconds in a milliampere-hour


class Meter:
    """Times only rise; the charge of any stretch of time is the same however often the meter was read within it."""

    def __init__(self) -> None:
        self.drawn: Counter[tuple[int, str, str]] = Counter()  # (hour since the start, part, service): uA us
        self.total = 0  # uA us up to the last `settle`
        self._now: dict[str, tuple[int, str, int]] = {}  # part: (microamperes, service, settled up to, in us)

    def set(self, part: str, microamperes: int, service: str, now_us: int) -> None:
        """From now on the part draws so much, for this service."""
        self._settle(part, now_us)
        self._now[part] = microamperes, service, now_us

    def settle(self, now_us: int) -> int:
        """Everything drawn up to now, in uA us."""
        for part in self._now:
            self._settle(part, now_us)
        return self.total

    def _settle(self, part: str, now_us: int) -> None:
        if part not in self._now:
            return
        microamperes, service, at_us = self._now[part]
        if microamperes and now_us > at_us:
            self.total += microamperes * (now_us - at_us)
            while at_us < now_us:
                hour = at_us // HOUR_US
                until_us = min(now_us, (hour + 1) * HOUR_US)
                self.drawn[hour, part, service] += microamperes * (until_us - at_us)
                at_us = until_us
        self._now[part] = microamperes, service, max(at_us, now_us)
