"""What the tools for a board have in common: a port, and one line on standard error for what went wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tools.port import BoardError


def parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """Of `python -m tools.NAME PORT`, described by the first line of the module's docstring."""
    made = argparse.ArgumentParser(prog=f"python -m tools.{name}", description=(doc or "").splitlines()[0])
    made.add_argument("port", nargs="?", default="", help="serial port of the board, such as /dev/ttyACM0")
    return made


def run(name: str, act: Callable[[], object], *errors: type[Exception]) -> int:
    """The exit status: 0, or 1 after the line of a BoardError or of one of `errors`."""
    expected: tuple[type[Exception], ...] = (BoardError, *errors)
    try:
        act()
    except expected as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0
