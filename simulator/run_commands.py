"""The commands `run` and `check`: whole scenarios, or their files alone."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator import junit, pace, report, runs
from simulator import scenario as scenarios
from simulator.runs import MET, NOT_RUN, Options, Result

BUILD = Path(__file__).resolve().parent.parent / "build"


def add(commands: Any) -> None:
    """Put both commands on the command line."""
    shipped = ", ".join(sorted(path.stem for path in scenarios.FOLDER.glob("*.yaml")))
    help_text = f"YAML files, or names of shipped ones: {shipped}"
    run = commands.add_parser("run", help="live through scenarios, several at once, and report on them",
                              epilog="exit code: 0 all is as expected, 1 something is not, 2 something could not run")
    run.add_argument("scenarios", nargs="*", default=["day"], metavar="SCENARIO", help=help_text)
    run.add_argument("--out", type=Path, help="folder of the report; of several scenarios one each, by name")
    run.add_argument("--bits", type=int, choices=(32, 64), default=64, help="word size of the VM")
    run.add_argument("--seed", type=int, help="in the place of the file's")
    run.add_argument("--until", type=elapsed, metavar="HH:MM", help="stop there; judge only what has its time before")
    run.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="like settings.upload_s=600")
    run.add_argument("--speed", type=pace.speed, default=pace.FASTEST, help="times real time; max unless given")
    run.add_argument("--report", type=Path, metavar="FILE",
                     help="the HTML page: of one scenario OUT/report.html unless given; of several a table of theirs")
    run.add_argument("--junit", type=Path, metavar="FILE", help="results as JUnit's XML")
    run.add_argument("--json", type=Path, metavar="FILE", help="results and summaries as JSON")
    run.set_defaults(act=_run)
    check = commands.add_parser("check", help="check the files of scenarios, and live through none")
    check.add_argument("scenarios", nargs="+", metavar="SCENARIO", help=help_text)
    check.set_defaults(act=_check)


def elapsed(text: str) -> float:
    """Seconds of HH:MM, elapsed since the scenario's start."""
    if not re.fullmatch(r"[0-9]{1,4}:[0-5][0-9]", text):
        raise argparse.ArgumentTypeError("not like 08:30")
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def _run(options: argparse.Namespace) -> int:
    changes = options.set + ([] if options.seed is None else [f"seed={options.seed}"])
    how = Options(options.bits, options.until, tuple(changes), options.speed)
    if len(options.scenarios) == 1:
        folder = options.out or BUILD / "day"
        results = [_run_one(options.scenarios[0], folder, replace(how, report=options.report))]
    else:
        folder = options.out or BUILD / "scenarios"
        results = runs.run_all(options.scenarios, folder, how, _tell)
        _print_table(results)
        if options.report:
            report.write_index(options.report, [_index_row(result, folder, options.report) for result in results])
    if options.junit:
        junit.write(options.junit, results)
    if options.json:
        junit.write_json(options.json, results)
    for complaint in [complaint for result in results for complaint in result.complaints]:
        print(f"simulator: {complaint}", file=sys.stderr)
    return max(result.status for result in results)


def _check(options: argparse.Namespace) -> int:
    status = MET
    for file in options.scenarios:
        try:
            scenario = scenarios.load(file)
            print(f"{file}: {scenario.name}: {len(scenario.expect)} expectations")
        except scenarios.ScenarioError as error:
            print(f"simulator: {error}", file=sys.stderr)
            status = NOT_RUN
    return status


def _run_one(file: str, folder: Path, how: Options) -> Result:
    started, is_terminal = time.perf_counter(), sys.stderr.isatty()

    def progress(virtual_s: float) -> None:
        if is_terminal or virtual_s % 14400 == 0:
            print(f"\r{virtual_s / 3600:5.2f} h lived, {time.perf_counter() - started:.1f} s",
                  end="" if is_terminal else "\n", file=sys.stderr, flush=True)

    result = runs.run(file, folder, how, progress)
    print("", file=sys.stderr)
    if result.values:
        _print(result)
        print(f"report: {how.report or folder / 'report.html'}")
    return result


def _index_row(result: Result, folder: Path, index: Path) -> tuple[str, str, list[str]]:
    """Name, the report's address as seen from the index, and what else its row says."""
    page = folder / result.name / "report.html"
    address = os.path.relpath(page.resolve(), index.resolve().parent) if result.values else ""
    return result.name, address, [junit.STATUS[result.status], f"{result.met}/{len(result.verdicts)}",
                                  _outcomes(result), "; ".join(result.complaints)]


def _outcomes(result: Result) -> str:
    return ", ".join(f"{count} {name}" for name, count in result.values.get("outcomes", {}).items() if count)


def _tell(result: Result) -> None:
    print(f"{junit.STATUS[result.status]:14}{result.name:24}{result.wall_s:6.1f} s", file=sys.stderr, flush=True)


def _print_table(results: list[Result]) -> None:
    print(f"{'scenario':24}{'result':16}{'met':>7}{'records':>9}{'wall s':>8}  outcomes")
    for result in results:
        print(f"{result.name:24}{junit.STATUS[result.status]:16}{result.met:>4}/{len(result.verdicts):<2}"
              f"{result.values.get('records', 0):>9}{result.wall_s:>8.1f}  {_outcomes(result)}")
    bad = sum(result.status != MET for result in results)
    print(f"{len(results)} scenarios, {len(results) - bad} as expected, {bad} not")


def _print(result: Result) -> None:
    values = result.values
    print(f"{'due':10}{'answered':10}{'outcome':13}{'tries':>5}{'score':>8}  why")
    for prompt in values["prompts"]:
        score = "" if prompt["score"] is None else f"{prompt['score']:.3f}"
        print(f"{prompt['due']:10}{prompt['answered'] or '-':10}{prompt['outcome']:13}{prompt['tries']:>5}{score:>8}  "
              f"{prompt['reason'] if prompt['reason'] != 'none' else ''}")
    error = values["track_error_m"]
    rows = (("prompts", f"{len(values['prompts'])}: {_outcomes(result)}"),
            ("fixes", f"{values['fixes']} kept of {values['gnss_seconds']:,} s, error {error['p50']} m median, "
             f"{error['p95']} m p95"),
            ("no fix", ", ".join(f"{row['from']} to {row['to']} ({row['reason']})" for row in values["no_fix"])),
            ("boots", ", ".join(f"{row['time']} ({row['cause']})" for row in values["boots"])),
            ("records", f"{values['written']} written, {values['records']} received, {values['missing']} missing, "
             f"{values['duplicates']} twice"),
            ("segments", f"{values['segments']}, {values['verified_segments']} verified by cwt, {values['bytes']:,} "
             "bytes"),
            ("power", _power(values["power"])),
            ("expected", f"{result.met} of {len(result.verdicts)} met"),
            ("wall time", f"{values['wall_s']} s, {values['realtime_ratio']:,} times real time"))
    for name, text in rows:
        print(f"{name:10}{text}")


def _power(power: dict[str, Any]) -> str:
    life_h = power["life_h_500mah"]
    services = ", ".join(f"{name} {mah:.1f}" for name, mah in power["by_service"].items() if mah >= 0.05)
    return f"{power['mah']:g} mAh ({services}); 500 mAh last {'for ever' if life_h is None else f'{life_h:g} h'}"
