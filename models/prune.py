"""First weights of the embedder: the teacher's own, on a smaller picture, with fewer channels inside each bottleneck.

The channels to keep and the projection that follows them come from least squares, layer by layer from the picture on:
what the bottleneck adds must make its output the teacher's, at the places of the coarser grid. So a layer also makes
good what those before it got wrong (after He et al. 2017, Channel pruning for accelerating very deep neural networks).
"""

import numpy as np
import torch
from augment import plain_view
from mbf import ADDS, Mbf
from nets import Net
from torch.nn import functional as F

FACES = 1536
SAMPLES = 60_000  # places of the feature maps that one fit looks at
RIDGE = 1e-4


def batched(layer, x, size=256):
    return torch.cat([layer(part) for part in x.split(size)])


def places(x, generator):
    """NCHW as rows of channels, SAMPLES of them at most: the same ones for every map of one size."""
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    chosen = torch.randperm(len(rows), generator=generator.manual_seed(0))[:SAMPLES]
    return rows[chosen].double()


def choose(inner, wanted, count):
    """Keeps `count` channels of `inner` [n, c] and predicts `wanted` [n, o]: (channels, weight [o, count], bias [o]).

    Backward elimination: each step drops the channel whose loss raises the squared error least.
    """
    generator = torch.Generator()
    inner, wanted = places(inner, generator), places(wanted, generator)
    inner_mean, wanted_mean = inner.mean(0), wanted.mean(0)
    inner, wanted = inner - inner_mean, wanted - wanted_mean
    gram = inner.T @ inner
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    cross = inner.T @ wanted
    left, inverse = torch.arange(len(gram)), torch.linalg.inv(gram)
    while len(left) > count:
        cost = (inverse @ cross[left]).square().sum(1) / inverse.diagonal()
        gone = int(cost.argmin())
        column = inverse[:, gone] / inverse[gone, gone].sqrt()
        kept = torch.arange(len(left)) != gone
        inverse = (inverse - torch.outer(column, column))[kept][:, kept]
        left = left[kept]
    weight = torch.linalg.solve(gram[left][:, left], cross[left]).T
    error = (wanted - inner[:, left] @ weight.T).square().sum() / wanted.square().sum()
    return left, weight.float(), (wanted_mean - weight @ inner_mean[left]).float(), float(error)


def put(node, weight, bias, slope=None):
    node.conv.weight.copy_(weight)
    node.bias.copy_(bias)
    if slope is not None:
        node.slope.copy_(slope)


def twin(node, layer):
    """A function that runs `layer` of the teacher with the padding and stride of the student's `node`."""

    def run(x):
        weight = layer.weight.float()
        x = F.conv2d(F.pad(x, node.pad * 2), weight, layer.bias, node.stride, 0, 1, layer.groups)
        return torch.where(x > 0, x, x * layer.slope[:, None, None])

    return run


def root_mean_square(nodes, run):
    """{node: RMS of each channel of its output, before a PReLU} while `run()` runs the network."""
    seen = {}

    def hook(node):
        return lambda _, given, __: seen.update({node: given[0].square().mean((0, 2, 3)).sqrt()})

    hooks = [node.range.register_forward_hook(hook(node)) for node in nodes]
    run()
    for handle in hooks:
        handle.remove()
    return seen


def scale_output(node, gain):
    node.conv.weight.mul_(gain[:, None, None, None])
    node.bias.mul_(gain)


def scale_input(node, gain):
    node.conv.weight.div_(gain[:, None, None, None] if node.kind == "dw" else gain[:, None, None])


def equalise(net, x):
    """Scales each channel to unit RMS (before the PReLU), and back in the layers that read it; the function stays.

    Adam then moves all weights at one pace, and one int8 scale suits all channels of a map.
    """
    convolutions, nodes = [node for node in net.nodes if node.kind != "add"], list(net.nodes)
    writers = []  # (layers that write a map, the node after which it is complete, layers that read it)
    for node, after in zip(convolutions, convolutions[1:], strict=False):
        if node.prelu and after.kind != "fc":
            writers.append(([node], node, [after]))
    begins = [index for index, adds in enumerate(ADDS) if not adds]
    for first, end in zip(begins, [*begins[1:], len(ADDS)], strict=True):
        projections = [convolutions[4 + 3 * index] for index in range(first, end)]
        readers = [convolutions[5 + 3 * index] for index in range(first, end)]
        sums = nodes[nodes.index(projections[-1]) + 1]
        writers.append((projections, sums, readers))
    seen = root_mean_square([last for _, last, _ in writers], lambda: net(x))
    for outputs, last, readers in writers:
        gain = 1 / seen[last].clamp(min=1e-3)
        for node in outputs:
            scale_output(node, gain)
        for node in readers:
            scale_input(node, gain)


@torch.no_grad()
def normalise(net, x):
    """Puts a batch norm behind each convolution that changes nothing on `x`; without them training goes nowhere."""
    seen = {}

    def hook(node):
        return lambda _, given, __: seen.update({node: (given[0].mean((0, 2, 3)), given[0].var((0, 2, 3)))})

    nodes = [node for node in net.nodes if node.kind != "add"]
    hooks = [node.range.register_forward_hook(hook(node)) for node in nodes]
    net(x)
    for handle in hooks:
        handle.remove()
    for node in nodes:
        node.unfold(*seen[node])


@torch.no_grad()
def pruned(spec, faces):
    """The network of `spec` with weights pruned from the teacher's, by its features on `faces` [FACES, 112, 112, 3].

    It has no batch norms, for the teacher's are folded; `normalise` puts them in.
    """
    net, teacher = Net({**spec, "norm": False}), Mbf()
    convolutions = [node for node in net.nodes if node.kind != "add"]
    stem, tail = convolutions[:2], convolutions[2 + 3 * len(ADDS) :]
    grids = [stem[1].out_size, *(convolutions[4 + 3 * i].out_size for i in range(len(ADDS))), *[tail[0].out_size] * 2]
    wanted = [[] for _ in grids]
    for start in range(0, len(faces), 64):
        pictures = torch.from_numpy(faces[start : start + 64]).permute(0, 3, 1, 2).float()
        for kept, feature, grid in zip(wanted, teacher.features((pictures - 127.5) / 127.5), grids, strict=True):
            kept.append(F.interpolate(feature.float(), size=(grid, grid), mode="bilinear", antialias=True).half())
        print(f"prune: teacher's features of {start + len(pictures)} faces", flush=True)
    wanted = [torch.cat(kept) for kept in wanted]

    small = np.stack([plain_view(face) for face in faces])
    x = (torch.from_numpy(small).permute(0, 3, 1, 2).float() - 128) / 128
    first, second = teacher.layers[:2]
    full = batched(lambda part: twin(stem[1], second)(twin(stem[0], first)(part))[:, :, ::2, ::2], x, 64)
    expand = teacher.bottlenecks[0][0].weight.float()
    kept, weight, bias, error = choose(full, F.conv2d(wanted[0][:, :, ::2, ::2].float(), expand), len(stem[0].bias))
    for node, layer in zip(stem, (first, second), strict=True):
        put(node, layer.weight[kept], layer.bias[kept], layer.slope[kept])
    expansion = weight[:, :, None, None], bias + teacher.bottlenecks[0][0].bias
    x = batched(lambda part: stem[1](stem[0](part, False), False), x)
    print(f"prune: stem, error {error:.3f}", flush=True)

    for index, (layers, adds) in enumerate(zip(teacher.bottlenecks, ADDS, strict=True)):
        nodes, (widen, depthwise, _) = convolutions[2 + 3 * index : 5 + 3 * index], layers
        if index:
            expansion = widen.weight.float(), widen.bias
        wide = type(widen)(*expansion, 1, 1, widen.slope)
        inner = batched(lambda part: twin(nodes[1], depthwise)(twin(nodes[0], wide)(part)), x)  # noqa: B023
        target = wanted[index + 1].float() - x if adds else wanted[index + 1].float()
        kept, weight, bias, error = choose(inner, target, len(nodes[0].bias))
        put(nodes[0], expansion[0][kept], expansion[1][kept], widen.slope[kept])
        put(nodes[1], depthwise.weight[kept], depthwise.bias[kept], depthwise.slope[kept])
        put(nodes[2], weight[:, :, None, None], bias)
        found = batched(lambda part: nodes[2](nodes[1](nodes[0](part, False), False), False), x)  # noqa: B023
        x = x + found if adds else found
        print(f"prune: bottleneck {index}, {len(kept)} of {len(widen.bias)} channels, error {error:.3f}", flush=True)

    widen, narrow = teacher.head
    kept, weight, bias, error = choose(
        batched(twin(tail[0], widen), x), F.conv2d(wanted[-2].float(), narrow.weight.float()), len(tail[0].bias)
    )
    put(tail[0], widen.weight[kept], widen.bias[kept], widen.slope[kept])
    put(tail[1], weight[:, :, None, None], bias + narrow.bias, narrow.slope)
    equalise(net, (torch.from_numpy(small[:256]).permute(0, 3, 1, 2).float() - 128) / 128)
    return net
