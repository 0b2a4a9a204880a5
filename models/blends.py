"""Faces that nobody has, for a teacher to speak of: two people of one group, blended along a random edge."""

import numpy as np
from data import CACHE

SEED = 20261124
BLENDS = 28_000


def blended(rng, one, other):
    """[112, 112, 3] of two aligned faces: `other`, mirrored or not, takes over along an edge, sharp or soft."""
    angle, softness = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(np.log(0.05), np.log(2)))
    y, x = np.mgrid[-1:1:112j, -1:1:112j]
    across = np.cos(angle) * x + np.sin(angle) * y + rng.normal(0, 0.15)
    share = 1 / (1 + np.exp(-2 * across / softness))[..., None]
    if rng.random() < 0.5:
        other = other[:, ::-1]
    return (one * share + other * (1 - share) + 0.5).astype(np.uint8)


def blends(faces, members):
    """(pictures [BLENDS, 112, 112, 3], members: the rows of each group), kept in build/train; `members` of `faces`."""
    cached = CACHE / "blends.npy"
    if not cached.is_file():
        pictures = np.empty((BLENDS, *faces[0].shape), np.uint8)
        for index in range(BLENDS):
            rng = np.random.default_rng([SEED, 7, index])
            one, other = rng.choice(members[index % len(members)], 2, replace=False)
            pictures[index] = blended(rng, faces[one], faces[other])
            if index % 4000 == 0:
                print(f"blends: {index} of {BLENDS}", flush=True)
        np.save(cached, pictures)
    return np.load(cached, mmap_mode="r"), [np.arange(group, BLENDS, len(members)) for group in range(len(members))]
