"""Trains the landmark network on crops of faces. Resumes from build/train/landmarks.*.pt."""

import argparse

import numpy as np
from crops import EYES, REACH, TEMPLATE, make
from data import read_options, run
from fit import fit, people
from nets import LANDMARKS, Net
from torch.nn import functional as F

SEED = 20261126
BATCH = 128
LOGIT = 8.0  # the score's logit is so many times the answer, which shares the landmarks' int8 scale


def answers(crop, landmarks):
    """(crop, residuals [10] in parts of REACH, face 0 or 1)."""
    if landmarks is None:
        return crop, np.zeros(10, np.float32), np.float32(0)
    return crop, np.float32((landmarks - TEMPLATE) / REACH).ravel(), np.float32(1)


def loss(found, residuals, face):
    """Landmarks: smooth L1 of the distances over the eyes' distance; face: cross-entropy."""
    gain = REACH / EYES
    error = F.smooth_l1_loss(found[:, 1:] * gain, residuals * gain, beta=0.03, reduction="none").mean(1)
    entropy = F.binary_cross_entropy_with_logits(LOGIT * found[:, 0], face)
    return {"landmarks": 10 * (error * face).sum() / face.sum(), "face": 0.5 * entropy}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8000, help="batches of float training (default %(default)s)")
    parser.add_argument("--tune", type=int, default=200, help="batches of quantisation-aware tuning")
    options = read_options(parser)
    rooms, faces = people()

    def make_one(rng):
        return answers(*make(rng, rooms, faces))

    fit(Net(LANDMARKS), make_one, loss, SEED, BATCH, 4e-3, options.steps, options.tune, 1.0)


if __name__ == "__main__":
    run(main)
