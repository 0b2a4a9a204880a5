"""From a frame to faces, as the watch does it: a grid of cells says where, a close look at each says the rest."""

import cv2
import numpy as np
from augment import fit_similarity
from crops import REACH, TEMPLATE, ends
from crops import SIDE as CLOSE
from scenes import CELL, GRID, SIDE

FRAME = 240  # pixels along the watch's frames
MOST = 3  # candidates that are looked at closely
SAMPLES = 4  # at most, along each axis, for a pixel of a shrunken face


def grey(frame):
    """uint8 [h, w] of an RGB frame: (77 R + 150 G + 29 B) / 256."""
    red, green, blue = (frame[..., channel].astype(np.uint32) for channel in range(3))
    return ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)


def shrink(frame):
    """(120x120 means of the middle of a grey frame, rounded; pixels along a mean's side; first column; first row)."""
    cell = min(frame.shape) // SIDE
    top, left = ((size - cell * SIDE) // 2 for size in frame.shape)
    middle = frame[top : top + cell * SIDE, left : left + cell * SIDE].astype(np.uint32)
    sums = middle.reshape(SIDE, cell, SIDE, cell).sum((1, 3))
    return ((sums + cell * cell // 2) // (cell * cell)).astype(np.uint8), cell, left, top


def axis_of(values, row, column):
    """Eyes and mouth [2, 2], in pixels of the miniature, of one cell's answer in cells."""
    middle = values[:2] * CELL + (CELL - 1) / 2 + np.float32([column * CELL, row * CELL])
    return np.stack([middle - values[2:] * CELL, middle + values[2:] * CELL])


def candidates(grid, scale, zero, least):
    """[(score int8, eyes and mouth [2, 2] in the miniature)] of the answer [15, 15, 5], MOST at most, best first."""
    scores, kept = grid[..., 0].astype(int).ravel(), []
    for index in np.argsort(-scores, kind="stable"):
        if scores[index] <= least or len(kept) == MOST:
            break
        row, column = divmod(int(index), GRID)
        axis = axis_of((grid[row, column, 1:].astype(np.float32) - zero) * scale, row, column)
        if not any(overlap(axis, other) for _, other in kept):
            kept.append((int(scores[index]), axis))
    return kept


def overlap(one, other):
    """Whether two axes' middles are closer than the shorter axis is long."""
    length = min(np.hypot(*(one[1] - one[0])), np.hypot(*(other[1] - other[0])))
    return bool(np.hypot(*(one.mean(0) - other.mean(0))) < length)


def crop(frame, warp):
    """The 64x64 crop of a grey frame by a 2x3 matrix: the mean of up to 4x4 samples a pixel, its edge repeated."""
    samples = int(min(SAMPLES, max(1, round(1 / np.hypot(*warp[0, :2])))))
    finer = warp * samples
    finer[:, 2] += (samples - 1) / 2
    size = (CLOSE * samples, CLOSE * samples)
    large = cv2.warpAffine(frame, finer, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(large, (CLOSE, CLOSE), interpolation=cv2.INTER_AREA)


class Finder:
    """The two networks through TFLite: an RGB frame to faces.

    `least` and `least_face` are the int8 scores that a cell and a face must exceed; -129 takes all.
    """

    def __init__(self, coarse, close, least=-129, least_face=-129):
        self.coarse, self.close, self.least, self.least_face = coarse, close, least, least_face

    def look_closely(self, frame, axis):
        """(score int8, landmarks [5, 2]) of the face with its eyes and mouth at `axis`, in pixels of a grey frame."""
        warp = fit_similarity(axis, ends(TEMPLATE))
        answer = self.close(crop(frame, warp)).astype(np.float32)
        scale, zero = self.close.output["quantization"]
        landmarks = TEMPLATE + (answer[1:].reshape(5, 2) - zero) * scale * REACH
        back = cv2.invertAffineTransform(warp)
        return int(answer[0]), landmarks @ back[:, :2].T + back[:, 2]

    def __call__(self, rgb):
        """[(cell's score, face's score, landmarks [5, 2] in the frame)], what the first look likes best first."""
        frame = grey(rgb)
        small, cell, left, top = shrink(frame)
        grid = self.coarse(small)
        found = []
        for score, axis in candidates(grid, *self.coarse.output["quantization"], self.least):
            if not np.ptp(axis, axis=0).any():
                continue
            there = axis * cell + (cell - 1) / 2 + np.float32([left, top])
            face_score, landmarks = self.look_closely(frame, there)
            if face_score > self.least_face:
                found.append((score, face_score, landmarks))
        return found
