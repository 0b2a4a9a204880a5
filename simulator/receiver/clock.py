"""The receiver's clock: the machine's own, or a virtual one that a simulator keeps in a file."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from pathlib import Path

Clock = Callable[[], int]  # UTC in ms since 1970
SIZE = 8


class ClockError(ValueError):
    """The file of a virtual clock cannot be used."""


def real() -> int:
    """The machine's own time, UTC in ms since 1970."""
    return time.time_ns() // 1_000_000


def shared(path: str | Path) -> Clock:
    """A clock that reads the 8 bytes of `path`, UTC in ms, little-endian, at each call. Raises ClockError."""
    try:
        with open(path, "rb") as file:
            view = mmap.mmap(file.fileno(), SIZE, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ClockError(f"{path}: no clock of {SIZE} bytes: {error}") from None
    return lambda: int.from_bytes(view[:SIZE], "little")


class SharedClock:
    """The other side of `shared`: the file, made here, and its time, set by whoever owns the virtual clock."""

    def __init__(self, path: str | Path, unix_ms: int):
        Path(path).write_bytes(unix_ms.to_bytes(SIZE, "little"))
        with open(path, "r+b") as file:
            self._view = mmap.mmap(file.fileno(), SIZE)

    def set(self, unix_ms: int) -> None:
        """Sets the time, UTC in ms since 1970."""
        self._view[:SIZE] = unix_ms.to_bytes(SIZE, "little")
