"""Turns what is heard and done into records: the one hand on the clock, the track and the open segment."""

import asyncio

from muster import records
from muster.clock import GNSS, NETWORK, RTC, Clock, ClockError
from muster.gnss import Parser
from muster.journal import JournalFull
from muster.levels import DEBUG, ERROR, INFO, LEVELS, WARNING
from muster.segments import RESERVE
from muster.track import ON, Track

_GNSS_UNCERTAINTY_MS = 200
_RESET_S = 600  # between two settings of the clock by GNSS
_VOUCHED_MS = 300000  # farther from the receiver's signed time GNSS is not believed: a spoofer, or a worn-out receiver
_TRACK_S = 900  # oldest fix that waits for company in RAM
_LOG_LINES = 40


class Recorder:
    """`not_before_s`: a UTC that is surely past. `keep_rtc(unix_s)` sets the chip's own clock."""

    def __init__(self, segments, uptime_ms, keep_rtc, not_before_s: int):
        self.segments = segments
        self.clock = Clock(uptime_ms, not_before_s * 1000)
        self.clock_changed = asyncio.Event()
        self.hears_gnss = False  # whether its receiver has said anything since boot, with a fix or without
        self.lost = 0  # records since boot for which there was no room
        self.log_lines: "list[str]" = []
        self.log_level = INFO
        self.on_log = None  # is called with each line that is kept, its level before it
        self._uptime_ms = uptime_ms
        self._keep_rtc = keep_rtc
        self._parser = Parser(not_before_s)
        self.track = Track(self.uptime_s())
        self.receiver = ON  # its power, one of track.py's
        self._fixes: "list[tuple]" = []  # kept, and not yet recorded
        self._clock_set_s = -_RESET_S  # uptime when GNSS last set the clock
        self._vouched_ms: "int | None" = None  # unix time of the boot by the last receipt
        self._doubted = False  # GNSS contradicts it

    def uptime_s(self) -> int:
        return self._uptime_ms() // 1000

    def log(self, text: str, level: int = INFO):
        """Keep a line for the console's `log`, unless its level is beyond the one that is wanted."""
        if level > self.log_level:
            return
        self.log_lines.append("%d %s" % (self.uptime_s(), text))
        if len(self.log_lines) > _LOG_LINES:
            del self.log_lines[0]
        if self.on_log:
            self.on_log("%s: %s" % (LEVELS[level], self.log_lines[-1]))

    def append(self, record, mark: bytes = b"", reserve: int = 0):
        """Keep a record, or count it as lost."""
        try:
            self.segments.append(record, self.clock.now_s() or 0, self.clock.quality_byte(), mark, reserve)
        except (JournalFull, OSError) as error:
            self.lost += 1
            self.log("record lost: %s" % error, ERROR)

    def keep_mark(self, mark: bytes):
        """Keep a state of the prompts that no record goes with."""
        try:
            self.segments.keep(mark, self.clock.now_s() or 0)
        except (JournalFull, OSError) as error:
            self.log("mark lost: %s" % error, ERROR)

    def set_clock(self, unix_ms: int, source: int, uncertainty_ms: int):
        """Hear a source's time; a jump is a record."""
        if source == NETWORK:
            self._vouched_ms = unix_ms - self._uptime_ms()
        try:
            jump = self.clock.set(unix_ms, source, uncertainty_ms)
        except ClockError as error:
            self.log(str(error), WARNING)
            return
        if source > RTC:
            self._keep_rtc(self.clock.now_s())
        if jump:
            self.log("clock set by source %d" % source)
            self.append(records.clock(jump.source, jump.new_ms, jump.old_ms))
            self.clock_changed.set()

    def hear(self, data: bytes, late_ms: int) -> bool:
        """Take what the GNSS receiver says; whether that ends an epoch, whose time was `late_ms` ago."""
        uptime_s = self.uptime_s()
        fixes = self._parser.feed(data)
        for fix in fixes:
            self.hears_gnss = True
            if fix.unix_s is not None:
                self._hear_time(fix.unix_s * 1000 + fix.ms + late_ms, uptime_s)
            self._keep(self.track.add(fix, uptime_s))
        self._keep(self.track.tick(uptime_s))
        return bool(fixes)

    def tick(self):
        """Call it now and then: a silent receiver is noticed, and fixes that have waited long are recorded."""
        uptime_s = self.uptime_s()
        if self._fixes and uptime_s - self._fixes[0][0] > _TRACK_S:
            self.flush()
        self._keep(self.track.tick(uptime_s, self.receiver))

    def flush(self):
        """Record the fixes that wait in RAM."""
        if self._fixes:
            self.append(records.track(self._fixes, self.uptime_s()), reserve=RESERVE)
            self._fixes = []

    def last_fix(self):
        """[lat_e6, lon_e6, age in s], or None."""
        last = self.track.last
        return [last[1], last[2], self.uptime_s() - last[0]] if last else None

    def _hear_time(self, unix_ms, uptime_s):
        if self._contradicts(unix_ms):
            return
        now_ms = self.clock.now_ms()
        if now_ms is None or uptime_s - self._clock_set_s >= _RESET_S or abs(unix_ms - now_ms) > 2000:
            self._clock_set_s = uptime_s
            self.set_clock(unix_ms, GNSS, _GNSS_UNCERTAINTY_MS)

    def _contradicts(self, unix_ms):
        """Whether this time cannot be, by what the receiver has signed; a fault is recorded when that begins."""
        if self._vouched_ms is None:
            return False
        was_doubted = self._doubted
        self._doubted = abs(unix_ms - self._uptime_ms() - self._vouched_ms) > _VOUCHED_MS
        if self._doubted and not was_doubted:
            self.append(records.fault("gnss", "its time contradicts the receiver's"))
        return self._doubted

    def _keep(self, events):
        """Take what the track wants recorded."""
        for event in events:
            if event[0] == "fix":
                self.log("fix kept", DEBUG)
                self._fixes.append(event[1:])
                if len(self._fixes) == records.TRACK_BATCH:
                    self.flush()
            else:
                self.flush()
                self.append(records.no_fix(event[1], event[2], event[3], self.uptime_s()), reserve=RESERVE)
