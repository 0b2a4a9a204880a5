"""Thousands of random lives of a watch: no prompt is doubled, none lost, none held against the wearer wrongly."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache

from watch_script import ASK, CLOCK, GAP, LAPSED, LATE, OFF, REMIND, START, UNABLE, UNFINISHED, WATCH

from tools import zones
from tools.due_times import due_times

LIVES, BATCH = 750, 250
SECRET = b"a secret of this device"
WAKING, SPACING, ANSWER, REMINDER, TRIES = (420, 1320), 3600, 900, 300, 3
QUIET_S = 9 * 86400
LEAST, SETTLE, REACH, STEP = 300, 60, 7, 2  # as firmware/muster/prompts.py promises
PLACES = (("UTC0", 5, "2026-12-29"), ("CET-1CEST,M3.5.0,M10.5.0/3", 5, "2026-03-27"),
          ("CET-1CEST,M3.5.0,M10.5.0/3", 3, "2026-10-23"), ("EST5EDT,M3.2.0,M11.1.0", 5, "2026-10-30"),
          ("<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", 5, "2026-09-25"), ("<-10>10", 1, "2028-02-27"))


@cache
def due_of_day(zone, count, day):
    return due_times(SECRET, date(1970, 1, 1) + timedelta(days=day), zones.zone_of(zone), WAKING, count, SPACING)


class Times:
    """Prompts of a place, numbered through all days."""

    def __init__(self, zone, count):
        self.zone, self.count, self.info = zone, count, zones.zone_of(zone)

    def due_s(self, number):
        return due_of_day(self.zone, self.count, number // self.count)[number % self.count]

    def day(self, unix_s):
        return datetime.fromtimestamp(unix_s, self.info).date().toordinal() - date(1970, 1, 1).toordinal()

    def last_due(self, unix_s):
        number = (self.day(unix_s) + 1) * self.count - 1
        while self.due_s(number) > unix_s:
            number -= 1
        return number


def life(rng, zone, count, first_day):
    """(setup, steps): things that befall a watch, many of them near a prompt; at last nine quiet days."""
    times = Times(zone, count)
    t = int(datetime.fromisoformat(first_day).replace(tzinfo=UTC).timestamp()) + rng.randrange(86400)
    setup = {"secret": SECRET.hex(), "zone": zone, "schedule": [*WAKING, count, SPACING],
             "answering": [ANSWER, REMINDER, TRIES], "t": t}
    steps = [["on", rng.choice([0, 0, 0, 30, 4000])]]
    error = 0
    for _ in range(rng.randrange(4, 40)):
        match rng.choices(("near", "short", "long", "on", "off", "busy", "clock", "press", "conclude", "cut"),
                          (30, 12, 6, 8, 6, 3, 5, 10, 10, 10))[0]:
            case "near":
                moment = times.due_s(times.last_due(t + error) + 1) - error + rng.choice(
                    (-61, -60, -1, 0, 1, 60, 100, 599, 600, 601, 840, 899, 900, 901, 1200))
                steps.append(["run", max(1, moment - t)])
            case "short":
                steps.append(["run", rng.randrange(1, 1000)])
            case "long":
                steps.append(["run", rng.choice([rng.randrange(86400), rng.randrange(3 * 86400),
                                                 rng.randrange(12 * 86400)])])
            case "on":
                steps.append(["on", rng.choice([0, 0, 0, 10, 59, 1000, 20000])])
            case "off":
                steps.append(["off"])
            case "busy":
                steps.append(["busy", rng.choice([5, 400, 1000, 20000])])
            case "clock":
                error = rng.choice([0, 0, error + 2, error - 1, error + 40, error - 40, error + 1000, error - 3600,
                                    error + 20000, 86400, -86400, 20 * 86400, -20 * 86400])
                steps.append(["clock", error])
            case "cut":
                steps.append(["cut", rng.choice(["before", "after"])])
            case other:
                steps.append([other])
        t += steps[-1][1] if steps[-1][0] in ("run", "busy") else 0
    return setup, [*steps, ["cut", None], ["clock", 0], ["on", 0], ["run", 120], ["on", 0], ["run", QUIET_S]]


class Judge:
    """Goes through one log and asserts what was promised. `told` counts what there was to judge."""

    def __init__(self, zone, count):
        self.times = Times(zone, count)
        self.told = Counter()
        self.cursor = None  # number of the last concluded prompt
        self.open = None
        self.presses = 0
        self.asked_t = self.asked_for_s = 0
        self.rebooted = False  # since it was asked
        self.boot_t = self.known_t = self.heard_t = self.set_t = self.busy_t = self.last_t = 0
        self.error = self.followed = 0  # of the clock; of the clock when it last changed by more than a step

    def hear(self, name, t, shown, *rest):
        if name in ("on", "off", "busy", "clock"):
            getattr(self, "hear_" + name)(t, shown, *rest)
            return
        if self.followed is None and shown is not None and name != "press":  # it was polled
            self.followed = shown - t
        day, k, due_s, deadline_s = rest[:4]
        number = day * self.times.count + k
        self.told[name if name != UNABLE else (UNABLE, rest[4])] += 1
        if name != GAP:
            assert 0 <= k < self.times.count and due_s == self.times.due_s(number)
        if name in ("press", "conclude", REMIND):
            assert number == self.open
        match name:
            case "press":
                self.presses += 1
                assert self.presses <= TRIES
            case "conclude":
                self.conclude(number)
            case 0:  # START
                assert self.open is None
                assert self.cursor is None or self.cursor // self.times.count > self.times.day(shown) + REACH
                assert number == self.times.last_due(shown)
                self.cursor = number
            case 1:  # ASK
                self.judge_ask(number, t, shown, due_s, deadline_s)
            case 3:  # LAPSED
                self.judge_lapse(number, t)
            case 4:  # UNABLE
                self.judge_unable(number, t, shown, deadline_s if self.open is not None else due_s, rest[4])
            case 5:  # GAP
                self.judge_gap(number, shown, due_s, deadline_s)
        if name != REMIND:
            self.last_t = t

    def hear_on(self, t, shown, unknown_s):
        self.boot_t, self.busy_t, self.rebooted = t, 0, True
        self.known_t = self.heard_t = self.set_t = t + unknown_s  # a busy watch hears of the time a while after
        self.followed = None

    def hear_off(self, t, shown):
        self.boot_t = None

    def hear_busy(self, t, shown, seconds):
        self.busy_t = t
        if self.followed is None and t - seconds <= self.heard_t <= t:
            self.heard_t = t

    def hear_clock(self, t, shown, before):
        if shown is None:
            return
        if self.followed is None and t > self.heard_t:
            self.followed = before
        self.error = shown - t
        if self.followed is None or abs(self.error - self.followed) > STEP:
            self.set_t, self.followed = t, self.error

    def settled(self, t):
        return t >= max(self.set_t, self.known_t) + SETTLE - STEP

    def follows_last(self, number):
        assert self.cursor is not None and self.open is None and number == self.cursor + 1

    def conclude(self, number):
        self.cursor, self.open, self.presses = number, None, 0

    def judge_ask(self, number, t, shown, due_s, deadline_s):
        self.follows_last(number)
        assert due_s <= shown < due_s + ANSWER and self.settled(t)
        assert deadline_s == max(due_s + ANSWER, shown + LEAST)
        hindered = (self.known_t + SETTLE, self.heard_t + SETTLE, self.set_t + SETTLE, self.last_t, self.busy_t)
        assert shown == due_s or t in hindered or self.error != self.followed
        self.open, self.asked_t, self.asked_for_s, self.presses = number, t, deadline_s - shown, 0
        self.rebooted = False

    def judge_lapse(self, number, t):
        assert number == self.open and self.presses == 0
        if not self.rebooted:
            assert self.asked_for_s - STEP <= t - self.asked_t <= self.asked_for_s + STEP + 60
        else:
            assert t - self.known_t >= LEAST - STEP
        self.conclude(number)

    def judge_unable(self, number, t, shown, moment_s, reason):
        if self.open is None:
            self.follows_last(number)
            assert shown >= moment_s + ANSWER and self.settled(t)
        else:
            assert number == self.open and shown >= moment_s
        if reason == UNFINISHED:
            assert self.presses
        elif reason == LATE:
            assert self.busy_t or self.open is None and self.last_t > self.known_t
        elif reason == OFF:
            assert self.open is None or self.rebooted
        else:
            assert reason == CLOCK and (self.set_t > self.boot_t or moment_s <= self.heard_t + shown - t)
        self.conclude(number)

    def judge_gap(self, number, shown, due_s, deadline_s):
        self.follows_last(number)
        last = (self.times.day(shown) - REACH) * self.times.count - 1
        assert number <= last and due_s == self.times.due_s(number) and deadline_s == self.times.due_s(last)
        self.cursor = last

    def judge_end(self, log):
        """After nine quiet days all is well: every prompt of the last of them was asked on time."""
        end_t = max(entry[1] for entry in log if entry[0] == "on") + QUIET_S
        last = self.times.last_due(end_t)
        due = [t for t in map(self.times.due_s, range(last - 2 * self.times.count, last + 1)) if t > end_t - 86400]
        assert [entry[1] for entry in log if entry[0] == ASK and entry[1] > end_t - 86400] == due
        assert last == (self.cursor if self.open is None else self.open)


def test_no_life_of_a_watch_doubles_loses_or_misjudges_a_prompt(vm):
    rng = random.Random(20260)
    lives = [(*place, *life(rng, *place)) for place in (PLACES[n % len(PLACES)] for n in range(LIVES))]
    logs = [log for n in range(0, LIVES, BATCH) for log in vm(
        WATCH, [(setup, steps) for *_, setup, steps in lives[n:n + BATCH]])]
    told: Counter = Counter()
    for (zone, count, _, setup, steps), log in zip(lives, logs, strict=True):
        judge = Judge(zone, count)
        for n, entry in enumerate(log):
            try:
                judge.hear(*entry)
            except AssertionError as error:
                raise AssertionError(f"{entry} after {log[max(0, n - 12):n]} of {setup} {steps}") from error
        judge.judge_end(log)
        told.update(judge.told)
    least = {START: LIVES, ASK: 5000, REMIND: 5000, LAPSED: 3000, GAP: 20, "conclude": 150, "press": 150,
             (UNABLE, OFF): 200, (UNABLE, CLOCK): 200, (UNABLE, LATE): 20, (UNABLE, UNFINISHED): 20}
    assert {name: told[name] for name in least if told[name] < least[name]} == {}
