"""When to ask: the day's prompt times from the device secret, and the state machine that asks each of them once.

States. Prompts are numbered by (day, k) and gone through in order, one at a time. The state is the last one touched,
and whether it is open:

    no state --START--> concluded(day, k) --ASK--> open(next) --conclude(), LAPSED, UNABLE--> concluded(next)
                        concluded(day, k) --UNABLE--> concluded(next)
                        concluded(day, k) --GAP--> concluded(a later day's last)

Every prompt up to a concluded one is concluded and is never asked again, wherever the clock goes; every later one is
still to come. A `mark` is the whole state in 12 bytes. `poll` moves no state: it says what happened, and the mark to
keep. The app appends the event's record and its mark to the journal in one frame, then calls `apply(mark)`; at boot it
applies the journal's marks, of which the last counts. So after a power cut anywhere a prompt is concluded, with its
record, or it is not.

Time. `poll` gets the clock's time and the uptime; their difference tells it that the clock was set. An open prompt's
deadline then moves along, for the wearer's time is elapsed time. For _SETTLE_S after a boot or a change nothing new is
asked or given up, so that a wrong time that is put right at once does no harm.

A prompt can be asked from its due time for answer_s. One that could not be is UNABLE, for a reason of the device's:
never the wearer's miss. Asked late, or again after a reboot, it gets at least _LEAST_S. Only a prompt that an attentive
watch with a known time held open to the end, and that saw no press, is LAPSED.

Limits. After more than _REACH_DAYS without the watch, the days before those are one GAP. When the clock is set back by
more than that, the time before was wrong, and a new START counts from now: better a number that comes twice than a
watch that asks no more.
"""

import struct

from micropython import const

from muster.cose.hmac import hmac_sha256
from muster.timezone import Zone, iso_date

START, ASK, REMIND, LAPSED, UNABLE, GAP = 0, 1, 2, 3, 4, 5  # kinds of event
OFF, CLOCK, LATE, UNFINISHED = 8, 9, 10, 11  # reasons of the device's, in docs/SPEC.md after those of checkin.py

MARK = b"p"  # the first byte of every mark
_MARK = ">HBII"  # after it: day, tries << 4 | k, due, deadline (0: concluded)
_MARK_BYTES = const(12)

_MOST = const(12)  # prompts a day
_LEAST_S = const(300)  # to answer, however late it is asked
_SETTLE_S = const(60)
_LATE_S = const(60)  # a watch that looks at a deadline later than this did not attend to its wearer
_STEP_S = const(2)  # changes of the clock up to this are let pass
_REACH_DAYS = const(7)


class PromptsError(Exception):
    """A setting that cannot be kept, or a call about a prompt that is not open."""


class Schedule:
    """The prompt times of any day: what the watch asks by, and what an auditor who has the secret computes.

    `secret`: 16 bytes or more. `start_min`, `end_min`: the waking window in minutes of the local day. `count`: prompts
    a day, one in each equal part of the window's elapsed time. `spacing_s`: least time from one prompt to the next.
    Raises PromptsError when these cannot be kept on every day, those of clock changes too.
    """

    def __init__(self, secret: bytes, zone: Zone, start_min: int, end_min: int, count: int, spacing_s: int):
        if len(secret) < 16:
            raise PromptsError("prompts: secret: shorter than 16 bytes")
        if not 0 <= start_min < end_min <= 1440:
            raise PromptsError("prompts: waking: not two minutes of one day, in order")
        if not 1 <= count <= _MOST:
            raise PromptsError("prompts: prompts_per_day: not 1 to %d" % _MOST)
        part_s = ((end_min - start_min) * 60 - zone.shift_s) // count
        night_s = (1440 - end_min + start_min) * 60 - zone.shift_s
        if part_s < 1 or not 0 <= spacing_s <= min(part_s, night_s):
            raise PromptsError("prompts: spacing_s: %d fits not into parts of %d s and a night of %d s" % (
                spacing_s, part_s, night_s))
        self.zone = zone
        self.count = count
        self._secret = secret
        self._start_s = start_min * 60
        self._end_s = end_min * 60
        self._spacing_s = spacing_s
        self._day = -1  # the day that self._due_s is of
        self._due_s = [0]

    def day(self, day: int):
        """The `count` due times of a local day (days since 1970), in unix seconds, rising.

        HMAC-SHA-256(secret, "muster prompts" + the date as YYYY-MM-DD) is one 256-bit big-endian number. Prompt by
        prompt it is divided by how many seconds the prompt can fall on: the remainder chooses one, the quotient is for
        the next. The seconds run from the part's begin, or from spacing_s after the prompt before if that is later, up
        to the part's end. Parts begin at first + length * k // count.
        """
        if day != self._day:
            first_s = self.zone.utc_s(day, self._start_s)
            length_s = self.zone.utc_s(day, self._end_s) - first_s
            number = int.from_bytes(hmac_sha256(self._secret, b"muster prompts", iso_date(day).encode()), "big")
            due_s = []
            low_s = first_s
            for k in range(self.count):
                low_s = max(low_s, first_s + length_s * k // self.count)
                number, chosen = divmod(number, first_s + length_s * (k + 1) // self.count - low_s)
                due_s.append(low_s + chosen)
                low_s += chosen + self._spacing_s
            self._day, self._due_s = day, due_s
        return self._due_s


class Event:
    """What happened to prompt `k` (from 0) of the local `day` (days since 1970).

    START: the prompts after this one are the watch's to ask. ASK: show it, until deadline_s. REMIND: show it again; it
    changes nothing and has no mark. LAPSED: not answered by deadline_s. UNABLE: not asked, or not concluded, for
    `reason`: OFF the watch was off, CLOCK its time was unknown or wrong, LATE it was busy, UNFINISHED the wearer
    pressed and no outcome came. GAP: as UNABLE, for all prompts from this one, due_s, to the one due at deadline_s.
    """

    __slots__ = ("kind", "day", "k", "due_s", "deadline_s", "reason", "mark")

    def __init__(self, kind: int, day: int, k: int, due_s: int, deadline_s: int, reason: int, mark: "bytes | None"):
        self.kind = kind
        self.day = day
        self.k = k
        self.due_s = due_s
        self.deadline_s = deadline_s
        self.reason = reason
        self.mark = mark


class Prompts:
    """The state machine above. `answer_s`: to answer a prompt, 60 or more; `reminder_s`: between reminders; `tries`:
    presses of the wearer a prompt, up to 15."""

    def __init__(self, schedule: Schedule, answer_s: int, reminder_s: int, tries: int):
        self._schedule = schedule
        self._answer_s = answer_s
        self._reminder_s = reminder_s
        self._least_s = min(_LEAST_S, answer_s)
        self._tries = tries
        self._day = -1  # the last prompt touched; -1: none yet
        self._k = 0
        self._due_s = 0
        self._deadline_s = 0  # 0: it is concluded
        self._used = 0  # presses
        self._remind_s = 0
        self._held = False  # the watch is on, and knew the time, before the open prompt's deadline
        self._boot_s: "int | None" = None  # unix time of the boot by the present clock; None: unknown
        self._off_s = 0  # the same by the first clock of this boot: until then the watch was off
        self._set_s = 0  # when the clock was set to the present time

    @property
    def open(self):
        """(day, k, due_s, deadline_s) of the open prompt, or None."""
        return (self._day, self._k, self._due_s, self._deadline_s) if self._deadline_s else None

    @property
    def tries_left(self) -> int:
        return self._tries - self._used if self._deadline_s else 0

    def mark(self) -> "bytes | None":
        """The present state, None before any: to go with a new segment, for the old one will be freed."""
        if self._day < 0:
            return None
        return _mark(self._day, self._k, self._due_s, self._deadline_s, self._used)

    def apply(self, mark: bytes) -> None:
        """Takes a mark's state. Raises PromptsError for other bytes."""
        if len(mark) != _MARK_BYTES or mark[:1] != MARK:
            raise PromptsError("prompts: mark: not one of these")
        self._day, packed, self._due_s, self._deadline_s = struct.unpack_from(_MARK, mark, 1)
        self._k = packed & 15
        self._used = packed >> 4

    def poll(self, now_s: "int | None", uptime_s: int) -> "Event | None":
        """What is next by now, or None; to be called until it gives None. `now_s` is None while the time is unknown."""
        if now_s is None:
            return None
        self._follow_clock(now_s, now_s - uptime_s)
        if self._deadline_s:
            return self._poll_open(now_s)
        if now_s < self._set_s + _SETTLE_S:
            return None
        today = self._schedule.zone.local(now_s)[0]
        if self._day < 0 or self._day > today + _REACH_DAYS:
            return self._start(now_s, today)
        day, k = self._next()
        due_s = self._due(day, k)
        if day < today - _REACH_DAYS:
            return self._gap(day, k, due_s, today - _REACH_DAYS - 1)
        if now_s < due_s:
            return None
        deadline_s = due_s + self._answer_s
        if now_s >= deadline_s:
            return Event(UNABLE, day, k, due_s, deadline_s, self._why(due_s), _mark(day, k, due_s))
        deadline_s = max(deadline_s, now_s + self._least_s)
        self._held = True
        self._remind_s = now_s + self._reminder_s
        return Event(ASK, day, k, due_s, deadline_s, 0, _mark(day, k, due_s, deadline_s))

    def next_wake_s(self) -> "int | None":
        """When `poll`, having given None, has something next, in unix seconds; None: not before the time is known."""
        if self._boot_s is None:
            return None
        if self._deadline_s:
            return min(self._deadline_s, self._remind_s)
        settled_s = self._set_s + _SETTLE_S
        return settled_s if self._day < 0 else max(settled_s, self._due(*self._next()))

    def press(self, now_s: "int | None") -> bytes:
        """The mark of one more try, to be kept before the camera opens: a reboot gives no new ones. The deadline leaves
        _LEAST_S for it. Raises PromptsError when no try is left, or no prompt is open."""
        if not self.tries_left:
            raise PromptsError("prompts: no try left")
        deadline_s = self._deadline_s
        if now_s is not None:
            deadline_s = max(deadline_s, now_s + self._least_s)
            self._remind_s = now_s + self._reminder_s
        return _mark(self._day, self._k, self._due_s, deadline_s, self._used + 1)

    def conclude(self, day: int, k: int) -> bytes:
        """The mark to go with the outcome's record. Raises PromptsError when this prompt is not the open one."""
        if not self._deadline_s or (day, k) != (self._day, self._k):
            raise PromptsError("prompts: day %d prompt %d is not open" % (day, k))
        return _mark(day, k, self._due_s)

    def _follow_clock(self, now_s, boot_s):
        if self._boot_s is None:
            self._off_s = boot_s
            self._remind_s = now_s  # shows again what was open before the boot
            self._held = now_s < self._deadline_s
            if self._held:
                self._deadline_s = min(max(self._deadline_s, now_s + self._least_s), now_s + self._answer_s)
        else:
            change_s = boot_s - self._boot_s
            if -_STEP_S <= change_s <= _STEP_S:
                return
            self._remind_s += change_s
            if self._deadline_s:
                self._deadline_s += change_s
        self._boot_s = boot_s
        self._set_s = now_s

    def _poll_open(self, now_s):
        day, k, due_s, deadline_s = self.open
        if now_s >= deadline_s:
            kind, reason = UNABLE, LATE
            if not self._held:
                reason = self._why(deadline_s)
            elif self._used:
                reason = UNFINISHED
            elif now_s <= deadline_s + _LATE_S:
                kind, reason = LAPSED, 0
            return Event(kind, day, k, due_s, deadline_s, reason, _mark(day, k, due_s))
        if now_s < self._remind_s:
            return None
        self._remind_s = now_s + self._reminder_s
        return Event(REMIND, day, k, due_s, deadline_s, 0, None)

    def _start(self, now_s, today):
        """From the last prompt that was due before now."""
        day, k = today, self._schedule.count - 1
        while k >= 0 and self._due(day, k) > now_s:
            k -= 1
        if k < 0:
            day, k = today - 1, self._schedule.count - 1
        due_s = self._due(day, k)
        return Event(START, day, k, due_s, 0, 0, _mark(day, k, due_s))

    def _gap(self, day, k, due_s, last_day):
        last = self._schedule.count - 1
        last_s = self._due(last_day, last)
        return Event(GAP, day, k, due_s, last_s, self._why(last_s), _mark(last_day, last, last_s))

    def _next(self):
        if self._k + 1 < self._schedule.count:
            return self._day, self._k + 1
        return self._day + 1, 0

    def _due(self, day, k):
        return self._schedule.day(day)[k]

    def _why(self, moment_s):
        """Why the watch did not attend to this moment."""
        if moment_s < self._off_s:
            return OFF
        return CLOCK if moment_s <= self._set_s else LATE


def _mark(day, k, due_s, deadline_s=0, used=0):
    return MARK + struct.pack(_MARK, day, used << 4 | k, due_s, deadline_s)
