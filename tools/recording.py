"""Records flash, provision and console on a simulated board, for docs/BENCH.md: `python -m tools.recording`."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType

from simulator.serial_commands import on_desk
from simulator.serial_port import SerialPort
from simulator.watch import Watch
from tools import console, flash, provision

ROOT = Path(__file__).resolve().parent.parent
PAGE, MARK = ROOT / "docs" / "BENCH.md", "<!-- from here on by make recording -->\n"
PORT, FOLDER, OPERATOR = "/dev/ttyACM0", "/tmp/desk", "/media/operator"
BOARD, SPEED = "esp32_s3_eye", 20
SETTLED_US = 90_000_000  # by then the receiver has found its satellites
UNPLUGGED_AT = 600_000  # bytes: in the middle of the larger network


class Tape:
    """What is typed and what comes back, with this run's names of port and folders made general."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.text = ""
        self.names: dict[str, str] = {}

    def run(self, typed: str, act: Callable[[], object]) -> None:
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            act()
        self.keep(typed, printed.getvalue())

    def keep(self, typed: str, printed: str) -> None:
        for name, general in self.names.items():
            printed = printed.replace(name, general)
        self.text += f"$ {typed}\n{_elided(printed)}\n"


def record() -> str:
    """The recording, a minute of a watch's first day. Takes some seconds."""
    with tempfile.TemporaryDirectory() as place, on_desk("day", Path(place), blank=True) as day:
        tape = Tape(Path(place))
        operator = str(day.provision.state.parent)
        tape.names = {operator: OPERATOR, place: FOLDER}
        typed = f"make flash BOARD={BOARD} PORT={PORT}"
        with SerialPort(day.watch, SPEED, unplug_after=UNPLUGGED_AT) as port:
            tape.names[port.path] = PORT
            tape.run(typed, lambda: _main(flash, port.path, "--board", BOARD))
        day.watch.power.on()
        with SerialPort(day.watch, SPEED) as port:
            tape.names[port.path] = PORT
            tape.run(typed, lambda: _main(flash, port.path, "--board", BOARD))
            tape.run(f"make provision BOARD={BOARD} PORT={PORT} OPERATOR={OPERATOR}",
                     lambda: _main(provision, port.path, "--board", BOARD, "--operator", operator))
            tape.run(typed, lambda: _main(flash, port.path, "--board", BOARD))
            listing = subprocess.run([sys.executable, "-m", "mpremote", "connect", port.path, "ls", "+", "reset"],
                                     capture_output=True, text=True, check=True)
            tape.keep(f"mpremote connect {PORT} ls + reset", listing.stdout)
            _until(lambda: day.watch.console_output.endswith(b"muster> "))
            tape.run(f"make console PORT={PORT}", lambda: _converse(port, Path(place), day.watch))
    return tape.text


def _main(tool: ModuleType, *arguments: str) -> None:
    argv, sys.argv = sys.argv, ["tool", *arguments]
    try:
        tool.main()
    finally:
        sys.argv = argv


def _converse(port: SerialPort, folder: Path, watch: Watch) -> None:
    stdin, sys.stdin = sys.stdin, Typist(_lines(port, folder, watch))  # type: ignore[assignment]
    try:
        _main(console, port.path)
    finally:
        sys.stdin = stdin


class Typist:
    """A standard input whose lines are typed when their time has come."""

    def __init__(self, lines: Iterator[str]):
        self._lines = lines

    def isatty(self) -> bool:
        return False

    def __iter__(self) -> Iterator[str]:
        return self._lines


def _lines(port: SerialPort, folder: Path, watch: Watch) -> Iterator[str]:
    """Of a person who is done before the first upload."""
    ready_us = max(SETTLED_US, watch.world.now_us + 20_000_000)
    yield "help"
    _until(lambda: watch.world.now_us > ready_us)
    port.speed = 2
    yield "status"
    yield "fix"
    yield f"screenshot {folder}/screen.png"
    yield f"frame {folder}/frame.png"
    yield "log"
    yield "journal"
    yield "selftest"
    yield "upload"
    yield "time set"
    yield "open the pod bay doors"
    yield "quit"


def _until(condition: Callable[[], bool], patience_s: float = 120) -> None:
    given_up_s = time.monotonic() + patience_s
    while not condition() and time.monotonic() < given_up_s:
        time.sleep(0.05)


def _elided(printed: str) -> str:
    """Of a run of progress lines the first and the last: the others change with each new file."""
    lines = printed.replace("\r", "").splitlines()
    progress = [n for n, line in enumerate(lines) if re.match(r" +\d+ % ", line)]
    if len(progress) > 4:
        lines[progress[0] + 1:progress[-1]] = ["   ..."]
    return "\n".join(lines) + "\n"


def masked(text: str) -> str:
    """Without what another commit or another second changes: numbers, digests, and whether the sky was heard yet."""
    text = re.sub(r"clock +(ok|not yet)", "clock ok", text)
    return re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b|[\d,]*\d", "0", text)


def main() -> int:
    head, mark, _ = PAGE.read_text().partition(MARK)
    PAGE.write_text(f"{head}{mark}\n```console\n{record().rstrip()}\n```\n")
    print(f"recorded in {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
