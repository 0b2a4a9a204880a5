"""A day that is lived while somebody watches: a thread runs the watch, and obeys commands between small steps.

    session = Session(scenario, folder); session.start()
    session.do(Press("boot")).result(); session.state(0, 0, 0, 0); session.close()
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from simulator import live_commands as commands
from simulator.day import Day, begin
from simulator.devices.camera import SceneError
from simulator.live_commands import SPEEDS, Command, CommandError
from simulator.live_hands import Hands, without_wearer
from simulator.live_view import View
from simulator.replay import digests
from simulator.scenario import Scenario
from simulator.session_file import Recorder

STEP_S = 1.0  # virtual time between two looks at what happened, at the most
BOOTED_S = 1.0  # virtual time after which a page finds the watch on
TURN_S = 0.05  # real time between two looks at the commands
REFRESH_S = 0.1  # real time between two states of the page
MOVING_S = 0.5  # real time between two pictures of a video or webcam
LATE_S = 0.25  # real time that is made up for when the machine is too slow; more is let go
CALLS = ("screen", "boot", "upload", "network", "sky", "scenario")  # events that a step leads to
COMMANDS_LIMIT = 100


class Session:
    """`scenario` without its answers and presses: whoever is at the page is the wearer. All methods for any thread."""

    def __init__(self, scenario: Scenario, folder: Path, speed: str = "1", recorder: Recorder | None = None):
        self._scenario, self._folder, self._recorder = without_wearer(scenario), folder, recorder
        self._commands: queue.Queue[tuple[Command, Future[None]]] = queue.Queue(COMMANDS_LIMIT)
        self._thread = threading.Thread(target=self._live, name="live", daemon=True)
        self._started, self._closing = threading.Event(), False
        self._failure: BaseException | None = None
        self._speed, self._stepping, self._slows = speed, False, True
        self._anchor = (0.0, 0.0)  # real and virtual seconds from which the pace counts
        self._measured = (0.0, 0.0, 0.0)  # real and virtual seconds, and the pace between the two last looks
        self._problem = ""
        self._shown: dict[str, Any] = {}
        self.view: View
        self.setup: dict[str, Any] = {}

    def start(self) -> None:
        """Begin the day. Raises what `day.begin` raises, and SceneError."""
        self._thread.start()
        self._started.wait()
        if self._failure:
            raise self._failure

    def close(self) -> None:
        """End the day and its processes."""
        self._closing = True
        self._thread.join()

    def do(self, command: Command) -> Future[None]:
        """Done when the command has been carried out; its exception is a CommandError. Raises CommandError."""
        future: Future[None] = Future()
        try:
            self._commands.put_nowait((command, future))
        except queue.Full:
            raise CommandError("the watch is busy") from None
        return future

    def state(self, events: int, records: int, track: int, console: int) -> dict[str, Any]:
        """What the page shows, and what came after so many events, records, points and console bytes."""
        return self.view.since(events, records, track, console)

    # the thread

    def _live(self) -> None:
        try:
            with begin(self._scenario, self._folder) as day:
                self._begin(day)
                try:
                    self._started.set()
                    while not self._closing:
                        self._turn()
                    if self._recorder:
                        self._recorder.end(day.watch.world.now_us, digests(day))
                finally:
                    self.view.close()
        except BaseException as error:
            self._failure = error
            if self._started.is_set():
                self._problem = f"The simulation ended: {error}"
                self._renew()
                raise
        finally:
            self._started.set()

    def _begin(self, day: Day) -> None:
        self._watch = day.watch
        self._hands = Hands(day, self._recorder.input) if self._recorder else Hands(day)
        if self._recorder:
            day.watch.camera.took_live = self._recorder.picture
        self._end_s = self._scenario.hours * 3600
        self._refreshed = self._retaken = 0.0
        self.view = View(day, self._happened)
        self.setup = self.view.setup(commands.RANGES)
        self._show(commands.shown(self._scenario.wearer))
        self._run(BOOTED_S)
        self._renew()

    @property
    def _now_s(self) -> float:
        return self._watch.world.now_us / 1e6

    @property
    def _is_over(self) -> bool:
        return self._now_s >= self._end_s

    def _turn(self) -> None:
        """Obey what there is to obey, live on for a moment, and renew what the page shows."""
        started = time.monotonic()
        until_s = self._due_s(started)
        if until_s <= self._now_s:
            self._obey(TURN_S / 2)
        else:
            while not self._closing and self._commands.empty() and time.monotonic() < started + TURN_S:
                before = self._speed, self._stepping
                self._run(min(until_s, self._now_s + STEP_S))
                if self._now_s >= until_s or before != (self._speed, self._stepping):
                    break
            self._obey(0)
        if self._is_over and (self._stepping or SPEEDS[self._speed]):
            self._forward("pause")
        if time.monotonic() - self._refreshed >= REFRESH_S:
            self._refresh()

    def _due_s(self, now: float) -> float:
        """Until when the watch shall have lived by now, in virtual seconds."""
        speed = SPEEDS["max"] if self._stepping else SPEEDS[self._speed]
        if speed in (0.0, SPEEDS["max"]):
            return self._end_s if speed else self._now_s
        due_s = self._anchor[1] + (now - self._anchor[0]) * speed
        if due_s > self._now_s + LATE_S * speed:
            self._anchor = now, self._now_s + LATE_S * speed
            due_s = self._anchor[1]
        return min(due_s, self._end_s)

    def _run(self, until_s: float) -> None:
        problem = self._hands.run(until_s)
        if problem:
            if self._watch.camera.scene is None:
                self._shown = commands.shown(None).values
                self.view.retake()
            self._stop(problem)
        self.view.look()

    def _stop(self, problem: str) -> None:
        self._problem = problem
        self.view.note("fault", problem)
        self._forward("pause")

    def _refresh(self) -> None:
        now = time.monotonic()
        self._refreshed = now
        is_moving = self._shown["source"] in ("webcam", "path")
        if is_moving and now - self._retaken >= MOVING_S:
            self._retaken = now
            try:
                self.view.retake()
            except SceneError as error:
                self._show(commands.shown(None))
                self._stop(str(error))
        real_s, virtual_s, _ = self._measured
        if now - real_s >= 1:
            self._measured = now, self._now_s, (self._now_s - virtual_s) / (now - real_s)
        self._renew()

    def _renew(self) -> None:
        self.view.refresh({
            "speed": "step" if self._stepping else self._speed, "slows": self._slows, "over": self._is_over,
            "pace": round(self._measured[2], 1), "problem": self._problem, "shown": self._shown,
            "sky": self._hands.sky})

    def _happened(self, kind: str) -> None:
        """An event of the day: a step ends with it, and time slows down when the watch calls."""
        if self._stepping and kind in CALLS:
            self._forward("pause")
        elif self._slows and kind == "screen" and SPEEDS[self._speed] > 1:
            self._forward("1")

    # commands

    def _obey(self, wait_s: float) -> None:
        """Carry out the commands that wait; wait for one for `wait_s`."""
        try:
            while True:
                command, future = self._commands.get(timeout=wait_s) if wait_s else self._commands.get_nowait()
                wait_s = 0
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    self._carry_out(command)
                except (CommandError, SceneError) as error:
                    future.set_exception(CommandError(str(error)))
                else:
                    self._renew()
                    future.set_result(None)
        except queue.Empty:
            pass

    def _carry_out(self, command: Command) -> None:
        match command:
            case commands.Forward(speed):
                self._must_go_on(speed)
                self._forward(speed)
                return
            case commands.Slow(is_on):
                self._slows = is_on
                return
            case commands.Show():
                self._show(command)
                return
            case commands.Press() | commands.Type():
                self._wake()
            case commands.Power():
                self._wake(is_off=True)
                self._problem = ""
        self._hands.do(command)
        kind, text = commands.told(command)
        if text:
            self.view.note(kind, text)

    def _show(self, command: commands.Show) -> None:
        self._hands.do(command)
        self._shown = command.values
        self.view.retake()

    def _wake(self, is_off: bool = False) -> None:
        """What is done to a watch in a pause takes time, so it goes on. Raises CommandError."""
        self._must_go_on("1")
        if not (self._watch.is_on or is_off):
            raise CommandError("the watch is off")
        if SPEEDS[self._speed] == 0 and not self._stepping:
            self._forward("1")

    def _must_go_on(self, speed: str) -> None:
        if self._is_over and speed != "pause":
            raise CommandError("the day is over")

    def _forward(self, speed: str) -> None:
        self._stepping = speed == "step"
        self._speed = "pause" if self._stepping else speed
        self._anchor = time.monotonic(), self._now_s
        self._refreshed = 0.0  # the page learns of it now
