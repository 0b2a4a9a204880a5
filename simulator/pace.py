"""How fast virtual time goes: in steps, and where a speed is asked for no faster than so many times real time."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

FASTEST = float("inf")
STEP_S = 900  # virtual time of a step at the most
TURN_S = 0.2  # real time of a step at the most, where the machine is quick enough


def speed(text: str) -> float:
    """A command line's --speed: a number above 0, or max."""
    try:
        value = FASTEST if text == "max" else float(text)
    except ValueError:
        value = 0
    if not 0.01 <= value:
        raise argparse.ArgumentTypeError(f"not a number of 0.01 or more, or max: {text}")
    return value


def go(run: Callable[[float], None], from_s: float, until_s: float, speed: float,
       progress: Callable[[float], None] = lambda at_s: None) -> None:
    """Call `run` with one time after another, up to `until_s`, and `progress` after each."""
    step_s = min(STEP_S, max(0.01, speed * TURN_S))
    started, at_s = time.monotonic(), from_s
    while at_s < until_s:
        at_s = min(until_s, (at_s // step_s + 1) * step_s)
        run(at_s)
        progress(at_s)
        time.sleep(max(0.0, (at_s - from_s) / speed - (time.monotonic() - started)))
