"""False matches by group with intervals: a group's people are drawn again, with replacement, so that a person whom many
others resemble widens the interval as it should."""

import metrics
import numpy as np

SEED = 19
DRAWS = 400


def evaluate(embeddings, groups, second_opinion, threshold):
    """{group: {"people", "pairs", "fmr", "low", "high"}} at a threshold on the cosine: 95 % intervals by bootstrap."""
    rng, found = np.random.default_rng(SEED), {}
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        own, other = embeddings[members], second_opinion[members]
        different = (other @ other.T <= 0.6) & ~np.eye(len(members), dtype=bool)
        false = (own @ own.T > threshold) & different
        draws = [np.bincount(rng.integers(0, len(own), len(own)), minlength=len(own)) for _ in range(DRAWS)]
        low, high = np.quantile([rate(false, different, weights) for weights in draws], (0.025, 0.975))
        hits, pairs = int(false.sum()) // 2, int(different.sum()) // 2
        found[str(group)] = {
            "people": len(own),
            "pairs": pairs,
            "fmr": hits / pairs,
            "low": float(low),
            "high": float(max(high, metrics.wilson(hits, pairs)[1])),  # where no draw has a false match
        }
    return found


def rate(false, different, weights):
    """Weighted share of false matches among different people; a person drawn twice is not compared with himself."""
    return float(weights @ false @ weights) / float(weights @ different @ weights)
