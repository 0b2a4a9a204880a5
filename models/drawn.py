"""Banks of drawn people (simulator/people.py) for training: seeds from 1,000,000 up, which no scenario or test uses."""

import sys

import cv2
import numpy as np
from augment import fit_similarity
from data import CACHE, REPOSITORY, TEMPLATE112

FIRST_SEED = 1_000_000
PEOPLE = 700
VIEWS = 6
PICTURE = 168  # side of the drawn picture
TURNED = 2000  # pictures for the finder


def drawing():
    """The simulator's people module, from this repository."""
    if str(REPOSITORY) not in sys.path:
        sys.path.insert(0, str(REPOSITORY))
    from simulator import people

    return people


def sitting(rng, people):
    """A random pose, light and expression such as check-ins have."""
    pose = people.Pose(rng.normal(0, 9), rng.normal(0, 7), rng.normal(0, 7))
    light = people.Light(
        np.exp(rng.uniform(np.log(0.4), np.log(1.8))),
        rng.uniform(-80, 80),
        rng.uniform(-10, 70),
        rng.uniform(-0.8, 0.8),
    )
    openness = rng.uniform(0.6, 1.1) if rng.random() < 0.9 else 0.1
    return pose, light, people.Expression(rng.uniform(-0.4, 1), max(0.0, rng.uniform(-0.6, 0.6)), openness)


def align112(picture, landmarks):
    matrix = fit_similarity(landmarks, TEMPLATE112)
    return cv2.warpAffine(picture, matrix, (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def bank():
    """Aligned RGB [PEOPLE, VIEWS, 112, 112, 3]."""
    cached = CACHE / f"drawn{PEOPLE}.npy"
    if not cached.is_file():
        people = drawing()
        aligned = np.empty((PEOPLE, VIEWS, 112, 112, 3), np.uint8)
        for index in range(PEOPLE):
            person = people.Person(FIRST_SEED + index)
            rng = np.random.default_rng(FIRST_SEED + index)
            for view in range(VIEWS):
                pose, light, expression = sitting(rng, people)
                picture, points = people.draw(
                    person, pose, light, expression, size=PICTURE, scale=rng.uniform(0.85, 1.15)
                )
                aligned[index, view] = align112(picture, points)
            if index % 50 == 0:
                print(f"drawn people: {index} of {PEOPLE}", flush=True)
        cached.parent.mkdir(parents=True, exist_ok=True)
        np.save(cached, aligned)
    return np.load(cached)


def turned_people():
    """Grey pictures [n, 224, 224] and the landmarks in them [n, 5, 2], from frontal to half turned away."""
    cached = CACHE / f"turned{TURNED}.npz"
    if not cached.is_file():
        people, side = drawing(), 224
        grey, landmarks = np.empty((TURNED, side, side), np.uint8), np.empty((TURNED, 5, 2), np.float32)
        for index in range(TURNED):
            rng = np.random.default_rng([FIRST_SEED, index])
            if index % 4 == 0:
                person = people.Person(FIRST_SEED + index)
            _, light, expression = sitting(rng, people)
            pose = people.Pose(rng.normal(0, 22), rng.normal(0, 12), rng.normal(0, 7))
            picture, landmarks[index] = people.draw(
                person, pose, light, expression, size=side, scale=rng.uniform(0.8, 1.25)
            )
            grey[index] = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            if index % 200 == 0:
                print(f"turned people: {index} of {TURNED}", flush=True)
        cached.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cached, grey=grey, landmarks=landmarks)
    with np.load(cached) as found:
        return found["grey"], found["landmarks"]
