"""Where the wall time of a simulated day goes: the VM's code by service, and the host's devices."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulator.cores import one_core
from simulator.day import begin
from simulator.scenario import Scenario


def profile(scenario: Scenario, folder: Path) -> dict[str, float]:
    """Seconds. `vm <service>`: until the VM answers, with the receiver's answers to it in uploads; `gnss` and `camera`:
    the host's receiver and pictures; `host`: all else of ours. They add up to the day without setting up and report."""
    spent: Counter[str] = Counter()

    def timed(function: Callable[..., Any], name: Callable[[], str]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            key, began = name(), time.perf_counter()
            try:
                return function(*arguments)
            finally:
                spent[key] += time.perf_counter() - began

        return call

    with one_core(), begin(scenario, folder) as day:  # as the command does
        watch = day.watch
        processor = watch.processor
        serve = processor._serve

        def serve_timed(vm: Any) -> None:
            """Each boot has a VM of its own."""
            if "receive" not in vars(vm):
                vm.receive = timed(vm.receive, lambda: f"vm {watch.parts.service}")
            serve(vm)

        processor._serve = serve_timed  # type: ignore[method-assign]
        watch.receiver.says = timed(watch.receiver.says, lambda: "gnss")  # type: ignore[method-assign]
        watch.camera.capture = timed(watch.camera.capture, lambda: "camera")  # type: ignore[method-assign]
        began = time.perf_counter()
        watch.run(until_s=scenario.hours * 3600)
        wall_s = time.perf_counter() - began
    spent["host"] = wall_s - sum(spent.values())
    return dict(spent.most_common())
