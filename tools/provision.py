"""Provisions a flashed watch and enrols its wearer: `python -m tools.provision PORT --board NAME`, or `sim` for PORT.

The watch makes its own keys. This machine certifies them, registers the watch with the receiver, writes certificates
and settings, and restarts it; then the watch takes pictures of its wearer, who sees what it would store, and agrees.
What is secret to the watch never comes here; docs/BOARDS.md says what is where afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from simulator.day import SETTINGS
from simulator.provision import HOST, Operator, ProvisionError, check_settings
from simulator.receiver.state import StateError
from simulator.receiver.store import StoreError
from tools import command
from tools.board import Board
from tools.firmware import boards
from tools.port import COMES_BACK_S, Line
from tools.session import Session

ROOT = Path(__file__).resolve().parent.parent
OPERATOR = ROOT / "build" / "operator"
KEYS = """
import json, os
from boards.parts.chip import Chip
from muster.provisioning import make_keys
print(json.dumps(make_keys(Chip(), bytes.fromhex({receiver!r}))))
"""
IS_PROVISIONED = "import json, os\nprint(json.dumps('settings.json' in os.listdir()))"
ENROL_S = 120  # for the wearer to press twice
ASKED = """enrol     the watch asks its wearer: a press agrees to three pictures, with the light on. It then shows them:
          a press stores the numbers that were made of them, a long one declines."""
LOG = re.compile(r"\d+ ((?:not )?enrolled.*)")


class ProvisioningError(Exception):
    """One line: what could not be done and why."""


def provision(port: str, name: str, operator: Operator, settings: dict[str, Any], is_new: bool = False) -> bytes:
    """Make the watch at `port` the operator's, and restart it; its UEID. Raises BoardError, ProvisioningError.

    One that has settings already is refused unless `is_new`: its keys are made anew then, and its template goes.
    """
    with Board(port) as board:
        board.doing = "its settings were looked for"
        if board.ask(IS_PROVISIONED) and not is_new:
            raise ProvisioningError(f"{port}: provisioned already: --again makes new keys, for a new wearer")
        board.doing = "it made its keys"
        receiver = operator.receiver_point.hex()
        keys = {kind: _hex(value, kind) for kind, value in board.ask(KEYS.format(receiver=receiver)).items()}
        ueid, wearer = b"\x01" + os.urandom(16), os.urandom(16).hex()
        client = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), keys["client"])
        files = operator.admit(f"watch {ueid.hex()}", ueid, client, {"board": name} | settings)
        operator.register([(ueid, keys["sign"], wearer)], int(time.time()))
        operator.keep_prompts(ueid, keys["prompts"])
        for path, data in files.items():  # settings.json is the last: without it the watch does not start
            board.doing = f"{path} was written"
            board.write(path, data)
        board.doing = "it was restarted"
        board.restart()
    print(f"device    {ueid.hex()}, wearer {wearer}", flush=True)
    print("keys      made on the watch; certified and registered here", flush=True)
    return ueid


def enrol(port: str) -> None:
    """Have the wearer enrolled, as often as they like. Raises BoardError, ProvisioningError."""
    with Line(port, "it started", COMES_BACK_S):
        pass  # the port is there again
    with Session(port, note=lambda text: None) as session:
        while True:
            print(ASKED, flush=True)
            heard = len(_results(session))
            session.ask("enrol")
            result = _await_result(session, heard)
            print(f"          {result}", flush=True)
            if result == "enrolled":
                return
            if not sys.stdin.isatty() or input("          again? [y/N] ").strip().lower() != "y":
                raise ProvisioningError(f"{port}: provisioned, and its wearer {result}")


def _results(session: Session) -> list[str]:
    """The results of enrolments that the watch's log holds."""
    return [found[1] for found in map(LOG.fullmatch, session.ask("log")[0]) if found]


def _await_result(session: Session, heard: int) -> str:
    given_up_s = time.monotonic() + ENROL_S
    while time.monotonic() < given_up_s:
        results = _results(session)
        if len(results) > heard:
            return results[-1]
        time.sleep(0.5)
    return "not enrolled: nobody pressed"


def _hex(value: Any, kind: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise ProvisioningError(f"the watch's key {kind!r} is no hex") from None


@contextmanager
def simulated(name: str) -> Iterator[str]:
    """The port of a simulated watch that was flashed and never provisioned; its drawn wearer agrees to everything."""
    from simulator.bench import START, on_bench
    from simulator.day import firmware_files
    from simulator.serial_port import SerialPort
    from simulator.wearer import Agreeing

    with (tempfile.TemporaryDirectory() as folder,
          on_bench(firmware_files(), Path(folder), start=START, board=name) as watch):
        Agreeing(watch, face=1)
        with SerialPort(watch) as port:
            yield port.path


def main() -> int:
    parser = command.parser("provision", __doc__)
    parser.add_argument("--board", default="esp32_s3_eye", help=", ".join(boards()))
    parser.add_argument("--operator", type=Path, default=OPERATOR, metavar="FOLDER",
                        help="the operator's authority and receiver, made where there is none; build/operator")
    parser.add_argument("--host", default=HOST, help=f"the receiver's name, for a new operator; {HOST} unless given")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="JSON object: settings, such as wifi")
    parser.add_argument("--again", action="store_true", help="also a watch that is provisioned: new keys, a new wearer")
    parser.add_argument("--no-enrol", action="store_true", help="leave the enrolment to `enrol` on the console")
    options = parser.parse_args()
    return command.run("provision", lambda: _run(options), ProvisioningError, ProvisionError, StateError, StoreError)


def _run(options: argparse.Namespace) -> None:
    if options.board not in boards():
        raise ProvisioningError(f"board: no firmware/boards/{options.board}.py")
    settings = SETTINGS | {"zone": "UTC0"} | (_read_settings(options.settings) if options.settings else {})
    check_settings(settings)
    folder = options.operator
    operator = Operator.open(folder) if folder.exists() else Operator.make(folder, options.host)
    if options.port == "sim":
        with simulated(options.board) as port:
            _provision(port, options, operator, settings)
    else:
        _provision(options.port, options, operator, settings)


def _read_settings(path: Path) -> dict[str, Any]:
    """A JSON object."""
    try:
        settings = json.loads(path.read_bytes())
    except OSError as error:
        raise ProvisioningError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise ProvisioningError(f"{path}: not JSON") from None
    if not isinstance(settings, dict):
        raise ProvisioningError(f"{path}: not an object")
    return settings


def _provision(port: str, options: argparse.Namespace, operator: Operator, settings: dict[str, Any]) -> None:
    provision(port, options.board, operator, settings, options.again)
    if not options.no_enrol:
        enrol(port)
    print(f"left here {options.operator}: the operator's own keys; of the watch its public keys in the receiver's\n"
          "          store, and its prompts' secret sealed to the receiver. No private key, template or picture of it.")


if __name__ == "__main__":
    sys.exit(main())
