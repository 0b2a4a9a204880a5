"""The pytest plugin: `watch` and `boot_watch` put a firmware on a simulated board (docs/TESTING.md)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # what the simulator needs is loaded by the first test that has a watch
    from simulator.bench import BenchWatch, BootWatch, Firmware

OPTION = "watch_firmware"
CONSOLE_CHARACTERS = 4000  # of a watch's console, shown with a test that failed
_WATCHES = pytest.StashKey["list[BenchWatch]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(OPTION, "folder of the firmware that the fixture `watch` boots; Muster's own unless given")


@pytest.fixture
def boot_watch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootWatch]:
    """Call it with a firmware and the settings of simulator.bench.on_bench for each watch that a test needs."""
    from simulator.bench import on_bench

    watches = request.node.stash.setdefault(_WATCHES, [])
    with ExitStack() as stack:

        def boot(firmware: Firmware | None = None, **settings: Any) -> BenchWatch:
            watches.append(stack.enter_context(on_bench(firmware, tmp_path_factory.mktemp("watch"), **settings)))
            return watches[-1]

        yield boot


@pytest.fixture
def watch(boot_watch: BootWatch, pytestconfig: pytest.Config) -> BenchWatch:
    """A watch, switched on at 2026-06-10 00:00 with the firmware of the option `watch_firmware`, or Muster."""
    folder = pytestconfig.getini(OPTION)
    return boot_watch(pytestconfig.rootpath / folder if folder else None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what its watches printed and where their screens lie."""
    report = yield
    if report.failed:
        for watch in item.stash.get(_WATCHES, []):
            text = watch.console_output[-CONSOLE_CHARACTERS:].decode(errors="replace")
            report.sections.append((f"console of the watch, at {watch.world.now_us / 1e6:.3f} s",
                                    f"{text}\n(its screens: {watch.screens.folder})"))
    return report
