"""The finder on frames composed from held-out pictures, on faceless ones, and what its aim costs the embedder."""

import cv2
import metrics
import numpy as np
from augment import align64, rgb565, similarity
from backgrounds import background
from data import HELD_OUT, TEMPLATE112, read_lfw, read_rooms
from evaluate_faces import score_pairs
from locate import FRAME
from scenes import degrade, make

SEED = 7
FRAMES = 1500
PAIRS_STEP = 4  # of LFW's pairs, one in four goes through the finder
NEAR = 0.25  # a face counts as found when its mean landmark error is below this part of the eye distance
FALSE_FACES = 0.005  # what the score threshold lets through of faceless frames


def held_out_rooms():
    pictures, landmarks = read_rooms()
    return pictures[-HELD_OUT:], landmarks[-HELD_OUT:]


def landmark_error(found, true):
    """Mean distance of the five points over the true distance between the eyes."""
    return float(np.hypot(*(found - true).T).mean() / np.hypot(*(true[1] - true[0])))


def evaluate(finder):
    """Score threshold (int8), recall and landmark error, by size of the face in parts of the guided size."""
    rooms = held_out_rooms()
    rng = np.random.default_rng(SEED)
    empty = [finder.small(degrade(rng, background(rng, rooms)))[0] for _ in range(FRAMES)]
    threshold = int(np.sort(empty)[-1 - int(FALSE_FACES * FRAMES)])
    rows = []
    while len(rows) < FRAMES:
        frame, true = make(rng, rooms, rooms)
        if true is not None:
            score, found = finder.small(frame)
            rows.append((np.hypot(*(true[1] - true[0])) / 20, score, landmark_error(found, true)))
    size, score, error = np.array(rows).T
    hit = (score > threshold) & (error < NEAR)

    def row(of):
        return {
            "frames": int(of.sum()),
            "recall": float(hit[of].mean()),
            "landmark_error": float(error[of & hit].mean()),
            "landmark_error_p90": float(np.quantile(error[of & hit], 0.9)),
        }

    return {
        "score_threshold": threshold,
        "false_faces": metrics.rate_above(empty, threshold),
        "all": row(size > 0),
        "far (30-60 %)": row(size < 0.6),
        "guided (60-130 %)": row(size >= 0.6),
    }


def as_frame(rng, aligned112):
    """A 240x240 RGB565 frame with the face near the guided place and size; smeared edges surround it."""
    scale = 60 / 35.24 * rng.uniform(0.75, 1.1)
    shift = np.float64([119.5, 119.5]) + rng.normal(0, 8, 2) - TEMPLATE112.mean(0)
    warp = similarity(rng.normal(0, 5), scale, shift, TEMPLATE112.mean(0))
    return rgb565(
        cv2.warpAffine(aligned112, warp, (FRAME, FRAME), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def evaluate_aim(finder, threshold, embedder, match):
    """Share of LFW's faces found; shares of genuine and impostor pairs above `match` in crops the finder aimed."""
    pictures, pairs = read_lfw()
    pairs = pairs[::PAIRS_STEP]
    shown = sorted({*pairs["img_a"], *pairs["img_b"]})
    rng, found, seen = np.random.default_rng(SEED), [], []
    for name in shown:
        frame = as_frame(rng, pictures[name])
        score, landmarks = finder(frame)
        seen.append(score > threshold)
        found.append(embedder(align64(frame, landmarks)))
    scores = score_pairs(metrics.unit(found), shown, pairs)
    same = pairs["same"] == 1
    return {
        "found": float(np.mean(seen)),
        "tar": metrics.rate_above(scores[same], match),
        "fmr": metrics.rate_above(scores[~same], match),
    }
