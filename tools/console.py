"""The debug console: `python -m tools.console PORT`, or `sim` for a simulated watch that is started for it.

What the watch knows it answers itself (`help`); the desk adds what needs a clock, a file or a terminal (`?`). Where no
person types, lines are read from the standard input.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import NestedCompleter
from prompt_toolkit.history import FileHistory
from prompt_toolkit.patch_stdout import patch_stdout

from tools import command, picture
from tools.port import BoardError
from tools.session import Block, Session

HISTORY = Path(__file__).resolve().parent.parent / "build" / "console.history"
VIEW_S, CLEAR = 1.0, "\x1b[{}A\x1b[J"
LEVELS = {"error", "warning", "info", "debug", "quiet"}
HELP = """screenshot [FILE.png]   the watch's screen, here or as a file
frame [FILE.png]        a picture from its camera, when its wearer agrees
journal dump FOLDER     its closed segments, a file each, encrypted as they are
time set                this machine's time
watch [SECONDS]         its state, live, until Ctrl-C
quit                    and Ctrl-D"""


class Desk:
    """Runs a line: at the desk, or on the watch."""

    def __init__(self, session: Session, say: Callable[[str], None] = print):
        self._session, self._say = session, say

    def names(self) -> list[str]:
        """Of the watch's commands."""
        return [line.split()[0] for line in self._session.ask("help")[0] if line.strip()]

    def run(self, line: str) -> None:
        """Raises BoardError, OSError."""
        words = line.split()
        match words:
            case []:
                return
            case ["?"]:
                self._say(HELP)
            case ["screenshot", *rest]:
                self._picture("screen", rest)
            case ["frame", *rest]:
                self._say("the wearer is asked; a press agrees")
                self._picture("frame", rest)
            case ["journal", "dump", folder]:
                self._dump(Path(folder))
            case ["time", "set"]:
                self._ask(f"time set {int(time.time())}")
            case ["watch", *rest]:
                self._watch(rest)
            case _:
                self._ask(line)

    def _ask(self, line: str) -> list[Block]:
        lines, blocks = self._session.ask(line)
        for text in lines:
            self._say(text)
        return blocks

    def _picture(self, command: str, rest: list[str]) -> None:
        for block in self._ask(command):
            shown = picture.rgb(block)
            if rest:
                picture.save(shown, Path(rest[0]))
                self._say(f"{rest[0]}, {shown.shape[1]}x{shown.shape[0]}")
            else:
                self._say(picture.text(shown))

    def _dump(self, folder: Path) -> None:
        blocks = self._ask("journal dump")
        folder.mkdir(parents=True, exist_ok=True)
        for block in blocks:
            if block.name != "segment" or not block.about.isdigit():
                raise BoardError(f"{block.name} {block.about}: no segment")
            (folder / f"{int(block.about):08d}.cose").write_bytes(block.data)
        self._say(f"{len(blocks)} segments in {folder}")

    def _watch(self, rest: list[str]) -> None:
        end_s = time.monotonic() + (float(rest[0]) if rest and rest[0].isdigit() else float("inf"))
        height = 0
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                lines = self._session.ask("status")[0]
                self._say((CLEAR.format(height) if height else "") + "\n".join(lines))
                height = len(lines)
                if time.monotonic() + VIEW_S > end_s:
                    return
                time.sleep(VIEW_S)


def converse(port: str) -> None:
    """Raises BoardError where the watch cannot be reached, or goes away."""
    with Session(port, print) as session:
        desk = Desk(session)
        for line in _typed(desk) if sys.stdin.isatty() else _piped():
            if line.strip() in ("quit", "exit"):
                return
            try:
                desk.run(line)
            except (BoardError, OSError) as error:
                session.check()
                print(f"console: {error}")


def _piped() -> Iterator[str]:
    for line in sys.stdin:
        print(f"muster> {line.rstrip()}", flush=True)
        yield line.rstrip("\n")


def _typed(desk: Desk) -> Iterator[str]:
    """Lines of a person, with history and completion."""
    words: dict[str, set[str] | None] = {name: None for name in desk.names()}
    words |= {"?": None, "help": None, "screenshot": None, "watch": None, "quit": None, "prompt": {"now"},
              "journal": {"dump"}, "time": {"set"}, "log": LEVELS}
    HISTORY.parent.mkdir(parents=True, exist_ok=True)
    prompt: PromptSession[str] = PromptSession(history=FileHistory(str(HISTORY)),
                                               completer=NestedCompleter.from_nested_dict(words),
                                               complete_while_typing=False)
    print("the watch's commands: help; the desk's: ?")
    while True:
        try:
            with patch_stdout():
                yield prompt.prompt("muster> ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


@contextlib.contextmanager
def simulated() -> Iterator[str]:
    """The port of a simulated watch that lives through the default day."""
    from simulator.serial_commands import on_desk
    from simulator.serial_port import SerialPort

    with (tempfile.TemporaryDirectory() as folder, on_desk("day", Path(folder)) as day, SerialPort(day.watch) as port):
        yield port.path


def main() -> int:
    options = command.parser("console", __doc__).parse_args()
    return command.run("console", lambda: _converse(options.port))


def _converse(port: str) -> None:
    with simulated() if port == "sim" else contextlib.nullcontext(port) as its_port:
        converse(its_port)


if __name__ == "__main__":
    sys.exit(main())
