"""The watch: makes the services for a board and keeps them running; the only file that knows them all."""

import asyncio
import gc
import sys
import time

from muster import prompts, records
from muster.attendant import Attendant
from muster.clock import NETWORK, RTC
from muster.commands import commands
from muster.console import Console
from muster.duty import Duty
from muster.journal import Journal, JournalFull
from muster.levels import INFO, WARNING
from muster.listener import Listener
from muster.networks import Networks, NetworksError
from muster.power import AWAKE_PERCENT, EMPTY_PERCENT, LOW_PERCENT, Idle, percent
from muster.recorder import Recorder
from muster.screen import Screen
from muster.segments import Identity, Segments
from muster.settings import SettingsError, load
from muster.timezone import TzError, Zone
from muster.uplink import Uplink

VERSION = "0.1.0"
BUILT_UNIX_S = 1767225600  # 2026-01-01: no time before it is believed

_NETWORK_UNCERTAINTY_MS, _RTC_UNCERTAINTY_MS = 2000, 10000
_LOOK_S, _STATUS_S = 300, 3600  # between looks at the battery, and between status records
_FIRST_UPLOAD_S = 120
_EMPTY_MS, _EMPTY_LIT_MS = 1800000, 3000  # between an empty watch's looks at its battery; its answer to a press
_RESTART_S = 60  # from a fault to the boot after it: a fault that comes back must not fill the journal


class AppError(Exception):
    """The watch cannot start: what is missing."""


class App:
    def __init__(self, board, settings):
        self.board = board
        self._settings = settings
        self.networks = Networks()
        ueid, zone = bytes.fromhex(settings.ueid), Zone(settings.zone)
        schedule = prompts.Schedule(self._secret("prompt_secret"), zone, settings.waking[0], settings.waking[1],
                                    settings.prompts_per_day, settings.spacing_s)
        asked = prompts.Prompts(schedule, settings.answer_s, settings.reminder_s, settings.tries)
        self.segments = Segments(
            Journal(board.partition()),
            Identity(ueid, self._secret("sign_key"), VERSION, bytes.fromhex(settings.receiver_encryption_key)),
            board.random, board.uptime_ms)
        if self.segments.mark:
            asked.apply(self.segments.mark)
        self.recorder = Recorder(self.segments, board.uptime_ms, board.keep_rtc, BUILT_UNIX_S)
        self._duty = Duty(settings.fix_moving_s, settings.fix_still_s)
        self._listener = Listener(board.gnss, board.standby, self._duty, self.recorder, board.uptime_ms)
        self.attendant = Attendant(board, settings, zone, asked, self.networks, self.recorder, self._upload_status)
        self._uplink = Uplink(self.segments, board.uplink(settings, self._secret("client_key")).connect,
                              settings.receiver_host, ueid, bytes.fromhex(settings.receiver_signing_key))
        self._next_upload_ms = board.uptime_ms() + _FIRST_UPLOAD_S * 1000
        self._sending = asyncio.Lock()

    async def run(self):
        """Live until the power goes."""
        rtc_ms = self.board.rtc_unix_ms()
        if rtc_ms is not None:
            self.recorder.set_clock(rtc_ms, RTC, _RTC_UNCERTAINTY_MS)
        self.recorder.append(records.boot(self.board.reset_cause(), self.networks.model_hash))
        if self.attendant.unfit:
            self.recorder.append(records.fault("board", "no check-ins: " + self.attendant.unfit))
        self.console = Console(self.board.stdin, self.board.stdout, commands(self))
        attendant = self.attendant
        if self._settings.sleep:
            Idle(self.board.sleep, self.board.hurry, self._spare_ms).install()
        try:
            await asyncio.gather(self._listener.run(), attendant.ask(), attendant.serve_presses(),
                                 self._send(), attendant.darken(), self._watch_over(), self.console.run())
        except Exception as error:  # what nobody foresaw ends this boot, not the watch
            sys.print_exception(error)
            self.recorder.append(records.fault("services", "%s: %s" % (type(error).__name__, error)))
            await asyncio.sleep(_RESTART_S)
            self.board.reset()

    async def upload(self) -> bool:
        """Send all there is; while the receiver cannot be reached, the open segment stays open."""
        async with self._sending:
            return await self._upload()

    async def _send(self):
        """Upload at the latest every upload_s, after a check-in, and again after failures."""
        concluded = self.attendant.concluded
        while True:
            wait_ms = max(1000, self._next_upload_ms - self.board.uptime_ms())
            concluded.clear()
            try:
                await asyncio.wait_for_ms(concluded.wait(), wait_ms)
            except asyncio.TimeoutError:
                pass
            wait_s = self._settings.upload_s
            if not await self.upload():
                wait_s = min(wait_s, self._uplink.retry_s(self.board.random(1)[0]))
            self._next_upload_ms = self.board.uptime_ms() + wait_s * 1000

    async def _upload(self):
        recorder = self.recorder
        recorder.flush()
        while self.segments.waiting:
            try:
                if not self.segments.closed:
                    self.segments.close()
                report = await self._uplink.upload()
            except (JournalFull, OSError) as error:
                recorder.log("upload: %s" % error, WARNING)
                return False
            if report.receiver_s:
                recorder.set_clock(report.receiver_s * 1000, NETWORK, _NETWORK_UNCERTAINTY_MS)
            recorder.log("sent %d segments%s" % (report.sent, ", " + report.error if report.error else ""),
                         WARNING if report.error else INFO)
            if report.error:
                return False
        return True

    def _upload_status(self):
        """(segments that wait, seconds to the next upload, whether the last one worked)"""
        left_ms = max(0, self._next_upload_ms - self.board.uptime_ms())
        return self.segments.waiting, left_ms // 1000, not self._uplink.failures

    async def _watch_over(self):
        """Battery, memory and old fixes, now and then."""
        status_s = 0
        while True:
            gc.collect()
            charge = percent(self.board.battery_mv())
            self._duty.is_saving = charge < LOW_PERCENT
            if charge <= EMPTY_PERCENT and not self.board.is_on_usb():
                self._shut_down()
            if charge < LOW_PERCENT:
                self.attendant.warn_of_battery(charge)
            self.recorder.tick()
            if self.recorder.uptime_s() >= status_s:
                status_s = self.recorder.uptime_s() + _STATUS_S
                self.recorder.append(records.status(self.board.battery_mv(), gc.mem_free(),
                                                    self.segments.free_sectors, self.recorder.lost))
            await asyncio.sleep(_LOOK_S)

    def _spare_ms(self):
        """For how long nothing but a task that falls due needs the chip awake; None: something needs it now."""
        if self.attendant.screen.lit or self._sending.locked():
            return None
        quiet_ms = self._listener.quiet_ms()
        return None if quiet_ms and self.board.is_on_usb() else quiet_ms

    def _shut_down(self):
        """Sleep until the battery is charged, before it fails in the middle of something."""
        self.recorder.flush()
        self.recorder.append(records.fault("battery", "empty: the watch sleeps until it is charged"))
        self.attendant.screen.off()
        self.board.sleep_deeply(_EMPTY_MS)

    def _secret(self, name):
        blob = self.board.blob(name)
        if blob is None:
            raise AppError("nvs: %s: missing: provision the watch first" % name)
        return blob


def sleep_while_empty(board):
    """Go on sleeping where the battery was empty and has not been charged; a press shows the wearer why."""
    charge = percent(board.battery_mv())
    was_empty = board.reset_cause() == "deep sleep"
    if charge > (AWAKE_PERCENT if was_empty else EMPTY_PERCENT) or board.is_on_usb():
        return
    if board.woke_by_press():
        if board.display:
            Screen(board.display).low_battery(charge)
        elif board.lamp:
            board.lamp.light(255, 0, 0)
        time.sleep_ms(_EMPTY_LIT_MS)
    board.sleep_deeply(_EMPTY_MS)


def run():
    """Start the watch on the board that its settings name; what is wrong with them is one line on the console."""
    try:
        settings = load("settings.json")
        board = __import__("boards." + settings.board, None, None, ["Board"]).Board()
        sleep_while_empty(board)
        app = App(board, settings)
    except (SettingsError, AppError, NetworksError, TzError, prompts.PromptsError, ImportError) as error:
        print("muster:", error)
        return
    asyncio.run(app.run())
