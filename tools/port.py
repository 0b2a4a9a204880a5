"""A serial port, and one line for each way in which it can fail."""

from __future__ import annotations

import contextlib
import errno
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import serial
from mpremote.transport import TransportError, TransportExecError

BAUD = 115200
COMES_BACK_S = 10  # a chip with USB of its own is gone for a moment when it restarts
SEEN_BYTES = 1 << 16  # kept of what a board prints while something is waited for
_REASONS = {errno.EACCES: "may not be opened: is this user in the group dialout?",
            errno.EBUSY: "is in use by another program", errno.EAGAIN: "is in use by another program",
            errno.ENOTTY: "is no serial port", errno.EIO: "does not answer: is the board plugged in?"}


class BoardError(Exception):
    """One line: what went wrong, and what to do."""


class Unplugged(BoardError):
    """The board has gone away in the middle."""


def open_port(port: str, timeout_s: float) -> serial.Serial:
    """Raises BoardError that names why it cannot be opened."""
    if not port:
        raise BoardError("port: missing: say PORT=/dev/ttyACM0")
    if not Path(port).exists():
        raise BoardError(f"port: {port} is not there: is the board plugged in?")
    try:
        return serial.Serial(port, BAUD, timeout=timeout_s, exclusive=True)
    except (OSError, serial.SerialException) as error:
        number = error.errno or (errno.ENOTTY if "configure" in str(error) else errno.EAGAIN)
        raise BoardError(f"port: {port} {_REASONS.get(number, error)}") from None


@contextlib.contextmanager
def lost(port: str, doing: str) -> Iterator[None]:
    """A port that fails inside is a board that went away. Raises Unplugged."""
    try:
        yield
    except TransportExecError:
        raise
    except (OSError, serial.SerialException, TransportError, struct.error):
        raise Unplugged(f"{port}: the board went away while {doing}") from None


class Line:
    """The console of the firmware that runs on the board. Raises BoardError from every method."""

    def __init__(self, port: str, doing: str = "its console was used", patience_s: float = 0):
        self.port, self.doing = port, doing
        self._serial = self._open(patience_s)

    def _open(self, patience_s: float) -> serial.Serial:
        given_up_s = time.monotonic() + patience_s
        while True:
            try:
                return open_port(self.port, timeout_s=0.2)
            except BoardError:
                if time.monotonic() > given_up_s:
                    raise
            time.sleep(0.1)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError, serial.SerialException):
            self._serial.close()

    def read(self) -> bytes:
        """What has come, or comes within a fifth of a second."""
        with lost(self.port, self.doing):
            return self._serial.read(max(1, min(4096, self._serial.in_waiting)))

    def write(self, data: bytes) -> None:
        with lost(self.port, self.doing):
            self._serial.write(data)

    def read_until(self, ends: tuple[bytes, ...], timeout_s: float, poke: bytes = b"") -> bytes:
        """What the firmware prints, to one of `ends`; each second without one it is sent `poke`."""
        seen, begun_s = b"", time.monotonic()
        poked_s = begun_s
        while not seen.endswith(ends):
            seen = (seen + self.read())[-SEEN_BYTES:]
            now_s = time.monotonic()
            if now_s > begun_s + timeout_s:
                last = (seen.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
                raise BoardError(f"{self.port}: no answer in {timeout_s:.0f} s while {self.doing}; last: {last[:120]}")
            if poke and now_s > poked_s + 1:
                poked_s = now_s
                self.write(poke)
        return seen
