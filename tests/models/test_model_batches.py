"""What the embedder's batches are made of, faces that nobody has among them, and a training with them."""

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import blends  # noqa: E402
import checkpoint  # noqa: E402
import nets  # noqa: E402
import train_embedder as training  # noqa: E402
import views  # noqa: E402

SIZES = 9, 5, 8, 7, 6  # of the groups
STARTS = np.cumsum([0, *SIZES]).tolist()
COUNT = 4  # blends of each


def flat(value):
    return np.full((112, 112, 3), value, np.uint8)


@pytest.fixture
def faces():
    """Grey ones: those of group i from 40 i to 40 i + 9."""
    values = [40 * group + place for group, size in enumerate(SIZES) for place in range(size)]
    return torch.from_numpy(np.stack([flat(value) for value in values])).to(views.DEVICE)


@pytest.fixture
def batches(faces, monkeypatch):
    """Unspoiled; each target is the number of its picture."""
    monkeypatch.setattr(views, "spoiled", lambda _, x: views.plain(x))
    mixed = blends.blends(faces, STARTS, COUNT)
    wanted = np.arange(len(faces) + len(mixed), dtype=np.float32)[:, None]
    drawn = np.stack([[flat(200 + 6 * person + view) for view in range(3)] for person in range(9)])
    return training.Batches(faces, STARTS, mixed, wanted, drawn, 48)


def brightness(x):
    return (x.mean((1, 2, 3)) * 128 + 128).cpu().numpy()


@pytest.mark.parametrize("seed", range(20))
def test_blend_is_between_its_two_people(seed):
    pair = (views.floats(torch.from_numpy(flat(value)[None]).to(views.DEVICE)) for value in (40, 200))
    found = blends.blended(views.Dice(seed), *pair)
    assert found.shape == (1, 3, 112, 112)
    assert 39.9 <= found.min() <= found.max() <= 200.1


def test_blends_are_of_two_people_of_one_group_each_time_the_same(faces):
    found = blends.blends(faces, STARTS, 200)
    by_group = found.view(len(SIZES), 200, -1)
    for group, size in enumerate(SIZES):
        assert 40 * group <= by_group[group].min() and by_group[group].max() <= 40 * group + size - 1
    assert (by_group.amax(2) > by_group.amin(2)).float().mean() > 0.3  # some edges lie beyond the picture
    assert torch.equal(found, blends.blends(faces, STARTS, 200))


def test_a_batch_is_of_few_groups_equally_and_its_targets_are_its_pictures(batches):
    seen = set()
    for step in range(12):
        pictures, wanted = batches[step]
        assert pictures.shape == (48 + 6, 3, 64, 64) and wanted.shape == (48, 1)
        values, rows = brightness(pictures), wanted[:, 0].long().cpu().numpy()
        is_face, each = rows < STARTS[-1], 48 // training.GROUPS
        group = np.where(is_face, np.searchsorted(STARTS, rows, "right") - 1, (rows - STARTS[-1]) // COUNT)
        for part, share in (is_face, each // training.REAL), (~is_face, each - each // training.REAL):
            assert np.unique(group[part], return_counts=True)[1].tolist() == [share] * training.GROUPS
        seen |= set(group.tolist())
        for row, value in zip(rows[is_face], values[:48][is_face], strict=True):
            assert value == pytest.approx(int(batches.faces[row, 0, 0, 0]), abs=0.6)
        assert (np.abs(values[:48] - 40 * group) < 10).all()
        people, views_of = np.divmod(np.rint(values[48:]).astype(int) - 200, 6)
        assert (people[::2] == people[1::2]).all() and len(set(people)) == 3
        assert (views_of[::2] != views_of[1::2]).all()
    assert seen == set(range(len(SIZES)))


def test_batches_ahead_are_those_of_their_steps(batches):
    for step, (pictures, wanted) in enumerate(batches.ahead(3, 7), 3):
        assert torch.equal(pictures, batches[step][0]) and torch.equal(wanted, batches[step][1])
    assert step == 6


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """A small network, and patterned faces whose targets are a few random projections of them."""
    monkeypatch.setattr(checkpoint, "CACHE", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    torch.manual_seed(2)
    rng = np.random.default_rng(2)
    small = torch.from_numpy(rng.integers(0, 256, (STARTS[-1] + 20, 3, 3, 3), np.uint8)).float()
    faces = torch.nn.functional.interpolate(small, 112, mode="bilinear").permute(0, 2, 3, 1).byte().to(views.DEVICE)
    mixed = blends.blends(faces, STARTS, COUNT)
    pictures = torch.cat([faces, mixed]).flatten(1).float().cpu().numpy() / 128 - 1
    wanted = training.unit(pictures @ rng.normal(0, 1, (pictures.shape[1], 8)).astype(np.float32))
    drawn = rng.integers(0, 256, (6, 2, 112, 112, 3), np.uint8)
    layers = [*[("conv", 16, 3, 2, "prelu")] * 3, ("global", None, 8, 1, False), ("fc", 8, 1, 1, False)]
    net = training.on_device(nets.Net({"name": "part", "input": (64, 64, 3), "layers": layers}))
    check = faces[STARTS[-1] :], wanted[STARTS[-1] : len(faces)]
    return net, training.Batches(faces, STARTS, mixed, wanted, drawn, 32), check


def test_training_nears_the_targets(scene):
    net, batches, check = scene
    before, _ = training.held_out_error(net, *check)
    training.train(net, 100, 1e-2, batches, check, 1, False)
    after, _ = training.held_out_error(net, *check)
    assert after > before + 0.2
