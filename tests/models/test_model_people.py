"""Drawn people through finder, alignment and embedder: the same person matches, different people do not."""

import evaluate_drawn
import metrics
import numpy as np
import pytest
from augment import align64, rgb565
from backgrounds import background
from drawn import drawing
from evaluate_finder import landmark_error

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


def test_every_face_is_found_where_it_is(frames, finder, networks):
    answers = [(*finder(frame), true) for _, frame, true in frames]
    assert [score > networks["finder"]["score_threshold"] for score, _, _ in answers] == [True] * len(frames)
    assert max(landmark_error(found, true) for _, found, true in answers) < 0.25


def test_same_person_matches_and_others_do_not(frames, finder, embedder, networks):
    match = networks["embedder"]["threshold_milli"] / 1000
    vectors = metrics.unit([embedder(align64(frame, finder(frame)[1])) for _, frame, _ in frames])
    owner = np.array([seed for seed, _, _ in frames])
    upper = np.triu_indices(len(frames), 1)
    similar, same = (vectors @ vectors.T)[upper], (owner[:, None] == owner)[upper]
    assert metrics.rate_above(similar[same], match) >= 0.95
    assert metrics.rate_above(similar[~same], match) <= 0.02


def test_textures_and_walls_hold_no_face(finder, networks):
    rng = np.random.default_rng(6)
    rooms = np.zeros((1, 112, 112), np.uint8), np.float32([[[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]]])
    frames = [np.clip(background(rng, rooms), 0, 255).astype(np.uint8) for _ in range(100)]
    assert sum(finder.small(frame)[0] > networks["finder"]["score_threshold"] for frame in frames) <= 2
