"""One check-in, from the wearer's press to an outcome: frames, face, embedding, comparison 1:1."""

import asyncio
import gc

MATCHED, NOT_MATCHED, MISSED, UNABLE = 0, 1, 2, 3  # outcomes, docs/SPEC.md
NO_REASON, BELOW_THRESHOLD, NO_ANSWER, NO_FACE, TOO_DARK, CAMERA_FAULT, NOT_ENROLLED, MODEL_FAULT = range(8)

_FRAMES_A_TRY = 5
_FRAME_PAUSE_MS = 400  # time for the wearer to follow the hint
_DARK = 40  # mean grey, 0..255, below which the finder's recall falls
_ENROL_FRAMES = 3
_NEAR_PX, _FAR_PX = 110, 24  # eye distance in pixels outside which the wearer is asked to move


class CheckinError(Exception):
    """The device cannot do it: `reason` is one of the constants above."""

    def __init__(self, reason, text):
        super().__init__(text)
        self.reason = reason


class Result:
    """outcome, reason, tries used, best score (cosine * 10,000, -1 without one)."""

    def __init__(self, outcome, reason, tries=0, score_e4=-1):
        self.outcome = outcome
        self.reason = reason
        self.tries = tries
        self.score_e4 = score_e4

    @property
    def needs_person(self):
        """Whether a person is asked to look at it; nothing else ever follows from an outcome."""
        return self.outcome != MATCHED


class Checkin:
    """`lens` gives frames, `load()` a recogniser with find, embed and match, `hint(text)` shows what to do."""

    def __init__(self, lens, load, hint, fault):
        self._lens = lens
        self._load = load
        self._hint = hint
        self._fault = fault  # the lens's exception

    async def verify(self, template, threshold_e4: int, tries: int) -> Result:
        """Compare the face in front of the lens with `template`; at most `tries` embeddings."""
        if template is None:
            return Result(UNABLE, NOT_ENROLLED)
        best, reason = -1, NO_FACE
        used = 0
        try:
            recogniser = self._open()
            for _ in range(tries):
                used += 1
                embedding, why = await self._embedding(recogniser)
                if embedding is None:
                    reason = why
                    continue
                best = max(best, recogniser.match(embedding, template))
                if best >= threshold_e4:
                    return Result(MATCHED, NO_REASON, used, best)
                self._hint("Look again")
                await asyncio.sleep_ms(_FRAME_PAUSE_MS)
        except CheckinError as error:
            return Result(UNABLE, error.reason, used, best)
        finally:
            self._close()
        if best < 0:
            return Result(UNABLE, reason, used, best)
        return Result(NOT_MATCHED, BELOW_THRESHOLD, used, best)

    async def enrol(self):
        """A template from several frames. Raises CheckinError."""
        try:
            recogniser = self._open()
            embeddings = []
            for n in range(_ENROL_FRAMES):
                self._hint("Enrolling %d/%d" % (n + 1, _ENROL_FRAMES))
                embedding, why = await self._embedding(recogniser)
                if embedding is None:
                    raise CheckinError(why, "no face to enrol")
                embeddings.append(embedding)
            return recogniser.template(embeddings)
        finally:
            self._close()

    def _open(self):
        try:
            self._lens.open()
        except self._fault as error:
            raise CheckinError(CAMERA_FAULT, str(error))
        return self._load()

    def _close(self):
        self._lens.close()
        gc.collect()  # the networks and their arena go now, not in the middle of something

    async def _embedding(self, recogniser):
        """(embedding, NO_REASON) of the first good frame, or (None, why none was good)."""
        reason = NO_FACE
        for _ in range(_FRAMES_A_TRY):
            await asyncio.sleep_ms(_FRAME_PAUSE_MS)
            try:
                frame = self._lens.frame()
            except self._fault as error:
                raise CheckinError(CAMERA_FAULT, str(error))
            face = recogniser.find(frame, self._lens.width, self._lens.height)
            if face is None:
                reason = TOO_DARK if recogniser.brightness < _DARK else NO_FACE
                self._hint("More light" if reason == TOO_DARK else "Face the camera")
            elif face.eye_distance_px < _FAR_PX:
                self._hint("Closer")
            elif face.eye_distance_px > _NEAR_PX:
                self._hint("Further away")
            else:
                return recogniser.embed(frame, self._lens.width, self._lens.height, face), NO_REASON
        return None, reason
