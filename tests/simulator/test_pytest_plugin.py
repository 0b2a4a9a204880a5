"""The shipped fixtures: what they boot, local time, and what a failing test shows."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from simulator.bench import BenchError
from simulator.wiring import BOARDS

pytest_plugins = ["pytester"]

HELLO = "import time\nprint('hello')\ntime.sleep(100000)\n"


def test_a_time_of_day_is_one_of_the_local_day_of_the_start(boot_watch):
    watch = boot_watch({"main.py": HELLO}, start="2026-06-10T22:30:00-05:00")
    watch.run(until="22:30:10")
    assert watch.world.now_us == 10_000_000
    watch.run(until="25:00")
    assert watch.world.now_us == 2.5 * 3_600_000_000
    for text, reason in (("22:31", "until: 22:31 has passed"), ("8:00", "until: '8:00' is not HH:MM or HH:MM:SS"),
                         ("08:60", "until: '08:60' is not HH:MM or HH:MM:SS")):
        with pytest.raises(BenchError, match=reason):
            watch.run(until=text)
    with pytest.raises(BenchError, match="until or until_s"):
        watch.run()


def test_a_night_with_a_change_of_the_clock_has_its_true_length(boot_watch):
    watch = boot_watch({"main.py": HELLO}, start=datetime(2026, 10, 25, 0, 0, tzinfo=ZoneInfo("Europe/Ljubljana")))
    watch.run(until="06:00")
    assert watch.world.now_us == 7 * 3_600_000_000


def test_firmware_is_a_folder_a_file_or_a_mapping(boot_watch, tmp_path):
    (tmp_path / "main.py").write_text("from lib.words import WORD\n" + HELLO.replace("'hello'", "WORD"))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "words.py").write_text("WORD = 'from a folder'")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "main.pyc").write_bytes(b"\0")
    (tmp_path / "blink.py").write_text(HELLO)
    watches = [boot_watch(tmp_path), boot_watch(str(tmp_path / "blink.py")), boot_watch({"main.py": HELLO.encode()})]
    for watch in watches:
        watch.run(until_s=1)
    assert [watch.printed() for watch in watches] == [["from a folder"], ["hello"], ["hello"]]


@pytest.mark.parametrize(("firmware", "settings", "reason"), [
    ("nowhere", {}, "firmware: nowhere: no such folder or file"),
    ({"boot.py": ""}, {}, "firmware: it has no main.py"),
    ({"main.py": ""}, {"board": "toaster"}, f"board: 'toaster' is none of {', '.join(BOARDS)}"),
    ({"main.py": ""}, {"start": "noon"}, "start: 'noon' is no ISO 8601 time"),
    ({"main.py": ""}, {"start": "2026-06-10T00:00:00"}, "start: 2026-06-10T00:00:00 has no offset from UTC"),
])
def test_what_cannot_boot_is_one_line(boot_watch, firmware, settings, reason):
    with pytest.raises(BenchError) as caught:
        boot_watch(firmware, **settings)
    assert str(caught.value) == reason


def test_records_are_of_muster_alone(boot_watch):
    with pytest.raises(BenchError, match="started without Muster's receiver"):
        boot_watch({"main.py": HELLO}).records()


def test_a_cut_can_be_planned_while_the_watch_runs_and_comes_once(boot_watch):
    watch = boot_watch({"main.py": """
import esp32, time
p = esp32.Partition("journal")
while True:
    p.writeblocks(0, b"x", 0)
    print("written")
    time.sleep(1)
"""})
    watch.run(until_s=3)  # it has booted at 0.4 s
    watch.power.cut(after_flash_ops=2)
    watch.run(until_s=10)
    assert [at_us for at_us, _ in watch.boots] == [400_000, 4_800_000]
    assert len(watch.printed()) == 3 + 1 + 6


def test_the_fixture_watch_boots_what_the_option_names_and_a_failure_shows_its_console(pytester):
    pytester.makeini("[pytest]\nwatch_firmware = firmware\n")
    pytester.mkdir("firmware").joinpath("main.py").write_text(HELLO)
    pytester.makepyfile("""
def test_it(watch):
    watch.run(until_s=1.5)
    assert watch.printed() == ["good bye"]
""")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*console of the watch, at 1.500 s*", "hello", "(its screens: */screens)"])
