"""A day as a file: YAML to a checked Scenario. A wrong file is one line that names file, line, field and reason.

scenarios/schema.json says which fields there are, and is what a file is checked against.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from simulator.lined_yaml import Lines, YamlError, read
from simulator.schema import FieldError, check

LIMIT_BYTES = 256 * 1024
FOLDER = Path(__file__).resolve().parent / "scenarios"
SCHEMA = json.loads((FOLDER / "schema.json").read_text())


class ScenarioError(ValueError):
    """One line: file, line, field and reason."""


@dataclass(frozen=True)
class Answer:
    """What happens at a prompt: who answers, how soon, and how they look at the watch (degrees, ratios).

    blur: out of focus by so many pixels; company: the stranger, or else the wearer, looks over a shoulder.
    """

    who: str
    after_s: float = 20
    yaw: float = 0
    pitch: float = 0
    roll: float = 0
    light: float = 1.0
    distance: float = 1.0
    smile: float = 0
    blur: float = 0
    company: bool = False


@dataclass(frozen=True)
class Period:
    """Something that holds from `start_s` to `end_s`, seconds since the scenario's start."""

    start_s: float
    end_s: float
    kind: str = ""


@dataclass(frozen=True)
class Spoof(Period):
    """A transmitter makes the receiver believe that it is elsewhere, or on another day."""

    north_m: float = 0
    east_m: float = 0
    days: int = 0


@dataclass(frozen=True)
class Action:
    """Something done at `at_s`; `text` is a console line, `for_s` how long a power cut lasts."""

    at_s: float
    do: str
    text: str = ""
    for_s: float = 0


@dataclass(frozen=True)
class Power:
    """The cell's charge at the start (0..1) and its capacity; at which charge a load resets the chip."""

    level: float = 0.95
    capacity_mah: float = 500
    charger: tuple[Period, ...] = ()
    brown_out_below: float = 0
    cut_at_flash_op: int = 0


@dataclass(frozen=True)
class Expectation:
    """What must be so at `at_s` (None: at the end): `what` is the field's name, `wanted` its value, `line` where."""

    what: str
    wanted: Any
    at_s: float | None
    line: int


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
    answers: tuple[Answer, ...] = ()
    otherwise: Answer = Answer("ignore")  # at every prompt after those
    presses_per_hour: float = 0
    light: tuple[tuple[float, float], ...] = ()  # (at_s, level): the light of the day, that of an answer times it
    route: tuple[dict[str, float], ...] = ()
    gpx: str | None = None
    gnss_rollover: bool = False
    sky: tuple[Period, ...] = ()
    spoof: tuple[Spoof, ...] = ()
    network: tuple[Period, ...] = ()
    faults: tuple[Period, ...] = ()
    power: Power = Power()
    drift_ppm: int = 0
    actions: tuple[Action, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    expect: tuple[Expectation, ...] = ()


def find(path: str | Path) -> Path:
    """The file: a path, or the name of a scenario that is shipped."""
    path = Path(path)
    shipped = FOLDER / f"{path}.yaml"
    return shipped if not path.exists() and shipped.exists() else path


def load(path: str | Path, changes: Sequence[str] = ()) -> Scenario:
    """Read a scenario by path or name; `changes` are like "settings.upload_s=600". Raises ScenarioError."""
    path = find(path)
    return parse(read_file(path), path, changes)


def read_file(path: Path) -> bytes:
    """Raises ScenarioError."""
    try:
        with path.open("rb") as file:
            return file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from None


def parse(data: bytes, path: Path, changes: Sequence[str] = ()) -> Scenario:
    """Raises ScenarioError."""
    return from_values(*values_of(data, path, changes), path)


def values_of(data: bytes, path: Path, changes: Sequence[str] = ()) -> tuple[Any, Lines]:
    """What a file says, changed, not yet checked, and on which lines. Raises ScenarioError."""
    if len(data) > LIMIT_BYTES:
        raise ScenarioError(f"{path}: longer than {LIMIT_BYTES} bytes")
    try:
        values, lines = read(data)
    except YamlError as error:
        raise ScenarioError(f"{path}: {error}") from None
    try:
        for change in changes:
            _change(values, change, lines)
    except FieldError as error:
        raise ScenarioError(f"{path}: {error}") from None
    return values, lines


def from_values(values: Any, lines: Lines, path: Path) -> Scenario:
    """The scenario of plain values; paths in it are relative to `path`, which errors name. Raises ScenarioError."""
    try:
        check(values, SCHEMA, SCHEMA)
        return _scenario(values, path, lines)
    except FieldError as error:
        line = lines.find(error.field)
        raise ScenarioError(f"{path}: {f'line {line}: ' if line else ''}{error}") from None


def _change(values: Any, change: str, lines: Lines) -> None:
    """Put one `name.name=value` into the values; the lines forget the field, which is no longer the file's."""
    lines["--set"] = 0
    path, separator, text = change.partition("=")
    *parents, name = path.split(".")
    if not separator or not name:
        raise FieldError("--set", f"must be like seed=7, not {change[:60]!r}")
    try:
        value, _ = read(text.encode())
    except YamlError as error:
        raise FieldError("--set", f"{path}: {error}") from None
    for parent in parents:
        values = values.setdefault(parent, {}) if isinstance(values, dict) else None
    if not isinstance(values, dict):
        raise FieldError("--set", f"{path}: no such mapping")
    values[name] = value
    for known in [known for known in lines if known == path or known.startswith((path + ".", path + "["))]:
        lines[known] = 0


def _scenario(top: dict[str, Any], path: Path, lines: Lines) -> Scenario:
    try:
        moment = datetime.fromisoformat(top["start"])
    except ValueError as error:
        raise FieldError("start", str(error)) from None
    midnight_s = moment.hour * 3600 + moment.minute * 60 + moment.second
    offset = moment.utcoffset()
    assert offset is not None

    def at(row: dict[str, Any], name: str = "at") -> float:
        return _seconds(row[name]) - midnight_s

    def periods(rows: list[dict[str, Any]], where: str, kind: type[Period] = Period) -> tuple[Any, ...]:
        for n, row in enumerate(rows):
            if at(row, "to") <= at(row, "from"):
                raise FieldError(f"{where}[{n}].to", "must be after from")
        return tuple(kind(at(row, "from"), at(row, "to"), **_without(row, "from", "to")) for row in rows)

    for name in ("route", "light"):
        for n, (before, row) in enumerate(zip(top.get(name, []), top.get(name, [])[1:], strict=False)):
            if at(row) <= at(before):
                raise FieldError(f"{name}[{n + 1}].at", "must be after the one before it")
    power, gnss = top.get("power", {}), top.get("gnss", {})
    return Scenario(
        name=top["name"], start_unix_s=int(moment.timestamp()), utc_offset_s=int(offset.total_seconds()),
        hours=top.get("hours", 24), seed=top.get("seed", 1), board=top.get("board", "esp32_s3_eye"), zone=top["zone"],
        wearer=_beside(top["wearer"], path), stranger=_beside(top.get("stranger", 2), path),
        answers=tuple(Answer(**row) for row in top.get("answers", [])),
        otherwise=Answer(**top.get("otherwise", {"who": "ignore"})), presses_per_hour=top.get("presses_per_hour", 0),
        light=tuple((at(row), row["level"]) for row in top.get("light", [])),
        route=tuple({"at_s": at(row), "lat": row["lat"], "lon": row["lon"]} for row in top.get("route", [])),
        gpx=_beside(top.get("gpx"), path), gnss_rollover=gnss.get("rollover", False),
        sky=periods(top.get("sky", []), "sky"),
        spoof=periods(top.get("spoof", []), "spoof", Spoof), network=periods(top.get("network", []), "network"),
        faults=periods(top.get("faults", []), "faults"),
        power=Power(**power | {"charger": periods(power.get("charger", []), "power.charger")}),
        drift_ppm=top.get("clock", {}).get("drift_ppm", 0),
        actions=tuple(Action(at(row), **_without(row, "at")) for row in top.get("actions", [])),
        settings=top.get("settings", {}),
        expect=tuple(_expectation(row, at(row) if "at" in row else None, lines.find(f"expect[{n}]"))
                     for n, row in enumerate(top.get("expect", []))))


def _expectation(row: dict[str, Any], at_s: float | None, line: int) -> Expectation:
    (what, wanted), = _without(row, "at").items()
    return Expectation(what, wanted, at_s, line)


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _seconds(text: str) -> int:
    parts = [int(part) for part in text.split(":")]
    return parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) > 2 else 0)


def _beside(value: Any, path: Path) -> Any:
    """A path in a scenario is relative to the scenario's file."""
    return str(path.parent / value) if isinstance(value, str) else value
