"""The threshold's promise, measured again where ../shared/data is present."""

import metrics
import numpy as np
import pytest
from augment import plain_view
from data import ROOT, DataError, data_dir, read_faces
from oracle import Oracle


@pytest.fixture(scope="module", autouse=True)
def shared():
    try:
        data_dir()
    except DataError as absent:
        pytest.skip(str(absent))


def test_no_group_is_falsely_matched_above_one_in_a_thousand(networks):
    """All same-group pairs count here but the nearly equal ones, and so do people who are there twice: hence 0.0015."""
    faces, labels = read_faces("fairface_val112")
    kept = (labels["det_score"].astype(float) > 0.85) & (labels["eye_dist"].astype(float) > 50)
    groups = np.char.add(np.char.add(labels["race"], " "), labels["gender"])[kept]
    embedder = Oracle(ROOT / networks["embedder"]["file"], fast=True)
    vectors = metrics.unit([embedder(plain_view(face)) for face in faces[kept]])
    match = networks["embedder"]["threshold_milli"] / 1000
    rates = {
        g: metrics.rate_above(x[x < 0.9], match)
        for g, x in metrics.group_impostors(vectors, groups, vectors * 0).items()
    }
    assert len(rates) == 14
    assert max(rates.values()) <= 0.0015
