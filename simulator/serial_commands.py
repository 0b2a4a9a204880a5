"""The command `serial`: a simulated watch on a pseudo-terminal, for mpremote, `make flash` and `make console`."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulator import scenario as scenarios
from simulator.day import Day, begin
from simulator.devices import flash
from simulator.serial_port import SerialPort

BUILD = Path(__file__).resolve().parent.parent / "build"


def add(commands: Any) -> None:
    """Put the command on the command line."""
    serial = commands.add_parser("serial", help="a simulated watch on a serial port, until Ctrl-C")
    serial.add_argument("scenario", nargs="?", default="day", help="YAML file, or name of a shipped one")
    serial.add_argument("--blank", action="store_true", help="a board with MicroPython and nothing else")
    serial.add_argument("--speed", type=float, default=1.0, help="times real time")
    serial.set_defaults(act=_serial)


@contextmanager
def on_desk(scenario: str, folder: Path, blank: bool = False) -> Iterator[Day]:
    """A day whose watch is provisioned, or a board with MicroPython and nothing else."""
    with begin(scenarios.load(scenario), folder) as day:
        if blank:
            flash.install(day.watch.image, {}, folder / "images", {})
            day.watch.nvs.clear()
        yield day


def _serial(options: argparse.Namespace) -> int:
    with (on_desk(options.scenario, BUILD / "serial", options.blank) as day,
          SerialPort(day.watch, options.speed) as port):
        print(f"port    {port.path}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()
    return 0
