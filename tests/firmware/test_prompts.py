"""Prompt times on the VM against an auditor's, and the life of prompts through whatever befalls a watch."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from watch_script import ASK, CLOCK, GAP, LAPSED, LATE, OFF, REMIND, START, UNABLE, UNFINISHED, WATCH

from tools import zones
from tools.due_times import due_times

SECRET = bytes(range(32))
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
WAKING, COUNT, SPACING = (420, 1320), 5, 3600
ANSWER, REMINDER, TRIES, LEAST, SETTLE = 900, 300, 3, 300, 60
DAY = (date(2026, 5, 6) - date(1970, 1, 1)).days
NIGHT = int(datetime(2026, 5, 6, tzinfo=UTC).timestamp())  # 02:00 in Berlin

DUE = """
from binascii import unhexlify
from muster.prompts import Schedule
from muster.timezone import Zone
result = []
for secret, zone, start, end, count, spacing, days in data:
    schedule = Schedule(unhexlify(secret), Zone(zone), start, end, count, spacing)
    result.append([schedule.day(day) for day in days])
"""
REFUSED = """
from muster.prompts import Prompts, PromptsError, Schedule
from muster.timezone import Zone
def attempt(call):
    try:
        call()
    except PromptsError as error:
        return str(error)
result = []
"""


def due(day, zone=BERLIN):
    return due_times(SECRET, date(1970, 1, 1) + timedelta(days=day), zones.zone_of(zone), WAKING, COUNT, SPACING)


D = due(DAY)


def live(vm, *steps, t=NIGHT):
    """The log of a watch in Berlin, whose first night is that of DAY, without its first entries, on and START."""
    setup = {"secret": SECRET.hex(), "zone": BERLIN, "schedule": [*WAKING, COUNT, SPACING],
             "answering": [ANSWER, REMINDER, TRIES], "t": t}
    log = vm(WATCH, [(setup, steps)])[0]
    assert [entry[0] for entry in log[:2]] == ["on", START]
    return log[2:]


def until(moment, t=NIGHT):
    return ["run", moment - t]


def told(log):
    """(kind, when by true time, day, k) of the events in a log."""
    return [(kind, t, day, k) for kind, t, _, day, k, *_ in (entry for entry in log if entry[0] in range(6))]


def given_up(log):
    """(day, k, reason) of the prompts that the watch could not ask or conclude."""
    return [(entry[3], entry[4], entry[7]) for entry in log if entry[0] == UNABLE]


# the schedule

def test_the_due_times_are_an_auditors(vm):
    texts = (BERLIN, "EST5EDT,M3.2.0,M11.1.0", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
             "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3")
    # all windows but the first have a change of the clock in them in some zone, or an edge of theirs in one
    shapes = [(420, 1320, 5, 3600), (0, 1260, 5, 3600), (90, 1200, 12, 4800), (150, 600, 1, 0), (120, 1260, 7, 7200)]
    around = ("2026-03-08", "2026-03-29", "2026-04-05", "2026-09-27", "2026-10-25", "2026-11-01", "2026-12-31",
              "2028-02-29")
    days = [(date.fromisoformat(day) - date(1970, 1, 1)).days + n for day in around for n in (-2, -1, 0, 1)]
    data = [(SECRET.hex() * n, text, *shape, days) for text in texts for n, shape in enumerate(shapes, 1)]
    for (secret, zone, start, end, count, spacing, days), got in zip(data, vm(DUE, data), strict=True):
        expected = [due_times(bytes.fromhex(secret), date(1970, 1, 1) + timedelta(days=day), zones.zone_of(zone),
                              (start, end), count, spacing) for day in days]
        assert got == expected, (zone, start, end)


def test_there_is_one_prompt_in_each_fifth_with_the_spacing_kept(vm):
    days = list(range(DAY, DAY + 400))
    times = vm(DUE, [(SECRET.hex(), BERLIN, *WAKING, COUNT, SPACING, days)])[0]
    berlin = zones.zone("Europe/Berlin")
    for day, prompts in zip(days, times, strict=True):
        midnight = datetime(1970, 1, 1) + timedelta(days=day)
        first = (midnight + timedelta(hours=7)).replace(tzinfo=berlin).timestamp()
        assert [int(t - first) // 10800 for t in prompts] == [0, 1, 2, 3, 4]
        assert min(b - a for a, b in zip(prompts, prompts[1:], strict=False)) >= SPACING
    assert len({(t[0] - t[1]) for t in times}) > 350  # no two days alike


@pytest.mark.parametrize(("arguments", "reason"), [
    ("b'x' * 15, zone, 420, 1320, 5, 3600", "prompts: secret: shorter than 16 bytes"),
    ("b'x' * 16, zone, 1320, 420, 5, 3600", "prompts: waking: not two minutes of one day, in order"),
    ("b'x' * 16, zone, 420, 1441, 5, 3600", "prompts: waking: not two minutes of one day, in order"),
    ("b'x' * 16, zone, 420, 1320, 0, 3600", "prompts: prompts_per_day: not 1 to 12"),
    ("b'x' * 16, zone, 420, 1320, 13, 3600", "prompts: prompts_per_day: not 1 to 12"),
    # a window is an hour shorter where the clock is put forward in it, and so is a night
    ("b'x' * 16, zone, 420, 1320, 5, 10081", "prompts: spacing_s: 10081 fits not into parts of 10080 s and a night of "
     "28800 s"),
    ("b'x' * 16, zone, 0, 1380, 5, 1", "prompts: spacing_s: 1 fits not into parts of 15840 s and a night of 0 s"),
    ("b'x' * 16, zone, 420, 480, 1, 0", "prompts: spacing_s: 0 fits not into parts of 0 s and a night of 79200 s"),
])
def test_settings_that_cannot_be_kept_are_refused(vm, arguments, reason):
    script = f"zone = Zone({BERLIN!r})\nresult = attempt(lambda: Schedule({arguments}))"

    assert vm(REFUSED + script) == reason


# a day without trouble

def test_each_prompt_is_asked_when_due_reminded_of_and_lapses(vm):
    log = live(vm, ["on", 0], until(NIGHT + 86400))

    assert told(log) == [(kind, t + late, DAY, k) for k, t in enumerate(D) for kind, late in (
        (ASK, 0), (REMIND, REMINDER), (REMIND, 2 * REMINDER), (LAPSED, ANSWER))]
    assert [entry[5:] for entry in log[::4]] == [[t, t + ANSWER, 0] for t in D]


def test_a_concluded_prompt_is_not_spoken_of_again(vm):
    log = live(vm, ["on", 0], until(D[0] + 10), ["press"], ["run", 5], ["conclude"], until(D[1] - 1, D[0] + 15))

    assert [entry[0] for entry in log] == [ASK, "press", "conclude"]


def test_a_press_leaves_time_to_finish_and_what_comes_of_none_is_unfinished(vm):
    log = live(vm, ["on", 0], until(D[0] + ANSWER - 1), ["press"], ["run", 2 * LEAST])

    assert [entry[:2] for entry in told(log)] == [(ASK, D[0]), (REMIND, D[0] + 300), (REMIND, D[0] + 600),
                                                  (UNABLE, D[0] + ANSWER - 1 + LEAST)]
    assert given_up(log) == [(DAY, 0, UNFINISHED)]


def test_tries_are_few_and_a_reboot_gives_no_new_ones(vm):
    log = live(vm, ["on", 0], until(D[0]), ["press"], ["press"], ["off"], ["on", 0], ["run", 5], ["press"], ["press"])

    assert [entry[0] for entry in log].count("press") == TRIES


# reboots

def test_a_late_boot_asks_with_what_remains_of_the_answer_time(vm):
    log = live(vm, ["on", 0], ["run", 120], ["off"], until(D[0] + 200, NIGHT + 120), ["on", 0], ["run", 3600])

    asked = next(entry for entry in log if entry[0] == ASK)
    assert asked == [ASK, D[0] + 200 + SETTLE, D[0] + 200 + SETTLE, DAY, 0, D[0], D[0] + ANSWER, 0]
    assert told(log)[-1] == (LAPSED, D[0] + ANSWER, DAY, 0)


def test_a_boot_near_the_end_of_the_answer_time_gets_the_least(vm):
    boot = D[0] + ANSWER - SETTLE - 1
    log = live(vm, ["on", 0], ["run", 120], ["off"], until(boot, NIGHT + 120), ["on", 0], ["run", 3600])

    assert [entry for entry in told(log) if entry[0] != REMIND] == [
        (ASK, D[0] + ANSWER - 1, DAY, 0), (LAPSED, D[0] + ANSWER - 1 + LEAST, DAY, 0)]


def test_a_reboot_in_the_answer_time_goes_on_with_the_same_prompt(vm):
    log = live(vm, ["on", 0], until(D[0] + 100), ["off"], ["run", 20], ["on", 7], ["run", 3600])

    assert told(log) == [(ASK, D[0], DAY, 0), (REMIND, D[0] + 127, DAY, 0), (REMIND, D[0] + 427, DAY, 0),
                         (REMIND, D[0] + 727, DAY, 0), (LAPSED, D[0] + ANSWER, DAY, 0)]


def test_a_reboot_at_the_end_of_the_answer_time_leaves_the_least(vm):
    log = live(vm, ["on", 0], until(D[0] + ANSWER - 10), ["off"], ["on", 0], ["run", 3600])

    assert told(log)[-1] == (LAPSED, D[0] + ANSWER - 10 + LEAST, DAY, 0)


def test_an_open_prompt_whose_time_ran_out_while_off_is_no_miss(vm):
    log = live(vm, ["on", 0], until(D[0] + 100), ["off"], ["run", ANSWER], ["on", 0], ["run", 1])

    assert [kind for kind, *_ in told(log)] == [ASK, UNABLE]
    assert given_up(log) == [(DAY, 0, OFF)]


def test_prompts_of_whole_days_off_are_given_up_once_each(vm):
    log = live(vm, ["on", 0], ["run", 120], ["off"], ["run", 3 * 86400], ["on", 0], ["run", 60], ["off"], ["on", 0],
               ["run", 120])

    assert given_up(log) == [(DAY + n, k, OFF) for n in range(3) for k in range(COUNT)]
    assert all(entry[1] == NIGHT + 120 + 3 * 86400 + SETTLE for entry in log if entry[0] == UNABLE)


def test_a_week_and_more_off_is_one_gap_before_the_last_seven_days(vm):
    log = live(vm, ["on", 0], ["run", 120], ["off"], ["run", 30 * 86400], ["on", 0], ["run", 120])

    gap = next(entry for entry in log if entry[0] == GAP)
    assert gap[3:] == [DAY, 0, D[0], due(DAY + 22)[-1], OFF]
    assert given_up(log) == [(DAY + n, k, OFF) for n in range(23, 30) for k in range(COUNT)]


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("wait", [0, 10, ANSWER - 1])
def test_a_power_cut_at_the_asking_neither_doubles_nor_loses_it(vm, side, wait):
    log = live(vm, ["on", 0], ["run", 120], ["cut", side], until(D[0], NIGHT + 120), ["run", wait], ["on", 0],
               ["run", 3600])

    kinds = [kind for kind, *_ in told(log) if kind != REMIND]
    assert kinds == ([UNABLE] if (side, wait) == ("before", ANSWER - 1) else [ASK, LAPSED])
    assert {(day, k) for _, _, day, k in told(log)} == {(DAY, 0)}


@pytest.mark.parametrize(("side", "then"), [("before", [LAPSED, ASK]), ("after", [ASK])])
def test_a_power_cut_at_the_conclusion_leaves_it_open_or_concluded(vm, side, then):
    log = live(vm, ["on", 0], until(D[0] + 5), ["cut", side], ["conclude"], ["on", 0], until(D[1] + 1, D[0] + 5))

    assert [kind for kind, *_ in told(log) if kind != REMIND] == [ASK, *then]
    assert [entry[0] for entry in log].count("conclude") == (side == "after")


# the clock

def test_prompts_that_the_clock_was_put_forward_over_are_the_clocks(vm):
    log = live(vm, ["on", 0], until(D[0] - 10), ["clock", 8 * 3600], ["run", 120])

    assert given_up(log) == [(DAY, k, CLOCK) for k, t in enumerate(D) if t + ANSWER <= D[0] - 10 + 8 * 3600]
    assert len(given_up(log)) > 1


def test_prompts_are_not_asked_again_when_the_clock_is_put_back(vm):
    log = live(vm, ["on", 0], until(D[2] + 2000), ["clock", -86400], ["run", 86400 + 10])

    assert told(log)[-1][0] == LAPSED and told(log)[-1][2:] == (DAY, 2)
    assert len({(day, k) for _, _, day, k in told(log)}) == 3


def test_a_wrong_time_put_right_within_a_minute_does_no_harm(vm):
    log = live(vm, ["on", 0], until(D[0] - 500), ["clock", 40 * 86400], ["run", SETTLE - 1], ["clock", 0],
               ["run", 600])

    assert told(log) == [(ASK, D[0], DAY, 0)]


@pytest.mark.parametrize(("error", "late"), [(-3, SETTLE), (-2, 2), (2, 0), (3, SETTLE)])
def test_the_clock_settles_after_changes_of_more_than_two_seconds(vm, error, late):
    log = live(vm, ["on", 0], until(D[0]), ["conclude"], until(D[1] - 2, D[0]), ["clock", error], ["run", 100])

    assert told(log)[1:] == [(ASK, D[1] - 2 + late + (2 if error == -2 else 0), DAY, 1)]


@pytest.mark.parametrize("error", [7200, -7200])
def test_the_answer_time_of_an_open_prompt_is_elapsed_time(vm, error):
    log = live(vm, ["on", 0], until(D[0] + 100), ["clock", error], ["run", ANSWER - 101])
    assert [kind for kind, *_ in told(log)] == [ASK, REMIND, REMIND]

    log = live(vm, ["on", 0], until(D[0] + 100), ["clock", error], ["run", ANSWER - 100])
    assert told(log)[3] == (LAPSED, D[0] + ANSWER, DAY, 0)


def test_while_the_time_is_unknown_nothing_is_asked_and_then_all_is_accounted_for(vm):
    log = live(vm, ["on", 0], ["run", 120], ["off"], until(D[1] - 60, NIGHT + 120), ["on", D[2] - D[1]],
               ["run", D[2] - D[1] - 1], ["run", 1 + 60 + SETTLE])

    assert told(log)[:3] == [(UNABLE, D[2], DAY, 0), (UNABLE, D[2], DAY, 1), (ASK, D[2], DAY, 2)]
    assert given_up(log) == [(DAY, 0, OFF), (DAY, 1, CLOCK)]


def test_a_prompt_open_at_a_boot_without_time_is_answerable_and_no_miss(vm):
    log = live(vm, ["on", 0], until(D[0] + 100), ["off"], ["on", 7200], ["run", 60], ["press"], ["conclude"])
    assert [entry[0] for entry in log] == [ASK, "off", "on", "press", "conclude"]

    log = live(vm, ["on", 0], until(D[0] + 100), ["off"], ["on", 1200], ["run", 1200])
    assert given_up(log) == [(DAY, 0, CLOCK)]


def test_a_watch_too_busy_to_ask_says_so(vm):
    log = live(vm, ["on", 0], until(D[0] - 5), ["busy", ANSWER + 5], ["run", 0])

    assert given_up(log) == [(DAY, 0, LATE)]


@pytest.mark.parametrize(("late", "kind"), [(60, LAPSED), (61, UNABLE)])
def test_a_watch_too_busy_to_attend_to_the_end_holds_nothing_against_the_wearer(vm, late, kind):
    log = live(vm, ["on", 0], until(D[0] + 700), ["busy", ANSWER - 700 + late], ["run", 0])

    assert told(log)[-1] == (kind, D[0] + ANSWER + late, DAY, 0)
    assert given_up(log) == [(DAY, 0, LATE)] * (kind == UNABLE)


def test_a_clock_put_back_by_more_than_a_week_starts_anew(vm):
    log = live(vm, ["on", 0], until(D[4] + 2000), ["clock", 40 * 86400], ["run", SETTLE], ["clock", 0],
               ["run", 86400])

    assert told(log)[-21][0] == START and told(log)[-21][2:] == (DAY, 4)
    assert [(kind, t, day, k) for kind, t, day, k in told(log)[-20:] if kind == ASK] == [
        (ASK, t, DAY + 1, k) for k, t in enumerate(due(DAY + 1))]


# marks

def test_a_mark_is_the_whole_state(vm):
    assert vm(f"""
from binascii import hexlify
from muster.prompts import Prompts, Schedule
from muster.timezone import Zone
schedule = Schedule(bytes(range(32)), Zone({BERLIN!r}), 420, 1320, 5, 3600)
first = Prompts(schedule, 900, 300, 3)
result = [first.mark(), first.next_wake_s(), first.open]
second = Prompts(schedule, 900, 300, 3)
mark = b"p" + bytes((0x50, 0x3d, 0x21)) + (1778044000).to_bytes(4, "big") + (1778044900).to_bytes(4, "big")
second.apply(mark)
result += [list(second.open), second.tries_left, second.mark() == mark]
second.apply(second.conclude(0x503d, 1))
result += [second.open, second.tries_left, hexlify(second.mark()).decode()]
""") == [None, None, None, [0x503D, 1, 1778044000, 1778044900], 1, True, None, 0, "70503d0169facc6000000000"]


def test_other_bytes_are_no_mark_and_other_prompts_are_not_open(vm):
    assert vm(REFUSED + f"""
prompts = Prompts(Schedule(bytes(32), Zone({BERLIN!r}), 420, 1320, 5, 3600), 900, 300, 3)
for mark in (b"", b"p" * 11, b"p" * 13, b"q" * 12):
    result.append(attempt(lambda: prompts.apply(mark)))
result.append(attempt(lambda: prompts.press(0)))
result.append(attempt(lambda: prompts.conclude(1, 2)))
""") == ["prompts: mark: not one of these"] * 4 + ["prompts: no try left", "prompts: day 1 prompt 2 is not open"]
