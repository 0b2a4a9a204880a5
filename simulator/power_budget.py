"""What a day cost: mAh by part, by service and by hour, and how long a cell lasts at that rate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from simulator.devices.meter import MAH
from simulator.watch import Watch


def budget(watch: Watch, hours: float) -> dict[str, Any]:
    """The summary's `power`: all in mAh but the rest of the cell (0..1) and the hours that a full one of 500 mAh lasts
    at the average of the time without USB; None where there was none."""
    now_us = watch.world.now_us
    level = watch.battery.charge(now_us)  # settles the meter
    drawn = watch.meter.drawn
    life_h = watch.battery.life_h(500, now_us)
    return {"mah": round(watch.meter.total / MAH, 2), "level": round(level, 3),
            "life_h_500mah": None if life_h is None else round(life_h, 1),
            "by_part": _sums(drawn, lambda key: key[1]), "by_service": _sums(drawn, lambda key: key[2]),
            "by_hour": _by_hour(drawn, hours)}


def _by_hour(drawn: Counter[tuple[int, str, str]], hours: float) -> list[float]:
    sums = [0] * math.ceil(hours)
    for (hour, _, _), charge in drawn.items():
        if hour < len(sums):  # the last moment may be in an hour that is not the day's
            sums[hour] += charge
    return [round(charge / MAH, 3) for charge in sums]


def _sums(drawn: Counter[tuple[int, str, str]], name: Callable[[tuple[int, str, str]], str]) -> dict[str, float]:
    """The largest first."""
    sums: Counter[str] = Counter()
    for key, charge in drawn.items():
        sums[name(key)] += charge
    return {key: round(charge / MAH, 3) for key, charge in sums.most_common()}
