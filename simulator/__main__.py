"""The simulator: `run` lives through scenarios, `check` only reads their files, `live` shows one in the browser and
`replay` lives that again, `fleet` lives with many watches at once, `serial` puts a watch on a serial port."""

from __future__ import annotations

import argparse
import sys

from simulator import fleet_commands, live, replay, run_commands, serial_commands
from simulator.fleet import FleetError
from simulator.fleet_ledger import LedgerError
from simulator.receiver.server import ListenError
from simulator.runs import CANNOT
from simulator.session_file import SessionError


def main() -> int:
    """0: a good day; 1: something is not as it must be; 2: it could not be lived."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=(__doc__ or "").split(":")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run_commands.add(commands)
    live.add(commands)
    replay.add(commands)
    fleet_commands.add(commands)
    serial_commands.add(commands)
    options = parser.parse_args()
    try:
        return options.act(options)
    except (*CANNOT, ListenError, FleetError, LedgerError, SessionError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
