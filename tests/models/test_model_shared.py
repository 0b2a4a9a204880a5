"""The threshold's promise, measured again where ../shared/data is present."""

import metrics
import pytest
from augment import plain_view
from data import ROOT, DataError, data_dir
from evaluate_faces import good_faces
from oracle import Oracle


@pytest.fixture(scope="module", autouse=True)
def shared():
    try:
        data_dir()
    except DataError as absent:
        pytest.skip(str(absent))


def test_no_group_is_falsely_matched_above_one_in_a_thousand(networks):
    """Pairs that the teacher takes for one person are left out: some are there twice."""
    pytest.importorskip("onnxruntime")
    faces, groups, opinions = good_faces()
    embedder = Oracle(ROOT / networks["embedder"]["file"], fast=True)
    vectors = metrics.unit([embedder(plain_view(face)) for face in faces])
    match = networks["embedder"]["threshold_milli"] / 1000
    rates = {
        g: metrics.rate_above(x, match) for g, x in metrics.group_impostors(vectors, groups, opinions[0]).items()
    }
    assert len(rates) == 14
    assert max(rates.values()) <= 0.001
