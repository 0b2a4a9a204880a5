"""The whole firmware on the simulated watch: console, check-ins, and what befalls them."""

import re
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simulator import scenario
from simulator.day import Day, begin, firmware_files
from simulator.devices.camera import Scene
from simulator.receiver.decode import decode_segment
from simulator.receiver.state import State
from simulator.receiver.store import Store
from simulator.summary import Summary
from tools.due_times import due_times

TEXT = """
name: a short day
start: "2026-06-10T09:58:00+02:00"
zone: CET-1CEST,M3.5.0,M10.5.0/3
seed: 7
wearer: 1
stranger: 2
route:
  - {at: "00:00", lat: -33.8688, lon: 151.2093}
  - {at: "60:00", lat: -33.8688, lon: 151.2093}
settings: {prompts_per_day: 12, waking: [600, 900], spacing_s: 600, answer_s: 600, reminder_s: 60}
"""
SCENARIO = scenario.parse(TEXT.encode(), Path("test.yaml"))
START = SCENARIO.start_unix_s
MATCHED_DISC = (65, 202, 106)  # these colours as the panel shows them
PROMPT_RING, CAPTURE_RING, LOW_BATTERY = (65, 149, 255), (65, 202, 106), (246, 85, 82)
SETTLED_S = 65  # by then the receiver has found its satellites
UPLOADED_S = 130  # by then the first upload is over


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One for all days of this file: its flash images are made once."""
    return tmp_path_factory.mktemp("days")


@pytest.fixture
def start(folder):
    """Begins a day, and after the test holds each frame that was taken against its light and the press before it."""
    with ExitStack() as stack:
        days = []

        def start(bits: int = 64, name: str = "day") -> Day:
            days.append(stack.enter_context(begin(SCENARIO, folder / name, bits)))
            return days[-1]

        yield start
        for day in days:
            assert all(lit for _, lit in day.watch.camera_opened)
            assert all(any(0 <= frame_us - press_us < 30_000_000 for press_us in day.watch.presses)
                       for frame_us, _ in day.watch.camera_opened)


@pytest.fixture
def enrolled(start):
    """Begins a day whose wearer has enrolled, and stands before the camera."""
    def run(bits: int = 64, name: str = "day") -> Day:
        day = start(bits, name)
        day.watch.run(until_s=SETTLED_S)
        day.watch.console("enrol", wait_s=35)  # the scenario's wearer agrees, and stays for 25 s
        assert "enrolled" in day.watch.console("log")
        day.watch.camera.show(Scene(1))
        return day
    return run


def due(day: Day, of: date = date(2026, 6, 10)) -> list[int]:
    """When the day's prompts are due, in seconds since the start, as an auditor finds out."""
    secret = day.provision.bundle.nvs["prompt_secret"]
    return [unix_s - START for unix_s in due_times(secret, of, ZoneInfo("Europe/Ljubljana"), (600, 900), 12, 600)]


def received(day: Day, kind: str) -> list[dict]:
    """The records of one type that the receiver has, in order."""
    store = Store(State(day.provision.state).database)
    try:
        return [record for stored in store.stored() for record in decode_segment(stored) if record["type"] == kind]
    finally:
        store.close()


def asks(day: Day) -> bool:
    """Whether the screen asks for a check-in."""
    return tuple(day.watch.display.rgb()[4, 120]) == PROMPT_RING


def answer_at_once(day: Day) -> None:
    """From now on the wearer presses a second after each prompt lights up."""
    watch = day.watch
    watch.lit = lambda: watch.world.after(1_000_000, lambda: watch.press() if asks(day) else None)


# the console


@pytest.fixture(scope="module")
def quiet(folder):
    """A day in which nothing is asked of anybody yet, settled and uploaded."""
    with begin(SCENARIO, folder / "quiet") as day:
        day.watch.run(until_s=SETTLED_S)
        yield day


def said(day: Day, line: str, wait_s: float = 2) -> list[str]:
    """What the console answers, line by line, without the echo and the prompt."""
    lines = day.watch.console(line, wait_s).split("\r\n")
    assert (lines[0], lines[-1]) == (line, "muster> ")
    return lines[1:-1]


def test_the_console_answers_help_and_what_it_does_not_know(quiet):
    assert said(quiet, "help") == [
        "enrol       ask the wearer to enrol", "fix         the newest position",
        "frame       a picture from the camera, when the wearer agrees",
        "journal     what waits in flash; journal dump: its segments, encrypted as they are",
        "log         what happened lately; log LEVEL: as it happens",
        "prompt      prompt now: a drill that is not recorded", "screen      what is on the screen",
        "selftest    check the parts that need no wearer", "status      time, battery, prompt, records, memory",
        "time        time set UNIX_SECONDS: until a better source speaks", "upload      send now"]
    assert said(quiet, "prompt") == ["usage: prompt now"]
    assert said(quiet, "open the pod bay doors") == ["open: no such command; try help"]


def test_status_says_how_the_watch_is(quiet):
    lines = said(quiet, "status")
    uptime_s = int(quiet.watch.world.now_us / 1e6 - 2 - 0.4)
    assert lines[0] == f"uptime   {uptime_s} s, boot 1, power"
    unix_s = int(quiet.watch.world.unix_ms / 1000 - 2)
    assert re.fullmatch(rf"clock    {unix_s} (09:59|10:00), source 3, within 20\d ms", lines[1])
    assert re.fullmatch(r"battery  4\d\d\d mV", lines[2])
    assert lines[3:6] == ["enrolled no", "prompt   none open", "waiting  1 segments, 3 records written, 0 lost"]
    assert re.fullmatch(r"heap     \d+ free, \d+ used", lines[6]) and len(lines) == 7


def test_fix_gives_the_position_south_and_east(quiet):
    line, = said(quiet, "fix")
    lat, lon = re.fullmatch(r"(-33\.\d{6}) (151\.\d{6}) hdop \d\.\d, [01] s ago", line).groups()
    assert abs(float(lat) + 33.8688) < 0.0002 and abs(float(lon) - 151.2093) < 0.0002


def test_selftest_finds_nothing_wrong(quiet):
    parts = ("crypto", "flash", "networks", "clock", "gnss", "board", "battery")
    assert said(quiet, "selftest") == [f"{part:9}ok" for part in parts]


def test_journal_and_upload_say_what_waits_and_send_it(quiet):
    assert said(quiet, "journal") == ["0 segments closed, 255 sectors free"]
    assert said(quiet, "upload", wait_s=5) == ["sent"]
    assert said(quiet, "status")[5] == "waiting  0 segments, 4 records written, 0 lost"  # one more of the track
    assert [record["reset_cause"] for record in received(quiet, "boot")] == ["power"]
    assert said(quiet, "log")[-1].endswith(" sent 1 segments")


def test_any_bytes_at_the_console_leave_the_watch_alive(quiet):
    quiet.watch.type(bytes(range(256)).replace(b"\x03", b"") * 3 + b"\xc3\r")  # Ctrl-C is MicroPython's own
    quiet.watch.run(until_s=quiet.watch.world.now_us / 1e6 + 2)
    assert said(quiet, "journal") != []
    assert len(quiet.watch.boots) == 1


# enrolment, drills and prompts


def test_enrolment_waits_for_the_press_that_agrees(start):
    watch = (day := start()).watch
    watch.lit = lambda: None  # nobody looks
    watch.camera.show(Scene(1))
    watch.run(until_s=SETTLED_S)
    assert said(day, "enrol") == ["the wearer is asked; a press agrees"]
    watch.run(until_s=100)
    assert not watch.display.lit  # the question went out after 30 s
    watch.press()
    watch.run(until_s=110)
    assert watch.camera_opened == []  # and a press then agrees to nothing
    said(day, "enrol")
    watch.press()
    watch.run(until_s=SETTLED_S + 60)
    assert watch.camera_opened
    assert "template" not in watch.nvs["muster"]  # the wearer sees what would be stored
    watch.press()
    watch.run(until_s=UPLOADED_S + 10)
    assert len(bytes.fromhex(watch.nvs["muster"]["template"])) == 8 + 256
    said(day, "upload", wait_s=5)
    assert [set(record) >= {"template_hash", "model_hash"} for record in received(day, "enrolled")] == [True]


@pytest.mark.parametrize("hand", ["long", "none"])
def test_an_enrolment_that_the_wearer_declines_keeps_nothing(start, hand):
    watch = (day := start()).watch
    watch.lit = lambda: None
    watch.camera.show(Scene(1))
    watch.run(until_s=SETTLED_S)
    said(day, "enrol")
    watch.press()
    watch.run(until_s=SETTLED_S + 10)
    portrait = watch.display.rgb()[72:136, 20:84]
    assert 2 < np.abs(portrait.astype(int) - portrait[32, 32]).mean() < 128  # a face, and no plain colour
    if hand == "long":
        watch.press(hold_ms=1500)
    watch.run(until_s=SETTLED_S + 72)
    assert any(line.endswith(" not enrolled: the wearer declined") for line in said(day, "log"))
    assert "template" not in watch.nvs["muster"] and said(day, "status")[3] == "enrolled no"
    taken = len(watch.camera_opened)
    watch.press()
    watch.run(until_s=SETTLED_S + 90)
    assert len(watch.camera_opened) == taken


def test_an_enrolment_without_a_face_says_so_and_changes_nothing(start):
    watch = (day := start()).watch
    watch.lit = lambda: None
    watch.run(until_s=SETTLED_S)
    said(day, "enrol")
    watch.press()
    watch.run(until_s=90)
    assert said(day, "log")[-1].split(" ", 1)[1] in ("not enrolled: no face found", "not enrolled: too dark")
    assert "template" not in watch.nvs["muster"]


def test_a_drill_is_a_check_in_that_is_not_recorded(enrolled):
    watch = (day := enrolled()).watch
    assert said(day, "prompt now") == ["a drill is on the screen; nothing of it is recorded"]
    assert asks(day)
    before = len(watch.camera_opened)
    watch.press()
    watch.run(until_s=UPLOADED_S)
    assert len(watch.camera_opened) > before
    assert re.search(r"drill: outcome 0, reason 0, score \d{4}", " ".join(said(day, "log")))
    said(day, "upload", wait_s=5)
    assert received(day, "check-in") == [] and len(received(day, "enrolled")) == 1


def test_a_prompt_comes_at_its_due_time_and_a_match_is_recorded(enrolled):
    watch = (day := enrolled()).watch
    due_s = due(day)[0]
    watch.run(until_s=due_s - 1)
    assert not watch.display.lit
    watch.run(until_s=due_s + 1.5)
    assert asks(day)
    watch.run(until_s=due_s + 29)
    assert asks(day)
    watch.press()
    watch.run(until_s=due_s + 60)
    assert not watch.display.lit
    record, = received(day, "check-in")
    assert {name: record[name] for name in ("k", "due_s", "outcome", "reason", "tries", "manual_check")} == {
        "k": 0, "due_s": START + due_s, "outcome": "matched", "reason": "none", "tries": 1, "manual_check": False}
    assert record["answered_s"] == START + due_s + 29
    assert record["score_e4"] >= record["threshold_e4"]


def test_a_press_on_the_dark_screen_of_an_open_prompt_shows_it_before_the_camera_opens(enrolled):
    watch = (day := enrolled()).watch
    due_s = due(day)[0]
    watch.run(until_s=due_s + 40)
    assert not watch.display.lit
    frames = len(watch.camera_opened)
    watch.press()
    watch.run(until_s=due_s + 45)
    assert asks(day) and len(watch.camera_opened) == frames
    assert said(day, "prompt now") == ["a prompt is open"]
    watch.press()
    watch.run(until_s=due_s + 59)
    assert [record["outcome"] for record in received(day, "check-in")] == ["matched"]


def test_a_button_that_bounces_presses_once(enrolled):
    watch = (day := enrolled()).watch
    due_s = due(day)[0]
    watch.run(until_s=due_s + 5)
    for n in range(10):
        watch.world.after(n * 4000, lambda: watch.press(hold_ms=2))
    watch.run(until_s=due_s + 8)
    assert tuple(watch.display.rgb()[64, 120]) == MATCHED_DISC  # the result is still there
    watch.run(until_s=due_s + 30)
    assert [record["tries"] for record in received(day, "check-in")] == [1]


def test_a_prompt_that_nobody_answers_is_shown_again_each_minute_and_then_missed(start):
    watch = (day := start()).watch
    due_s = due(day)[0]
    lit = []
    watch.lit = lambda: lit.append(watch.world.now_us / 1e6 - due_s)
    watch.run(until_s=due_s + 700)
    shown = [at_s for before, at_s in zip([-60.0, *lit], lit, strict=False) if at_s - before > 1]  # it blinks
    assert [round(at_s // 60) for at_s in shown] == list(range(10))
    assert all(at_s % 60 < 1.2 for at_s in shown)
    assert watch.camera_opened == []
    record, = received(day, "check-in")
    assert (record["outcome"], record["reason"], record["tries"], record["answered_s"]) == (
        "missed", "not answered", 0, None)
    assert abs(record["at_s"] - START - due_s - 600) <= 1


def test_without_gnss_the_network_gives_the_time_and_no_fix_has_its_reason(enrolled):
    watch = (day := enrolled()).watch
    watch.sentences = lambda unix_ms: b""
    watch.power.cut()  # and the RTC has lost its time
    watch.run(until_s=200)
    assert said(day, "status")[1].startswith("clock    unknown, source 0")
    watch.run(until_s=240)
    assert re.match(r"clock    \d{10} 10:0[12], source 2, within 200\d ms", said(day, "status")[1])
    answer_at_once(day)
    due_s = due(day)[0]
    watch.run(until_s=due_s + 60)
    record, = received(day, "check-in")
    assert (record["due_s"] - START, record["outcome"], record["last_fix"]) == (due_s, "matched", None)
    watch.run(until_s=2400)
    said(day, "upload", wait_s=5)
    assert received(day, "no fix")[-1]["reason"] == "the receiver is silent"


def test_what_the_watch_says_does_not_depend_on_when_the_next_prompt_comes(start):
    """Two watches that differ in the secret of their prompts say and show the same, until the first is due."""
    seen = []
    for name, secret in (("day", None), ("other", bytes(32).hex())):
        day = start(name=name)
        own_due_s = due(day)[0]
        if secret:
            day.watch.nvs["muster"]["prompt_secret"] = secret
            unix_s = due_times(bytes(32), date(2026, 6, 10), ZoneInfo("Europe/Ljubljana"), (600, 900), 12, 600)[0]
            assert unix_s - START != own_due_s
            own_due_s = unix_s - START
        assert own_due_s > 190
        day.watch.run(until_s=150)
        day.watch.press()
        for line in ("status", "log", "journal", "help", "fix", "upload"):
            day.watch.console(line, wait_s=5)
        console = re.sub(rb"heap .*", b"heap", bytes(day.watch.console_output))
        seen.append((console, [
            (at_us, (day.watch.screens.folder / file).read_bytes()) for at_us, file in day.watch.screens.shown]))
    assert len(seen[0][1]) == 1  # the idle picture
    assert seen[0] == seen[1]


# what goes wrong


def test_a_reset_during_a_check_in_keeps_the_prompt_and_its_tries(enrolled):
    watch = (day := enrolled()).watch
    due_s = due(day)[0]
    watch.camera.show(None)
    watch.run(until_s=due_s + 5)
    watch.press()
    watch.run(until_s=due_s + 7)
    watch.reset()
    watch.camera.show(Scene(1))
    watch.run(until_s=due_s + 12)
    assert len(watch.boots) == 2
    assert asks(day)
    watch.press()
    watch.run(until_s=due_s + 60)
    record, = received(day, "check-in")
    assert (record["k"], record["due_s"], record["outcome"], record["tries"]) == (0, START + due_s, "matched", 2)
    assert record["boot_count"] == 2


def test_tries_that_resets_took_away_do_not_come_back_and_are_no_failure_of_the_wearer(enrolled):
    watch = (day := enrolled()).watch
    due_s = due(day)[0]
    watch.camera.show(None)
    for n in range(3):
        watch.run(until_s=due_s + 5 + 10 * n)
        assert asks(day)
        watch.press()
        watch.run(until_s=due_s + 7 + 10 * n)
        watch.reset()
    frames = len(watch.camera_opened)
    for n in range(12):  # the prompt stays open to its end
        watch.run(until_s=due_s + 40 + 50 * n)
        watch.press()
    watch.run(until_s=due_s + 700)
    assert len(watch.camera_opened) == frames
    record, = received(day, "check-in")
    assert (record["outcome"], record["reason"]) == ("unable", "pressed, and no outcome came")
    assert record["manual_check"]


@pytest.mark.parametrize("fault", ["none-frames", "not-found"])
def test_a_fault_of_the_camera_is_the_watchs_and_passes(enrolled, fault):
    watch = (day := enrolled()).watch
    first_s, second_s = due(day)[:2]
    answer_at_once(day)
    watch.run(until_s=first_s - 1)
    watch.camera.fault = fault
    watch.run(until_s=second_s - 1)
    watch.camera.fault = None
    watch.run(until_s=second_s + 60)
    records = received(day, "check-in")
    assert [(record["outcome"], record["reason"], record["tries"]) for record in records] == [
        ("unable", "camera", 3), ("matched", "none", 1)]
    assert [record["manual_check"] for record in records] == [True, False]
    assert len(watch.boots) == 1


def test_without_a_template_a_check_in_is_unable_and_the_camera_stays_closed(start):
    day = start()
    answer_at_once(day)
    day.watch.run(until_s=due(day)[0] + 60)
    assert day.watch.camera_opened == []
    record, = received(day, "check-in")
    assert (record["outcome"], record["reason"], record["tries"]) == ("unable", "not enrolled", 1)


def test_a_template_of_another_network_does_not_count(start):
    day = start()
    day.watch.nvs["muster"]["template"] = "00" * 8 + "7f" * 128
    day.watch.run(until_s=SETTLED_S)
    assert said(day, "status")[3] == "enrolled no"


def test_the_power_may_fail_at_every_flash_operation_of_a_check_in(enrolled):
    """From boot to receipt, cut in operation 1, 2, 3 and so on; then the power is back and the wearer still there."""
    day = enrolled()
    watch = day.watch
    watch.run(until_s=UPLOADED_S)
    prompts = [due_s for n in range(3) for due_s in due(day, date(2026, 6, 10 + n))]
    answer_at_once(day)
    for cut, due_s in enumerate(prompts, start=1):
        watch.power.off()
        watch.run(until_s=due_s - 130)
        watch.power.cut(after_flash_ops=cut)
        watch.power.on()
        boots = len(watch.boots)
        watch.run(until_s=due_s + 150)
        if len(watch.boots) == boots + 1:
            break  # it took fewer operations
        assert len(watch.boots) == boots + 2, cut
    assert 12 <= cut < len(prompts)
    watch.reset()
    watch.run(until_s=due_s + 300)
    records = received(day, "check-in")
    assert [record["due_s"] - START for record in records] == prompts[:cut]
    assert {record["outcome"] for record in records} == {"matched"}
    summary = Summary(day, wall_s=1)
    assert summary.flaws == []
    assert summary.values["verified_segments"] == summary.values["segments"] > cut


def test_a_clock_that_is_wrong_for_a_moment_does_no_harm(enrolled):
    watch = (day := enrolled()).watch
    answer_at_once(day)
    first_s, second_s = due(day)[:2]
    ahead_ms = 3 * 3600 * 1000
    watch.sentences = lambda unix_ms: day.gnss.sentences(unix_ms + ahead_ms)
    watch.run(until_s=110)
    assert "source 3" in said(day, "status")[1]
    watch.sentences = day.gnss.sentences
    watch.run(until_s=second_s + 60)
    assert [(record["due_s"] - START, record["outcome"]) for record in received(day, "check-in")] == [
        (first_s, "matched"), (second_s, "matched")]
    jumps = [record for record in received(day, "clock") if record["old_ms"] is not None]
    assert [round((jump["new_ms"] - jump["old_ms"]) / 1000) for jump in jumps] == [3 * 3600, -3 * 3600]


def test_prompts_that_a_wrong_clock_hid_are_the_watchs_fault_and_none_comes_twice(enrolled):
    watch = (day := enrolled()).watch
    answer_at_once(day)
    watch.sentences = lambda unix_ms: day.gnss.sentences(unix_ms + 3 * 3600 * 1000)
    watch.run(until_s=UPLOADED_S + 120)
    watch.sentences = day.gnss.sentences
    watch.run(until_s=due(day)[11] + 60)
    records = received(day, "check-in")
    assert [record["due_s"] - START for record in records] == due(day)
    assert [record["k"] for record in records] == list(range(12))
    hidden = [record for record in records if record["outcome"] != "matched"]
    assert 5 <= len(hidden) <= 9
    assert {record["outcome"] for record in hidden} == {"unable"}
    assert {record["reason"] for record in hidden} == {"its clock was unknown or wrong"}


def test_a_fault_of_the_firmware_is_recorded_and_ends_a_boot_but_not_the_watch(start, monkeypatch):
    broken = b"\ndef percent(mv):\n    if mv < 3600:\n        raise ValueError('no such battery')\n    return 80\n"
    files = firmware_files()
    monkeypatch.setattr("simulator.day.firmware_files",
                        lambda: files | {"muster/power.py": files["muster/power.py"] + broken})
    watch = (day := start()).watch
    watch.run(until_s=UPLOADED_S)
    voltage, watch.battery.microvolts = watch.battery.microvolts, lambda now_us: 3_500_000
    watch.run(until_s=310)
    assert b"ValueError: no such battery" in watch.console_output
    watch.battery.microvolts = voltage
    watch.run(until_s=500)
    assert [(round(at_us / 1e6), cause) for at_us, cause in watch.boots] == [(0, 1), (361, 5)]  # 60 s later
    assert [(record["part"], record["what"]) for record in received(day, "fault")] == [
        ("services", "ValueError: no such battery")]
    assert Summary(day, wall_s=1).flaws == ["1 faults of the firmware"]


def test_a_network_that_hangs_costs_a_time_out_and_nothing_is_lost(start):
    watch = (day := start()).watch
    watch.run(until_s=121)  # the first upload has begun
    watch.set_hang(True)
    watch.network.hangs = False  # the name is known; packets are lost
    watch.run(until_s=145)
    given_up_s = int(120 + 1.5 + 20)  # uptime: the first upload, joining, and the time-out
    assert said(day, "log")[-1] == f"{given_up_s} sent 0 segments, TimeoutError: "
    watch.set_hang(False)
    watch.run(until_s=215)
    assert said(day, "log")[-1].endswith(" sent 1 segments")
    assert Summary(day, wall_s=1).flaws == []


def test_two_uploads_at_once_take_turns(start):
    watch = (day := start()).watch
    watch.run(until_s=121)
    assert said(day, "upload", wait_s=10) == ["sent"]
    sent = [line.split(" ", 1)[1] for line in said(day, "log") if "sent" in line]
    assert sent and set(sent) == {"sent 1 segments"}
    assert Summary(day, wall_s=1).flaws == []


def test_a_low_battery_is_shown_now_and_then_but_never_over_a_check_in(enrolled):
    watch = (day := enrolled()).watch
    watch.battery.microvolts = lambda now_us: 3_500_000
    watch.camera.show(None)  # to look takes longer where nobody is
    watch.run(until_s=295)
    said(day, "prompt now")
    watch.run(until_s=300)
    watch.press()
    watch.run(until_s=300.6)  # the battery was looked at 300 s after boot
    assert tuple(watch.display.rgb()[4, 120]) == CAPTURE_RING
    watch.run(until_s=600.9)
    assert tuple(watch.display.rgb()[100, 75]) == LOW_BATTERY
    watch.run(until_s=610)
    assert not watch.display.lit


def test_a_day_on_the_32_bit_vm_leaves_the_same_records(enrolled):
    days = []
    for bits in (64, 32):
        day = enrolled(bits, name=f"bits{bits}")
        answer_at_once(day)
        day.watch.run(until_s=due(day)[1] + 60)
        kinds = ("boot", "clock", "check-in", "track", "no fix", "enrolled", "status")
        days.append([{name: value for name, value in record.items() if name != "free_heap"}
                     for kind in kinds for record in received(day, kind)])
        days[-1].append(said(day, "log"))
    assert len(days[0]) > 6
    assert days[0] == days[1]
