"""A watch on the test bench: its sky, local time and receiver are at hand; what pytest_plugin.py hands out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from simulator.day import SETTINGS, firmware_files
from simulator.devices.gnss import Gnss, Window
from simulator.provision import provision
from simulator.receiver.clock import Teller
from simulator.receiver.decode import decode_segment
from simulator.receiver.state import State
from simulator.receiver.store import Store
from simulator.receiver_process import ReceiverProcess
from simulator.route import Route
from simulator.watch import Watch
from simulator.wiring import BOARDS

START = "2026-06-10T00:00:00+02:00"
ALWAYS_S = 1e11
_TIME = re.compile(r"(\d\d):([0-5]\d)(?::([0-5]\d))?")

Firmware = str | Path | Mapping[str, str | bytes]


class BenchError(ValueError):
    """A test asks for what cannot be; one line."""


class StillGnss:
    """A GNSS receiver that stays where it is put; cold, with neither time nor place, until then."""

    def __init__(self, seed: int):
        self._seed = seed
        self.at(0, 0, "cold")

    def at(self, lat: float, lon: float, sky: str = "open") -> None:
        """Degrees, and a reception (devices/gnss.py, KINDS). Raises RouteError, GnssError."""
        self._gnss = Gnss(Route([(0, lat, lon)]), self._seed, [Window(0, ALWAYS_S, sky)])

    def sentences(self, unix_ms: int) -> bytes:
        return self._gnss.sentences(unix_ms)


class BenchWatch(Watch):
    """`start` is the local time at which the watch is switched on, `gnss` its receiver, `state` Muster's receiver's."""

    def __init__(self, files: dict[str, bytes], folder: Path, start: datetime, *, state: State | None = None,
                 sentences: Callable[[int], bytes] | None = None, seed: int = 1, **settings: Any):
        self.gnss = StillGnss(seed)
        self.folder = folder
        self._start, self._state = start, state
        super().__init__(files, folder, start_unix_s=round(start.timestamp()), seed=seed,
                         sentences=sentences or self.gnss.sentences, **settings)

    def run(self, until: str | None = None, *, until_s: float | None = None) -> None:
        """Live until HH:MM[:SS] of the local day of the start (from 24:00 on: of the days after it), or until seconds
        after the start. Raises WatchError when the firmware ends, BenchError for a time of day that is none or past.
        """
        if (until is None) == (until_s is None):
            raise BenchError("run: until or until_s")
        super().run(until_s=self._seconds(until) if until_s is None else until_s)

    def printed(self) -> list[str]:
        """The lines that the watch has printed on its console since the start."""
        return self.console_output.decode(errors="replace").splitlines()

    def screen(self, png: Path | None = None) -> np.ndarray:
        """What the wearer sees, uint8 RGB [height, width, 3], black while it is dark; also written to `png`."""
        rgb = self.display.rgb()
        if png:
            png.write_bytes(cv2.imencode(".png", rgb[..., ::-1])[1].tobytes())
        return rgb

    def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What Muster's receiver has got, decrypted and decoded, in order; of one type, or all. Raises BenchError."""
        if not self._state:
            raise BenchError("records: this firmware was started without Muster's receiver")
        with closing(Store(self._state.database)) as store:
            records = [record for segment in store.stored() for record in decode_segment(segment)]
        return [record for record in records if kind in (None, record["type"])]

    def _seconds(self, text: str | None) -> float:
        match = _TIME.fullmatch(text or "")
        if not match:
            raise BenchError(f"until: {text!r} is not HH:MM or HH:MM:SS")
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        midnight = self._start.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        until_s = moment.timestamp() - self.world.start_unix_s
        if until_s * 1e6 < self.world.now_us:
            raise BenchError(f"until: {text} has passed")
        return until_s


class BootWatch(Protocol):
    """What the fixture `boot_watch` gives: each call switches a watch on, which is off after the test (on_bench)."""

    def __call__(self, firmware: Firmware | None = None, *, start: str | datetime = ..., board: str = ...,
                 seed: int = ..., bits: int = ..., settings: dict[str, Any] | None = ...,
                 nvs: dict[str, dict[str, int | str]] | None = ..., server: tuple[str, int] | None = ...,
                 sentences: Callable[[int], bytes] | None = ...) -> BenchWatch: ...


@contextmanager
def on_bench(firmware: Firmware | None, folder: Path, *, start: str | datetime = START, board: str = "esp32_s3_eye",
             seed: int = 1, settings: dict[str, Any] | None = None, **watch: Any) -> Iterator[BenchWatch]:
    """Switches a watch on, and off on leaving.

    `firmware` is a folder, a file (which becomes main.py) or {path on the watch: content}; None is Muster's own.
    `start` has its offset from UTC. With `settings` (Muster's own starts with {}) the watch is provisioned with keys,
    certificates and these settings for a receiver that is started. `watch` goes to Watch: bits, nvs, server, sentences.
    Raises BenchError.
    """
    start = _moment(start)
    if board not in BOARDS:
        raise BenchError(f"board: {board!r} is none of {', '.join(BOARDS)}")
    files = firmware_files() if firmware is None else _files(firmware)
    with ExitStack() as stack:
        time = None
        if firmware is None or settings is not None:
            start_s = round(start.timestamp())
            settings = SETTINGS | {"board": board, "zone": _zone(start)} | (settings or {})
            made = provision(folder / "provision", seed, settings=settings, now_s=start_s)
            receiver = ReceiverProcess(made.state, start_s * 1000)
            stack.callback(receiver.close)
            time = stack.enter_context(closing(Teller(receiver.address.clock, made.bundle.ueid)))
            watch |= {"state": State(made.state), "server": receiver.address.server, "own_files": made.bundle.files,
                      "nvs": {"muster": {name: data.hex() for name, data in made.bundle.nvs.items()}}}
        benched = BenchWatch(files, folder, start, seed=seed, wiring=BOARDS[board], **watch)
        stack.callback(benched.close)
        if time:
            benched.network_used = lambda: time.tell(benched.world.unix_ms)
        yield benched


def _moment(start: str | datetime) -> datetime:
    try:
        moment = start if isinstance(start, datetime) else datetime.fromisoformat(start)
    except ValueError:
        raise BenchError(f"start: {start!r} is no ISO 8601 time") from None
    if moment.utcoffset() is None:
        raise BenchError(f"start: {start} has no offset from UTC")
    return moment


def _zone(start: datetime) -> str:
    """The POSIX TZ text of a fixed offset, whose sign is the other way round."""
    offset = start.strftime("%z")
    return f"<{offset[:5]}>{'-' if offset[0] == '+' else '+'}{offset[1:3]}:{offset[3:5]}"


def _files(firmware: Firmware) -> dict[str, bytes]:
    """Path on the watch to content. Raises BenchError."""
    if isinstance(firmware, Mapping):
        files = {name: data.encode() if isinstance(data, str) else data for name, data in firmware.items()}
    else:
        source = Path(firmware)
        if source.is_file():
            return {"main.py": source.read_bytes()}
        if not source.is_dir():
            raise BenchError(f"firmware: {source}: no such folder or file")
        paths = [path for path in sorted(source.rglob("*")) if path.is_file()]
        names = {path: path.relative_to(source) for path in paths}
        files = {name.as_posix(): path.read_bytes() for path, name in names.items()
                 if not any(part.startswith((".", "__pycache__")) for part in name.parts)}
    if "main.py" not in files:
        raise BenchError("firmware: it has no main.py")
    return files
