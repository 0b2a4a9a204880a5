"""A board on a serial port, as the tools use it: mpremote's transport, with one line for whatever goes wrong."""

from __future__ import annotations

import base64
import contextlib
import errno
import io
import json
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

BAUD = 115200
ANSWER_S = 10  # longest silence of a board that is asked something
CHUNK_BYTES = 3072  # of a file, in one command
IMAGES = ("an image with the camera module for ESP32-S3 with octal PSRAM, from the releases of "
          "github.com/cnadler86/micropython-camera-API; write it with esptool as MicroPython's page of the board says")


class BoardError(Exception):
    """One line: what went wrong, and what to do."""


class Unplugged(BoardError):
    """The board has gone away in the middle."""


def check_port(port: str) -> None:
    """Raises BoardError that names why a port cannot be opened."""
    if not port:
        raise BoardError("port: missing: say PORT=/dev/ttyACM0")
    if not Path(port).exists():
        raise BoardError(f"port: {port} is not there: is the board plugged in?")
    try:
        serial.Serial(port, BAUD, exclusive=True).close()
    except (OSError, serial.SerialException) as error:
        reasons = {errno.EACCES: "may not be opened: is this user in the group dialout?",
                   errno.EBUSY: "is in use by another program",
                   errno.EAGAIN: "is in use by another program",
                   errno.ENOTTY: "is no serial port"}
        number = error.errno or (errno.ENOTTY if "configure" in str(error) else errno.EAGAIN)
        raise BoardError(f"port: {port} {reasons.get(number, error)}") from None


class Board:
    """Inside `with` the board is in its raw REPL, its firmware stopped. Raises BoardError from every method."""

    def __init__(self, port: str):
        check_port(port)
        self.port = port
        self._doing = "it was opened"
        with self._lost():
            self._transport = SerialTransport(port, timeout=ANSWER_S)

    def __enter__(self) -> Board:
        self.doing("it was asked for its REPL")
        try:
            with self._lost(), contextlib.redirect_stdout(io.StringIO()):
                self._transport.enter_raw_repl()
        except Unplugged:
            self.close()
            if Path(self.port).exists():
                raise BoardError(f"{self.port}: no MicroPython answers: write {IMAGES}") from None
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not error:
            with self._lost():
                self._transport.exit_raw_repl()
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError, serial.SerialException):
            self._transport.close()

    def doing(self, what: str) -> None:
        """What is said in the error when the board goes away from here on."""
        self._doing = what

    def run(self, code: str) -> str:
        """What the code prints on the board."""
        with self._lost():
            try:
                return self._transport.exec(code).decode(errors="replace")
            except TransportExecError as error:
                last = (error.error_output.strip().splitlines() or ["no reason"])[-1]
                raise BoardError(f"the board says, while {self._doing}: {last[:200]}") from None

    def ask(self, code: str) -> Any:
        """The value of the JSON that the code prints on its last line."""
        lines = self.run(code).strip().splitlines() or [""]
        try:
            return json.loads(lines[-1])
        except ValueError:
            raise BoardError(f"the board's answer is no JSON, while {self._doing}: {lines[-1][:80]!r}") from None

    def write(self, path: str, data: bytes, progress: Callable[[int], None] = lambda written: None) -> None:
        """Write a file; `progress` gets the bytes written so far."""
        self.run(f"from binascii import a2b_base64 as a\nf=open({path!r},'wb')\nw=f.write")
        for start in range(0, len(data), CHUNK_BYTES):
            chunk = data[start:start + CHUNK_BYTES]
            self.run(f"w(a({base64.b64encode(chunk)!r}))")
            progress(start + len(chunk))
        self.run("f.close()")

    def reset(self) -> None:
        """Start the firmware as after a power cut."""
        with self._lost():
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")

    def read_until(self, ends: tuple[bytes, ...], timeout_s: float) -> bytes:
        """What the firmware prints, to one of `ends`; Raises BoardError where none comes in `timeout_s`."""
        line, seen, given_up_s = self._transport.serial, b"", time.monotonic() + timeout_s
        line.timeout = 0.2
        while not seen.endswith(ends):
            with self._lost():
                seen = (seen + line.read(max(1, line.in_waiting)))[-(1 << 16):]
            if time.monotonic() > given_up_s:
                last = (seen.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
                raise BoardError(f"{self.port}: no answer in {timeout_s:.0f} s while {self._doing}; last: {last[:120]}")
        return seen

    def type(self, line: str) -> None:
        """A line for the firmware's own console."""
        with self._lost():
            self._transport.serial.write(line.encode() + b"\r")

    @contextlib.contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except TransportExecError:
            raise
        except (OSError, serial.SerialException, TransportError, struct.error, TypeError):
            # pyserial raises TypeError where the port was closed under it
            raise Unplugged(f"{self.port}: the board went away while {self._doing}") from None
