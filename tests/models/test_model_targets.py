"""What the embedder is taught: both teachers' word less what the group has in common."""

import numpy as np
import pytest
from metrics import unit

GROUPS = np.repeat(["one", "two", "three"], 400)


@pytest.fixture
def people():
    return np.random.default_rng(8).normal(0, 1, (1200, 40))


@pytest.fixture
def embeddings(people):
    """The people of three groups, each group about a mean of its own."""
    return unit(people + np.repeat(np.random.default_rng(9).normal(0, 1.5, (3, 40)), 400, axis=0))


@pytest.fixture
def targets(embeddings):
    from targets import Targets

    return Targets(embeddings, GROUPS, 40)


def within(found, group):
    members = found[group == GROUPS]
    return (members @ members.T)[np.triu_indices(len(members), 1)]


@pytest.mark.parametrize("group", ["one", "two", "three"])
def test_strangers_of_a_group_are_as_unlike_as_any(embeddings, targets, group):
    assert within(embeddings, group).mean() > 0.5
    assert abs(within(targets(embeddings), group).mean()) < 0.01


def test_likeness_is_that_of_what_is_a_persons_own(people, embeddings, targets):
    own = within(unit(people), "two")
    before, now = (np.corrcoef(within(x, "two"), own)[0, 1] for x in (embeddings, targets(embeddings)))
    assert now > 0.95 and now > before


def test_fewer_numbers_keep_the_similarities_best(embeddings):
    """Against as many coordinates taken as they come."""
    from targets import Targets

    whole, few = Targets(embeddings, GROUPS, 40)(embeddings), Targets(embeddings, GROUPS, 20)(embeddings)
    assert few.shape == (1200, 20) and few.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(few, axis=1), 1, atol=1e-5)
    first = unit(whole[:, ::2])
    wanted = whole @ whole.T
    assert np.square(few @ few.T - wanted).mean() < np.square(first @ first.T - wanted).mean()


def test_targets_do_not_hang_on_the_scale_of_an_embedding(embeddings, targets):
    np.testing.assert_allclose(targets(3 * embeddings), targets(embeddings), atol=1e-5)


def test_targets_that_were_kept_are_the_same(embeddings, targets, tmp_path):
    np.savez(tmp_path / "kept.npz", **targets.arrays())
    with np.load(tmp_path / "kept.npz") as kept:
        again = type(targets).of(kept)
    np.testing.assert_allclose(again(embeddings), targets(embeddings), atol=1e-4)
