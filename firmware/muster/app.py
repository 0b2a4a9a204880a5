"""The watch: makes the services for a board and keeps them running; the only file that knows them all."""

import asyncio
import gc
import sys

from muster import prompts, records
from muster.attendant import Attendant
from muster.clock import NETWORK, RTC
from muster.commands import commands
from muster.console import Console
from muster.journal import Journal, JournalFull
from muster.networks import Networks, NetworksError
from muster.power import LOW_PERCENT, percent
from muster.recorder import Recorder
from muster.segments import Identity, Segments
from muster.settings import SettingsError, load
from muster.timezone import TzError, Zone
from muster.uplink import Uplink

VERSION = "0.1.0"
BUILT_UNIX_S = 1767225600  # 2026-01-01: no time before it is believed

_NETWORK_UNCERTAINTY_MS, _RTC_UNCERTAINTY_MS = 2000, 10000
_LOOK_S, _STATUS_S = 300, 3600  # between looks at the battery, and between status records
_FIRST_UPLOAD_S = 120
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
        console = Console(self.board.stdin, self.board.stdout, commands(self))
        attendant = self.attendant
        try:
            await asyncio.gather(self.recorder.listen(self.board.gnss), attendant.ask(), attendant.serve_presses(),
                                 self._send(), attendant.darken(), self._watch_over(), console.run())
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
                recorder.log("upload: %s" % error)
                return False
            if report.receiver_s:
                recorder.set_clock(report.receiver_s * 1000, NETWORK, _NETWORK_UNCERTAINTY_MS)
            recorder.log("sent %d segments%s" % (report.sent, ", " + report.error if report.error else ""))
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
            if charge < LOW_PERCENT:
                self.attendant.warn_of_battery(charge)
            self.recorder.tick()
            if self.recorder.uptime_s() >= status_s:
                status_s = self.recorder.uptime_s() + _STATUS_S
                self.recorder.append(records.status(self.board.battery_mv(), gc.mem_free(),
                                                    self.segments.free_sectors, self.recorder.lost))
            await asyncio.sleep(_LOOK_S)

    def _secret(self, name):
        blob = self.board.blob(name)
        if blob is None:
            raise AppError("nvs: %s: missing: provision the watch first" % name)
        return blob


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
