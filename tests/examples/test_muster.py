"""Example: Muster itself, from enrolment to a check-in that the receiver has, through an outage of the network."""

from pathlib import Path

import pytest

from simulator.bench import BenchWatch, BootWatch
from simulator.devices.camera import Scene

PROMPT, MATCHED = [65, 149, 255], [65, 202, 106]  # the ring that asks and the disc that thanks, red, green and blue


@pytest.fixture
def watch(boot_watch: BootWatch) -> BenchWatch:
    """A watch that asks once between 08:00 and 13:00, and has a minute to find its satellites."""
    watch = boot_watch(start="2026-06-10T07:50:00+02:00",
                       settings={"prompts_per_day": 1, "waking": [480, 780], "upload_s": 600})
    watch.gnss.at(46.0511, 14.5051)
    watch.run(until="07:51:30")
    return watch


def test_a_face_that_was_enrolled_is_matched_and_uploaded_once_the_network_is_back(
        watch: BenchWatch, tmp_path: Path) -> None:
    watch.camera.show(Scene(1))
    watch.console("enrol")
    watch.press()  # agrees to the camera
    watch.run(until="07:52")
    watch.press()  # agrees to what the screen shows of it
    watch.run(until="07:52:30")
    assert any(line.endswith(" enrolled") for line in watch.console("log").splitlines())
    watch.network.down()
    while watch.screen()[4, 120].tolist() != PROMPT:
        watch.run(until_s=watch.world.now_us / 1e6 + 10)
    watch.press()
    watch.run(until_s=watch.world.now_us / 1e6 + 2)
    assert watch.screen(tmp_path / "answered.png")[60, 120].tolist() == MATCHED
    watch.run(until="14:00")
    assert watch.records("check-in") == []
    watch.network.up()
    watch.run(until="14:30")
    check_in, = watch.records("check-in")
    assert (check_in["outcome"], check_in["tries"]) == ("matched", 1)
    assert check_in["last_fix"]["lat_e6"] == pytest.approx(46_051_100, abs=200)
    assert all(lit for _, lit in watch.camera_opened)
