"""The command `fleet`: many watches against one receiver, with progress and a table of what came of them."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from simulator import junit
from simulator import scenario as scenarios
from simulator.fleet import Fleet, dask_pool, local_pool, run, write_json
from simulator.fleet_ledger import Tally
from simulator.run_commands import elapsed
from simulator.runs import MET, NOT_MET

BUILD = Path(__file__).resolve().parent.parent / "build"
MOST_DAYS = 60
TELL_S = 10  # between two lines of progress where there is no terminal
INTERRUPTED = 130


def add(commands: Any) -> None:
    """Put it on the command line."""
    fleet = commands.add_parser(
        "fleet", help="many watches, each drawn by seed, against one receiver; goes on where it was stopped",
        epilog="exit code: 0 no record is lost, 1 one is, or a watch ended before its time, 2 it could not go on")
    fleet.add_argument("scenario", nargs="?", default="day",
                       help="whose start, zone, board, settings and first place they have, `day` unless given")
    fleet.add_argument("--watches", type=_count, default=24, metavar="N")
    fleet.add_argument("--days", type=_days, default=1, metavar="N", help=f"1 to {MOST_DAYS}")
    fleet.add_argument("--until", type=elapsed, metavar="HH:MM", help="they stop there, in the place of --days")
    fleet.add_argument("--seed", type=_count, default=1, help="of the fleet")
    fleet.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="like settings.upload_s=600")
    fleet.add_argument("--out", type=Path, default=BUILD / "fleet", help="folder of the receiver and the ledger")
    fleet.add_argument("--jobs", type=_count, metavar="N", help="watches at once, one a core unless given")
    fleet.add_argument("--dask", metavar="ADDRESS", help="live on this Dask cluster, like tcp://10.0.0.1:8786")
    fleet.add_argument("--host", default="127.0.0.1", help="this machine's address, for the watches of a cluster")
    fleet.add_argument("--database", default=os.environ.get("MUSTER_DATABASE"), metavar="URL",
                       help="the receiver's, for SQLAlchemy; a SQLite file unless given, here or in MUSTER_DATABASE")
    fleet.add_argument("--junit", type=Path, metavar="FILE", help="results as JUnit's XML")
    fleet.add_argument("--json", type=Path, metavar="FILE", help="the table as JSON")
    fleet.set_defaults(act=_run)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:10]) < 1 << 31):
        raise argparse.ArgumentTypeError(f"not a whole number above 0: {text}")
    return int(text)


def _days(text: str) -> int:
    if not 1 <= _count(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"not 1 to {MOST_DAYS}: {text}")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    fleet = Fleet(scenarios.load(options.scenario, options.set), options.watches,
                  options.days * 24 if options.until is None else options.until / 3600, options.seed,
                  options.host, options.database)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.perf_counter()
    progress = _Progress(fleet)
    try:
        with ExitStack() as stack:
            if options.dask:
                pool, cores = stack.enter_context(dask_pool(options.dask))
            else:
                cores = options.jobs or len(os.sched_getaffinity(0))
                pool = stack.enter_context(local_pool(cores))
            tally = run(fleet, options.out, pool, cores, progress)
    except KeyboardInterrupt:
        print("\nsimulator: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    progress.end()
    flaws = flaws_of(tally)
    wall_s = time.perf_counter() - started
    _print(fleet, tally, progress.lived, wall_s)
    if options.json:
        write_json(options.json, fleet, tally)
    if options.junit:
        junit.write_flaws(options.junit, "fleet", wall_s, flaws)
    for flaw in filter(None, (*flaws.values(), *tally.errors)):
        print(f"simulator: fleet: {flaw}", file=sys.stderr)
    return NOT_MET if any(flaws.values()) else MET


def flaws_of(tally: Tally) -> dict[str, str]:
    """What must be so in every fleet, and where it is not, how."""
    names = {"every watch lives to its end": "ended", "no record is lost": "lost", "no record is there twice": "twice",
             "no record was dropped for want of room": "dropped", "no history was written twice": "incidents",
             "the firmware has no fault": "firmware_faults"}
    return {text: f"{tally.counts[name]:,} {name.replace('_', ' ')}" if tally.counts[name] else ""
            for text, name in names.items()}


class _Progress:
    """Called with the tally after each watch."""

    def __init__(self, fleet: Fleet):
        self.lived = 0
        self._fleet = fleet
        self._started = self._told = time.monotonic()
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, tally: Tally) -> None:
        self.lived += 1
        now = time.monotonic()
        if not self._is_terminal and now - self._told < TELL_S and tally.watches < self._fleet.watches:
            return
        self._told = now
        pace = self.lived / (now - self._started)
        left_s = (self._fleet.watches - tally.watches) / pace
        text = (f"{tally.watches:,}/{self._fleet.watches:,} watches, {pace * self._fleet.hours / 24:.3f} watch-days/s, "
                f"{left_s / 60:.0f} min left, {tally.counts['lost']} lost")
        print(f"\r{text:78}" if self._is_terminal else text, end="" if self._is_terminal else "\n", file=sys.stderr,
              flush=True)

    def end(self) -> None:
        if self._is_terminal and self.lived:
            print(file=sys.stderr)


def _print(fleet: Fleet, tally: Tally, lived: int, wall_s: float) -> None:
    values = tally.values()
    outcomes = ", ".join(f"{count:,} {name}" for name, count in values["outcomes"].items() if count)
    counts = {name: f"{count:,}" for name, count in values.items() if isinstance(count, int)}
    watch_days = tally.watches * fleet.hours / 24
    rows = [("watches", f"{counts['watches']} for {fleet.hours:g} h, seed {fleet.seed}; "
             f"{counts['boots']} boots, {counts['ended']} ended before their time"),
            ("prompts", f"{counts['prompts']}: {outcomes}"),
            ("answered", _delays(values["answered_after_s"])),
            ("received", _delays(values["received_after_s"])),
            ("records", f"{counts['written']} written, {counts['received']} received, {counts['lost']} lost, "
             f"{counts['twice']} twice, {counts['missing']} not sent yet"),
            ("bytes", f"{counts['bytes']} in {counts['segments']} segments, {counts['sent_bytes']} sent with TLS; "
             f"{values['bytes'] / watch_days / 1000:.1f} kB a watch and day"),
            ("wall time", f"{wall_s:.0f} s for {lived:,} watches, {lived * fleet.hours / 24 / wall_s:.3f} watch-days "
             f"a second, {tally.cpu_s / watch_days:.1f} CPU s each")]
    for name, text in rows:
        print(f"{name:10}{text}")


def _delays(values: dict[str, int | None]) -> str:
    if values["max"] is None:
        return "none"
    return f"after {values['p50']:,} s median, {values['p95']:,} s p95, {values['max']:,} s at most"
