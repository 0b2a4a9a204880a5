"""The figures' definitions, on cases worked by hand."""

import metrics
import numpy as np
import pytest


def test_threshold_is_that_of_the_worst_group():
    easy, hard = np.arange(2000) / 10000, np.arange(2000) / 4000
    threshold = metrics.worst_group_threshold({"easy": easy, "hard": hard})
    assert threshold == hard[-3]
    assert [metrics.rate_above(x, threshold) for x in (easy, hard)] == [0, 0.001]


def test_impostors_stay_in_their_group_and_leave_out_one_person_seen_twice():
    embeddings = np.eye(5, dtype=np.float32)
    embeddings[3, 0] = 1
    second = np.eye(5, dtype=np.float32)
    second[1] = second[0]
    found = metrics.group_impostors(embeddings, np.array(["a", "a", "a", "b", "b"]), second)
    assert {group: scores.tolist() for group, scores in found.items()} == {"a": [0, 0], "b": [0]}


def test_lfw_accuracy_takes_each_threshold_from_the_other_folds():
    fold = np.repeat(np.arange(10), 4)
    same = np.tile([1, 1, 0, 0], 10)
    scores = np.where(same, 0.7, 0.1) + np.arange(40) / 1000
    assert metrics.lfw_accuracy(scores, same, fold) == (1.0, 0.0)
    scores[:4] = [0.0, 0.7, 0.0, 0.1]  # one genuine pair of the first fold below every impostor
    mean, error = metrics.lfw_accuracy(scores, same, fold)
    assert mean == pytest.approx(0.975)
    assert error == pytest.approx(0.025)
