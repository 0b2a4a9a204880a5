"""The embedder's first weights: what fits, scales and batch norms do to a network's function."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

import coarsen  # noqa: E402
import nets  # noqa: E402
import reid  # noqa: E402


@pytest.fixture
def net(small_net):
    return small_net.requires_grad_(False)


@pytest.fixture
def pictures(net):
    return torch.rand(64, 3, 16, 16) * 2 - 1


def test_equalised_network_answers_the_same(net, pictures):
    before = net(pictures)
    coarsen.equalise(net, pictures)
    torch.testing.assert_close(net(pictures), before, rtol=1e-3, atol=1e-3)
    layers = [node for node in net.nodes if node.kind in ("conv", "dw")][:-1]
    inner = [node for node in layers if node.prelu]
    for reach in coarsen.reach(inner, lambda: net(pictures)).values():
        torch.testing.assert_close(reach, torch.full_like(reach, coarsen.REACH), rtol=1e-2, atol=1e-2)


def test_reflected_network_answers_the_same(net, pictures):
    bent = [node for node in net.modules() if getattr(node, "prelu", False)]
    for node in bent:
        node.slope.copy_(torch.linspace(-3, 5, len(node.slope)))
    before = net(pictures)
    coarsen.reflect(net)
    torch.testing.assert_close(net(pictures), before, rtol=1e-3, atol=1e-3)
    assert all(node.slope.abs().max() <= 1 for node in bent)


def test_batch_norms_put_in_change_nothing_there(net, pictures):
    before = net(pictures)
    coarsen.normalise(net, pictures)
    assert sum(node.norm is not None for node in net.nodes if node.kind != "gate" and node.kind != "add") == 10
    torch.testing.assert_close(net.eval()(pictures), before, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(net.fold()(pictures), before, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("index", [0, 2, 8, 9])
def test_fit_finds_the_layer_that_made_the_maps(net, pictures, index):
    """First convolution, depthwise, global and last: each from another layer's weights, or from none."""
    seen = {}
    node = [x for x in net.nodes if isinstance(x, nets.Layer)][index]
    node.register_forward_hook(lambda _, given, __: seen.update(x=given[0]))
    net(torch.cat([pictures] * 4) + 0.1 * torch.randn(256, 3, 16, 16))
    prelu, node.prelu = node.prelu, False
    wanted, weight, bias = node(seen["x"], False), node.conv.weight.clone(), node.bias.clone()
    node.prelu = prelu
    other = reid.Convolution(weight + 0.05 * torch.randn_like(weight), 1, 1, 0, slope=torch.tensor([0.5]))
    node.conv.weight.zero_()
    assert coarsen.fit(node, other, seen["x"], wanted) < 0.01
    torch.testing.assert_close(node.conv.weight, weight, rtol=0.05, atol=0.05)
    torch.testing.assert_close(node.bias, bias, rtol=0.1, atol=0.1)


def test_last_layer_is_reread_for_other_targets():
    """These are a linear function of what it said before, so what it says then must be they."""
    pytest.importorskip("onnxruntime")
    import train_embedder

    layers = [*[("conv", 12, 3, 2, True)] * 2, ("global", None, 16, 1, False), ("fc", 6, 1, 1, False)]
    net = nets.Net({"name": "part", "input": (64, 64, 3), "norm": False, "layers": layers}).requires_grad_(False)
    faces = torch.randint(0, 256, (200, 112, 112, 3), dtype=torch.uint8)
    wanted = train_embedder.embed_all(net, faces) @ np.random.default_rng(2).normal(0, 1, (6, 6)).astype(np.float32)
    net.nodes[-1].conv.weight.zero_()
    train_embedder.reread(net, faces, wanted)
    found = train_embedder.embed_all(net, faces)
    for column in range(6):
        assert np.corrcoef(found[:, column], wanted[:, column])[0, 1] > 0.99


@pytest.mark.parametrize("given, size, stride", [(64, 32, 2), (32, 16, 4), (16, 8, 8), (8, 8, 8)])
def test_maps_are_taken_where_the_coarser_cells_look(given, size, stride):
    """A teacher's map that says where in its 128 pixels a cell's centre is, read at the embedder's cells."""
    where = torch.arange(given).float() * (128 / given)
    maps = torch.stack([where.expand(given, given), where[:, None].expand(given, given)])[None]
    found = reid.at_grid(maps, size, stride)[0]
    wanted = 2 * (stride * (np.arange(size) + 1) - 0.5) - 0.5
    inside = wanted <= 128 - 2 * 128 / given
    np.testing.assert_allclose(found[0, 0][inside], wanted[inside], atol=0.01)
    np.testing.assert_allclose(found[1, :, 0][inside], wanted[inside], atol=0.01)
