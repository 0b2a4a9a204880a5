"""A watch that only prompts: run on the VM with scripts of what befalls it; it keeps a log of all that happens.

Not a test. Steps: ["on", s] boots (or reboots), the time being unknown for s seconds; ["off"]; ["run", s] passes s
seconds and polls as an app does, at each wake time; ["busy", s] passes s seconds without a poll; ["clock", s] makes the
clock wrong by s seconds; ["press"] and ["conclude"] are the wearer's; ["cut", "before" or "after"] lets the power fail
at the next append, before or after the mark is kept. A log entry is [name or event kind, true time, shown time or None,
day, k, due_s, deadline_s, reason].
"""

from __future__ import annotations

WATCH = """
from binascii import unhexlify
from muster.prompts import ASK, Prompts, REMIND, Schedule
from muster.timezone import Zone

class PowerCut(Exception):
    pass

class Watch:
    def __init__(self, setup):
        self.schedule = Schedule(unhexlify(setup["secret"]), Zone(setup["zone"]), *setup["schedule"])
        self.answering = setup["answering"]
        self.t = self.end_t = setup["t"]
        self.error = 0
        self.flash = []
        self.log = []
        self.prompts = None
        self.cut = None

    def note(self, name, *rest):
        self.log.append([name, self.t, self.shown()] + list(rest))

    def shown(self):
        if self.prompts is None or self.t < self.known_t:
            return None
        return self.t + self.error

    def on(self, unknown_s):
        self.prompts = Prompts(self.schedule, *self.answering)
        for mark in self.flash:
            self.prompts.apply(mark)
        self.boot_t = self.t
        self.known_t = self.t + unknown_s
        self.note("on", unknown_s)

    def off(self):
        self.prompts = None
        self.note("off")

    def keep(self, name, mark, *rest):
        cut, self.cut = self.cut, None
        if cut == "before":
            raise PowerCut
        self.flash.append(mark)
        self.note(name, *rest)
        if cut == "after":
            raise PowerCut
        self.prompts.apply(mark)

    def poll(self):
        while True:
            event = self.prompts.poll(self.shown(), self.t - self.boot_t)
            if event is None:
                return
            rest = event.day, event.k, event.due_s, event.deadline_s, event.reason
            if event.kind == REMIND:
                self.note(REMIND, *rest)
            else:
                self.keep(event.kind, event.mark, *rest)

    def run(self, seconds):
        self.end_t = end_t = self.t + seconds
        while self.prompts and self.t < end_t:
            self.poll()
            wake_s = self.prompts.next_wake_s()
            wake_t = self.known_t if wake_s is None else wake_s - self.error
            assert wake_t > self.t, "it would not sleep"
            self.t = min(end_t, wake_t)
        self.t = end_t
        if self.prompts:
            self.poll()

    def busy(self, seconds):
        self.t += seconds
        self.note("busy", seconds)

    def clock(self, error):
        before, self.error = self.error, error
        self.note("clock", before)
        self.run(0)

    def press(self):
        if self.prompts and self.prompts.tries_left:
            self.keep("press", self.prompts.press(self.shown()), *self.prompts.open)

    def conclude(self):
        if self.prompts and self.prompts.open:
            day, k, due_s, deadline_s = self.prompts.open
            self.keep("conclude", self.prompts.conclude(day, k), day, k, due_s, deadline_s)
            self.poll()

def live(setup, steps):
    watch = Watch(setup)
    for name, *values in steps:
        if name == "cut":
            watch.cut = values[0]
            continue
        try:
            getattr(watch, name)(*values)
        except PowerCut:
            watch.off()
            watch.t = max(watch.t, watch.end_t)
    return watch.log

result = [live(setup, steps) for setup, steps in data]
"""

START, ASK, REMIND, LAPSED, UNABLE, GAP = range(6)
OFF, CLOCK, LATE, UNFINISHED = 8, 9, 10, 11
