"""The emulated lithium cell: what is drawn from it, what the charger puts in, and its voltage."""

from __future__ import annotations

from simulator.devices.meter import MAH, Meter

# charge left to open-circuit voltage of a LiPo cell at 0.2 C, 25 degC (typical datasheet curve)
CURVE = ((0.0, 3.20), (0.05, 3.55), (0.2, 3.68), (0.4, 3.75), (0.6, 3.85), (0.8, 3.98), (1.0, 4.18))
CHARGING_US = 9_000_000_000  # from empty to full: 2.5 h


class Battery:
    """A cell of `capacity_mah`, at the start charged to `level` (0..1). Plugged in, it is charged and nothing is drawn
    from it."""

    def __init__(self, meter: Meter, level: float = 0.95, capacity_mah: float = 500):
        self._meter = meter
        self.capacity = round(capacity_mah * MAH)  # this and all charges: uA us
        self._left = round(level * self.capacity)
        self._plugged = False
        self._at_us, self._read = 0, meter.total
        self.given = self.unplugged_us = 0  # what the watch drew from the cell, and the time in which it did

    def plug(self, is_plugged: bool, now_us: int) -> None:
        """The USB cable comes or goes."""
        self._settle(now_us)
        self._plugged = is_plugged

    def charge(self, now_us: int) -> float:
        """What is left, 0 to 1."""
        self._settle(now_us)
        return self._left / self.capacity

    def microvolts(self, now_us: int) -> int:
        left = self.charge(now_us)
        for (low, below), (high, above) in zip(CURVE, CURVE[1:], strict=False):
            if left <= high:
                return round((below + (above - below) * (left - low) / (high - low)) * 1e6)
        return round(CURVE[-1][1] * 1e6)

    def life_h(self, capacity_mah: float, now_us: int) -> float | None:
        """How long a full cell of that size lasts at what was drawn on average while unplugged; None: nothing was."""
        self._settle(now_us)
        return capacity_mah * MAH * self.unplugged_us / self.given / 3.6e9 if self.given else None

    def _settle(self, now_us: int) -> None:
        drawn, passed_us = self._meter.settle(now_us) - self._read, now_us - self._at_us
        self._read, self._at_us = self._read + drawn, now_us
        if self._plugged:
            self._left = min(self.capacity, self._left + self.capacity * passed_us // CHARGING_US)
        else:
            self._left = max(0, self._left - drawn)
            self.given += drawn
            self.unplugged_us += passed_us
