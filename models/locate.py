"""From a 240x240 frame to landmarks, as the watch does it: 3x3 mean, finder, then the grid read twice.

The cell with the highest score knows roughly where all five landmarks are; the cell that each of them falls in knows
that one precisely, for it lies close by.
"""

import numpy as np
from scenes import CELL, GRID

FRAME = 240


def shrink(frame):
    """The finder's 80x80 grey input of a 240x240 RGB frame: (77 R + 150 G + 29 B) / 256, then the 3x3 mean, rounded."""
    rgb = frame.astype(np.uint32)
    grey = (77 * rgb[..., 0] + 150 * rgb[..., 1] + 29 * rgb[..., 2]) >> 8
    sums = grey.reshape(80, 3, 80, 3).sum((1, 3))
    return ((sums + 4) // 9).astype(np.uint8)


def decode(grid, scale, zero):
    """(score int8, landmarks [5, 2] in pixels of the 80x80 frame) of the int8 answer [10, 10, 11]."""
    row, column = divmod(int(grid[..., 0].argmax()), GRID)
    rough = [read(grid, scale, zero, row, column, k) for k in range(5)]
    fine = [read(grid, scale, zero, *cell_of(point), k) for k, point in enumerate(rough)]
    return int(grid[row, column, 0]), np.float32(fine)


def cell_of(point):
    """(row, column) of the cell that a point of the 80x80 frame lies in; outside, the nearest."""
    column, row = (min(max(int((v + 0.5) // CELL), 0), GRID - 1) for v in point)
    return row, column


def read(grid, scale, zero, row, column, k):
    """(x, y) of landmark `k` as one cell has it, in pixels of the 80x80 frame."""
    offsets = (grid[row, column, 1 + 2 * k : 3 + 2 * k].astype(np.float32) - zero) * scale * CELL
    return offsets + (CELL - 1) / 2 + np.float32([column * CELL, row * CELL])


def to_frame(landmarks80):
    """Pixels of the 80x80 picture to pixels of the 240x240 frame; pixel centres are whole numbers."""
    return 3 * landmarks80 + 1


class Finder:
    """The finder through TFLite: frame to (score int8, landmarks in the frame)."""

    def __init__(self, oracle):
        self.oracle = oracle
        self.scale, self.zero = oracle.output["quantization"]

    def small(self, picture80):
        return decode(self.oracle(picture80), self.scale, self.zero)

    def __call__(self, frame):
        score, landmarks = self.small(shrink(frame))
        return score, to_frame(landmarks)
