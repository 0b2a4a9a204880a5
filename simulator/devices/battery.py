"""The emulated lithium cell: its voltage over time."""

from __future__ import annotations

# charge left to open-circuit voltage of a LiPo cell at 0.2 C, 25 degC (typical datasheet curve)
CURVE = ((0.0, 3.20), (0.05, 3.55), (0.2, 3.68), (0.4, 3.75), (0.6, 3.85), (0.8, 3.98), (1.0, 4.18))


class Battery:
    """Falls from `level` (0..1) at the rate of `hours` from full to empty."""

    def __init__(self, level: float = 0.95, hours: float = 40):
        self.level, self.hours = level, hours

    def microvolts(self, now_us: int) -> int:
        left = max(0.0, self.level - now_us / 3.6e9 / self.hours)
        for (low, below), (high, above) in zip(CURVE, CURVE[1:], strict=False):
            if left <= high:
                return round((below + (above - below) * (left - low) / (high - low)) * 1e6)
        return round(CURVE[-1][1] * 1e6)
