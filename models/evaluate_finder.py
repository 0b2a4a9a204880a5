"""The finder on frames composed from held-out pictures, on faceless ones, and what its aim costs the embedder."""

import cv2
import metrics
import numpy as np
from augment import align64, rgb565, similarity, size_of
from data import HELD_OUT, TEMPLATE112, read_context, read_lfw
from evaluate_faces import score_pairs
from locate import FRAME, Finder
from relabel import MOST_SPREAD, relabel
from scenes import GUIDED, make

SEED = 7
FRAMES = 1500
PAIRS_STEP = 4  # of LFW's pairs, one in four goes through the finder
NEAR = 0.25  # a face counts as found when its mean landmark error is below this part of its size
FALSE_FACES = 0.005  # what the score thresholds let through of faceless frames


def held_out_people():
    """(grey pictures [n, 224, 224], landmarks) of the held-out ones whose landmarks can be trusted."""
    points, spread = relabel()
    kept = np.flatnonzero(spread[-HELD_OUT:] < MOST_SPREAD) - HELD_OUT
    return read_context()[kept], points[kept]


def landmark_error(found, true):
    """Mean distance of the five points over the size of the face: its eye distance, where it is not turned away."""
    return float(np.hypot(*(found - true).T).mean() / size_of(true))


def in_colour(frame):
    """RGB565 as the camera gives it, of a grey frame."""
    return rgb565(np.repeat(frame[..., None], 3, 2))


def where(true):
    """(size in parts of the guided one, distance from the frame's middle in parts of its side, roll in degrees)."""
    down = true[3:].mean(0) - true[:2].mean(0)
    away = np.hypot(*(true.mean(0) + 0.5 - FRAME / 2)) / FRAME
    return size_of(true) / (GUIDED * FRAME), away, abs(np.degrees(np.arctan2(-down[0], down[1])))


def composed(rng, people, several=0.0, faceless=0.0):
    frame, shown = make(rng, people, people, FRAME, several, faceless)
    return in_colour(frame), shown


def find_threshold(finder, people):
    """The cell's int8 score that FALSE_FACES of the faceless frames exceed, of those the close look lets pass."""
    rng, highest = np.random.default_rng([SEED, 1]), []
    for _ in range(FRAMES):
        frame, _ = composed(rng, people, faceless=1.0)
        highest.append(max((score for score, *_ in finder(frame)), default=-129))
    return int(np.sort(highest)[-1 - int(FALSE_FACES * len(highest))])


def evaluate(coarse, close):
    """Score thresholds (int8), recall and landmark error by where the face is, false faces, faces counted."""
    people = held_out_people()
    least_face = close.output["quantization"][1]  # even odds
    finder = Finder(coarse, close, least_face=least_face)
    least = finder.least = find_threshold(finder, people)
    rng, rows = np.random.default_rng(SEED), []
    while len(rows) < FRAMES:
        frame, shown = composed(rng, people)
        if shown:
            found = finder(frame)
            error = landmark_error(found[0][2], shown[0]) if found else 1.0
            rows.append((*where(shown[0]), error, len(found)))
    empty = [bool(finder(composed(rng, people, faceless=1.0)[0])) for _ in range(FRAMES)]
    counts = []
    while len(counts) < FRAMES // 5:
        frame, shown = composed(rng, people, several=1.0)
        if len(shown) == 2:
            counts.append(len(finder(frame)))
    size, away, roll, error, count = np.array(rows).T
    hit = error < NEAR

    def row(of):
        return {
            "frames": int(of.sum()),
            "recall": float(hit[of].mean()),
            "landmark_error": float(error[of & hit].mean()),
            "landmark_error_p90": float(np.quantile(error[of & hit], 0.9)),
        }

    return {
        "score_thresholds": [least, least_face],
        "false_faces": float(np.mean(empty)),
        "faceless_frames": len(empty),
        "several_seen": float(np.mean(np.array(counts) > 1)),
        "several_frames": len(counts),
        "several_taken": float((count > 1).mean()),
        "rows": {
            "all": row(size > 0),
            "far (30-60 % of the guided size)": row(size < 0.6),
            "near (60-130 %)": row(size >= 0.6),
            "as guided (80-120 %, in the middle, upright)": row((abs(size - 1) < 0.2) & (away < 0.12) & (roll < 10)),
            "off-centre by a sixth of the frame or more": row(away > 1 / 6),
            "turned by 12 to 25 degrees or more": row(roll > 12),
        },
    }


def as_frame(rng, aligned112):
    """(240x240 RGB565 frame, landmarks): the face near the guided place and size; smeared edges surround it."""
    scale = 60 / 35.24 * rng.uniform(0.75, 1.1)
    shift = np.float64([119.5, 119.5]) + rng.normal(0, 8, 2) - TEMPLATE112.mean(0)
    warp = similarity(rng.normal(0, 5), scale, shift, TEMPLATE112.mean(0))
    frame = cv2.warpAffine(aligned112, warp, (FRAME, FRAME), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return rgb565(frame), TEMPLATE112 @ warp[:, :2].T + warp[:, 2]


def evaluate_aim(finder, embedder, match):
    """Share of LFW's faces found; verification of pairs aimed by the finder, and by the landmarks they came with.

    A face that is not found is compared with the crop that the given landmarks aim at.
    """
    pictures, pairs = read_lfw()
    pairs = pairs[::PAIRS_STEP]
    shown = sorted({*pairs["img_a"], *pairs["img_b"]})
    rng, found, errors, vectors = np.random.default_rng(SEED), [], [], {"finder": [], "given": []}
    for name in shown:
        frame, given = as_frame(rng, pictures[name])
        faces = finder(frame)
        found.append(bool(faces))
        landmarks = faces[0][2] if faces else given
        errors.append(landmark_error(landmarks, given))
        vectors["finder"].append(embedder(align64(frame, landmarks)))
        vectors["given"].append(embedder(align64(frame, given)))
    same, result = pairs["same"] == 1, {"found": float(np.mean(found)), "landmark_error": float(np.mean(errors))}
    for kind, seen in vectors.items():
        scores = score_pairs(metrics.unit(seen), shown, pairs)
        result[kind] = {
            "accuracy": metrics.lfw_accuracy(scores, pairs["same"], pairs["fold"])[0],
            "tar": metrics.rate_above(scores[same], match),
            "fmr": metrics.rate_above(scores[~same], match),
        }
    return result
