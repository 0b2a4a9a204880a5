"""Makes the finder's training frames: a face from a picture put on a background, and the grid the finder answers.

A frame is the 3x3 mean of a 240x240 camera frame: 80x80 grey. The guided oval puts the eyes 60 px apart in the 240,
20 px in the 80.
"""

import cv2
import numpy as np
from augment import light, sensor, similarity
from backgrounds import SIZE, background

GRID = 10
CELL = SIZE // GRID
GUIDED_EYES = 20.0
MIRRORED = [1, 0, 2, 4, 3]
FACELESS = 0.3  # part of the frames


def sitting(rng):
    """(size in parts of the guided size, middle in the frame, roll in degrees): mostly as the oval asks."""
    if rng.random() < 0.3:
        return np.exp(rng.uniform(np.log(0.3), np.log(1.3))), rng.uniform(16, 64, 2), rng.uniform(-25, 25)
    return rng.uniform(0.65, 1.2), np.clip(rng.normal(40, 6, 2), 14, 66), rng.normal(0, 8)


def place(rng, landmarks):
    """(warp 2x3, landmarks in the frame [5, 2]) that puts the face somewhere in the frame, all landmarks inside."""
    eyes, centre = np.hypot(*(landmarks[1] - landmarks[0])), landmarks.mean(0)
    for _ in range(20):
        size, middle, roll_deg = sitting(rng)
        warp = similarity(roll_deg, GUIDED_EYES * size / eyes, middle - centre, centre)
        placed = landmarks @ warp[:, :2].T + warp[:, 2]
        if placed.min() > 1 and placed.max() < SIZE - 2:
            break
    return warp, placed


def paste(rng, picture, warp, placed, back):
    """The warped picture on a background: its whole rectangle, a soft oval about the head, or all over the frame."""
    scale = np.hypot(warp[0, 0], warp[0, 1])
    if scale < 0.7:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale)
    warped = cv2.warpAffine(
        picture, warp, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    kind = rng.random()
    if kind < 0.6 and scale > 0.4:
        return warped
    if kind < 0.5:
        mask = cv2.warpAffine(np.ones_like(picture, np.float32), warp, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    else:
        eyes, across = np.hypot(*(placed[1] - placed[0])), placed[1] - placed[0]
        middle, turn = placed.mean(0), np.degrees(np.arctan2(across[1], across[0]))
        mask = np.zeros((SIZE, SIZE), np.float32)
        axes = tuple(max(1, int(v)) for v in eyes * rng.uniform((1.1, 1.5), (1.5, 2.2)))
        cv2.ellipse(mask, tuple(int(v) for v in middle), axes, float(turn), 0, 360, 1.0, -1, cv2.LINE_AA)
        mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 2))
    return warped * mask + back * (1 - mask)


def degrade(rng, picture):
    if rng.random() < 0.15:  # motion
        length = int(rng.integers(2, 4))
        picture = cv2.blur(picture, (length, 1) if rng.random() < 0.5 else (1, length))
    return sensor(rng, light(rng, picture), noise=4)  # the 3x3 mean has taken two thirds of it


def make(rng, rooms, faces):
    """(frame uint8 [80, 80], landmarks [5, 2] or None); `rooms` and `faces` are (grey pictures, landmarks)."""
    back = background(rng, rooms)
    if rng.random() < FACELESS:
        return degrade(rng, back), None
    index = int(rng.integers(len(faces[0])))
    picture, landmarks = faces[0][index], faces[1][index].astype(np.float64)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
        landmarks = np.stack([picture.shape[1] - 1 - landmarks[:, 0], landmarks[:, 1]], 1)[MIRRORED]
    warp, placed = place(rng, landmarks)
    return degrade(rng, paste(rng, np.ascontiguousarray(picture), warp, placed, back)), placed


def cell_centres():
    """[10, 10, 2]: x, y of each cell's centre in frame pixels, pixel centres at whole numbers."""
    middle = np.arange(GRID) * CELL + (CELL - 1) / 2
    return np.stack(np.meshgrid(middle, middle), -1)


def grid_target(landmarks):
    """What the grid should say: face [10, 10] and landmark offsets [10, 10, 10] in cells.

    Face is 1 at the face's cell, 0 without a face, -1 at its neighbours, which may say either.
    """
    face, offsets = np.zeros((GRID, GRID), np.float32), np.zeros((GRID, GRID, 10), np.float32)
    if landmarks is None:
        return face, offsets
    column, row = np.clip((landmarks.mean(0) + 0.5) // CELL, 0, GRID - 1).astype(int)
    face[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = -1
    face[row, column] = 1
    offsets[:] = ((landmarks - cell_centres()[:, :, None]) / CELL).reshape(GRID, GRID, 10)
    return face, offsets
