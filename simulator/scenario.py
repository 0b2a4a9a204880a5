"""A day as a file: YAML to a checked Scenario. A wrong file is one line that names file, field and reason."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from simulator.devices.gnss import KINDS
from simulator.wiring import BOARDS

LIMIT_BYTES = 64 * 1024
FOLDER = Path(__file__).resolve().parent / "scenarios"
WHO = ("wearer", "stranger", "nobody", "ignore")
SKIES = KINDS
NETWORKS = ("down", "hangs")
# PyYAML lets through what its converters meet with, such as AttributeError for "!!timestamp x"
_NOT_YAML = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
ACTIONS = ("enrol", "console", "reset", "power-cut", "press")


class ScenarioError(ValueError):
    """One line: file, field and reason."""


@dataclass(frozen=True)
class Answer:
    """What happens at a prompt: who answers, how soon, and how they look at the watch (degrees, ratios)."""

    who: str
    after_s: float = 20
    yaw: float = 0
    pitch: float = 0
    roll: float = 0
    light: float = 1.0
    distance: float = 1.0
    smile: float = 0


@dataclass(frozen=True)
class Period:
    """Something that holds from `start_s` to `end_s`, seconds since the scenario's start."""

    start_s: float
    end_s: float
    kind: str


@dataclass(frozen=True)
class Action:
    """Something done at `at_s`; `text` is a console line."""

    at_s: float
    do: str
    text: str = ""


@dataclass(frozen=True)
class Scenario:
    """Times are seconds since `start_unix_s`; `route` rows are {at_s, lat, lon}, or `gpx` names a file."""

    name: str
    start_unix_s: int
    utc_offset_s: int
    hours: float
    seed: int
    board: str
    zone: str
    wearer: Any  # seed of a drawn person, or the path of a photograph, folder or video
    stranger: Any
    answers: tuple[Answer, ...]
    route: tuple[dict[str, float], ...] = ()
    gpx: str | None = None
    sky: tuple[Period, ...] = ()
    network: tuple[Period, ...] = ()
    actions: tuple[Action, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


def load(path: str | Path) -> Scenario:
    """Read a scenario by path, or by the name of one that is shipped. Raises ScenarioError."""
    path = Path(path)
    if not path.exists() and (FOLDER / f"{path}.yaml").exists():
        path = FOLDER / f"{path}.yaml"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from None
    if len(data) > LIMIT_BYTES:
        raise ScenarioError(f"{path}: longer than {LIMIT_BYTES} bytes")
    return parse(data, path)


def parse(data: bytes, path: Path) -> Scenario:
    """Raises ScenarioError."""
    if b"&" in data or b"*" in data:
        raise ScenarioError(f"{path}: anchors and aliases are not allowed")
    try:
        values = yaml.safe_load(data)
    except _NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ScenarioError(f"{path}: {where}not YAML: {problem[:200]}") from None
    try:
        return _scenario(_Table(values, ""), path)
    except _FieldError as error:
        raise ScenarioError(f"{path}: {error}") from None


class _FieldError(Exception):
    pass


class _Table:
    """A mapping whose fields are taken one by one with a check; what is left over is an error."""

    def __init__(self, values: Any, where: str):
        if not isinstance(values, dict):
            raise _FieldError(f"{where or 'file'}: must be a mapping")
        self.values, self.where = dict(values), where

    def take(self, name: str, check: Any, reason: str, default: Any = ...) -> Any:
        where = f"{self.where}{name}"
        value = self.values.pop(name, default)
        if value is ...:
            raise _FieldError(f"{where}: missing")
        if value is not default and not check(value):
            raise _FieldError(f"{where}: must be {reason}, not {_shown(value)!r}")
        return value

    def number(self, name: str, low: float, high: float, default: Any = ...) -> Any:
        return self.take(name, lambda v: _is_number(v) and low <= v <= high, f"a number from {low:g} to {high:g}",
                         default)

    def choice(self, name: str, names: tuple[str, ...], default: Any = ...) -> Any:
        return self.take(name, lambda v: isinstance(v, str) and v in names, f"one of {', '.join(names)}", default)

    def time(self, name: str) -> float:
        """Seconds after the start's midnight, from HH:MM or HH:MM:SS; hours may pass 24."""
        text = self.take(name, lambda v: isinstance(v, str) and re.fullmatch(r"\d{1,3}:[0-5]\d(:[0-5]\d)?", v),
                         'a time like "08:30"')
        parts = [int(part) for part in text.split(":")]
        return parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) > 2 else 0)

    def rows(self, name: str, limit: int) -> list[_Table]:
        rows = self.take(name, lambda v: isinstance(v, list) and len(v) <= limit, f"a list of at most {limit}", [])
        return [_Table(row, f"{self.where}{name}[{n}].") for n, row in enumerate(rows)]

    def end(self) -> None:
        for name in self.values:
            raise _FieldError(f"{self.where}{_shown(name)}: not a field")


def _scenario(top: _Table, path: Path) -> Scenario:
    start = top.take("start", lambda v: isinstance(v, str) and _start(v), "a time with offset like "
                     '"2026-06-10T00:00:00+02:00", from 2026 to 2048')
    moment = datetime.fromisoformat(start)
    midnight_s = moment.hour * 3600 + moment.minute * 60 + moment.second
    offset = moment.utcoffset()
    assert offset is not None
    face = top.take("wearer", _is_face, "the seed of a drawn person, or a path")
    scenario = Scenario(
        name=top.take("name", lambda v: isinstance(v, str) and 0 < len(v) <= 80, "a text"),
        start_unix_s=int(moment.timestamp()), utc_offset_s=int(offset.total_seconds()),
        hours=top.number("hours", 0.1, 24 * 60, 24), seed=top.take("seed", _is_seed, "a whole number, 0 or more", 1),
        board=top.choice("board", tuple(BOARDS), "esp32_s3_eye"),
        zone=top.take("zone", lambda v: isinstance(v, str) and 0 < len(v) < 64, "a POSIX TZ text"),
        wearer=_beside(face, path),
        stranger=_beside(top.take("stranger", _is_face, "the seed of a drawn person, or a path", 2), path),
        answers=tuple(_answer(row) for row in top.rows("answers", 1000)),
        route=tuple(_waypoint(row, midnight_s) for row in top.rows("route", 10000)),
        gpx=_beside(top.take("gpx", lambda v: isinstance(v, str), "a path", None), path),
        sky=tuple(_period(row, SKIES, midnight_s) for row in top.rows("sky", 1000)),
        network=tuple(_period(row, NETWORKS, midnight_s) for row in top.rows("network", 1000)),
        actions=tuple(_action(row, midnight_s) for row in top.rows("actions", 1000)),
        settings=top.take("settings", _is_json, "a mapping of names to JSON values", {}))
    top.end()
    if bool(scenario.route) == bool(scenario.gpx):
        raise _FieldError("route: needed is either route or gpx")
    return scenario


def _answer(row: _Table) -> Answer:
    answer = Answer(row.choice("who", WHO), row.number("after_s", 0, 3600, 20), row.number("yaw", -90, 90, 0),
                    row.number("pitch", -90, 90, 0), row.number("roll", -180, 180, 0), row.number("light", 0, 4, 1.0),
                    row.number("distance", 0.3, 4, 1.0), row.number("smile", 0, 1, 0))
    row.end()
    return answer


def _waypoint(row: _Table, midnight_s: int) -> dict[str, float]:
    point = {"at_s": row.time("at") - midnight_s, "lat": row.number("lat", -90, 90),
             "lon": row.number("lon", -180, 180)}
    row.end()
    return point


def _period(row: _Table, kinds: tuple[str, ...], midnight_s: int) -> Period:
    period = Period(row.time("from") - midnight_s, row.time("to") - midnight_s, row.choice("kind", kinds))
    row.end()
    if period.end_s <= period.start_s:
        raise _FieldError(f"{row.where}to: must be after from")
    return period


def _action(row: _Table, midnight_s: int) -> Action:
    action = Action(row.time("at") - midnight_s, row.choice("do", ACTIONS),
                    row.take("text", lambda v: isinstance(v, str) and len(v) < 100 and v.isprintable(), "a line", ""))
    row.end()
    return action


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32


def _is_face(value: Any) -> bool:
    return _is_seed(value) or isinstance(value, str)


def _beside(value: Any, path: Path) -> Any:
    """A path in a scenario is relative to the scenario's file."""
    return str(path.parent / value) if isinstance(value, str) else value


def _is_json(value: Any) -> bool:
    try:
        return isinstance(value, dict) and json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError):
        return False


def _start(text: str) -> bool:
    """Whether it is a time the firmware believes (muster/app.py: BUILT_UNIX_S) and certificates last for."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return moment.utcoffset() is not None and 2026 <= moment.year <= 2048


def _shown(value: Any) -> str:
    """The begin of a value, for an error's one line; an integer may have more digits than Python prints."""
    return f"{value:#x}"[:60] if isinstance(value, int) and abs(value) >> 64 else str(value)[:60]
