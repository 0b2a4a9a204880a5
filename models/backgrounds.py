"""Grey 120x120 pictures without a face: gradients, textures, walls, hands, and rooms whose face is painted over."""

import cv2
import numpy as np
from augment import size_of

SIZE = 120


def gradient(rng):
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.add.outer(np.linspace(-1, 1, SIZE) * np.sin(angle), np.linspace(-1, 1, SIZE) * np.cos(angle))
    return rng.uniform(20, 235) + ramp * rng.uniform(0, 90)


def clouds(rng):
    """Noise in octaves: sky, foliage, cloth."""
    total = np.zeros((SIZE, SIZE), np.float32)
    for octave in range(int(rng.integers(2, 6))):
        cells = 3 << octave
        layer = rng.standard_normal((cells, cells)).astype(np.float32)
        total += cv2.resize(layer, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) * rng.uniform(0.3, 1) ** octave
    return rng.uniform(60, 200) + total * rng.uniform(5, 45)


def stripes(rng):
    """Blinds, bricks, shelves."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    turn = rng.uniform(0, np.pi)
    wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * rng.uniform(0.1, 1.2) + rng.uniform(0, 6))
    if rng.random() < 0.5:
        wave = wave * np.sin((y * np.cos(turn) - x * np.sin(turn)) * rng.uniform(0.1, 1.2))
    if rng.random() < 0.5:
        wave = np.sign(wave)
    return rng.uniform(60, 200) + wave * rng.uniform(10, 60)


def corner(rng):
    """Walls and furniture: flat polygons over one another."""
    picture = np.full((SIZE, SIZE), rng.uniform(30, 220), np.float32)
    for _ in range(int(rng.integers(1, 9))):
        points = rng.uniform(-30, SIZE + 30, (int(rng.integers(3, 6)), 2)).astype(np.int32)
        cv2.fillConvexPoly(picture, cv2.convexHull(points), float(rng.uniform(10, 245)), cv2.LINE_AA)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 2.0))


def blobs(rng):
    """Palms, fingers, lamps, bare ovals: what is round but no face. Some ovals carry too few or misplaced marks."""
    picture = gradient(rng).astype(np.float32) if rng.random() < 0.6 else clouds(rng).astype(np.float32)
    for _ in range(int(rng.integers(1, 5))):
        middle = tuple(int(v) for v in rng.uniform(0, SIZE, 2))
        axes = tuple(int(v) for v in rng.uniform(5, 50, 2))
        shade = float(rng.uniform(20, 240))
        cv2.ellipse(picture, middle, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)
        for _ in range(int(rng.integers(0, 4))):
            spot = tuple(int(m + rng.normal(0, 0.5) * a) for m, a in zip(middle, axes, strict=True))
            cv2.circle(picture, spot, int(rng.integers(1, 7)), float(shade + rng.normal(0, 50)), -1, cv2.LINE_AA)
    if rng.random() < 0.4:  # fingers
        base, shade = rng.uniform(10, 110, 2), float(rng.uniform(60, 230))
        for finger in range(4):
            tip = base + (rng.uniform(30, 70), (finger - 1.5) * rng.uniform(10, 16))
            ends = [tuple(int(v) for v in point) for point in (base + (0, (finger - 1.5) * 12), tip)]
            cv2.line(picture, *ends, shade, int(rng.integers(7, 13)), cv2.LINE_AA)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.5))


def room(rng, rooms):
    """A picture of `rooms` (grey, landmarks) with its face painted over, turned and cropped; some upside down.

    Half get the smeared surroundings over the whole head; half a flat oval, so that a head without features is a
    negative too.
    """
    pictures, landmarks = rooms
    index = int(rng.integers(len(pictures)))
    picture = cv2.resize(pictures[index], (112, 112), interpolation=cv2.INTER_AREA).astype(np.float32)
    points = landmarks[index] * (112 / pictures.shape[1])
    centre, eyes = points.mean(0), size_of(points)
    reach = 1.9 if rng.random() < 0.5 else 1.15
    mask = np.zeros_like(picture)
    cv2.ellipse(mask, tuple(int(v) for v in centre), (int(eyes * reach * 0.8), int(eyes * reach)), 0, 0, 360, 1.0, -1)
    if reach > 1.5:
        fill = cv2.GaussianBlur(np.roll(picture, tuple(rng.integers(20, 92, 2)), (0, 1)), (0, 0), rng.uniform(1, 9))
    else:
        fill = np.full_like(picture, picture[mask > 0].mean()) + rng.normal(0, 6)
    mask = cv2.GaussianBlur(mask, (0, 0), 2)
    picture = picture * (1 - mask) + fill * mask
    side = picture.shape[0]
    turn = rng.uniform(-30, 30) + (180 if rng.random() < 0.1 else 0)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, SIZE / side * rng.uniform(0.6, 2.0))
    matrix[:, 2] += SIZE / 2 - side / 2
    return cv2.warpAffine(picture, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)


def background(rng, rooms):
    """Float 0..255 (before clipping) [120, 120]."""
    kind = rng.random()
    if kind < 0.5:
        picture = room(rng, rooms)
    else:
        picture = (gradient, clouds, stripes, corner, blobs)[int(rng.integers(5))](rng)
    return np.asarray(picture, np.float32)
