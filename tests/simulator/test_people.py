"""Drawn people: the same from the same seed, landmarks where they say, and faces to a face detector."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.people import Expression, Light, Person, Pose, draw, empty_room
from simulator.people_traits import HAIR_STYLES, SHAPE, draw_traits

DATA = Path(os.environ.get("MUSTER_DATA", Path(__file__).parents[3] / "shared" / "data"))
DETECTOR = DATA / "models" / "yunet_n.onnx"


@pytest.fixture(scope="module")
def person() -> Person:
    return Person(7)


def test_a_picture_is_uint8_rgb_with_five_landmarks_inside(person):
    rgb, landmarks = draw(person)
    assert (rgb.shape, rgb.dtype) == ((240, 240, 3), np.uint8)
    assert (landmarks.shape, landmarks.dtype) == ((5, 2), np.float32)
    assert (landmarks > 0).all() and (landmarks < 239).all()


def test_the_same_seed_draws_the_same_bytes_in_a_new_person():
    look = Pose(12, -4, 9), Light(0.6, -40, 20, 0.5), Expression(0.4, 0.3, 0.8)
    first, again = (draw(Person(3), *look) for _ in range(2))
    assert first[0].tobytes() == again[0].tobytes()
    assert first[1].tobytes() == again[1].tobytes()


def test_what_was_drawn_before_does_not_change_a_picture(person):
    before = draw(person, expression=Expression(0.25))[0]
    for smile in (0.1, 0.2, 0.3, 0.5, 0.6):  # more than a person keeps ready
        draw(person, Pose(20), expression=Expression(smile))
    assert np.array_equal(before, draw(person, expression=Expression(0.25))[0])


def test_another_seed_is_another_person(person):
    assert np.abs(draw(person)[0].astype(int) - draw(Person(8))[0]).mean() > 8


def test_traits_stay_in_their_ranges_and_reach_most_of_them():
    people = [draw_traits(seed) for seed in range(300)]
    for name, (low, high) in SHAPE.items():
        values = np.array([p.shape[name] for p in people])
        assert low - 1e-9 <= values.min() and values.max() <= high + 1e-9, name
        assert np.ptp(values) > 0.7 * (high - low), name
    assert {p.hair_style for p in people} == set(HAIR_STYLES)
    light = [p.skin.mean() for p in people]
    assert min(light) < 0.06 and max(light) > 0.55


@pytest.mark.parametrize(("size", "scale"), [(240, 1.0), (240, 0.5), (96, 1.0), (320, 1.3)])
def test_scale_one_puts_frontal_eyes_a_quarter_of_the_picture_apart(person, size, scale):
    eyes = draw(person, size=size, scale=scale)[1][:2]
    assert np.linalg.norm(eyes[1] - eyes[0]) == pytest.approx(0.25 * size * scale, rel=0.01)


def test_the_centre_moves_picture_and_landmarks_alike(person):
    middle = draw(person, scale=0.6)[1]
    moved = draw(person, scale=0.6, centre=(0.6, 0.45))[1]
    assert moved - middle == pytest.approx(np.tile((24, -12), (5, 1)), abs=1e-3)


def test_roll_turns_the_landmarks_clockwise_round_the_centre(person):
    straight = draw(person)[1] - 119.5
    turned = draw(person, Pose(roll=30))[1] - 119.5
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    assert turned == pytest.approx(straight @ np.array(((c, s), (-s, c))), abs=1e-3)


def test_yaw_moves_the_nose_tip_to_the_side_it_turns_to_and_furthest(person):
    straight, right, left = (draw(person, Pose(yaw))[1] for yaw in (0, 20, -20))
    assert (right[2] - straight[2])[0] > (right[0] - straight[0])[0] > 5
    assert (left[2] - straight[2])[0] < (left[1] - straight[1])[0] < -5


def test_pitch_up_lifts_the_nose_and_down_lowers_it(person):
    straight, up, down = (draw(person, Pose(0, pitch))[1][2, 1] for pitch in (0, 15, -15))
    assert up < straight - 10 and down > straight + 10


def test_smiling_widens_the_mouth_and_lifts_its_corners(person):
    calm, smiling = (draw(person, expression=Expression(smile))[1][3:] for smile in (0, 1))
    assert smiling[1, 0] - smiling[0, 0] > calm[1, 0] - calm[0, 0] + 3
    assert (smiling[:, 1] < calm[:, 1] - 2).all()


def test_shut_eyes_hide_the_iris_and_the_white():
    bare = next(Person(seed) for seed in range(50) if draw_traits(seed).glasses is None)
    wide, shut = (draw(bare, expression=Expression(eyes_open=eyes)) for eyes in (1, 0))
    x, y = np.round(wide[1][0]).astype(int)
    contrast = [np.ptp(rgb[y - 5 : y + 6, x - 9 : x + 10].mean(2)) for rgb, _ in (wide, shut)]
    assert contrast[0] > 1.3 * contrast[1]


def test_light_from_the_right_lights_the_right_cheek(person):
    for azimuth, brighter in ((70, 1), (-70, -1)):
        rgb, landmarks = draw(person, light=Light(azimuth=azimuth, elevation=10))
        mouth, eyes = landmarks[3:, 1].mean(), landmarks[:2, 1].mean()
        y = int((mouth + eyes) / 2)
        left, right = (int(landmarks[i, 0]) for i in (0, 1))
        cheeks = [rgb[y - 3 : y + 4, x - 3 : x + 4].mean() for x in (left, right)]
        assert (cheeks[1] - cheeks[0]) * brighter > 10


def test_less_light_is_darker_and_none_is_black(person):
    means = [draw(person, light=Light(level=level))[0].mean() for level in (1.0, 0.5, 0.1, 0.0)]
    assert means[0] > means[1] > means[2] > means[3] == 0


def test_warm_light_is_redder_than_cold(person):
    warm, cold = (draw(person, light=Light(warmth=w))[0].mean((0, 1)) for w in (1, -1))
    assert warm[0] / warm[2] > 1.3 * cold[0] / cold[2]


def test_a_background_given_stays_as_it_is_beside_the_person(person):
    wall = np.full((60, 80, 3), (10, 200, 30), np.uint8)
    rgb, _ = draw(person, scale=0.4, background=wall)
    assert rgb[3, 3].tolist() == [10, 200, 30]


def test_an_empty_room_is_the_wall_of_its_seed():
    assert np.array_equal(empty_room(5, 120), empty_room(5, 120))
    assert not np.array_equal(empty_room(5, 120), empty_room(6, 120))


def _detect(net: Any, rgb: np.ndarray) -> tuple[float, np.ndarray]:
    """YuNet's best face in a picture 256 x 256: score and landmarks [5, 2], image left first."""
    names = [f"{kind}_{stride}" for kind in ("cls", "obj", "kps") for stride in (8, 16, 32)]
    values = net.run(names, {"input": np.ascontiguousarray(rgb[None, ..., ::-1].transpose(0, 3, 1, 2), np.float32)})
    found = dict(zip(names, values, strict=True))
    best = (0.0, np.zeros((5, 2)))
    for stride in (8, 16, 32):
        score = np.sqrt(found[f"cls_{stride}"][0, :, 0] * found[f"obj_{stride}"][0, :, 0])
        i = int(score.argmax())
        row, column = divmod(i, 256 // stride)
        if score[i] > best[0]:
            best = (float(score[i]), (found[f"kps_{stride}"][0, i].reshape(5, 2) + (column, row)) * stride)
    return best


@pytest.mark.skipif(not DETECTOR.exists(), reason="no YuNet model in ../shared/data/models")
def test_a_face_detector_finds_drawn_faces_where_they_are():
    runtime = pytest.importorskip("onnxruntime", reason="OpenCV 4.11 cannot read this YuNet, onnxruntime can")
    net = runtime.InferenceSession(str(DETECTOR))
    scores, errors = [], []
    for seed in range(2000, 2040):
        rgb, landmarks = draw(Person(seed), size=256)
        score, found = _detect(net, rgb)
        scores.append(score)
        errors.append(np.linalg.norm(found - landmarks, axis=1).mean())
    assert sum(score > 0.6 for score in scores) >= 38
    assert np.median(errors) < 9  # pixels, of 64 between the eyes
