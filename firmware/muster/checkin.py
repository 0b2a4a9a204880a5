"""One check-in, from the wearer's press to an outcome: frames, face, embedding, comparison 1:1."""

import asyncio
import gc

from muster.vision.face import EmbeddingError
from muster.vision.image import FrameError
from muster.vision.tflite import ModelError

MATCHED, NOT_MATCHED, MISSED, UNABLE = 0, 1, 2, 3  # outcomes, docs/SPEC.md
NO_REASON, BELOW_THRESHOLD, NO_ANSWER, NO_FACE, TOO_DARK, CAMERA_FAULT, NOT_ENROLLED, MODEL_FAULT = range(8)
UNFIT = 12  # the board cannot ask or light; 8 to 11 are prompts.py's

_FRAMES_A_TRY = 5
_FRAME_PAUSE_MS = 400  # time for the wearer to follow the hint
_DARK = 24  # mean grey, 0..255, below which the finder's recall falls
_ENROL_FRAMES = 3
_NEAR_PX, _FAR_PX = 110, 24  # eye distance in pixels outside which the wearer is asked to move
_NETWORKS_FAIL = (ModelError, EmbeddingError, MemoryError, OSError)


class CheckinError(Exception):
    """The device cannot do it: `reason` is one of the constants above."""

    def __init__(self, reason, text):
        super().__init__(text)
        self.reason = reason


class Result:
    """outcome, reason, score (cosine * 10,000, or None without one), tries (set by who counts them)."""

    def __init__(self, outcome: int, reason: int, score_e4: "int | None" = None):
        self.outcome = outcome
        self.reason = reason
        self.score_e4 = score_e4
        self.tries = 0

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
        """One try: compare the first good face before the lens with `template`."""
        if template is None:
            return Result(UNABLE, NOT_ENROLLED)
        try:
            recogniser = self._open()
            score_e4 = recogniser.match(await self._embedding(recogniser), template)
        except CheckinError as error:
            return Result(UNABLE, error.reason)
        except _NETWORKS_FAIL:
            return Result(UNABLE, MODEL_FAULT)
        finally:
            self._close()
        if score_e4 >= threshold_e4:
            return Result(MATCHED, NO_REASON, score_e4)
        return Result(NOT_MATCHED, BELOW_THRESHOLD, score_e4)

    async def enrol(self) -> bytes:
        """A template from several frames. Raises CheckinError."""
        try:
            recogniser = self._open()
            embeddings = []
            for n in range(_ENROL_FRAMES):
                self._hint("Enrolling %d/%d" % (n + 1, _ENROL_FRAMES))
                embeddings.append(await self._embedding(recogniser))
            return recogniser.template(embeddings)
        except _NETWORKS_FAIL as error:
            raise CheckinError(MODEL_FAULT, str(error))
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

    async def _embedding(self, recogniser):
        """The embedding of the first good frame. Raises CheckinError with why none was good."""
        reason, text = NO_FACE, "no face found"
        for _ in range(_FRAMES_A_TRY):
            await asyncio.sleep_ms(_FRAME_PAUSE_MS)
            try:
                frame = self._lens.frame()
            except self._lens.Fault as error:
                raise CheckinError(CAMERA_FAULT, str(error))
            face = recogniser.find(frame, self._lens.width, self._lens.height)
            if face is None:
                reason, text = NO_FACE, "no face found"
                if recogniser.brightness < _DARK:
                    reason, text = TOO_DARK, "too dark"
                self._hint("More light" if reason == TOO_DARK else "Face the camera")
            elif face.eye_distance_px < _FAR_PX:
                self._hint("Closer")
            elif face.eye_distance_px > _NEAR_PX:
                self._hint("Further away")
            else:
                try:
                    return recogniser.embed(frame, self._lens.width, self._lens.height, face)
                except FrameError:
                    self._hint("Face the camera")  # no face has landmarks like these
        raise CheckinError(reason, text)
