"""A scenario's `expect:` lines: looks at the watch at their times, and judges what was found when the day is over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from simulator.receiver.decode import decode_segment
from simulator.receiver.state import State
from simulator.receiver.store import Store
from simulator.scenario import Expectation, Scenario
from simulator.watch import Watch

ANSWER_US = 2_000_000  # the console's answer is there by then
AT_END_S = 5  # how long before the end the console is asked where no time is given

Findings = dict[int, Any]  # by the number of the expectation: what was found at its time


class Verdict(NamedTuple):
    """One expectation: its line in the file, what it wants, whether it is met, and what was found."""

    line: int
    wanted: str
    is_met: bool
    found: str


def observe(watch: Watch, scenario: Scenario, state: Path) -> Findings:
    """Plan the looks that have their time; they fill what is returned. `state` is the receiver's folder."""
    findings: Findings = {}
    for n, expectation in enumerate(scenario.expect):
        look = _look(watch, expectation, state, partial(findings.__setitem__, n))
        at_s = expectation.at_s
        if at_s is None and expectation.what in ("console", "clock_within_s"):
            at_s = scenario.hours * 3600 - AT_END_S
        if look and at_s is not None:
            watch.world.at(round(at_s * 1e6), look)
    return findings


def judge(scenario: Scenario, values: dict[str, Any], findings: Findings) -> list[Verdict]:
    """`values` are the summary's."""
    return [_verdict(expectation, values, findings.get(n)) for n, expectation in enumerate(scenario.expect)]


def _look(watch: Watch, expectation: Expectation, state: Path, keep: Callable[[Any], None]
          ) -> Callable[[], None] | None:
    if expectation.what == "records":
        return lambda: keep(_received(state))
    if expectation.what == "console":
        return lambda: _ask(watch, expectation.wanted["line"], keep)
    if expectation.what == "clock_within_s":
        return lambda: _ask(watch, "status", lambda text: keep(_clock_error_s(text, watch)))
    return None


def _ask(watch: Watch, line: str, keep: Callable[[str], None]) -> None:
    start = len(watch.console_output)
    watch.type(line.encode() + b"\r")
    watch.world.after(ANSWER_US, lambda: keep(watch.console_output[start:].decode(errors="replace")))


def _clock_error_s(text: str, watch: Watch) -> float | None:
    """How far the watch's clock is off by its console's `status`; None: it knows no time."""
    found = re.search(r"clock\s+(\d+)", text)
    asked_s = (watch.world.unix_ms - ANSWER_US // 1000) / 1000
    return None if found is None else abs(int(found[1]) - int(asked_s))


def _received(state: Path) -> Counter[str]:
    """How many records of each type the receiver has by now."""
    with closing(Store(State(state).database)) as store:
        return Counter(record.get("type", "flaw") for stored in store.stored() for record in decode_segment(stored))


def _verdict(expectation: Expectation, values: dict[str, Any], finding: Any) -> Verdict:
    what, wanted = expectation.what, expectation.wanted
    if what == "records":
        finding = values["records_by_type"] if expectation.at_s is None else finding
    is_met, found = _JUDGES[what](wanted, values, finding)
    at = "" if expectation.at_s is None else f" at {_time(values, expectation.at_s)}"
    return Verdict(expectation.line, f"{what} {_words(wanted)}{at}", is_met, found)


def _prompts(wanted: list[str], values: dict[str, Any], _: Any) -> tuple[bool, str]:
    found = [(prompt["outcome"], f"{prompt['outcome']}: {prompt['reason']}") for prompt in values["prompts"]]
    is_met = len(found) == len(wanted) and all(want in have for want, have in zip(wanted, found, strict=True))
    return is_met, _words([full if full != "matched: none" else short for short, full in found])


def _outcomes(wanted: dict[str, Any], values: dict[str, Any], _: Any) -> tuple[bool, str]:
    """Those that are not named must not be."""
    found = values["outcomes"]
    return (all(_counts(wanted.get(name, 0), count) for name, count in found.items()),
            _words({name: count for name, count in found.items() if count}))


def _records(wanted: dict[str, Any], _: dict[str, Any], finding: Any) -> tuple[bool, str]:
    found = {name: (finding or {}).get(name, 0) for name in wanted}
    return finding is not None and all(_counts(count, found[name]) for name, count in wanted.items()), _words(found)


def _no_fix(wanted: list[str], values: dict[str, Any], _: Any) -> tuple[bool, str]:
    found = sorted({row["reason"] for row in values["no_fix"]})
    return sorted(wanted) == found, _words(found)


def _boots(wanted: list[str], values: dict[str, Any], _: Any) -> tuple[bool, str]:
    found = [boot["cause"] for boot in values["boots"]]
    return wanted == found, _words(found)


def _fixes(wanted: Any, values: dict[str, Any], _: Any) -> tuple[bool, str]:
    return _counts(wanted, values["fixes"]), str(values["fixes"])


def _track(wanted: float, values: dict[str, Any], _: Any) -> tuple[bool, str]:
    found = values["track_error_m"]["p95"]
    return found is not None and found <= wanted, f"{found} m"


def _console(wanted: dict[str, str], _: dict[str, Any], finding: Any) -> tuple[bool, str]:
    answer = " | ".join((finding or "").split("\n")[1:]).replace("\r", "")
    return wanted["contains"] in (finding or ""), answer[:400]


def _clock(wanted: float, _: dict[str, Any], finding: Any) -> tuple[bool, str]:
    return finding is not None and finding <= wanted, "no time" if finding is None else f"{finding:g} s"


def _battery(wanted: float, values: dict[str, Any], _: Any) -> tuple[bool, str]:
    found = values["power"]["life_h_500mah"]
    return found is not None and found >= wanted, "always on USB" if found is None else f"{found:g} h"


_JUDGES: dict[str, Callable[[Any, dict[str, Any], Any], tuple[bool, str]]] = {
    "prompts": _prompts, "outcomes": _outcomes, "records": _records, "no_fix": _no_fix, "boots": _boots,
    "fixes": _fixes, "track_p95_m": _track, "console": _console, "clock_within_s": _clock,
    "battery_h": _battery}


def _counts(wanted: int | list[int], found: int) -> bool:
    least, most = wanted if isinstance(wanted, list) else (wanted, wanted)
    return least <= found <= most


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list):
        if len(value) == 2 and all(isinstance(item, int) for item in value):
            return f"{value[0]} to {value[1]}"
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _time(values: dict[str, Any], at_s: float) -> str:
    hour, minute = values["start"].split(" ")[1].split(":")
    minutes = int(hour) * 60 + int(minute) + round(at_s / 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"
