"""The receiver's command line: serve a state folder; print, disclose and erase its records; purge what is too old."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable
from typing import Any

from simulator.receiver import clock
from simulator.receiver.state import State, StateError
from simulator.receiver.store import MAX_DAYS, Store, Stored, StoreError, Warrant

RETENTION_DAYS = 90


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; 0, or 1 after one line on standard error."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        state = State(options.state)
        store = Store(options.database or state.database)
        options.command(options, state, store)
    except (StateError, StoreError, OSError) as error:
        print(f"receiver: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator.receiver", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = _command(commands, "serve", _serve, "receive segments over TLS")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=_port, default=8443, help="0 for any; the line `port N` says which")
    serve.add_argument("--timeout", type=_timeout, default=30.0, metavar="SECONDS",
                       help="in which a client must send each request whole, 30 unless given")
    records = _command(commands, "records", _records, "print every record, and then every act, as a line of JSON")
    records.add_argument("--device", type=_ueid, metavar="UEID",
                         help="of this device only, 34 hex digits: the wearer's own copy")
    disclose = _command(commands, "disclose", _disclose, "print a device's records for another body, and note that")
    forget = _command(commands, "forget", _forget, "delete a device and all that it sent, and note that")
    for each in (disclose, forget):
        each.add_argument("device", type=_ueid, metavar="UEID", help="34 hex digits")
        each.add_argument("--who", required=True, help="is given the records, or erases them")
        each.add_argument("--why", required=True)
        each.add_argument("--basis", required=True, help="the legal basis")
    _command(commands, "incidents", _incidents, "print the segments refused though their device signed them")
    purge = _command(commands, "purge", _purge, "delete what was received longer ago than the retention")
    for each in (serve, purge):
        each.add_argument("--retention-days", type=_retention, default=RETENTION_DAYS, metavar="DAYS",
                          help=f"1 to {MAX_DAYS}, {RETENTION_DAYS} unless given")
    for each in (serve, purge, disclose, forget):
        each.add_argument("--virtual", type=_unix_ms, metavar="MS",
                          help="simulation: the time is MS, UTC, and then what is told at the port `clock N` says")
    serve.add_argument("--until-eof", action="store_true", help="end when standard input does, as its writer ends")
    return parser


def _command(commands: Any, name: str, function: Any, help_text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
    parser.set_defaults(command=function)
    parser.add_argument("state", metavar="STATE", help="the state folder that provisioning made")
    parser.add_argument("--database", default=os.environ.get("MUSTER_DATABASE"), metavar="URL",
                        help="SQLAlchemy URL; a SQLite file in STATE unless given, here or in MUSTER_DATABASE")
    return parser


def _retention(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"not 1 to {MAX_DAYS} days: {text}")
    return int(text)


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 600:
        raise argparse.ArgumentTypeError(f"not 0.1 to 600 seconds: {text}")
    return seconds


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"not 0 to 65535: {text}")
    return int(text)


def _unix_ms(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise argparse.ArgumentTypeError(f"not a time in ms: {text}")
    return int(text)


def _ueid(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not hex digits: {text}") from None


def _clock(options: argparse.Namespace) -> clock.Clock:
    return clock.real if options.virtual is None else clock.VirtualClock(options.virtual)


def _now_s(options: argparse.Namespace) -> int:
    return _clock(options)(b"") // 1000


def _serve(options: argparse.Namespace, state: State, store: Store) -> None:
    from simulator.receiver.app import application
    from simulator.receiver.ingest import Receiver
    from simulator.receiver.server import ListenError, listen, serve

    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    now_ms = _clock(options)
    receiver = Receiver(state, store, now_ms)
    app = application(receiver.accept, lambda: store.purge(now_ms(b"") // 1000, options.retention_days))
    tls = state.tls()
    try:
        listener = listen(options.host, options.port)
    except ListenError as error:
        raise StateError(str(error)) from None
    words = f" clock {now_ms.listen(options.host)}" if isinstance(now_ms, clock.VirtualClock) else ""
    if options.until_eof:
        threading.Thread(target=_end_with_input, daemon=True).start()
    serve(app, tls, listener, lambda port: print(f"port {port}{words}", flush=True), options.timeout)


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _records(options: argparse.Namespace, _state: State, store: Store) -> None:
    _print(store.stored(options.device))
    for act in store.acts(options.device):
        ueid, kind = act.pop("ueid"), act.pop("act")
        print(json.dumps({"device": ueid.hex(), "type": kind} | act))


def _disclose(options: argparse.Namespace, _state: State, store: Store) -> None:
    _print(store.disclose(options.device, _warrant(options), _now_s(options)))


def _print(segments: Iterable[Stored]) -> None:
    from simulator.receiver.decode import decode_segment

    for stored in segments:
        for record in decode_segment(stored):
            print(json.dumps(record))


def _forget(options: argparse.Namespace, _state: State, store: Store) -> None:
    print(f"{store.forget(options.device, _warrant(options), _now_s(options))} segments deleted")


def _warrant(options: argparse.Namespace) -> Warrant:
    return Warrant(options.who, options.why, options.basis)


def _incidents(_options: argparse.Namespace, _state: State, store: Store) -> None:
    for ueid, number, reason, seen_s in store.incidents():
        print(json.dumps({"device": ueid.hex(), "segment": number, "reason": reason, "seen_s": seen_s}))


def _purge(options: argparse.Namespace, _state: State, store: Store) -> None:
    print(f"{store.purge(_now_s(options), options.retention_days)} segments deleted")


if __name__ == "__main__":
    sys.exit(main())
