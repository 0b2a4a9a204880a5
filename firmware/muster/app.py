"""The watch: starts the services on a board and hands on what each finds out; the only file that knows them all."""

import asyncio
import gc
import sys
from hashlib import sha256

from muster import checkin, prompts, records, track
from muster.clock import GNSS, NETWORK, RTC, Clock, ClockError
from muster.commands import commands
from muster.console import Console
from muster.gnss import Parser
from muster.journal import Journal, JournalFull
from muster.networks import Networks, NetworksError
from muster.power import LOW_PERCENT, percent
from muster.screen import Screen
from muster.segments import RESERVE, Identity, Segments
from muster.settings import SettingsError, load
from muster.timezone import TzError, Zone, iso_date
from muster.uplink import Uplink

VERSION = "0.1.0"
BUILT_UNIX_S = 1767225600  # 2026-01-01: no time before it is believed

_GNSS_UNCERTAINTY_MS, _NETWORK_UNCERTAINTY_MS, _RTC_UNCERTAINTY_MS = 200, 2000, 10000
_GNSS_LATE_MS = 120  # from a second's begin to the end of its sentences
_RESET_S = 600  # between two settings of the clock by GNSS
_LIT_MS, _PROMPT_LIT_MS = 6000, 30000
_AGAIN_MS = 1500  # from "look again" to the next try
_TRACK_S = 900  # oldest fix that waits for company in RAM
_STATUS_S = 3600
_FIRST_UPLOAD_S = 120
_RESTART_S = 60  # from a fault to the boot after it: a fault that comes back must not fill the journal
_LOG_LINES = 40


class AppError(Exception):
    """The watch cannot start: what is missing."""


class App:
    def __init__(self, board, settings):
        self.board = board
        self.settings = settings
        self.log_lines = []
        self.lost = 0  # records since boot for which there was no room
        self.clock = Clock(board.uptime_ms, BUILT_UNIX_S * 1000)
        self.zone = Zone(settings.zone)
        self.parser = Parser(BUILT_UNIX_S)
        self.track = track.Track(self.uptime_s())
        self.networks = Networks()
        self.screen = Screen(board.display)
        kept = board.blob("template")  # after the hash of the model that made it: another's says nothing
        self.template = kept[8:] if kept and kept[:8] == self.networks.model_hash else None
        self._checkin = checkin.Checkin(board.lens, self.networks.load, self.screen.capture)
        self.prompts = prompts.Prompts(
            prompts.Schedule(self._secret("prompt_secret"), self.zone, settings.waking[0], settings.waking[1],
                             settings.prompts_per_day, settings.spacing_s),
            settings.answer_s, settings.reminder_s, settings.tries)
        ueid = bytes.fromhex(settings.ueid)
        self.segments = Segments(
            Journal(board.partition()),
            Identity(ueid, self._secret("sign_key"), VERSION, bytes.fromhex(settings.receiver_encryption_key)),
            board.random, board.uptime_ms)
        self.uplink = Uplink(self.segments, board.uplink(settings, self._secret("client_key")).connect,
                             settings.receiver_host, ueid, bytes.fromhex(settings.receiver_signing_key))
        self.next_upload_ms = board.uptime_ms() + _FIRST_UPLOAD_S * 1000
        self._fixes = []  # kept, and not yet recorded
        self._clock_set_s = -_RESET_S  # uptime when GNSS last set the clock
        self._dark_ms = 0  # uptime at which the picture goes; 0: it stays
        self._lit = asyncio.Event()
        self._clock_changed = asyncio.Event()
        self._upload_due = asyncio.Event()
        self._sending = asyncio.Lock()
        self._on_press = None  # what a press does while the picture that asks for it is on

    def uptime_s(self) -> int:
        return self.board.uptime_ms() // 1000

    def log(self, text: str):
        """Keep a line for the console's `log`."""
        self.log_lines.append("%d %s" % (self.uptime_s(), text))
        if len(self.log_lines) > _LOG_LINES:
            del self.log_lines[0]

    async def run(self):
        """Live until the power goes."""
        if self.segments.mark:
            self.prompts.apply(self.segments.mark)
        rtc_ms = self.board.rtc_unix_ms()
        if rtc_ms is not None:
            self._set_clock(rtc_ms, RTC, _RTC_UNCERTAINTY_MS)
        self._append(records.boot(self.board.reset_cause(), self.networks.model_hash))
        console = Console(self.board.stdin, self.board.stdout, commands(self))
        try:
            await asyncio.gather(self._listen(), self._ask(), self._serve_presses(), self._send(), self._darken(),
                                 self._watch_over(), console.run())
        except Exception as error:  # what nobody foresaw ends this boot, not the watch
            sys.print_exception(error)
            self._append(records.fault("services", "%s: %s" % (type(error).__name__, error)))
            await asyncio.sleep(_RESTART_S)
            self.board.reset()

    # positions and time

    async def _listen(self):
        """What the GNSS receiver says, each second."""
        reader = asyncio.StreamReader(self.board.gnss)
        while True:
            data = await reader.read(1024)
            uptime_s = self.uptime_s()
            for fix in self.parser.feed(data):
                if fix.unix_s is not None:
                    self._hear_time(fix.unix_s * 1000 + fix.ms + _GNSS_LATE_MS, uptime_s)
                self._keep_track(self.track.add(fix, uptime_s))
            self._keep_track(self.track.tick(uptime_s))

    def _hear_time(self, unix_ms, uptime_s):
        now_ms = self.clock.now_ms()
        if now_ms is None or uptime_s - self._clock_set_s >= _RESET_S or abs(unix_ms - now_ms) > 2000:
            self._clock_set_s = uptime_s
            self._set_clock(unix_ms, GNSS, _GNSS_UNCERTAINTY_MS)

    def _set_clock(self, unix_ms, source, uncertainty_ms):
        try:
            jump = self.clock.set(unix_ms, source, uncertainty_ms)
        except ClockError as error:
            self.log(str(error))
            return
        if source > RTC:
            self.board.keep_rtc(self.clock.now_s())
        if jump:
            self.log("clock set by source %d" % source)
            self._append(records.clock(jump.source, jump.new_ms, jump.old_ms))
            self._clock_changed.set()

    def _keep_track(self, events):
        for event in events:
            if event[0] == "fix":
                self._fixes.append(event[1:])
                if len(self._fixes) == records.TRACK_BATCH:
                    self._record_track()
            else:
                self._record_track()
                self._append(records.no_fix(event[1], event[2], event[3], self.uptime_s()), reserve=RESERVE)

    def _record_track(self):
        if self._fixes:
            self._append(records.track(self._fixes, self.uptime_s()), reserve=RESERVE)
            self._fixes = []

    def _append(self, record, mark=b"", reserve=0):
        try:
            self.segments.append(record, self.clock.now_s() or 0, self.clock.quality_byte(), mark, reserve)
        except (JournalFull, OSError) as error:
            self.lost += 1
            self.log("record lost: %s" % error)

    # prompts and check-ins

    async def _ask(self):
        """Go through the prompts as they fall due."""
        while True:
            event = self.prompts.poll(self.clock.now_s(), self.uptime_s())
            if event:
                await self._follow(event)
                continue
            wake_s, now_s = self.prompts.next_wake_s(), self.clock.now_s()
            wait_s = 3600 if wake_s is None or now_s is None else min(3600, max(1, wake_s - now_s))
            self._clock_changed.clear()
            try:
                await asyncio.wait_for(self._clock_changed.wait(), wait_s)
            except asyncio.TimeoutError:
                pass

    async def _follow(self, event):
        kind = event.kind
        if kind == prompts.GAP:
            self._append(records.gap(event.day, event.k, event.due_s, event.deadline_s, event.reason), event.mark)
        elif kind in (prompts.LAPSED, prompts.UNABLE):
            lapsed = kind == prompts.LAPSED
            result = checkin.Result(checkin.MISSED if lapsed else checkin.UNABLE,
                                    checkin.NO_ANSWER if lapsed else event.reason)
            self._record_checkin(event.day, event.k, event.due_s, 0, result, event.mark)
        elif event.mark:
            self._keep_mark(event.mark)
        if event.mark:
            self.prompts.apply(event.mark)
        if kind in (prompts.ASK, prompts.REMIND):
            self.log("prompt %d" % (event.k + 1))
            self.show_prompt()
            await self.board.buzz(3)

    def _keep_mark(self, mark):
        try:
            self.segments.keep(mark, self.clock.now_s() or 0)
        except (JournalFull, OSError) as error:
            self.log("mark lost: %s" % error)

    def _record_checkin(self, day, k, due_s, answered_s, result, mark):
        last = self.track.last
        fix = [last[1], last[2], self.uptime_s() - last[0]] if last else None
        self._append(records.checkin(day, k, due_s, answered_s, result, self.networks.threshold_e4,
                                     self.networks.model_hash, fix), mark)
        self.log("check-in %d: outcome %d, reason %d, score %s" % (k + 1, result.outcome, result.reason,
                                                                 result.score_e4))
        self._upload_due.set()

    async def _serve_presses(self):
        """A press does what the picture asks for; on a dark screen it first shows what there is to answer."""
        while True:
            await self.board.press()
            act, self._on_press = self._on_press, None
            if act:
                await act()
            elif self.prompts.tries_left:
                self.show_prompt()
            else:
                self.show_idle()

    async def _answer(self):
        """The wearer answers the open prompt: tries until a match, or until there are none left."""
        if not self.prompts.tries_left:  # it lapsed while it was on the screen
            self.show_idle()
            return
        day, k, due_s, _ = self.prompts.open
        answered_s = self.clock.now_s() or 0
        result = None
        while self._asks(day, k):
            mark = self.prompts.press(self.clock.now_s())
            self._keep_mark(mark)
            self.prompts.apply(mark)
            attempt = await self.verify()
            if result is None or _score(attempt) >= _score(result):
                result = attempt
            if result.outcome == checkin.MATCHED or result.reason == checkin.NOT_ENROLLED:
                break
            if self._asks(day, k):
                self.screen.capture("Look again")
                await asyncio.sleep_ms(_AGAIN_MS)
        result.tries = self.settings.tries - self.prompts.tries_left
        if self.prompts.open and self.prompts.open[:2] == (day, k):
            mark = self.prompts.conclude(day, k)
            self._record_checkin(day, k, due_s, answered_s, result, mark)
            self.prompts.apply(mark)
        self.show_result(result.outcome)

    def _asks(self, day, k) -> bool:
        return self.prompts.tries_left > 0 and self.prompts.open[:2] == (day, k)

    def show_prompt(self):
        now_s = self.clock.now_s()
        left_s = self.settings.answer_s if now_s is None else self.prompts.open[3] - now_s
        self.ask_press(lambda: self.screen.prompt(max(1, left_s // 60)), self._answer)

    def show_result(self, outcome: int):
        self.screen.result(outcome)
        self._light(_LIT_MS)

    async def verify(self):
        """One try: the face before the camera against the wearer's template."""
        self.screen.capture("Look here")
        self._light(0)
        return await self._checkin.verify(self.template, self.networks.threshold_e4)

    def ask_press(self, draw, act):
        """Show `draw()`; while it is on, a press runs `act()`."""
        draw()
        self._light(_PROMPT_LIT_MS, act)

    async def enrol(self):
        """Make the wearer's template from what is before the camera now."""
        self._light(0)
        try:
            template = await self._checkin.enrol()
            self.board.keep_blob("template", self.networks.model_hash + template)
        except (checkin.CheckinError, OSError) as error:
            self.log("not enrolled: %s" % error)
            self.screen.message("Not enrolled", str(error))
        else:
            self.template = template
            self._append(records.enrolled(sha256(template).digest()[:8], self.networks.model_hash))
            self.log("enrolled")
            self.screen.message("Enrolled", "Thank you")
        self._light(_LIT_MS)

    # uploads

    async def _send(self):
        """Upload at the latest every upload_s, after a check-in, and again after failures."""
        while True:
            wait_ms = max(1000, self.next_upload_ms - self.board.uptime_ms())
            self._upload_due.clear()
            try:
                await asyncio.wait_for_ms(self._upload_due.wait(), wait_ms)
            except asyncio.TimeoutError:
                pass
            wait_s = self.settings.upload_s
            if not await self.upload():
                wait_s = min(wait_s, self.uplink.retry_s(self.board.random(1)[0]))
            self.next_upload_ms = self.board.uptime_ms() + wait_s * 1000

    async def upload(self) -> bool:
        """Send all there is; while the receiver cannot be reached, the open segment stays open."""
        async with self._sending:
            return await self._upload()

    async def _upload(self):
        self._record_track()
        while self.segments.waiting:
            try:
                if not self.segments.closed:
                    self.segments.close()
                report = await self.uplink.upload()
            except (JournalFull, OSError) as error:
                self.log("upload: %s" % error)
                return False
            if report.receiver_s:
                self._set_clock(report.receiver_s * 1000, NETWORK, _NETWORK_UNCERTAINTY_MS)
            self.log("sent %d segments%s" % (report.sent, ", " + report.error if report.error else ""))
            if report.error:
                return False
        return True

    # screen and battery

    def show_idle(self):
        now_s = self.clock.now_s()
        clock, date = "--:--", "no time yet"
        if now_s is not None:
            clock, date = self.local_time(now_s), iso_date(self.zone.local(now_s)[0])
        next_s = None if now_s is None else now_s + max(0, self.next_upload_ms - self.board.uptime_ms()) // 1000
        self.screen.idle(clock, date, percent(self.board.battery_mv()), self.segments.waiting,
                         "soon" if next_s is None else self.local_time(next_s), not self.uplink.failures)
        self._light(_LIT_MS)

    def local_time(self, unix_s: int) -> str:
        second = self.zone.local(unix_s)[1]
        return "%02d:%02d" % (second // 3600, second // 60 % 60)

    def _light(self, for_ms, act=None):
        """The picture stays for `for_ms` (0: until the next one), and a press runs `act()`."""
        self._on_press = act
        self._dark_ms = for_ms and self.board.uptime_ms() + for_ms
        self._lit.set()

    async def _darken(self):
        """Switch the screen off when the picture's time is over."""
        while True:
            self._lit.clear()
            left_ms = self._dark_ms - self.board.uptime_ms()
            if not self._dark_ms:
                await self._lit.wait()
            elif left_ms <= 0:
                self._dark_ms, self._on_press = 0, None
                self.screen.off()
            else:
                try:
                    await asyncio.wait_for_ms(self._lit.wait(), left_ms)
                except asyncio.TimeoutError:
                    pass

    async def _watch_over(self):
        """Battery, memory and old fixes, now and then."""
        status_s = 0
        while True:
            gc.collect()
            charge = percent(self.board.battery_mv())
            if charge < LOW_PERCENT and not self.screen.lit:
                self.screen.low_battery(charge)
                self._light(_LIT_MS)
            uptime_s = self.uptime_s()
            if self._fixes and uptime_s - self._fixes[0][0] > _TRACK_S:
                self._record_track()
            self._keep_track(self.track.tick(uptime_s))
            if uptime_s >= status_s:
                status_s = uptime_s + _STATUS_S
                self._append(records.status(self.board.battery_mv(), gc.mem_free(), self.segments.free_sectors,
                                            self.lost))
            await asyncio.sleep(300)

    def _secret(self, name):
        blob = self.board.blob(name)
        if blob is None:
            raise AppError("nvs: %s: missing: provision the watch first" % name)
        return blob


def _score(result):
    """To compare tries by: one without a score is the worst."""
    return -10001 if result.score_e4 is None else result.score_e4


def run():
    """Start the watch on the board that its settings name; what is wrong with them is one line on the console."""
    try:
        settings = load("settings.json")
        board = __import__("boards." + settings.board, None, None, ["Board"]).Board()
        app = App(board, settings)
    except (SettingsError, AppError, NetworksError, TzError, prompts.PromptsError, ImportError) as error:
        print("muster:", error)
        return
    asyncio.run(app.run())
