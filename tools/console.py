"""The serial console: `python -m tools.console PORT`, or `sim` for a simulated watch that is started for it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from serial.tools import miniterm

BAUD = 115200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.console", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("port", help="serial port of the board, or sim")
    options = parser.parse_args()
    if options.port == "sim":
        with tempfile.TemporaryDirectory() as folder:
            return _simulated(Path(folder))
    if not Path(options.port).exists():
        print(f"console: port: {options.port} is not there: is the board plugged in?", file=sys.stderr)
        return 1
    return _terminal(options.port)


def _simulated(folder: Path) -> int:
    from simulator import scenario
    from simulator.day import begin
    from simulator.serial_port import SerialPort

    with begin(scenario.load("day"), folder) as day, SerialPort(day.watch) as port:
        return _terminal(port.path)


def _terminal(port: str) -> int:
    sys.argv = ["console", port, str(BAUD)]  # miniterm takes its settings from the command line
    try:
        miniterm.main(default_rts=None, default_dtr=None)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
