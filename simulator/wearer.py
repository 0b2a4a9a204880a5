"""The person who wears the watch: looks when it lights up, and answers, lets another answer, or does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.devices.camera import Scene
from simulator.people import Expression, Light, Pose
from simulator.scenario import Answer, Scenario
from simulator.watch import Watch

LOOK_US = 400_000  # from the light to having read the screen
FLASHES_US = 2_000_000  # to tell one rhythm of a lamp from another
SHOWN_US = 25_000_000  # how long the face stays in front of the lens
ENROL = Answer("wearer", after_s=4)
AGREE_US = 4_000_000  # between two looks of who agrees at once
READ_US = 8_000_000  # from the press that starts an enrolment to the one that stores it
_PROMPT, _ENROL = (64, 150, 255), (255, 176, 32)  # the ring's colour on the screen
_FLASH_MS = {(150, 150): _PROMPT, (600, 600): _ENROL}  # of a lamp: lit, dark


def asks(watch: Watch) -> tuple[int, int, int] | None:
    """_PROMPT, _ENROL or nothing: what the screen's ring says, or the rhythm of the lamp's last flashes."""
    if not watch.wiring.panel:
        edges_us = [us for us, _ in watch.shown_us if us >= watch.world.now_us - FLASHES_US][:3]
        return _FLASH_MS.get(tuple(round(us / 1000) for us in np.diff(edges_us)))
    ring = watch.display.rgb()[4, 120].astype(int)
    return next((asked for asked in (_PROMPT, _ENROL) if abs(ring - asked).sum() < 40), None)


class Agreeing:
    """A wearer at a desk, who is before the lens and agrees whenever the watch asks to enrol, or to store."""

    def __init__(self, watch: Watch, face: Any):
        self._watch = watch
        watch.camera.show(Scene(face))
        self._look()

    def _look(self) -> None:
        if asks(self._watch) == _ENROL:
            self._watch.press()
        self._watch.world.after(AGREE_US, self._look)


class Wearer:
    """Follows the scenario's answers, one a prompt; a prompt that is ignored stays ignored. Raises SceneError."""

    def __init__(self, watch: Watch, scenario: Scenario):
        self._watch, self._scenario = watch, scenario
        self._answers = list(scenario.answers)
        self._busy_until_us = 0
        watch.lit = self._lit
        for face in (scenario.wearer, scenario.stranger):
            if isinstance(face, str):
                watch.camera.show(Scene(face))  # a picture that cannot be read is known now, not at the first prompt
        watch.camera.show(None)

    def _lit(self) -> None:
        if self._watch.world.now_us >= self._busy_until_us:
            look_us = LOOK_US if self._watch.wiring.panel else FLASHES_US
            self._busy_until_us = self._watch.world.now_us + look_us
            self._watch.world.after(look_us, self._look)

    def _look(self) -> None:
        asked = asks(self._watch)
        if asked == _ENROL:
            self._answer(ENROL)
        elif asked == _PROMPT:
            self._answer(self._answers.pop(0) if self._answers else self._scenario.otherwise)

    def _answer(self, answer: Answer) -> None:
        world = self._watch.world
        if answer.who == "ignore":
            self._busy_until_us = world.now_us + 1_800_000_000
            return
        self._busy_until_us = world.now_us + round(answer.after_s * 1e6) + SHOWN_US
        world.after(round(answer.after_s * 1e6), lambda: self._press(answer))

    def _store(self) -> None:
        """Agree to what the watch shows it would store."""
        if asks(self._watch) == _ENROL:
            self._watch.press()

    def _daylight(self) -> float:
        """The scenario's light now, straight between the times it gives."""
        light = self._scenario.light
        return float(np.interp(self._watch.world.now_us / 1e6, *zip(*light, strict=True))) if light else 1.0

    def _companion(self, answer: Answer) -> int | None:
        """The seed of who else is before the lens: drawn people only."""
        other = self._scenario.wearer if answer.who == "stranger" else self._scenario.stranger
        return other if answer.company and isinstance(other, int) else None

    def _press(self, answer: Answer) -> None:
        faces = {"wearer": self._scenario.wearer, "stranger": self._scenario.stranger, "nobody": None}
        face = faces[answer.who]
        self._watch.camera.show(None if face is None else Scene(
            face, pose=Pose(answer.yaw, answer.pitch, answer.roll), light=Light(level=answer.light * self._daylight()),
            distance=answer.distance, blur=answer.blur, expression=Expression(smile=answer.smile),
            company=self._companion(answer)))
        seen_us = self._watch.shown_us[-1][0] if self._watch.shown_us else 0
        is_dark = not self._watch.display.lit and self._watch.world.now_us - seen_us >= FLASHES_US
        self._watch.press()
        if is_dark:  # that press only showed the prompt again
            self._watch.world.after(LOOK_US, self._watch.press)
        if answer is ENROL:
            self._watch.world.after(READ_US, self._store)
        self._watch.world.after(SHOWN_US, lambda: self._watch.camera.show(None))
