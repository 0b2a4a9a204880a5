"""A live session as a file: the day that it began with, and everything that was done to the watch, at which time.

Lines of JSON: the head; then inputs in the order of their times, as the page sends them (live_commands.py), and between
them each picture of a webcam that the watch took; at last what came of it. What a file names by path is noted by hash.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from simulator import live_commands
from simulator import scenario as scenarios
from simulator.day import firmware_digest
from simulator.lined_yaml import Lines
from simulator.live_commands import CommandError, OnWatch, Show
from simulator.scenario import Scenario, ScenarioError
from simulator.schema import FieldError, check
from simulator.wiring import BOARDS

LINE_LIMIT, FILE_LIMIT, LINES_LIMIT = 2 << 20, 512 << 20, 1_000_000
WIDEST = 640  # of a picture, pixels
DIGESTS = ("image", "console", "received")
_HASH = {"type": "string", "pattern": "[0-9a-f]{64}", "description": "64 hex digits"}
_TIME = {"type": "integer", "minimum": 0, "maximum": 1440 * 3600 * 1_000_000}
HEAD = {"type": "object", "additionalProperties": False,
        "required": ["session", "scenario", "beside", "firmware", "files"],
        "properties": {"session": {"enum": [1]}, "scenario": {"type": "object"}, "firmware": _HASH,
                       "beside": {"type": "string", "maxLength": 4096},
                       "files": {"type": "object", "additionalProperties": _HASH}}}
INPUT = {"type": "object", "required": ["at_us", "input"], "additionalProperties": False,
         "properties": {"at_us": _TIME, "input": {"type": "object"}, "files": HEAD["properties"]["files"]}}
PICTURE = {"type": "object", "required": ["at_us", "picture"], "additionalProperties": False,
           "properties": {"at_us": _TIME, "picture": {"type": "string", "maxLength": LINE_LIMIT}}}
END = {"type": "object", "required": ["at_us", "end"], "additionalProperties": False, "properties": {
    "at_us": _TIME, "end": {"type": "object", "additionalProperties": False, "required": list(DIGESTS),
                            "properties": dict.fromkeys(DIGESTS, _HASH)}}}


class SessionError(ValueError):
    """The file is no session that can be lived again; one line with file, line and reason."""


class Input(NamedTuple):
    """Something that was done to the watch."""

    at_us: int
    command: OnWatch


class Picture(NamedTuple):
    """What the webcam showed when the watch took a frame: uint8 RGB [height, width, 3] as PNG."""

    at_us: int
    png: bytes

    def rgb(self) -> np.ndarray:
        return cv2.imdecode(np.frombuffer(self.png, np.uint8), cv2.IMREAD_COLOR_RGB)


class End(NamedTuple):
    """When the session was closed, and SHA-256 of the flash image, the console's output and the receiver's rows."""

    at_us: int
    digests: dict[str, str]


class Recorder:
    """Writes a session as it is lived; what is over FILE_LIMIT is left out, and the session is not closed."""

    def __init__(self, path: Path, scenario: Scenario, values: dict[str, Any], folder: Path):
        """`values` are what the scenario's file says, which lies in `folder`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w")
        self._room = FILE_LIMIT
        sources = [source for source in (scenario.wearer, scenario.stranger, scenario.gpx) if isinstance(source, str)]
        self._write({"session": 1, "scenario": values, "beside": str(folder.resolve()),
                     "firmware": firmware_digest(), "files": _digests(*sources)})

    def input(self, at_us: int, values: dict[str, Any]) -> None:
        line: dict[str, Any] = {"at_us": at_us, "input": values}
        if values.get("source") == "path":
            path = str(Path(values["value"]).expanduser().resolve())
            line = {"at_us": at_us, "input": values | {"value": path}, "files": _digests(path)}
        self._write(line)

    def picture(self, at_us: int, rgb: np.ndarray) -> None:
        png = cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()
        self._write({"at_us": at_us, "picture": base64.b64encode(png).decode()})

    def end(self, at_us: int, digests: dict[str, str]) -> None:
        self._write({"at_us": at_us, "end": digests})
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line) + "\n"
        self._room -= len(text)
        if self._room >= 0:
            self._file.write(text)
            self._file.flush()


@dataclass
class SessionFile:
    """A file that has been read once and is as it must be; its lines are read again as they are lived.

    Raises SessionError.
    """

    path: Path
    scenario: Scenario = field(init=False)

    def __post_init__(self) -> None:
        self.scenario = self._head()
        hours_us = round(self.scenario.hours * 3.6e9)
        last_us, is_closed = 0, False
        for number, line in enumerate(self.lines(), 2):
            if is_closed:
                raise self._error(number, "it goes on after its end")
            if not last_us <= line.at_us <= hours_us:
                raise self._error(number, f"at_us: {line.at_us} is before the line above, or after the day")
            last_us, is_closed = line.at_us, isinstance(line, End)

    def lines(self) -> Iterator[Input | Picture | End]:
        """After the head, in order."""
        buttons = tuple(BOARDS[self.scenario.board].button_names)
        for number, text in self._texts():
            if number == 1:
                continue
            try:
                yield _line(_json(text), buttons)
            except (FieldError, CommandError) as error:
                raise self._error(number, str(error)) from None

    def _head(self) -> Scenario:
        number, text = next(self._texts(), (1, b""))
        try:
            head = _json(text)
            check(head, HEAD, HEAD)
            scenario = scenarios.from_values(head["scenario"], Lines(), Path(head["beside"]) / self.path.name)
            _must_be_same(head["files"])
        except (FieldError, ScenarioError) as error:
            raise self._error(number, str(error)) from None
        if head["firmware"] != firmware_digest():
            raise self._error(number, "firmware: the session was lived by another; check out the one of its time")
        return scenario

    def _texts(self) -> Iterator[tuple[int, bytes]]:
        """Number and text of each line."""
        try:
            with self.path.open("rb") as file:
                for number in range(1, LINES_LIMIT + 2):
                    text = file.readline(LINE_LIMIT + 1)
                    if not text:
                        return
                    if len(text) > LINE_LIMIT or number > LINES_LIMIT or file.tell() > FILE_LIMIT:
                        raise self._error(number, "longer than a session can be")
                    if text.endswith(b"\n"):  # else the recording was killed in this line
                        yield number, text
        except OSError as error:
            raise SessionError(f"{self.path}: {error.strerror}") from None

    def _error(self, number: int, reason: str) -> SessionError:
        return SessionError(f"{self.path}: line {number}: {reason}")


def _json(text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise FieldError("", "not JSON") from None


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _line(values: Any, buttons: tuple[str, ...]) -> Input | Picture | End:
    kind = next((name for name in ("picture", "end") if isinstance(values, dict) and name in values), "input")
    schema = {"picture": PICTURE, "end": END, "input": INPUT}[kind]
    check(values, schema, schema)
    if kind == "end":
        return End(values["at_us"], values["end"])
    if kind == "picture":
        return Picture(values["at_us"], _png(values["picture"]))
    command = live_commands.parse(values["input"], buttons)
    _must_be_same(values.get("files", {}))
    if not isinstance(command, OnWatch):
        raise FieldError("input.do", "changes nothing about the watch")
    if isinstance(command, Show) and command.values["source"] == "path" and "files" not in values:
        raise FieldError("files", "missing")
    return Input(values["at_us"], command)


def _png(text: str) -> bytes:
    """Raises FieldError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FieldError("picture", "not base64") from None
    # the size stands in the first chunk (PNG specification, 11.2.2): a small file could unpack to a huge picture
    sides = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or not all(1 <= side <= WIDEST for side in sides):
        raise FieldError("picture", f"not a PNG of at most {WIDEST} pixels a side")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise FieldError("picture", "not a PNG that OpenCV can read")
    return data


def _digests(*paths: str) -> dict[str, str]:
    return {path: _digest(Path(path)) for path in paths}


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of the files in a folder."""
    if not path.is_dir():
        return _file_digest(path, path.stat().st_mtime_ns)
    inside = [file for file in sorted(path.iterdir()) if file.is_file()]
    return sha256(repr([(file.name, _digest(file)) for file in inside]).encode()).hexdigest()


@lru_cache(maxsize=4096)
def _file_digest(path: Path, _changed_ns: int) -> str:
    """A slider that is moved shows a file again and again; it is read when it has changed."""
    if not path.is_file():
        raise ValueError("no file")
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _must_be_same(files: dict[str, str]) -> None:
    """Raises FieldError."""
    for path, digest in files.items():
        try:
            is_same = _digest(Path(path)) == digest
        except (OSError, ValueError) as error:
            raise FieldError(f"files: {path[:200]}", f"{getattr(error, 'strerror', None) or error}") from None
        if not is_same:
            raise FieldError(f"files: {path[:200]}", "has changed since")
