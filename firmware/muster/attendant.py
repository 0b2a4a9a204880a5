"""The wearer's side: asks when a prompt is due, takes presses, runs the check-in, and lights the screen."""

import asyncio
from hashlib import sha256

from muster import checkin, prompts, records
from muster.levels import WARNING
from muster.power import percent
from muster.screen import Screen
from muster.signs import Signs
from muster.timezone import iso_date

_LIT_MS, _PROMPT_LIT_MS = 6000, 30000
_REVIEW_MS, _LONG_PRESS_MS, _LOOK_MS = 60000, 1000, 50
_TAKING_MS = 10000  # to open the camera, its retries included
_AGAIN_MS = 1500  # from "look again" to the next try


class Attendant:
    """`status()` gives what the idle picture says beside the time: segments that wait, seconds to the next upload,
    whether the last one worked. `concluded` is set when a prompt was."""

    def __init__(self, board, settings, zone, asked, networks, recorder, status):
        self._board = board
        self._settings = settings
        self._zone = zone
        self.prompts = asked
        self._networks = networks
        self._recorder = recorder
        self._status = status
        self.unfit = board.unfit()  # why it can do no check-in, or ""
        self.screen = Screen(board.display) if board.display else Signs(board.lamp)
        self._checkin = checkin.Checkin(board.lens, networks.load, self.screen.capture)
        kept = board.blob("template")  # after the hash of the model that made it: another's says nothing
        self.template = kept[8:] if kept and kept[:8] == networks.model_hash else None
        self.concluded = asyncio.Event()
        self._dark_ms = 0  # uptime at which the picture goes; 0: it stays
        self._lit = asyncio.Event()
        self._on_press = None  # what a press does while the picture that asks for it is on

    async def ask(self):
        """Go through the prompts as they fall due."""
        clock, changed = self._recorder.clock, self._recorder.clock_changed
        while True:
            event = self.prompts.poll(clock.now_s(), self._recorder.uptime_s())
            if event:
                await self._follow(event)
                continue
            wake_s, now_s = self.prompts.next_wake_s(), clock.now_s()
            wait_s = 3600 if wake_s is None or now_s is None else min(3600, max(1, wake_s - now_s))
            changed.clear()
            try:
                await asyncio.wait_for(changed.wait(), wait_s)
            except asyncio.TimeoutError:
                pass

    async def serve_presses(self):
        """A press does what the picture asks for; on a dark screen it first shows what there is to answer."""
        while self._board.button:
            await self._board.button.press()
            act, self._on_press = self._on_press, None
            if act:
                await act()
            elif self.prompts.tries_left:
                self._show_prompt()
            else:
                self._show_idle()

    async def darken(self):
        """Switch the screen off when the picture's time is over."""
        while True:
            self._lit.clear()
            left_ms = self._dark_ms - self._board.uptime_ms()
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

    def ask_press(self, draw, act):
        """Show `draw()`; while it is on, a press runs `act()`."""
        draw()
        self._light(_PROMPT_LIT_MS, act)

    async def verify(self):
        """One try: the face before the camera against the wearer's template."""
        self.screen.capture("Look here")
        self._light(0)
        return await self._checkin.verify(self.template, self._networks.threshold_e4)

    async def enrol(self):
        """Make a template of what is before the camera now, and store it if the wearer, who sees it, agrees."""
        self._light(0)
        try:
            template, portraits = await self._checkin.enrol(self._networks.threshold_e4)
            self.screen.review(portraits)
            agreed = await self._agrees()
            if self._on_press:  # a prompt took the screen, and that press was for it
                self._recorder.log("not enrolled: a prompt came")
                return
            if agreed:
                self._keep_template(template)
            else:
                self._recorder.log("not enrolled: the wearer declined")
                self.screen.message("Declined", "Nothing is kept")
        except (checkin.CheckinError, OSError) as error:
            self._recorder.log("not enrolled: %s" % error)
            self.screen.message("Not enrolled", str(error))
        self._light(_LIT_MS)

    def _keep_template(self, template):
        self._board.keep_blob("template", self._networks.model_hash + template)
        self.template = template
        self._recorder.append(records.enrolled(sha256(template).digest()[:8], self._networks.model_hash))
        self._recorder.log("enrolled")
        self.screen.message("Enrolled", "Thank you")

    async def _agrees(self) -> bool:
        """Whether a press comes in time that is no long one."""
        button = self._board.button
        try:
            await asyncio.wait_for_ms(button.press(), _REVIEW_MS)
        except asyncio.TimeoutError:
            return False
        for _ in range(_LONG_PRESS_MS // _LOOK_MS):
            await asyncio.sleep_ms(_LOOK_MS)
            if not button.is_down():
                return True
        return False

    async def frame(self):
        """A picture for the console, RGB565: asked for on the screen, taken at a press with the camera's light on. None
        where the wearer does not agree, or the camera fails."""
        taken, answered = [], asyncio.Event()

        async def take():
            self.screen.capture("For the desk")
            self._light(0)
            try:
                taken.append(await self._checkin.frame())
                self._recorder.log("a frame went to the console")
                self.screen.message("Sent", "Picture to desk")
            except checkin.CheckinError as error:
                self._recorder.log("no frame: %s" % error, WARNING)
                self.screen.message("No picture", "Camera fault")
            self._light(_LIT_MS)
            answered.set()

        self.ask_press(self.screen.ask_frame, take)
        try:
            await asyncio.wait_for_ms(answered.wait(), _PROMPT_LIT_MS + _TAKING_MS)
        except asyncio.TimeoutError:
            pass
        return taken[0] if taken else None

    def show_result(self, outcome: int):
        self.screen.result(outcome)
        self._light(_LIT_MS)

    def warn_of_battery(self, charge: int):
        """Say that the battery is low, unless something else is on the screen."""
        if not self.screen.lit:
            self.screen.low_battery(charge)
            self._light(_LIT_MS)

    def local_time(self, unix_s: int) -> str:
        second = self._zone.local(unix_s)[1]
        return "%02d:%02d" % (second // 3600, second // 60 % 60)

    async def _follow(self, event):
        kind, append = event.kind, self._recorder.append
        if kind == prompts.GAP:
            append(records.gap(event.day, event.k, event.due_s, event.deadline_s, event.reason), event.mark)
        elif kind in (prompts.LAPSED, prompts.UNABLE):
            lapsed = kind == prompts.LAPSED
            result = checkin.Result(checkin.MISSED if lapsed else checkin.UNABLE,
                                    checkin.NO_ANSWER if lapsed else event.reason)
            self._record(event.day, event.k, event.due_s, 0, result, event.mark)
        elif event.mark:
            self._recorder.keep_mark(event.mark)
        if event.mark:
            self.prompts.apply(event.mark)
        if kind not in (prompts.ASK, prompts.REMIND):
            return
        if self.unfit:
            self._conclude(event.day, event.k, event.due_s, 0, checkin.Result(checkin.UNABLE, checkin.UNFIT))
            return
        self._recorder.log("prompt %d" % (event.k + 1))
        self._show_prompt()
        await self.screen.attract()

    async def _answer(self):
        """The wearer answers the open prompt: tries until a match, or until there are none left."""
        if not self.prompts.tries_left:  # it lapsed while it was on the screen
            self._show_idle()
            return
        day, k, due_s, _ = self.prompts.open
        answered_s = self._recorder.clock.now_s() or 0
        result = None
        flaws = []
        while self._asks(day, k):
            mark = self.prompts.press(self._recorder.clock.now_s())
            self._recorder.keep_mark(mark)
            self.prompts.apply(mark)
            attempt = await self.verify()
            flaws += attempt.flaws
            if result is None or _score(attempt) >= _score(result):
                result = attempt
            if result.outcome == checkin.MATCHED or result.reason == checkin.NOT_ENROLLED:
                break
            if self._asks(day, k):
                self.screen.capture("Look again")
                await asyncio.sleep_ms(_AGAIN_MS)
        result.tries, result.flaws = self._settings.tries - self.prompts.tries_left, flaws
        if self.prompts.open and self.prompts.open[:2] == (day, k):
            self._conclude(day, k, due_s, answered_s, result)
        self.show_result(result.outcome)

    def _asks(self, day, k) -> bool:
        return self.prompts.tries_left > 0 and self.prompts.open[:2] == (day, k)

    def _conclude(self, day, k, due_s, answered_s, result):
        mark = self.prompts.conclude(day, k)
        self._record(day, k, due_s, answered_s, result, mark)
        self.prompts.apply(mark)

    def _record(self, day, k, due_s, answered_s, result, mark):
        networks = self._networks
        self._recorder.append(records.checkin(day, k, due_s, answered_s, result, networks.threshold_e4,
                                              networks.model_hash, self._recorder.last_fix()), mark)
        self._recorder.log("check-in %d: outcome %d, reason %d, score %s" % (k + 1, result.outcome, result.reason,
                                                                           result.score_e4))
        self.concluded.set()

    def _show_prompt(self):
        now_s = self._recorder.clock.now_s()
        left_s = self._settings.answer_s if now_s is None else self.prompts.open[3] - now_s
        self.ask_press(lambda: self.screen.prompt(max(1, left_s // 60)), self._answer)

    def _show_idle(self):
        now_s = self._recorder.clock.now_s()
        waiting, upload_in_s, online = self._status()
        clock, date, upload = "--:--", "no time yet", "soon"
        if now_s is not None:
            clock, date = self.local_time(now_s), iso_date(self._zone.local(now_s)[0])
            upload = self.local_time(now_s + upload_in_s)
        self.screen.idle(clock, date, percent(self._board.battery_mv()), waiting, upload, online)
        self._light(_LIT_MS)

    def _light(self, for_ms, act=None):
        """The picture stays for `for_ms` (0: until the next one), and a press runs `act()`."""
        self._on_press = act
        self._dark_ms = for_ms and self._board.uptime_ms() + for_ms
        self._lit.set()


def _score(result):
    """To compare tries by: one without a score is the worst."""
    return -10001 if result.score_e4 is None else result.score_e4
