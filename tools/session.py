"""A conversation with the console of a watch: each line is answered, and what nobody asked for comes in between.

Everything from the watch is outside bytes: bounded, stripped of what is no text, and checked before it is believed.
"""

from __future__ import annotations

import re
import threading
import time
from binascii import Error, a2b_base64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType

from tools.port import BoardError, Line

PROMPT, REPL = b"muster> ", b">>> "
ANSWER_S, START_S = 60, 20
ANSWER_BYTES, NOTE_BYTES, LINE_LIMIT = 4 << 20, 500, 120
_BEGIN = re.compile(r"begin (\w{1,20}) ([\w ]{1,40})")
_END = re.compile(r"end (\w{1,20}) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Block:
    """Bytes that the watch sent as text (firmware/muster/exports.py), their digest checked."""

    name: str
    about: str
    data: bytes


def parse(text: bytes) -> tuple[list[str], list[Block]]:
    """The lines of an answer, and the blocks between them. Raises BoardError for a block that is not whole."""
    lines: list[str] = []
    blocks: list[Block] = []
    begun: re.Match | None = None
    data = bytearray()
    for line in text.decode("ascii", "replace").split("\r\n"):
        if begun is None:
            begun = _BEGIN.fullmatch(line)
            data.clear()
            if begun is None and line:
                lines.append("".join(c if " " <= c <= "~" else "?" for c in line))
        elif end := _END.fullmatch(line):
            if end[1] != begun[1] or sha256(data).hexdigest() != end[2]:
                raise BoardError(f"{begun[1]}: not as the watch sent it: once more")
            blocks.append(Block(begun[1], begun[2], bytes(data)))
            begun = None
        else:
            try:
                data += a2b_base64(line.encode("ascii", "replace"), strict_mode=True)
            except Error:
                raise BoardError(f"{begun[1]}: what came is no base64: once more") from None
    if begun:
        raise BoardError(f"{begun[1]}: its end is missing: once more")
    return lines, blocks


class Session:
    """Inside `with` the console is connected; `note` gets each line that was not asked for."""

    def __init__(self, port: str, note: Callable[[str], None]):
        self._line = Line(port, "its console was used")
        self._note = note
        self._heard = bytearray()
        self._asked = False
        self._changed = threading.Condition()
        self._error: BoardError | None = None
        self._closing = False
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Session:
        """Raises BoardError where no firmware answers."""
        seen = self._line.read_until((PROMPT, REPL), START_S, poke=b"\x02\r")  # out of a raw REPL that was left
        if seen.endswith(REPL):
            self._line.close()
            raise BoardError(f"{self._line.port}: its firmware does not run: make flash, or look with "
                             f"mpremote connect {self._line.port} repl")
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing = True
        self._reader.join()
        self._line.close()

    def check(self) -> None:
        """Raises BoardError where the watch has gone away."""
        if self._error:
            raise self._error

    def ask(self, line: str, timeout_s: float = ANSWER_S) -> tuple[list[str], list[Block]]:
        """What the watch answers to a line. Raises BoardError."""
        if len(line) > LINE_LIMIT or not (line.isascii() and line.isprintable()):
            raise BoardError(f"a line has at most {LINE_LIMIT} characters, of ASCII")
        with self._changed:
            self._heard.clear()
            self._asked = True
        try:
            self._line.write(line.encode() + b"\r")
            return parse(self._answer(line.encode() + b"\r\n", time.monotonic() + timeout_s))
        finally:
            with self._changed:
                self._heard.clear()
                self._asked = False

    def _answer(self, echo: bytes, given_up_s: float) -> bytes:
        """Between the echo and the prompt."""
        with self._changed:
            while not (self._heard.endswith(PROMPT) and echo in self._heard):
                self.check()
                if time.monotonic() > given_up_s or len(self._heard) > ANSWER_BYTES:
                    raise BoardError(f"{self._line.port}: {echo.decode().strip()}: no end of its answer")
                self._changed.wait(0.2)
            return bytes(self._heard[self._heard.index(echo) + len(echo):-len(PROMPT)])

    def _read(self) -> None:
        while not self._closing:
            try:
                data = self._line.read()
            except BoardError as error:
                self._error = error
                if not self._asked:
                    self._note(str(error))
                return
            with self._changed:
                self._heard += data
                self._changed.notify()
            if not self._asked:
                self._take_notes()

    def _take_notes(self) -> None:
        with self._changed:
            *lines, rest = bytes(self._heard[-NOTE_BYTES:]).split(b"\r\n")
            self._heard[:] = rest
        for line in lines:
            text = line.rpartition(b"\r")[2]  # after the prompt that it takes the place of
            if text:
                self._note("\n".join(parse(text)[0]))
