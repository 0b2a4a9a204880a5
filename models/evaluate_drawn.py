"""Drawn people through the whole of the watch's vision: finder, alignment, embedder, threshold."""

import metrics
import numpy as np
from augment import align64, rgb565
from drawn import drawing
from evaluate_finder import landmark_error

SEED = 11
PEOPLE = 100
VIEWS = 6


def normal_sitting(rng, people):
    """Frontal within 15 degrees, normal light, an ordinary face."""
    pose = people.Pose(*rng.uniform(-15, 15, 2), rng.uniform(-8, 8))
    light = people.Light(rng.uniform(0.7, 1.4), rng.uniform(-45, 45), rng.uniform(10, 60), rng.uniform(-0.4, 0.4))
    return pose, light, people.Expression(rng.uniform(-0.2, 0.8), 0, rng.uniform(0.8, 1.1))


def view(rng, people, person, finder, embedder):
    """(embedding, whether its face was found, landmark error over the eye distance) of one frame."""
    frame, true = people.draw(person, *normal_sitting(rng, people), size=240, scale=rng.uniform(0.85, 1.1))
    frame = rgb565(frame)
    found = finder(frame)
    landmarks = found[0][2] if found else true
    return embedder(align64(frame, landmarks)), bool(found), landmark_error(landmarks, true)


def evaluate(finder, embedder, match, count=PEOPLE):
    """Rates over `count` people from seed 0, `VIEWS` frames each."""
    people = drawing()
    rng = np.random.default_rng(SEED)
    rows = [
        view(rng, people, person, finder, embedder) for person in map(people.Person, range(count)) for _ in range(VIEWS)
    ]
    vectors = metrics.unit([row[0] for row in rows])
    found, errors = np.array([row[1:] for row in rows]).T
    owner = np.repeat(np.arange(count), VIEWS)
    upper = np.triu_indices(len(rows), 1)
    similar, same = (vectors @ vectors.T)[upper], (owner[:, None] == owner)[upper]
    return {
        "found": float(found.mean()),
        "landmark_error": float(errors[found == 1].mean()),
        "genuine": summary(similar[same]),
        "impostor": summary(similar[~same]),
        "fnmr": 1 - metrics.rate_above(similar[same], match),
        "fmr": metrics.rate_above(similar[~same], match),
    }


def summary(values):
    return dict(
        zip(
            ("p1", "p5", "median", "p95", "p99"),
            (float(v) for v in np.quantile(values, (0.01, 0.05, 0.5, 0.95, 0.99))),
            strict=True,
        )
    )
