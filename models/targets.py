"""What the embedder is taught to say of a face: both teachers' word on it, less what its group has in common.

A student that isn't sure of a face says the mean of what it learned for faces like it. Of the teachers' own embeddings
that is a group's mean, and strangers of one group come out alike, most of all where the teachers tell people apart
least; of these it is nothing at all.
"""

import numpy as np
from metrics import unit


class Targets:
    """Fitted to teachers' `embeddings` [n, d], unit vectors side by side, and the race-and-gender `groups` [n]."""

    def __init__(self, embeddings, groups, size):
        embeddings = unit(embeddings).astype(np.float64)
        names, group = np.unique(groups, return_inverse=True)
        self.means = np.stack([embeddings[group == index].mean(0) for index in range(len(names))])
        within = np.cov((embeddings - self.means[group]).T)
        within += 1e-4 * np.trace(within) / len(within) * np.eye(len(within))
        self.directions = np.linalg.solve(within, self.means.T)
        self.offsets = (self.means.T * self.directions).sum(0) / -2
        own = self.without_group(embeddings)
        self.axes = np.linalg.eigh(own.T @ own)[1][:, : -size - 1 : -1]

    def arrays(self):
        """{name: float32 array} that `Targets.of` takes."""
        return {name: np.float32(value) for name, value in vars(self).items()}

    @classmethod
    def of(cls, arrays):
        """Those of which `arrays` were kept: fitted anew, even to nearly the same embeddings, axes turn."""
        targets = cls.__new__(cls)
        for name in ("means", "directions", "offsets", "axes"):
            setattr(targets, name, np.float64(arrays[name]))
        return targets

    def without_group(self, embeddings):
        """Less the mean of its group, as far as linear discriminants (Fisher 1936) make it one or another of them."""
        scores = embeddings @ self.directions + self.offsets
        share = np.exp(scores - scores.max(1, keepdims=True))
        return unit(embeddings - share / share.sum(1, keepdims=True) @ self.means)

    def __call__(self, embeddings):
        """float32 unit vectors [n, size], in the principal axes, of `embeddings` [n, d]."""
        return unit(self.without_group(unit(embeddings)) @ self.axes)
