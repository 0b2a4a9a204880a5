"""Verification figures: rates of false and true matches at a threshold on the cosine."""

import numpy as np

FMR = 1e-3


def unit(embeddings):
    values = np.asarray(embeddings, np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def lfw_accuracy(scores, same, fold):
    """(mean, standard error) of View 2's ten folds, each with the threshold that is best on the other nine."""
    found = []
    for k in range(10):
        train, test = fold != k, fold == k
        order = np.argsort(scores[train])
        ranked, truth = scores[train][order], same[train][order]
        right = np.concatenate([[truth.sum()], truth.sum() + np.cumsum(1 - 2 * truth)])
        cut = int(right.argmax())
        bounds = np.concatenate([[ranked[0] - 1], ranked, [ranked[-1] + 1]])
        threshold = (bounds[cut] + bounds[cut + 1]) / 2
        found.append(((scores[test] > threshold) == (same[test] == 1)).mean())
    return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(10))


def group_impostors(embeddings, groups, second_opinion):
    """{group: similarities of every pair within it}, less those the second opinion puts above 0.6: one person."""
    found = {}
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        upper = np.triu_indices(len(members), 1)
        own, other = embeddings[members], second_opinion[members]
        different = (other @ other.T)[upper] <= 0.6
        found[str(group)] = (own @ own.T)[upper][different]
    return found


def worst_group_threshold(impostors, fmr=FMR):
    """The least threshold at which no group's share of impostors above it exceeds `fmr`."""
    return max(float(np.sort(scores)[-1 - int(fmr * len(scores))]) for scores in impostors.values())


def rate_above(scores, threshold):
    return float((np.asarray(scores) > threshold).mean())


def wilson(hits, count, z=1.96):
    """95 % interval of a share (Wilson 1927): (low, high)."""
    if not count:
        return 0.0, 1.0
    share, extra = hits / count, z * z / count
    middle, half = share + extra / 2, z * np.sqrt(share * (1 - share) / count + extra / (4 * count))
    return float(max(0, (middle - half) / (1 + extra))), float(min(1, (middle + half) / (1 + extra)))
