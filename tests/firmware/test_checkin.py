"""One check-in against a fake lens and fake networks: each outcome and reason, and when the light is on."""

import pytest

NAMES = ("MATCHED", "NOT_MATCHED", "UNABLE", "NO_REASON", "BELOW_THRESHOLD", "NO_FACE", "TOO_DARK", "CAMERA_FAULT",
         "NOT_ENROLLED", "MODEL_FAULT")

# A frame is a row [kind, score]: kind "face", "far", "near", "none", "dark", "odd" (landmarks that no face has),
# "fault" (the lens fails). The lens gives them in order, and the last one for ever.
SCRIPT = """
import asyncio
from muster import checkin
from muster.vision.face import EmbeddingError
from muster.vision.image import FrameError
from muster.vision.tflite import ModelError

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

class Face:
    def __init__(self, eye_distance_px):
        self.eye_distance_px = eye_distance_px

class Recogniser:
    brightness = 100

    def find(self, frame, width, height):
        self.brightness = 10 if frame[0] == "dark" else 100
        return None if frame[0] in ("none", "dark") else Face({"far": 23, "near": 111}.get(frame[0], 60))

    def embed(self, frame, width, height, face):
        if frame[0] == "odd":
            raise FrameError("the landmarks coincide")
        return frame[1]

    def match(self, embedding, template):
        if template == "broken":
            raise EmbeddingError("embeddings of 128 and 5 numbers, not 128")
        return embedding

    def template(self, embeddings):
        if 0 in embeddings:
            raise EmbeddingError("an embedding is nought")
        return embeddings

def case(frames, opens=True, networks="good", template="own", do="verify"):
    global clock_ms
    clock_ms = 0
    hints = []
    lens = Lens(frames, opens)

    def load():
        if networks != "good":
            raise {"broken": ModelError("models/finder.tflite: broken"), "missing": OSError(2),
                   "large": MemoryError("no room")}[networks]
        return Recogniser()

    check = checkin.Checkin(lens, load, hints.append)
    try:
        if do == "enrol":
            answer = asyncio.run(check.enrol())
        else:
            done = asyncio.run(check.verify(template, 5000))
            answer = [done.outcome, done.reason, done.score_e4, done.needs_person]
    except checkin.CheckinError as error:
        answer = [error.reason, str(error)]
    return {"answer": answer, "log": lens.log, "light": lens.light, "hints": hints, "ms": clock_ms}

names = {name: getattr(checkin, name) for name in data["names"]}
result = [names, [case(**one) for one in data["cases"]]]
"""
FACE, FAR, NEAR, NONE, DARK, ODD, FAULT = (
    [[kind, 6000]] for kind in ("face", "far", "near", "none", "dark", "odd", "fault"))


@pytest.fixture
def check(vm):
    """Runs cases on the VM: the constants, and what came of each case."""
    def run(*cases):
        return vm(SCRIPT, {"names": NAMES, "cases": cases})
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
        [unable, no_face, None, True], [unable, no_face, None, True], [unable, no_face, None, True]]


def test_the_numbers_are_those_of_the_specification(check):
    n, _ = check()
    assert [n[name] for name in NAMES] == [0, 1, 3, 0, 1, 3, 4, 5, 6, 7]


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
    _, (one, two) = check({"frames": DARK + NONE + FAR + NEAR + FACE}, {"frames": ODD + FACE})
    assert one["hints"] == ["More light", "Face the camera", "Closer", "Further away"]
    assert one["ms"] == 5 * 400
    assert (two["hints"], two["ms"]) == (["Face the camera"], 2 * 400)


def test_enrolment_takes_three_good_frames_and_says_which_it_is_at(check):
    _, (one, two) = check(
        {"frames": [["face", 1], ["face", 2], ["face", 3]], "do": "enrol"},
        {"frames": [["face", 1], ["none", 0], ["face", 2], ["face", 3]], "do": "enrol"})
    assert one["answer"] == two["answer"] == [1, 2, 3]
    assert one["hints"] == ["Enrolling 1/3", "Enrolling 2/3", "Enrolling 3/3"]
    assert two["hints"] == ["Enrolling 1/3", "Enrolling 2/3", "Face the camera", "Enrolling 3/3"]


def test_an_enrolment_that_fails_says_why(check):
    n, answers = check(
        {"frames": NONE, "do": "enrol"}, {"frames": DARK, "do": "enrol"}, {"frames": FAULT, "do": "enrol"},
        {"frames": [["face", 0]], "do": "enrol"}, {"frames": FACE, "networks": "broken", "do": "enrol"})
    assert [one["answer"] for one in answers] == [
        [n["NO_FACE"], "no face found"], [n["TOO_DARK"], "too dark"], [n["CAMERA_FAULT"], "camera gives no frames"],
        [n["MODEL_FAULT"], "an embedding is nought"], [n["MODEL_FAULT"], "models/finder.tflite: broken"]]
