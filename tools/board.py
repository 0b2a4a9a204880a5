"""A board in MicroPython's raw REPL, its firmware stopped: mpremote's transport, and one line for what goes wrong."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from types import TracebackType
from typing import Any

import serial
from mpremote.transport import TransportExecError
from mpremote.transport_serial import SerialTransport

from tools.port import BoardError, Unplugged, lost, open_port

ANSWER_S = 10  # longest silence of a board that is asked something
CHUNK_BYTES = 3072  # of a file, in one command
IMAGES = ("an image with the camera module, for ESP32-S3 with octal PSRAM, from the releases of "
          "github.com/cnadler86/micropython-camera-API")


class _ReadAhead:
    """A serial line for mpremote, which reads it a byte at a time: what has come is fetched at once."""

    def __init__(self, line: serial.Serial):
        self._line, self._fetched, self._at = line, b"", 0
        self.write, self.close = line.write, line.close

    def inWaiting(self) -> int:  # noqa: N802
        return len(self._fetched) - self._at + self._line.in_waiting

    def read(self, count: int) -> bytes:
        while len(self._fetched) - self._at < count:
            more = self._line.read(max(1, self._line.in_waiting))
            if not more:  # it is silent for too long
                count = len(self._fetched) - self._at
            self._fetched, self._at = self._fetched[self._at:] + more, 0
        self._at += count
        return self._fetched[self._at - count:self._at]


class Board:
    """Inside `with` the board is in its raw REPL. Raises BoardError from every method.

    `doing` is what is said of a board that goes away.
    """

    def __init__(self, port: str):
        open_port(port, ANSWER_S).close()  # for its reasons: mpremote gives none
        self.port, self.doing = port, "it was asked for its REPL"
        with lost(port, "it was opened"):
            self._transport = SerialTransport(port, timeout=ANSWER_S)
            self._transport.serial = _ReadAhead(self._transport.serial)

    def __enter__(self) -> Board:
        try:
            self.soft_reset()
        except Unplugged:
            self.close()
            open_port(self.port, ANSWER_S).close()  # raises where it has gone
            raise BoardError(f"{self.port}: no MicroPython answers: write {IMAGES}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not error:
            with contextlib.suppress(Unplugged), lost(self.port, self.doing):
                self._transport.exit_raw_repl()
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError, serial.SerialException):
            self._transport.close()

    def soft_reset(self) -> None:
        """Stop what runs and start MicroPython anew: boot.py runs, main.py does not."""
        with lost(self.port, self.doing), contextlib.redirect_stdout(io.StringIO()):
            self._transport.enter_raw_repl(timeout_overall=ANSWER_S)

    def run(self, code: str) -> str:
        """What the code prints on the board."""
        printed = bytearray()  # mpremote's own gathering takes a copy a byte
        with lost(self.port, self.doing):
            try:
                self._transport.exec(code, data_consumer=printed.extend)
                return printed.replace(b"\x04", b"").decode(errors="replace")
            except TransportExecError as error:
                last = (error.error_output.strip().splitlines() or ["no reason"])[-1]
                raise BoardError(f"{self.port}: while {self.doing} the board says: {last[:200]}") from None

    def ask(self, code: str) -> Any:
        """The value of the JSON that the code prints on its last line."""
        lines = self.run(code).strip().splitlines() or [""]
        try:
            return json.loads(lines[-1])
        except (ValueError, RecursionError):
            raise BoardError(f"{self.port}: while {self.doing} the board answers {lines[-1][:80]!r}") from None

    def write(self, path: str, data: bytes) -> None:
        """Write a file."""
        self.run(f"from binascii import a2b_base64 as a\nf=open({path!r},'wb')\nw=f.write")
        for start in range(0, len(data), CHUNK_BYTES):
            self.run(f"w(a({base64.b64encode(data[start:start + CHUNK_BYTES])!r}))")
        self.run("f.close()")

    def restart(self) -> None:
        """Start the firmware, as the power does, and let the port go."""
        with lost(self.port, self.doing):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self.close()
