"""Runs scenarios, several at once, each in a process of its own, and says of each whether it is as it expects."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simulator import pace
from simulator import scenario as scenarios
from simulator.cores import one_core
from simulator.day import live
from simulator.devices.camera import SceneError
from simulator.expect import Verdict, judge
from simulator.provision import ProvisionError
from simulator.receiver.clock import ClockError
from simulator.receiver_process import ReceiverError
from simulator.route import RouteError
from simulator.scenario import Scenario, ScenarioError
from simulator.summary import Summary
from simulator.watch import WatchError
from tools.vm import VmError

MET, NOT_MET, NOT_RUN = 0, 1, 2  # a run's status, and the exit code
CANNOT = (ScenarioError, RouteError, SceneError, ProvisionError, VmError, ReceiverError, ClockError, WatchError)


@dataclass(frozen=True)
class Options:
    """`changes` as `--set` gives them; `until_s`: stop there, and judge only what was to be so before."""

    bits: int = 64
    until_s: float | None = None
    changes: tuple[str, ...] = ()
    speed: float = pace.FASTEST
    report: Path | None = None  # in the place of report.html in the scenario's folder


@dataclass
class Result:
    """What came of one scenario; `error` is why it could not run."""

    file: str
    name: str
    status: int = NOT_RUN
    error: str = ""
    wall_s: float = 0.0
    verdicts: list[Verdict] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> int:
        return sum(verdict.is_met for verdict in self.verdicts)

    @property
    def complaints(self) -> list[str]:
        """What is not as it must be, a line each."""
        missed = [f"{self.file}: line {v.line}: expected {v.wanted}; found {v.found}"
                  for v in self.verdicts if not v.is_met]
        return [self.error] if self.error else missed + [f"{self.file}: {flaw}" for flaw in self.flaws]


def load(file: str, options: Options) -> Scenario:
    """Raises ScenarioError."""
    scenario = scenarios.load(file, options.changes)
    if options.until_s is None:
        return scenario
    until_s = min(options.until_s, scenario.hours * 3600)
    judged = tuple(e for e in scenario.expect if e.at_s is not None and e.at_s < until_s)
    return replace(scenario, hours=until_s / 3600, expect=judged)


def run(file: str, folder: Path, options: Options, progress: Callable[[float], None] = lambda virtual_s: None
        ) -> Result:
    """Live through one scenario and write its report and summary to `folder`."""
    result = Result(str(scenarios.find(file)), Path(file).stem)
    started = time.perf_counter()
    try:
        scenario = load(file, options)
        with one_core():
            day = live(scenario, folder, progress, options.bits, options.speed)
    except CANNOT as error:
        result.error = f"{result.file}: {error}" if not isinstance(error, ScenarioError) else str(error)
        result.wall_s = time.perf_counter() - started
        return result
    result.wall_s = time.perf_counter() - started
    summary = Summary(day, result.wall_s)
    result.values = summary.values
    result.verdicts = judge(scenario, summary.values, day.findings)
    result.flaws = summary.flaws if options.until_s is None else []
    result.status = MET if result.met == len(result.verdicts) and not result.flaws else NOT_MET
    (folder / "summary.json").write_text(json.dumps(summary.values, indent=2) + "\n")
    summary.write_report(options.report or folder / "report.html")
    return result


def _hours(file: str) -> float:
    try:
        return scenarios.load(file).hours
    except ScenarioError:
        return 0


def run_all(files: Sequence[str], folder: Path, options: Options, done: Callable[[Result], None],
            processes: int | None = None) -> list[Result]:
    """Run each scenario in a process of its own, as many at once as there are cores, each in a folder of its name.

    `done` is called as each ends; the results come in the order of the files.
    """
    folders = [folder / Path(file).stem for file in files]
    for n, path in enumerate(folders):
        if path in folders[:n]:
            raise ScenarioError(f"{files[n]}: another scenario of the same name is given")
    results: dict[int, Result] = {}
    with ProcessPoolExecutor(processes or os.cpu_count(), max_tasks_per_child=1) as pool:
        order = sorted(range(len(files)), key=lambda n: -_hours(files[n]))  # the longest first, so that none is alone
        waiting = {pool.submit(run, files[n], folders[n], options): n for n in order}
        for future in as_completed(waiting):
            results[waiting[future]] = future.result()
            done(future.result())
    return [results[n] for n in range(len(files))]
