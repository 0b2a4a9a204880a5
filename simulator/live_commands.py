"""What the live page may ask for, checked: JSON to one of the commands below."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulator.devices.camera import DARK, FAULTS, Scene
from simulator.devices.gnss import KINDS
from simulator.people import Light, Pose

LINE_LIMIT = 120
PATH_LIMIT = 1024
SPEEDS = {"pause": 0.0, "1": 1.0, "60": 60.0, "max": float("inf")}
FORWARD = (*SPEEDS, "step")
SOURCES = ("person", "path", "webcam", "nobody", "dark")
_SWITCHED = {"network-down": ("Network up", "Network down"),  # off and on, in words
             "network-hangs": ("Network carries again", "Network hangs"),
             "network-slow": ("Network as quick as usual", "Network slow"),
             "network-lossy": ("Network keeps its connections", "Network drops connections"),
             "network-captive": ("No portal", "A portal answers in the receiver's place"),
             "button-stuck": ("Button free", "Button stuck")}
SWITCHES = tuple(_SWITCHED)
POWER = ("reset", "power-cut")
RANGES = {"light": (0, 4), "distance": (0.3, 4), "yaw": (-60, 60), "pitch": (-45, 45), "roll": (-90, 90),
          "blur": (0, 10)}
USUAL = {"light": 1, "distance": 1, "yaw": 0, "pitch": 0, "roll": 0, "blur": 0}


class CommandError(ValueError):
    """One line: field and reason."""


@dataclass(frozen=True)
class Press:
    button: str


@dataclass(frozen=True)
class Type:
    line: str


@dataclass(frozen=True)
class Show:
    """`values` is what the page's controls show of it."""

    scene: Scene | None
    values: dict[str, Any]


@dataclass(frozen=True)
class Switch:
    """One of SWITCHES, on or off."""

    name: str
    is_on: bool


@dataclass(frozen=True)
class Break:
    """The camera: one of FAULTS, or None to mend it."""

    fault: str | None


@dataclass(frozen=True)
class Sky:
    """What GNSS receives: one of KINDS (devices/gnss.py), or None for what the scenario says."""

    kind: str | None


@dataclass(frozen=True)
class Power:
    how: str


@dataclass(frozen=True)
class Forward:
    """One of FORWARD."""

    speed: str


@dataclass(frozen=True)
class Slow:
    """Whether time slows to 1x when the screen lights up."""

    is_on: bool


OnWatch = Press | Type | Show | Switch | Break | Sky | Power
Command = OnWatch | Forward | Slow


def parse(values: Any, buttons: tuple[str, ...]) -> Command:
    """Raises CommandError."""
    if not isinstance(values, dict):
        raise CommandError("command: must be an object")
    do, values = values.get("do"), {name: value for name, value in values.items() if name != "do"}
    if do == "show":
        return _show(values)
    forms = {"press": (Press, "button", buttons), "switch": (None, "name", SWITCHES), "power": (Power, "how", POWER),
             "break": (Break, "fault", (*FAULTS, None)), "sky": (Sky, "kind", (*KINDS, None)),
             "time": (Forward, "speed", FORWARD)}
    if do == "type":
        _fields(values, "line")
        line = values["line"]
        if not isinstance(line, str) or len(line) > LINE_LIMIT or not (line.isascii() and (line + " ").isprintable()):
            raise CommandError(f"line: must be at most {LINE_LIMIT} printable ASCII characters")
        return Type(line)
    if do == "slow":
        _fields(values, "on")
        return Slow(_flag(values))
    if not isinstance(do, str) or do not in forms:
        raise CommandError("do: must be one of press, type, show, switch, break, sky, power, time, slow")
    make, field, choices = forms[do]
    _fields(values, field, *(() if make else ("on",)))
    choice = values[field]
    if not (choice is None or isinstance(choice, str)) or choice not in choices:
        raise CommandError(f"{field}: must be one of {', '.join(map(str, choices))}")
    return make(choice) if make else Switch(choice, _flag(values))


def values_of(command: OnWatch) -> dict[str, Any]:
    """What `parse` makes the command of."""
    match command:
        case Show():
            return {"do": "show"} | command.values
        case Switch(name, is_on):
            return {"do": "switch", "name": name, "on": is_on}
    return {"do": type(command).__name__.lower()} | asdict(command)


def told(command: OnWatch) -> tuple[str, str]:
    """The event that the day's list has of a command: its kind and words, "" for none."""
    match command:
        case Press(button):
            return "press", f"{button} pressed"
        case Switch(name, is_on):
            off, on = _SWITCHED[name]
            return "fault", on if is_on else off
        case Break(fault):
            return "fault", f"Camera: {fault or 'mended'}"
        case Sky(kind):
            return "fault", f"GNSS: {kind or 'as the scenario has it'}"
        case Power(how):
            return "fault", "Reset" if how == "reset" else "Power cut, and back"
    return "", ""


def shown(face: int | str | None) -> Show:
    """A scenario's wearer in front of the lens, in good light and near."""
    source = "nobody" if face is None else "person" if isinstance(face, int) else "path"
    return Show(None if face is None else Scene(face), {"source": source, "value": "" if face is None else str(face)}
                | USUAL)


def _show(values: dict[str, Any]) -> Show:
    _fields(values, "source", "value", *RANGES)
    for name, (low, high) in RANGES.items():
        number = values[name]
        if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
            raise CommandError(f"{name}: must be a number from {low:g} to {high:g}")
    source = _source(values["source"], values["value"])
    if source is None:
        return Show(None, values)
    pose = Pose(values["yaw"], values["pitch"], values["roll"])
    return Show(Scene(source, pose, Light(values["light"]), values["distance"], blur=values["blur"]), values)


def _source(kind: Any, value: Any) -> int | str | None:
    if not isinstance(kind, str) or kind not in SOURCES:
        raise CommandError(f"source: must be one of {', '.join(SOURCES)}")
    if not isinstance(value, str) or len(value) > PATH_LIMIT or "\0" in value:
        raise CommandError(f"value: must be a text of at most {PATH_LIMIT} characters")
    if kind == "nobody":
        return None
    if kind == "dark":
        return DARK
    if kind == "path":
        path = Path(value).expanduser()
        if not value or not (path.is_file() or path.is_dir()):
            raise CommandError(f"{value or 'path'}: source: no such file or folder on this machine")
        return str(path)
    most = (1 << 32) - 1 if kind == "person" else 99
    if not (value.isascii() and value.isdigit() and len(value) <= 10 and int(value) <= most):
        what = "a drawn person's seed" if kind == "person" else "the webcam's number"
        raise CommandError(f"{kind}: {what} is a whole number from 0 to {most}")
    return int(value) if kind == "person" else f"webcam:{value}"


def _fields(values: dict[str, Any], *names: str) -> None:
    for name in names:
        if name not in values:
            raise CommandError(f"{name}: missing")
    for name in values:
        if name not in names:
            raise CommandError(f"{str(name)[:40]}: not a field")


def _flag(values: dict[str, Any]) -> bool:
    if not isinstance(values["on"], bool):
        raise CommandError("on: must be true or false")
    return values["on"]
