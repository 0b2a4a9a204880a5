"""The figures' definitions, on cases worked by hand."""

import evaluate_groups
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


def test_wilson_s_interval():
    """Newcombe 1998, table I: 81 of 263; and none of ten."""
    assert metrics.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert metrics.wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)


def test_a_person_whom_all_resemble_widens_the_interval():
    """Nobody resembles anybody, or everybody one person: her share of the draws decides."""
    apart = np.eye(40, dtype=np.float32)
    star = apart.copy()
    star[1:, 0] = 0.8
    groups, second = np.array(["a"] * 40), np.eye(40)
    none, one = (evaluate_groups.evaluate(metrics.unit(v), groups, second, 0.6)["a"] for v in (apart, star))
    assert (none["people"], none["pairs"], none["fmr"], none["low"]) == (40, 780, 0, 0)
    assert 0 < none["high"] < 0.006
    assert one["fmr"] == pytest.approx(39 / 780)
    assert one["low"] == 0 and one["high"] > 0.1
