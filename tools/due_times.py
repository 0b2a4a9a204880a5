"""The prompt times of a day as an auditor computes them: by Python's hmac and zoneinfo, nothing of the firmware's."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def due_times(secret: bytes, day: date, zone: ZoneInfo, waking: tuple[int, int], count: int,
              spacing_s: int) -> list[int]:
    """Unix seconds of the day's `count` prompts; `waking` is the first and the last minute of the local day.

    The rule is in the docstring of firmware/muster/prompts.py: Schedule.day.
    """
    first_s, last_s = (_first_showing(zone, day, minute) for minute in waking)
    code = hmac.new(secret, b"muster prompts" + day.isoformat().encode(), hashlib.sha256).digest()
    number = int.from_bytes(code, "big")
    due: list[int] = []
    for k in range(count):
        begin_s = first_s + (last_s - first_s) * k // count
        end_s = first_s + (last_s - first_s) * (k + 1) // count
        if due:
            begin_s = max(begin_s, due[-1] + spacing_s)
        due.append(begin_s + number % (end_s - begin_s))
        number //= end_s - begin_s
    return due


def _first_showing(zone: ZoneInfo, day: date, minute: int) -> int:
    """The first second at which the zone's clock shows this minute of the day, or a later one for want of it."""
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    high = int(local.replace(tzinfo=zone).timestamp())
    if _shown(zone, high) == local:
        return high
    low = high - 86400
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _shown(zone, middle) < local else (low, middle)
    return high


def _shown(zone: ZoneInfo, unix_s: int) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC).astimezone(zone).replace(tzinfo=None, fold=0)
