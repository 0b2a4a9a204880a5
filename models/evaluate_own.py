"""The committed networks on pictures of your own: a folder with one folder of pictures for each person.

Each picture is cut to its middle square and made a 240x240 frame, as the watch's camera would give it. Every pair of
pictures whose faces are found is compared: FMR and FNMR at the watch's threshold, with 95 % intervals, and what the
quality gate says of each. The figures go to build/evaluate_own.json, and nowhere else.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import cv2
import evaluate_quality
import metrics
import numpy as np
from augment import align64, rgb565
from data import REPOSITORY, ROOT, DataError, run
from locate import FRAME, Finder
from oracle import Oracle

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def people(folder):
    """{person: [path]} of the folder. Raises DataError."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it is to hold one folder of pictures for each person")
    found = {
        person.name: sorted(path for path in person.iterdir() if path.suffix.lower() in PICTURES)
        for person in sorted(folder.iterdir())
        if person.is_dir()
    }
    if sum(bool(paths) for paths in found.values()) < 2 or max(map(len, found.values())) < 2:
        raise DataError(f"{folder}: two people's folders at least, one of them with two pictures, are needed")
    return found


def as_frame(path):
    """The middle of a picture as a frame, RGB565 [240, 240, 3]. Raises DataError."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise DataError(f"{path}: not a picture that can be read")
    side = min(picture.shape[:2])
    top, left = ((size - side) // 2 for size in picture.shape[:2])
    square = picture[top : top + side, left : left + side, ::-1]
    method = cv2.INTER_AREA if side > FRAME else cv2.INTER_LINEAR
    return rgb565(cv2.resize(square, (FRAME, FRAME), interpolation=method))


def share(hits):
    low, high = metrics.wilson(int(np.sum(hits)), len(hits))
    return {"share": float(np.mean(hits)) if len(hits) else None, "low": low, "high": high, "pairs": len(hits)}


def evaluate(folder, finder, embedder, match):
    """Pictures, faces found, the gate's flaws, FMR and FNMR at `match` over all pairs of found faces."""
    frames, owners = [], []
    for person, paths in people(folder).items():
        frames += [as_frame(path) for path in paths]
        owners += [person] * len(paths)
    faces = [finder(frame) for frame in frames]
    seen = [index for index, found in enumerate(faces) if found]
    vectors = metrics.unit([embedder(align64(frames[i], faces[i][0][2])) for i in seen] or np.ones((1, 1)))
    upper, owner = np.triu_indices(len(seen), 1), np.array(owners)[seen]
    scores, same = (vectors @ vectors.T)[upper], (owner[:, None] == owner)[upper]
    flaws = Counter(evaluate_quality.FLAWS[flaw] for flaw in evaluate_quality.judge(frames))
    return {
        "people": len(set(owners)),
        "pictures": len(frames),
        "found": len(seen) / len(frames),
        "quality": dict(flaws),
        "threshold": match,
        "fmr": share(scores[~same] > match),
        "fnmr": share(scores[same] <= match),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    networks = json.loads((ROOT / "networks.json").read_text())
    embedder, *looks = (Oracle(ROOT / networks[n]["file"], fast=True) for n in ("embedder", "finder", "landmarks"))
    finder = Finder(*looks, *(networks[n]["score_threshold"] for n in ("finder", "landmarks")))
    result = evaluate(folder, finder, embedder, networks["embedder"]["threshold_milli"] / 1000)
    (REPOSITORY / "build").mkdir(exist_ok=True)
    (REPOSITORY / "build" / "evaluate_own.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    run(main)
