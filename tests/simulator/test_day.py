"""The default day, end to end: firmware on the VM, the receiver its own process, every record from flash to store."""

import json
import sqlite3
from pathlib import Path

import pytest

from simulator import scenario
from simulator.day import live
from simulator.summary import Summary


def lived(folder: Path) -> Summary:
    return Summary(live(scenario.load("day"), folder), wall_s=1)


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Summary:
    return lived(tmp_path_factory.mktemp("day"))


def test_the_day_holds_what_a_day_can_hold(day):
    v = day.values
    assert [prompt["outcome"] for prompt in v["prompts"]] == ["matched", "matched", "not matched", "missed", "matched"]
    assert [prompt["manual_check"] for prompt in v["prompts"]] == [False, False, True, True, False]
    assert [boot["time"] for boot in v["boots"]] == ["00:00:00", "15:10:00"]
    assert any(row["reason"] == "it hears no satellite" and row["from"] > "17:19" for row in v["no_fix"])


def test_one_prompt_falls_into_each_fifth_of_the_waking_window(day):
    fifth_s = 3 * 3600
    assert [(prompt["due_s"] - 7 * 3600) // fifth_s for prompt in day.values["prompts"]] == [0, 1, 2, 3, 4]


def test_every_record_that_the_watch_wrote_is_at_the_receiver_once_and_verified(day):
    v = day.values
    assert v["written"] == v["records"] > 100
    assert (v["missing"], v["duplicates"]) == (0, 0)
    assert (v["verified_segments"], v["decrypted"]) == (v["segments"], v["records"])
    assert day.flaws == []


def test_nothing_is_uploaded_while_the_network_is_down_and_all_of_it_after(day):
    down_s, up_s = 13.5 * 3600, 16.75 * 3600
    times = day.values["upload_times_s"]
    assert not [at_s for at_s in times if down_s <= at_s < up_s]
    assert min(at_s for at_s in times if at_s >= up_s) < up_s + 3600 + 60


def test_each_frame_was_taken_in_the_light_and_soon_after_a_press(day):
    watch = day.day.watch
    assert watch.camera_opened and all(lit for _, lit in watch.camera_opened)
    assert all(any(0 <= frame_us - press_us < 20_000_000 for press_us in watch.presses)
               for frame_us, _ in watch.camera_opened)


def test_the_recorded_track_is_near_the_true_one(day):
    assert day.values["track_error_m"]["p50"] < 5


def test_the_report_needs_no_network(day):
    path = day.day.folder / "report.html"
    day.write_report(path)
    text = path.read_text()
    watch = day.day.watch
    assert text.count('<img src="data:image/') == len(watch.screens.shown) + len(day.frames)
    assert "http://" not in text and "https://" not in text


def test_two_runs_are_the_same_to_the_byte(day, tmp_path):
    again = lived(tmp_path)
    assert json.dumps(again.values) == json.dumps(day.values)
    assert again.day.watch.image.read_bytes() == day.day.watch.image.read_bytes()
    assert again.day.watch.console_output == day.day.watch.console_output

    def messages(summary: Summary) -> list:
        with sqlite3.connect(summary.day.provision.state / "receiver.db") as database:
            return database.execute("select * from segments order by 1").fetchall()

    assert messages(again) == messages(day)
