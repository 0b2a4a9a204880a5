"""Drawn people through finder, alignment and embedder: the same person matches, different people do not."""

import cv2
import evaluate_drawn
import evaluate_own
import metrics
import numpy as np
import pytest
from augment import align64, rgb565
from backgrounds import background
from data import DataError
from drawn import drawing
from evaluate_finder import in_colour, landmark_error

PEOPLE, VIEWS = 10, 3


@pytest.fixture(scope="module")
def frames():
    """[(person, RGB565 frame, true landmarks)], seeds that neither training nor the card's table used."""
    people, rng, found = drawing(), np.random.default_rng(5), []
    for seed in range(500, 500 + PEOPLE):
        person = people.Person(seed)
        for _ in range(VIEWS):
            frame, true = people.draw(person, *evaluate_drawn.normal_sitting(rng, people), size=240, scale=0.95)
            found.append((seed, rgb565(frame), true))
    return found


def test_every_face_is_found_where_it_is(frames, finder):
    answers = [finder(frame) for _, frame, _ in frames]
    assert [len(found) for found in answers] == [1] * len(frames)
    errors = [landmark_error(found[0][2], true) for found, (_, _, true) in zip(answers, frames, strict=True)]
    assert np.mean(errors) < 0.08
    assert max(errors) < 0.15


def test_same_person_matches_and_others_do_not(frames, finder, embedder, networks):
    match = networks["embedder"]["threshold_milli"] / 1000
    vectors = metrics.unit([embedder(align64(frame, finder(frame)[0][2])) for _, frame, _ in frames])
    owner = np.array([seed for seed, _, _ in frames])
    upper = np.triu_indices(len(frames), 1)
    similar, same = (vectors @ vectors.T)[upper], (owner[:, None] == owner)[upper]
    assert metrics.rate_above(similar[same], match) >= 0.95
    assert metrics.rate_above(similar[~same], match) <= 0.025  # drawn people are more alike than people: the card


def test_textures_and_walls_hold_no_face(finder):
    rng = np.random.default_rng(6)
    rooms = np.zeros((1, 112, 112), np.uint8), np.float32([[[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]]])
    frames = [np.clip(background(rng, rooms), 0, 255).astype(np.uint8) for _ in range(100)]
    larger = [cv2.resize(frame, (240, 240), interpolation=cv2.INTER_LINEAR) for frame in frames]
    assert sum(bool(finder(in_colour(frame))) for frame in larger) <= 2


def test_two_faces_are_two(frames, finder):
    """Two frames side by side, each half as large."""
    pairs = zip(frames[::6], frames[3::6], strict=True)
    both = [np.hstack([one[1][::2, ::2], other[1][::2, ::2]]) for one, other in pairs]
    padded = [cv2.copyMakeBorder(picture, 60, 60, 0, 0, cv2.BORDER_REPLICATE) for picture in both]
    assert [len(finder(frame)) for frame in padded] == [2] * len(padded)


def test_a_folder_of_one_s_own_people_is_measured(frames, networks, finder, embedder, tmp_path):
    for index, (seed, frame, _) in enumerate(frames):
        (tmp_path / str(seed)).mkdir(exist_ok=True)
        wide = cv2.copyMakeBorder(frame, 0, 0, 80, 80, cv2.BORDER_REPLICATE)
        cv2.imwrite(str(tmp_path / str(seed) / f"{index}.png"), wide[..., ::-1])
    found = evaluate_own.evaluate(tmp_path, finder, embedder, networks["embedder"]["threshold_milli"] / 1000)
    assert (found["people"], found["pictures"], found["found"]) == (PEOPLE, PEOPLE * VIEWS, 1)
    assert found["fnmr"]["pairs"] == PEOPLE * VIEWS * (VIEWS - 1) / 2
    assert found["fnmr"]["share"] <= 0.05 and found["fmr"]["share"] <= 0.05
    assert sum(found["quality"].values()) == len(frames)


def test_what_is_wrong_with_such_a_folder_is_said(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match=f"{tmp_path}: two people's folders at least"):
        evaluate_own.people(tmp_path)
    (tmp_path / "a" / "x.png").write_text("nothing")
    with pytest.raises(DataError, match="x.png: not a picture"):
        evaluate_own.as_frame(tmp_path / "a" / "x.png")
