"""The embedder on LFW (evaluation only) and FairFace-val, from any function that embeds aligned faces."""

import metrics
import numpy as np
from augment import plain_view
from data import CACHE, read_faces, read_lfw
from teacher import embed, session


def opinion(name, faces, raw):
    """A teacher's embeddings of FairFace-val, which holds some people twice."""
    cached = CACHE / f"fairface_val112.{name}.npy"
    if not cached.is_file():
        np.save(cached, embed(session(name), faces, raw))
    return np.load(cached)


def good_faces():
    """(aligned faces, group of each, opinions) of FairFace-val: detector above 0.85, eyes above 50 px apart.

    `opinions` are reid0095's, whose word on who is one person the data's README goes by, and MBF's: the embedder comes
    from the first, which so might excuse its false matches.
    """
    faces, labels = read_faces("fairface_val112")
    kept = (labels["det_score"].astype(float) > 0.85) & (labels["eye_dist"].astype(float) > 50)
    groups = np.char.add(np.char.add(labels["race"], " "), labels["gender"])
    opinions = opinion("teacher_reid0095", faces, True), opinion("teacher_espdl_mbf", faces, False)
    return faces[kept], groups[kept], [embeddings[kept] for embeddings in opinions]


def score_pairs(embeddings, names, pairs):
    row = {name: index for index, name in enumerate(names)}
    a, b = ([row[name] for name in pairs[column]] for column in ("img_a", "img_b"))
    return np.einsum("ij,ij->i", embeddings[a], embeddings[b])


def evaluate(embed_face):
    """The table's figures for `embed_face`, aligned 112x112 face to embedding; and unit embeddings of `good_faces`."""
    faces, groups, opinions = good_faces()
    found = metrics.unit([embed_face(face) for face in faces])
    impostors, by_mbf = (metrics.group_impostors(found, groups, opinion) for opinion in opinions)
    threshold = metrics.worst_group_threshold(impostors)
    pictures, pairs = read_lfw()
    lfw = metrics.unit([embed_face(picture) for picture in pictures.values()])
    scores = score_pairs(lfw, list(pictures), pairs)
    same = pairs["same"]
    accuracy, error = metrics.lfw_accuracy(scores, same, pairs["fold"])
    lfw_threshold = float(np.sort(scores[same == 0])[-1 - int(metrics.FMR * (same == 0).sum())])
    figures = {
        "threshold": threshold,
        "lfw_accuracy": accuracy,
        "lfw_accuracy_error": error,
        "tar_at_worst_group": metrics.rate_above(scores[same == 1], threshold),
        "tar_at_worst_group_by_mbf": metrics.rate_above(scores[same == 1], metrics.worst_group_threshold(by_mbf)),
        "tar_at_lfw_fmr": metrics.rate_above(scores[same == 1], lfw_threshold),
        "fmr_by_group": {group: metrics.rate_above(x, threshold) for group, x in impostors.items()},
        "fmr_by_group_at_lfw": {group: metrics.rate_above(x, lfw_threshold) for group, x in impostors.items()},
    }
    return figures, found


def through(network):
    """An embedding function from one that takes the 64x64 input."""
    return lambda face: network(plain_view(face))
