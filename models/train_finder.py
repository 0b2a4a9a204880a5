"""Trains the finder on composed frames. Resumes from build/train/finder.*.pt."""

import argparse

import torch
from data import read_options, run
from fit import fit, people
from nets import FINDER, Net
from scenes import grid_target, make
from torch.nn import functional as F

SEED = 20261125
BATCH = 64
REACH = 3.6  # cells, and half a logit: what the int8 output can say


def loss(found, face, target):
    """Face: focal cross-entropy of the doubled score; axis: smooth L1 over half the axis's length, at and around it.

    The score is doubled so that it shares one int8 scale with the axis without either running out of range.
    """
    score, is_face = 2 * found[..., 0], face.clamp(min=0)
    entropy = F.binary_cross_entropy_with_logits(score, is_face, reduction="none")
    hardness = (torch.sigmoid(score) - is_face).detach().abs().square()
    faces = (face == 1).sum().clamp(min=1)
    length = target[..., 2:].norm(dim=-1, keepdim=True).clamp(min=0.3)
    error = F.smooth_l1_loss(found[..., 1:] / length, target / length, beta=0.05, reduction="none").mean(-1)
    weight = (face == 1).float() + 0.3 * (face < 0).float()
    return {
        "face": (entropy * hardness * (face >= 0)).sum() / faces,
        "axis": 5 * (error * weight).sum() / weight.sum().clamp(min=1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6000, help="batches of float training (default %(default)s)")
    parser.add_argument("--tune", type=int, default=150, help="batches of quantisation-aware tuning")
    options = read_options(parser)
    rooms, faces = people(1 / 2)
    net = Net(FINDER)
    last = net.nodes[-1]
    last.fold()  # most cells answer nothing that is asked of them: the scale must not hang on the batch
    last.conv.weight.data *= 0.05  # begins by saying "no face" everywhere: else unlearning takes thousands of batches
    last.bias.data[0] = -1.5

    def make_one(rng):
        frame, shown = make(rng, rooms, faces)
        return frame, *grid_target(shown)

    fit(net, make_one, loss, SEED, BATCH, 4e-3, options.steps, options.tune, REACH)


if __name__ == "__main__":
    run(main)
