"""Rounds weights to int8 so that in what a layer gives their errors make up for each other.

That each weight goes to its nearest step is best for the weights, not for their sums: inputs that come together can be
rounded against each other (GPTQ, Frantar et al. 2023; here by coordinate descent, on what the layers before, rounded
already, give).
"""

import torch
from fakequant import weight_scales
from nets import Layer
from torch.nn import functional as F

SAMPLES = 60_000  # places of a map that one layer's rounding looks at
RIDGE = 1e-2  # of the mean variance of an input: what the samples don't say of the others
SWEEPS = 8


def rounded_together(weight, gram, scale):
    """Steps -127..127 [o, i] of weight / scale [o, 1], with a small error e @ gram @ e of each row e of what is lost.

    `gram` is [o, i, i], or [1, i, i] for all rows. Each is the nearest step or one beside it, but those of the largest
    weights stay, for they are what the scale is of.
    """
    steps = torch.round(weight / scale)
    aside = (steps.abs() < 127).to(weight)
    low, high = steps - aside, steps + aside
    slope = ((weight - scale * steps)[:, None] @ gram)[:, 0]
    for _ in range(SWEEPS):
        for i in range(weight.shape[1]):
            better = steps[:, i] + torch.round(slope[:, i] / (gram[:, i, i] * scale[:, 0]))
            move = better.clamp(low[:, i], high[:, i]) - steps[:, i]
            steps[:, i] += move
            slope -= move[:, None] * scale * gram[:, i]
    return steps


def round_layer(layer, x):
    """For its input `x` [n, c, h, w]; the bias takes up what the mean loses."""
    x = x[: max(1, SAMPLES // layer.out_size**2)]
    if layer.pad != (0, 0):
        x = F.pad(x, layer.pad * 2)
    columns = F.unfold(x, layer.kernel, stride=layer.stride).unflatten(1, (layer.conv.groups, -1))
    columns = columns.permute(1, 0, 3, 2).flatten(1, 2).double()  # [groups, samples, inputs of one output]
    mean = columns.mean(1)
    columns -= mean[:, None]
    gram = columns.mT @ columns
    gram += RIDGE * gram.diagonal(dim1=1, dim2=2).mean().clamp(min=1e-9) * torch.eye(gram.shape[-1]).to(gram)
    weight, scale = layer.conv.weight, weight_scales(layer.conv.weight).double()[:, None]
    exact = weight.double().flatten(1)
    found = scale * rounded_together(exact, gram, scale)
    layer.bias += ((exact - found) * mean).sum(1).float()
    weight.copy_(found.view_as(weight))
    layer.exact = False


def layers_of(net):
    return [node for node in net.modules() if isinstance(node, Layer)]


@torch.no_grad()
def round_weights(net, pictures):
    """Of all layers of the quantised `net`, `exact` till then, for inputs [n, 3, h, w]."""
    hooks = [x.register_forward_pre_hook(lambda layer, given: round_layer(layer, given[0])) for x in layers_of(net)]
    net(pictures)
    for hook in hooks:
        hook.remove()
