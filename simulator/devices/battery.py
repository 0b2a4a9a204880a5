"""The emulated lithium cell: its charge and its voltage over time."""

from __future__ import annotations

from collections.abc import Sequence

# charge left to open-circuit voltage of a LiPo cell at 0.2 C, 25 degC (typical datasheet curve)
CURVE = ((0.0, 3.20), (0.05, 3.55), (0.2, 3.68), (0.4, 3.75), (0.6, 3.85), (0.8, 3.98), (1.0, 4.18))
CHARGING_H = 2.5  # from empty to full
HOUR_US = 3_600_000_000


class Battery:
    """Falls from `level` (0..1) at the rate of `hours` from full to empty, and rises in the charger's periods.

    `charger`: (start_us, end_us) of each, in order.
    """

    def __init__(self, level: float = 0.95, hours: float = 40, charger: Sequence[tuple[int, int]] = ()):
        self.level, self.hours, self.charger = level, hours, charger

    def charge(self, now_us: int) -> float:
        """What is left, 0 to 1."""
        left, at_us = self.level, 0
        for start_us, end_us in self.charger:
            if start_us >= now_us:
                break
            left = max(0.0, left - (start_us - at_us) / HOUR_US / self.hours)
            at_us = min(end_us, now_us)
            left = min(1.0, left + (at_us - start_us) / HOUR_US / CHARGING_H)
        return max(0.0, left - (now_us - at_us) / HOUR_US / self.hours)

    def microvolts(self, now_us: int) -> int:
        left = self.charge(now_us)
        for (low, below), (high, above) in zip(CURVE, CURVE[1:], strict=False):
            if left <= high:
                return round((below + (above - below) * (left - low) / (high - low)) * 1e6)
        return round(CURVE[-1][1] * 1e6)
