"""One check-in against a fake lens and fake networks: each outcome and reason, and when the light is on."""

import pytest

NAMES = ("MATCHED", "NOT_MATCHED", "UNABLE", "NO_REASON", "BELOW_THRESHOLD", "CAMERA_FAULT", "NOT_ENROLLED",
         "MODEL_FAULT")
FLAWS = ("NO_FACE", "TOO_DARK", "TOO_BRIGHT", "BLURRED", "TOO_FAR", "TOO_NEAR", "TURNED_AWAY", "SEVERAL_FACES")

# A frame is a row [kind, score]: kind "face", the name of a flaw, "odd" (landmarks that no face has), "fault" (the lens
# fails). The lens gives them in order, and the last one for ever.
SCRIPT = """
import asyncio
from muster.vision import vector  # from the leaves up, as main.py: imports nest on the C stack
from muster.vision.tflite import ModelError
from muster.vision.face import EmbeddingError
from muster.vision.image import FrameError
from muster.vision import quality
from muster import checkin

clock_ms = 0

async def sleep_ms(ms):
    global clock_ms
    clock_ms += ms

asyncio.sleep_ms = sleep_ms

class Fault(Exception):
    pass

class Lens:
    Fault = Fault
    width = height = 240

    def __init__(self, frames, opens):
        self.frames, self.opens, self.light, self.log = frames, opens, False, []

    def open(self):
        self.light = True
        self.log.append("open")
        if not self.opens:
            raise Fault("camera not found")

    def frame(self):
        self.log.append("frame" if self.light else "frame in the dark")
        frame = self.frames[0]
        if len(self.frames) > 1:
            del self.frames[0]
        if frame[0] == "fault":
            raise Fault("camera gives no frames")
        return frame

    def close(self):
        self.light = False
        self.log.append("close")

class Seen:
    def __init__(self, flaw):
        self.flaw = flaw

class Recogniser:
    def look(self, frame, width, height):
        return "face", Seen(getattr(quality, frame[0]) if frame[0].isupper() else 0)

    def embed(self, frame, width, height, face):
        if frame[0] == "odd":
            raise FrameError("the landmarks coincide")
        return frame[1]

    def match(self, embedding, template):
        if template == "broken":
            raise EmbeddingError("embeddings of 256 and 5 numbers, not 256")
        return embedding

    def portrait(self, frame, width, height, face):
        return "portrait of %d" % frame[1]

    def template(self, embeddings):
        if 0 in embeddings:
            raise EmbeddingError("an embedding is nought")
        return embeddings

def case(frames, opens=True, networks="good", template="own", do="verify"):
    global clock_ms
    clock_ms = 0
    hints, flaws, compared = [], [], None
    lens = Lens(frames, opens)

    def load():
        if networks != "good":
            raise {"broken": ModelError("models/finder.tflite: broken"), "missing": OSError(2),
                   "large": MemoryError("no room")}[networks]
        return Recogniser()

    check = checkin.Checkin(lens, load, hints.append)
    try:
        if do == "enrol":
            answer = asyncio.run(check.enrol(5000))
        else:
            done = asyncio.run(check.verify(template, 5000))
            answer = [done.outcome, done.reason, done.score_e4, done.needs_person]
            flaws, compared = done.flaws, done.quality and done.quality.flaw
    except checkin.CheckinError as error:
        answer = [error.reason, str(error)]
    return {"answer": answer, "log": lens.log, "light": lens.light, "hints": hints, "ms": clock_ms,
            "flaws": flaws, "compared": compared}

names = {name: getattr(checkin, name) for name in data["names"]}
names.update({name: getattr(quality, name) for name in data["flaws"]})
result = [names, [case(**one) for one in data["cases"]]]
"""
FACE, FAR, NEAR, NONE, DARK, ODD, FAULT = (
    [[kind, 6000]] for kind in ("face", "TOO_FAR", "TOO_NEAR", "NO_FACE", "TOO_DARK", "odd", "fault"))


@pytest.fixture
def check(vm):
    """Runs cases on the VM: the constants, and what came of each case."""
    def run(*cases):
        return vm(SCRIPT, {"names": NAMES, "flaws": FLAWS, "cases": cases})
    return run


def test_each_outcome_has_its_reason_and_only_a_match_needs_no_person(check):
    n, answers = check(
        {"frames": FACE}, {"frames": [["face", 5000]]}, {"frames": [["face", 4999]]}, {"frames": [["face", -300]]},
        {"frames": NONE}, {"frames": DARK}, {"frames": NONE * 4 + DARK}, {"frames": DARK * 4 + NONE},
        {"frames": FAULT}, {"frames": NONE * 2 + FAULT}, {"frames": FACE, "opens": False},
        {"frames": FACE, "networks": "broken"}, {"frames": FACE, "networks": "missing"},
        {"frames": FACE, "networks": "large"}, {"frames": FACE, "template": None},
        {"frames": FACE, "template": "broken"}, {"frames": ODD}, {"frames": FAR}, {"frames": NEAR})
    unable, no_face, camera, networks = n["UNABLE"], n["NO_FACE"], n["CAMERA_FAULT"], n["MODEL_FAULT"]
    assert [one["answer"] for one in answers] == [
        [n["MATCHED"], n["NO_REASON"], 6000, False], [n["MATCHED"], n["NO_REASON"], 5000, False],
        [n["NOT_MATCHED"], n["BELOW_THRESHOLD"], 4999, True], [n["NOT_MATCHED"], n["BELOW_THRESHOLD"], -300, True],
        [unable, no_face, None, True], [unable, n["TOO_DARK"], None, True], [unable, n["TOO_DARK"], None, True],
        [unable, no_face, None, True],
        [unable, camera, None, True], [unable, camera, None, True], [unable, camera, None, True],
        [unable, networks, None, True], [unable, networks, None, True], [unable, networks, None, True],
        [unable, n["NOT_ENROLLED"], None, True], [unable, networks, None, True],
        [unable, no_face, None, True], [unable, n["TOO_FAR"], None, True], [unable, n["TOO_NEAR"], None, True]]


def test_the_numbers_are_those_of_the_specification(check):
    n, _ = check()
    assert [n[name] for name in NAMES] == [0, 1, 3, 0, 1, 5, 6, 7]
    assert [n[name] for name in FLAWS] == [3, 4, 13, 14, 15, 16, 17, 18]


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_poor_frame_is_never_compared(check, flaw):
    """The score it would have is a mismatch; it is neither that nor a match, and the record says what was wrong."""
    n, (only, first, last) = check({"frames": [[flaw, -5000]]}, {"frames": [[flaw, -5000], ["face", 6000]]},
                                   {"frames": [["face", 4000], [flaw, 9000]]})
    assert only["answer"] == [n["UNABLE"], n[flaw], None, True]
    assert (only["flaws"], only["compared"]) == (5 * [n[flaw]], None)
    assert first["answer"] == [n["MATCHED"], n["NO_REASON"], 6000, False]
    assert (first["flaws"], first["compared"]) == ([n[flaw]], 0)
    assert last["answer"] == [n["NOT_MATCHED"], n["BELOW_THRESHOLD"], 4000, True]
    assert (last["flaws"], last["compared"]) == ([], 0)


def test_every_frame_is_taken_in_the_light_and_the_light_ends_with_the_check_in(check):
    _, answers = check(
        {"frames": FACE}, {"frames": NONE}, {"frames": FAULT}, {"frames": FACE, "opens": False},
        {"frames": FACE, "template": "broken"}, {"frames": FACE, "do": "enrol"}, {"frames": NONE, "do": "enrol"},
        {"frames": FACE, "opens": False, "do": "enrol"})
    assert [one["log"] for one in answers] == [
        ["open", "frame", "close"], ["open"] + 5 * ["frame"] + ["close"], ["open", "frame", "close"], ["open", "close"],
        ["open", "frame", "close"], ["open"] + 3 * ["frame"] + ["close"], ["open"] + 5 * ["frame"] + ["close"],
        ["open", "close"]]
    assert not any(one["light"] for one in answers)


def test_the_camera_stays_closed_where_it_could_be_of_no_use(check):
    _, answers = check(
        {"frames": FACE, "template": None}, {"frames": FACE, "networks": "broken"},
        {"frames": FACE, "networks": "missing", "do": "enrol"})
    assert [[entry for entry in one["log"] if entry != "close"] for one in answers] == [[], [], []]


def test_the_wearer_is_told_what_to_do_and_given_time_to_do_it(check):
    rest = [[kind, 0] for kind in ("TOO_BRIGHT", "BLURRED", "TURNED_AWAY", "SEVERAL_FACES")]
    _, (one, two, three) = check({"frames": DARK + NONE + FAR + NEAR + FACE}, {"frames": ODD + FACE},
                                 {"frames": rest + FACE})
    assert one["hints"] == ["More light", "Face the watch", "Closer", "Further away"]
    assert one["ms"] == 5 * 400
    assert (two["hints"], two["ms"]) == (["Face the watch"], 2 * 400)
    assert three["hints"] == ["Less light", "Hold still", "Face the watch", "One person only"]


def test_enrolment_takes_three_good_frames_and_says_which_it_is_at(check):
    _, (one, two) = check(
        {"frames": [["face", 6001], ["face", 6002], ["face", 6003]], "do": "enrol"},
        {"frames": [["face", 6001], ["NO_FACE", 0], ["face", 6002], ["face", 6003]], "do": "enrol"})
    scores = [6001, 6002, 6003]
    assert one["answer"] == two["answer"] == [scores, [f"portrait of {score}" for score in scores]]
    assert one["hints"] == ["Enrolling 1/3", "Enrolling 2/3", "Enrolling 3/3"]
    assert two["hints"] == ["Enrolling 1/3", "Enrolling 2/3", "Face the watch", "Enrolling 3/3"]


def test_frames_that_do_not_match_their_mean_are_no_enrolment(check):
    _, (one,) = check({"frames": [["face", 6001], ["face", 4999], ["face", 6003]], "do": "enrol"})
    assert one["answer"] == [-1, "pictures differ"]


def test_an_enrolment_that_fails_says_why(check):
    n, answers = check(
        {"frames": NONE, "do": "enrol"}, {"frames": DARK, "do": "enrol"}, {"frames": FAULT, "do": "enrol"},
        {"frames": [["face", 0]], "do": "enrol"}, {"frames": FACE, "networks": "broken", "do": "enrol"})
    assert [one["answer"] for one in answers] == [
        [n["NO_FACE"], "no face found"], [n["TOO_DARK"], "too dark"], [n["CAMERA_FAULT"], "camera gives no frames"],
        [n["MODEL_FAULT"], "an embedding is nought"], [n["MODEL_FAULT"], "models/finder.tflite: broken"]]
