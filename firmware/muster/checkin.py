"""One check-in, from the wearer's press to an outcome: frames, face, embedding, comparison 1:1."""

import asyncio
import gc

from muster.vision import quality
from muster.vision.face import EmbeddingError
from muster.vision.image import FrameError
from muster.vision.tflite import ModelError

MATCHED, NOT_MATCHED, MISSED, UNABLE = 0, 1, 2, 3  # outcomes, docs/SPEC.md
NO_REASON, BELOW_THRESHOLD, NO_ANSWER, CAMERA_FAULT, NOT_ENROLLED, MODEL_FAULT = 0, 1, 2, 5, 6, 7  # and quality's
UNFIT = 12  # the board cannot ask, or has no light; 8 to 11 are prompts.py's
UNLIKE = -1  # of an enrolment alone: its frames show different faces

_FRAMES_A_TRY = 5
_FRAME_PAUSE_MS = 400  # time for the wearer to follow the hint
_ENROL_FRAMES = 3
_NETWORKS_FAIL = (ModelError, EmbeddingError, MemoryError, OSError)

# What is wrong with a frame: what the wearer is to do, and what it is called when no frame was better.
_ADVICE = {
    quality.NO_FACE: ("Face the watch", "no face found"),
    quality.TOO_DARK: ("More light", "too dark"),
    quality.TOO_BRIGHT: ("Less light", "too bright"),
    quality.BLURRED: ("Hold still", "blurred"),
    quality.TOO_FAR: ("Closer", "too far"),
    quality.TOO_NEAR: ("Further away", "too near"),
    quality.TURNED_AWAY: ("Face the watch", "turned away"),
    quality.SEVERAL_FACES: ("One person only", "several faces"),
}


class CheckinError(Exception):
    """It cannot be done: `reason` is one of the constants above, or the flaw of the last frame."""

    def __init__(self, reason, text):
        super().__init__(text)
        self.reason = reason


class Result:
    """outcome, reason, score (cosine * 10,000, or None without one), tries (set by who counts them).

    `flaws`: of each frame that was not good enough, what was wrong with it; `quality`: of the frame that was compared.
    """

    def __init__(self, outcome: int, reason: int, score_e4: "int | None" = None, quality=None):
        self.outcome = outcome
        self.reason = reason
        self.score_e4 = score_e4
        self.quality = quality
        self.tries = 0
        self.flaws: "list[int]" = []

    @property
    def needs_person(self) -> bool:
        """Whether a person is asked to look at it; nothing else ever follows from an outcome."""
        return self.outcome != MATCHED


class Checkin:
    """`lens` gives frames, `load()` the networks as a Recogniser, `hint(text)` tells the wearer what to do."""

    def __init__(self, lens, load, hint):
        self._lens = lens
        self._load = load
        self._hint = hint

    async def verify(self, template, threshold_e4: int) -> Result:
        """One try: compare the first good face before the lens with `template`; a poor frame is never compared."""
        flaws: "list[int]" = []
        result = await self._verify(template, threshold_e4, flaws)
        result.flaws = flaws
        return result

    async def _verify(self, template, threshold_e4: int, flaws: "list[int]") -> Result:
        if template is None:
            return Result(UNABLE, NOT_ENROLLED)
        try:
            recogniser = self._open()
            embedding, seen = await self._embedding(recogniser, flaws)
            score_e4 = recogniser.match(embedding, template)
        except CheckinError as error:
            return Result(UNABLE, error.reason)
        except _NETWORKS_FAIL:
            return Result(UNABLE, MODEL_FAULT)
        finally:
            self._close()
        if score_e4 >= threshold_e4:
            return Result(MATCHED, NO_REASON, score_e4, seen)
        return Result(NOT_MATCHED, BELOW_THRESHOLD, score_e4, seen)

    async def enrol(self, threshold_e4: int):
        """(template, portraits): from several good frames that match each other, and what was seen on each.

        Raises CheckinError.
        """
        try:
            recogniser = self._open()
            embeddings: "list[bytes]" = []
            portraits: "list[bytearray]" = []
            for n in range(_ENROL_FRAMES):
                self._hint("Enrolling %d/%d" % (n + 1, _ENROL_FRAMES))
                embeddings.append((await self._embedding(recogniser, [], portraits))[0])
            template = recogniser.template(embeddings)
            for embedding in embeddings:
                if recogniser.match(embedding, template) < threshold_e4:
                    raise CheckinError(UNLIKE, "pictures differ")
            return template, portraits
        except _NETWORKS_FAIL as error:
            raise CheckinError(MODEL_FAULT, str(error))
        finally:
            self._close()

    async def frame(self) -> bytes:
        """One picture as the camera gives it. Raises CheckinError."""
        try:
            self._lens.open()
            await asyncio.sleep_ms(_FRAME_PAUSE_MS)
            return bytes(self._lens.frame())
        except self._lens.Fault as error:
            raise CheckinError(CAMERA_FAULT, str(error))
        finally:
            self._close()

    def _open(self):
        """The networks, and then the camera: it stays closed when they cannot look."""
        recogniser = self._load()
        try:
            self._lens.open()
        except self._lens.Fault as error:
            raise CheckinError(CAMERA_FAULT, str(error))
        return recogniser

    def _close(self):
        self._lens.close()
        gc.collect()  # the networks and their arena go now, not in the middle of something

    async def _embedding(self, recogniser, flaws: "list[int]", portraits=None):
        """(embedding, quality) of the first good frame; adds the flaws of those before it, and its portrait.

        Raises CheckinError with the last frame's flaw where none was good.
        """
        for _ in range(_FRAMES_A_TRY):
            await asyncio.sleep_ms(_FRAME_PAUSE_MS)
            try:
                frame = self._lens.frame()
            except self._lens.Fault as error:
                raise CheckinError(CAMERA_FAULT, str(error))
            width, height = self._lens.width, self._lens.height
            try:
                face, seen = recogniser.look(frame, width, height)
                flaw = seen.flaw
                if not flaw:
                    if portraits is not None:
                        portraits.append(recogniser.portrait(frame, width, height, face))
                    return recogniser.embed(frame, width, height, face), seen
            except FrameError:  # no face has landmarks like these
                flaw = quality.NO_FACE
            flaws.append(flaw)
            self._hint(_ADVICE[flaw][0])
        raise CheckinError(flaws[-1], _ADVICE[flaws[-1]][1])
