"""Faces that nobody has, for the teachers to speak of: two people of one group, each a little out of shape, blended."""

from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional as F
from views import DEVICE, SIDE, Dice, floats, places, sampled, whole

SEED = 20261124
GRID = 4  # places along each side that a warp or an edge's course is drawn for
WARP = 1.5  # standard deviation, pixels of 112, of a place's shift


def smooth(dice, deviation, n, channels):
    """[n, channels, SIDE, SIDE] that changes slowly from place to place."""
    return F.interpolate(dice.normal(0, deviation, n, channels, GRID, GRID), SIDE, mode="bicubic", align_corners=True)


def warped(dice, x):
    (across, down), shift = places(x), smooth(dice, WARP, len(x), 2)
    return sampled(x, across + shift[:, 0], down + shift[:, 1])


def blended(dice, one, other):
    """Of faces [n, 3, SIDE, SIDE]: `other`, mirrored or not, takes over beyond a crooked edge, sharp or soft."""
    n, (across, down) = len(one), (2 * place / (SIDE - 1) - 1 for place in places(one))
    angle, softness = dice.uniform(0, 2 * np.pi, n), dice.uniform(np.log(0.05), np.log(2), n).exp()
    beyond = angle.cos() * across + angle.sin() * down + dice.normal(0, 0.5, n) + smooth(dice, 0.2, n, 1)
    other = torch.where(dice.share(0.5, n), other.flip(3), other)
    return warped(dice, other).lerp(warped(dice, one), torch.sigmoid(2 * beyond / softness))


def blends(faces, starts, count, batch=512):
    """uint8 [groups * count, SIDE, SIDE, 3] on DEVICE, by groups; group i of `faces` is starts[i]:starts[i + 1]."""
    groups = len(starts) - 1
    found = torch.empty(groups * count, *faces.shape[1:], dtype=torch.uint8, device=DEVICE)
    for group, (start, end) in enumerate(pairwise(starts)):
        for begin in range(0, count, batch):
            dice, n = Dice(SEED, 7, group, begin), min(batch, count - begin)
            one, apart = dice.below(end - start, n), 1 + dice.below(end - start - 1, n)
            one, other = (floats(faces[start + rows]) for rows in (one, (one + apart) % (end - start)))
            found[group * count + begin :][:n] = whole(blended(dice, one, other)).byte().permute(0, 2, 3, 1)
        print(f"blends: of {group + 1} groups of {groups}", flush=True)
    return found
