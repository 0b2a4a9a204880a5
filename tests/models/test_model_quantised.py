"""How the embedder becomes int8: ranges and gains by gradient, weights rounded together."""

import copy
import itertools

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import coarsen  # noqa: E402
import fakequant  # noqa: E402
import quantise_embedder as quantising  # noqa: E402
from quantise import calibrate  # noqa: E402
from rounding import layers_of, round_layer, round_weights, rounded_together  # noqa: E402


@pytest.fixture
def lots():
    """Pictures that change slowly from place to place."""
    small = torch.rand(96, 3, 4, 4, generator=torch.Generator().manual_seed(6)) * 2 - 1
    return torch.nn.functional.interpolate(small, 16, mode="bicubic").clamp(-1, 1).split(32)


@pytest.fixture
def net(small_net, lots):
    """Calibrated int8."""
    coarsen.equalise(small_net.eval(), lots[0])
    calibrate(small_net, lots)
    small_net.quantised = True
    return small_net


@torch.no_grad()
def answer(net, x, quantised):
    net = copy.deepcopy(net)
    net.quantised = quantised
    return net(x)


def error(net, lots):
    """Mean square one of int8, in parts of the answers' own variance."""
    x = torch.cat(lots)
    exact = answer(net, x, False)
    return ((answer(net, x, True) - exact).square().mean() / exact.var()).item()


def exact(net):
    """The network `net` in float."""
    example = copy.deepcopy(net)
    example.quantised = False
    return example


@pytest.mark.parametrize("part, factor", [*itertools.product(("low", "high"), (0.4, 8))])
def test_ranges_are_learned_and_the_network_stays(net, lots, part, factor):
    for module in net.modules():
        if isinstance(module, fakequant.ActivationRange):
            getattr(module, part).mul_(factor)
    off, before = error(net, lots), answer(net, torch.cat(lots), False)
    quantising.learn_ranges(net, exact(net), lots, 60)
    assert error(net, lots) < 0.5 * off
    torch.testing.assert_close(answer(net, torch.cat(lots), False), before, rtol=1e-3, atol=1e-3)


def test_gains_are_learned(net, lots):
    """Channels that use an eighth of their map's range come to use more of it."""
    gains = []
    for writers, _, readers in coarsen.maps(net):
        gains.append(torch.where(torch.arange(len(writers[0].bias)) % 2 > 0, 1.0, 1 / 8))
        coarsen.rescale(writers, readers, gains[-1])
    off, weights = error(net, lots), [writers[0].conv.weight.clone() for writers, *_ in coarsen.maps(net)]
    quantising.learn_ranges(net, exact(net), lots, 60)
    assert error(net, lots) < 0.5 * off
    changes = [
        (writers[0].conv.weight / before).abs().flatten(1).median(1).values
        for (writers, *_), before in zip(coarsen.maps(net), weights, strict=True)
    ]
    small, large = (torch.cat([c[g == v] for c, g in zip(changes, gains, strict=True)]) for v in (1 / 8, 1.0))
    assert small.median() > 1.1 * large.median()


@pytest.mark.parametrize("seed", range(5))
def test_rounded_together_errs_less_than_each_to_its_nearest(seed):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.eye(24) + 0.3 * torch.randn(24, 24, generator=generator)
    x = torch.randn(500, 24, generator=generator) @ mixing
    weight = torch.randn(8, 24, generator=generator)
    scale = weight.abs().amax(1, keepdim=True) / 127
    steps, nearest = rounded_together(weight, (x.T @ x)[None], scale), torch.round(weight / scale)
    assert torch.equal(steps, torch.round(steps)) and steps.abs().max() == 127
    assert torch.equal(steps[nearest.abs() == 127], nearest[nearest.abs() == 127])
    errors = [((weight - scale * q) @ x.T).square().sum(1) for q in (steps, nearest)]
    assert (errors[0] <= errors[1]).all() and errors[0].sum() < 0.7 * errors[1].sum()


def test_weights_are_rounded_to_steps_that_quantising_keeps(net, lots):
    example, x = exact(net), torch.cat(lots)

    def off():
        """By the weights' rounding alone."""
        other = exact(net)
        for node in layers_of(other):
            node.conv.weight.data = fakequant.fake_quantise_weights(node.conv.weight.data)
        return (answer(other, x, False) - answer(example, x, False)).square().mean()

    for node in layers_of(net):
        node.exact = True
    before = off()
    round_weights(net, x)
    assert off() < 0.7 * before
    for node in layers_of(net):
        assert not node.exact
        kept = fakequant.fake_quantise_weights(node.conv.weight)
        torch.testing.assert_close(kept, node.conv.weight, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("index, kind", [(0, "conv"), (2, "dw"), (-2, "global"), (-1, "fc")])
def test_rounding_keeps_the_mean_of_what_a_layer_gives(net, index, kind):
    layer = net.nodes[index].requires_grad_(False)
    assert layer.kind == kind
    x = torch.rand(400, layer.conv.in_channels, layer.size, layer.size, generator=torch.Generator().manual_seed(7)) + 1
    before, weight = layer.convolve(x, False), layer.conv.weight.clone()
    round_layer(layer, x)
    assert (layer.conv.weight - weight).abs().max() > 1e-3
    after = layer.convolve(x, False)
    torch.testing.assert_close(after.mean((0, 2, 3)), before.mean((0, 2, 3)), rtol=0, atol=1e-4)
