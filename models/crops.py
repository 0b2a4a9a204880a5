"""Makes crops for the landmark network: a face roughly upright in 64x64, as the finder brings it, and what is none.

The template is the quality gate's: an upright face whose five landmarks have their middle in the crop's, eyes 22 pixels
apart. The answer is each landmark's distance from the template's, in parts of REACH pixels, and a face's score.
"""

import cv2
import numpy as np
from augment import fit_similarity, light, sensor, similarity
from backgrounds import background
from data import TEMPLATE112
from scenes import one_of

SIDE = 64
EYES = 22.0
REACH = 16.0  # pixels
TEMPLATE = (TEMPLATE112 - TEMPLATE112.mean(0)) * EYES / np.hypot(*(TEMPLATE112[1] - TEMPLATE112[0])) + (SIDE - 1) / 2
NO_FACE = 0.2  # part of the crops


def ends(landmarks):
    """[2, 2]: the middle of the eyes and the middle of the mouth, which the finder gives."""
    return np.stack([landmarks[:2].mean(0), landmarks[3:].mean(0)])


def upright(landmarks):
    """2x3 matrix from the picture to the crop that puts eyes and mouth as the template has them."""
    return fit_similarity(ends(landmarks), ends(TEMPLATE))


def misplaced(rng):
    """What the finder errs by, as a 2x3 matrix of the crop; wide now and then."""
    spread = 2.0 if rng.random() < 0.15 else 1.0
    growth = np.exp(np.clip(rng.normal(0, 0.09 * spread), -0.4, 0.4))
    return similarity(
        rng.normal(0, 6 * spread), growth, np.clip(rng.normal(0, 1.8 * spread, 2), -7, 7), [(SIDE - 1) / 2] * 2
    )


def elsewhere(rng):
    """As `misplaced`, but so far off that no face is where it should be."""
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(20, 45)
    growth = np.exp(rng.uniform(-0.3, 0.9))
    return similarity(
        rng.normal(0, 15), growth, away * np.array([np.cos(angle), np.sin(angle)]), [(SIDE - 1) / 2] * 2
    )


def edged(rng, picture, warp):
    """The warped picture; what lies beyond its edge is the edge repeated, the picture mirrored, or one grey."""
    border = (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT)[int(rng.integers(3))]
    scale = np.hypot(warp[0, 0], warp[0, 1])
    if scale < 0.6:
        picture = cv2.blur(picture, (2, 2)) if scale > 0.4 else cv2.blur(picture, (3, 3))
    grey = float(rng.integers(256))
    return cv2.warpAffine(picture, warp, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=grey)


def coarse(rng, crop):
    """As from a far face: fewer pixels."""
    side = int(rng.integers(28, SIDE))
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def make(rng, rooms, faces):
    """(crop uint8 [64, 64], landmarks [5, 2] in it or None)."""
    kind, landmarks = rng.random(), None
    if kind < NO_FACE / 2:
        turn = similarity(rng.uniform(-30, 30), rng.uniform(0.5, 1.6), rng.uniform(-50, 0, 2), (30, 30))
        crop = edged(rng, background(rng, rooms), turn)
    else:
        picture, points = one_of(rng, faces)
        warp = upright(points)
        away = elsewhere(rng) if kind < NO_FACE else misplaced(rng)
        warp = away @ np.vstack([warp, [0, 0, 1]])
        crop = edged(rng, picture, warp)
        if kind >= NO_FACE:
            landmarks = points @ warp[:, :2].T + warp[:, 2]
    if rng.random() < 0.3:
        crop = coarse(rng, crop)
    if rng.random() < 0.12:
        length = int(rng.integers(2, 5))
        crop = cv2.blur(crop, (length, 1) if rng.random() < 0.5 else (1, length))
    return sensor(rng, light(rng, crop), noise=9), landmarks
