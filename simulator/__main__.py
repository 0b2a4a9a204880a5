"""The simulator's command line: `python -m simulator run [SCENARIO]` lives through a day and reports on it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from simulator import scenario as scenarios
from simulator.day import ReceiverError, live
from simulator.devices.camera import SceneError
from simulator.provision import ProvisionError
from simulator.route import RouteError
from simulator.summary import Summary
from simulator.watch import WatchError
from tools.vm import VmError

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """0: a good day; 1: something that was written is not as it must be; 2: the day could not be lived."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=(__doc__ or "").split(":")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="live through a scenario and report on it")
    run.add_argument("scenario", nargs="?", default="day", help="a YAML file, or the name of a shipped one: "
                     + ", ".join(sorted(path.stem for path in scenarios.FOLDER.glob("*.yaml"))))
    run.add_argument("--out", type=Path, default=ROOT / "build" / "day", help="folder of the report")
    run.add_argument("--bits", type=int, choices=(32, 64), default=64, help="word size of the VM")
    options = parser.parse_args()
    try:
        return _run(options)
    except (scenarios.ScenarioError, RouteError, SceneError, ProvisionError, VmError, ReceiverError,
            WatchError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    scenario = scenarios.load(options.scenario)
    started = time.perf_counter()

    def progress(virtual_s: float) -> None:
        if sys.stderr.isatty() or virtual_s % 14400 == 0:
            print(f"\r{virtual_s / 3600:5.2f} h of {scenario.hours:g} lived, {time.perf_counter() - started:.1f} s",
                  end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)

    day = live(scenario, options.out, progress, options.bits)
    summary = Summary(day, time.perf_counter() - started)
    (options.out / "summary.json").write_text(json.dumps(summary.values, indent=2) + "\n")
    summary.write_report()
    print("", file=sys.stderr)
    _print(summary.values)
    print(f"report: {options.out / 'report.html'}")
    for flaw in summary.flaws:
        print(f"simulator: {flaw}", file=sys.stderr)
    return 1 if summary.flaws else 0


def _print(values: dict[str, Any]) -> None:
    print(f"{'due':10}{'answered':10}{'outcome':13}{'tries':>5}{'score':>8}  why")
    for prompt in values["prompts"]:
        score = "" if prompt["score"] is None else f"{prompt['score']:.3f}"
        print(f"{prompt['due']:10}{prompt['answered'] or '-':10}{prompt['outcome']:13}{prompt['tries']:>5}{score:>8}  "
              f"{prompt['reason'] if prompt['reason'] != 'none' else ''}")
    outcomes = ", ".join(f"{count} {name}" for name, count in values["outcomes"].items() if count)
    error = values["track_error_m"]
    rows = (("prompts", f"{len(values['prompts'])}: {outcomes}"),
            ("fixes", f"{values['fixes']} kept of {values['gnss_seconds']:,} s, error {error['p50']} m median, "
             f"{error['p95']} m p95"),
            ("no fix", ", ".join(f"{row['from']} to {row['to']} ({row['reason']})" for row in values["no_fix"])),
            ("boots", ", ".join(f"{row['time']} ({row['cause']})" for row in values["boots"])),
            ("records", f"{values['written']} written, {values['records']} received, {values['missing']} missing, "
             f"{values['duplicates']} twice"),
            ("segments", f"{values['segments']}, {values['verified_segments']} verified by cwt, {values['bytes']:,} "
             "bytes"),
            ("wall time", f"{values['wall_s']} s, {values['realtime_ratio']:,} times real time"))
    for name, text in rows:
        print(f"{name:10}{text}")


if __name__ == "__main__":
    sys.exit(main())
