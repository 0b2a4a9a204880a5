"""Makes frames for the finder: faces of pictures put on a background, and the grid the finder answers.

A frame is square and grey. The finder sees SIDE pixels of it, means of the camera's; the guided oval puts the eyes a
quarter of the side apart.
"""

import cv2
import numpy as np
from augment import light, sensor, similarity, size_of
from backgrounds import SIZE as SIDE
from backgrounds import background

GRID = 15
CELL = SIDE // GRID
GUIDED = 0.25  # eye distance in parts of the side
MIRRORED = [1, 0, 2, 4, 3]
FACELESS = 0.3  # part of the frames
SEVERAL = 0.12  # part of those with a face that show two


def sitting(rng):
    """(size in parts of the guided size, middle in parts of the side, roll in degrees): mostly as the oval asks."""
    if rng.random() < 0.5:
        return np.exp(rng.uniform(np.log(0.3), np.log(1.3))), rng.uniform(1 / 6, 5 / 6, 2), rng.uniform(-25, 25)
    return rng.uniform(0.6, 1.2), np.clip(rng.normal(0.5, 0.08, 2), 0.18, 0.82), rng.normal(0, 8)


def place(rng, landmarks, side, among=()):
    """(warp 2x3, landmarks in the frame [5, 2]) that puts the face where all of them are inside; None for no room.

    `among`: landmarks of the faces that are there already.
    """
    centre = landmarks.mean(0)
    for _ in range(20):
        size, middle, roll_deg = sitting(rng)
        middle = middle * side - 0.5
        if among:
            size = np.exp(rng.uniform(np.log(0.3), np.log(0.8)))
            middle = rng.uniform(0.05, 0.95, 2) * side
        warp = similarity(roll_deg, GUIDED * side * size / size_of(landmarks), middle - centre, centre)
        placed = landmarks @ warp[:, :2].T + warp[:, 2]
        apart = [np.hypot(*(middle - p.mean(0))) > 1.7 * (GUIDED * side * size + size_of(p)) / 2 * 1.2 for p in among]
        if placed.min() > 1 and placed.max() < side - 2 and all(apart):
            return warp, placed
    return None


def paste(rng, picture, warp, placed, back, is_first=False):
    """The warped picture on a background: a soft oval about the head; of the first also the whole, or all over it."""
    scale, side = np.hypot(warp[0, 0], warp[0, 1]), len(back)
    if scale < 0.6:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale)
    warped = cv2.warpAffine(
        picture, warp, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    kind = rng.random() if is_first else 1.0
    if kind < 0.35:
        return warped
    if kind < 0.65:
        mask = cv2.warpAffine(np.full_like(picture, 255), warp, (side, side), flags=cv2.INTER_LINEAR)
        mask = mask.astype(np.float32) / 255
    else:
        size, down = size_of(placed), placed[3:].mean(0) - placed[:2].mean(0)
        middle, turn = placed.mean(0), np.degrees(np.arctan2(-down[0], down[1]))
        mask = np.zeros((side, side), np.float32)
        axes = tuple(max(1, int(v)) for v in size * rng.uniform((1.1, 1.5), (1.5, 2.2)))
        cv2.ellipse(mask, tuple(int(v) for v in middle), axes, float(turn), 0, 360, 1.0, -1, cv2.LINE_AA)
        mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.7, 2.5) * side / SIDE)
    return warped * mask + back * (1 - mask)


def degrade(rng, picture, noise=6):
    """Motion, light, blur and noise; `noise` is that of a frame of SIDE, means of 2x2 pixels of the camera."""
    if rng.random() < 0.15:
        length = int(rng.integers(2, 4)) * len(picture) // SIDE
        picture = cv2.blur(picture, (length, 1) if rng.random() < 0.5 else (1, length))
    return sensor(rng, light(rng, picture), noise)


def one_of(rng, faces):
    """(grey picture, landmarks in it): one of the faces, mirrored half of the time."""
    index = int(rng.integers(len(faces[0])))
    picture, landmarks = faces[0][index], faces[1][index].astype(np.float64)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
        landmarks = np.stack([picture.shape[1] - 1 - landmarks[:, 0], landmarks[:, 1]], 1)[MIRRORED]
    return np.ascontiguousarray(picture), landmarks


def backdrop(rng, rooms, side):
    frame = background(rng, rooms)
    return frame if side == SIDE else cv2.resize(frame, (side, side), interpolation=cv2.INTER_LINEAR)


def make(rng, rooms, faces, side=SIDE, several=SEVERAL, faceless=FACELESS):
    """(uint8 [side, side], [landmarks [5, 2] of each face]); `rooms` and `faces` are (grey pictures, landmarks)."""
    frame, shown = backdrop(rng, rooms, side), []
    if rng.random() >= faceless:
        for _ in range(2 if rng.random() < several else 1):
            picture, landmarks = one_of(rng, faces)
            found = place(rng, landmarks, side, shown)
            if found:
                frame = paste(rng, picture, *found, frame, not shown)
                shown.append(found[1])
    return degrade(rng, frame, noise=6 * side / SIDE), shown


def axis(landmarks):
    """[4]: the middle between middle of the eyes and middle of the mouth, and half the way from one to the other."""
    eyes, mouth = landmarks[:2].mean(0), landmarks[3:].mean(0)
    return np.concatenate([(eyes + mouth) / 2, (mouth - eyes) / 2])


def grid_target(shown):
    """What the grid should say: face [15, 15] and axis [15, 15, 4]: offset from the cell's centre, half axis, in cells.

    Face is 1 at a face's cell, 0 elsewhere, -1 around it, where either may be said.
    """
    face, target = np.zeros((GRID, GRID), np.float32), np.zeros((GRID, GRID, 4), np.float32)
    middle = np.arange(GRID) * CELL + (CELL - 1) / 2
    centres = np.stack(np.meshgrid(middle, middle), -1)
    for landmarks in shown:
        x, y, across, down = axis(landmarks)
        reach = max(CELL, 0.5 * size_of(landmarks))
        near = (np.abs(centres - (x, y)) <= reach).all(-1)
        face[near] = np.maximum(face[near] - 1, -1)
        target[near] = np.concatenate(
            [((x, y) - centres[near]) / CELL, np.broadcast_to((across / CELL, down / CELL), (near.sum(), 2))], 1
        )
        face[int(np.clip((y + 0.5) // CELL, 0, GRID - 1)), int(np.clip((x + 0.5) // CELL, 0, GRID - 1))] = 1
    return face, target
