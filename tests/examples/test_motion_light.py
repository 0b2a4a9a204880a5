"""Example: a camera script on the same board, with somebody who comes and goes and a camera that fails."""

from pathlib import Path

import pytest

from simulator.bench import BenchWatch, BootWatch
from simulator.devices.camera import Scene


@pytest.fixture
def watch(boot_watch: BootWatch) -> BenchWatch:
    return boot_watch(Path(__file__).parent / "motion_light")


def test_the_lamp_is_on_while_something_moves(watch: BenchWatch) -> None:
    watch.run(until_s=10)
    assert not watch.light
    watch.camera.show(Scene(1))  # the person drawn from seed 1
    watch.run(until_s=11.5)
    assert watch.light
    watch.run(until_s=20)
    assert not watch.light
    assert watch.printed() == ["moved", "still"]


def test_a_camera_without_frames_leaves_the_lamp_as_it_is(watch: BenchWatch) -> None:
    watch.run(until_s=10)
    watch.camera.fault = "none-frames"
    watch.camera.show(Scene(1))
    watch.run(until_s=12.5)
    assert not watch.light
    assert set(watch.printed()) == {"no frame"}
