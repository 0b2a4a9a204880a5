"""The two networks as plain layer lists: one description for training, quantising, exporting and counting."""

import torch
from fakequant import ActivationRange, fake_quantise_weights
from torch import nn
from torch.nn import functional as F

# A layer is (kind, output channels, kernel, stride, relu); kinds are conv, dw (depthwise), fc (over the flattened map)
# and the residual marks: save keeps the current tensor, add adds the kept one.


def residual(width, out):
    """Inverted residual: 1x1 up to `width`, depthwise 3x3, linear 1x1 back to `out`, plus the input."""
    return [("save",), ("conv", width, 1, 1, True), ("dw", None, 3, 1, True), ("conv", out, 1, 1, False), ("add",)]


# Plain 3x3 convolutions halve the map: they cost what an expanding bottleneck costs, are quicker to train (oneDNN's
# backward pass of a strided depthwise layer is a hundred times slower) and suit the chip's vector unit better.
EMBEDDER = {
    "name": "embedder",
    "input": (64, 64, 3),
    "layers": [
        ("conv", 16, 3, 2, True),  # 32x32
        ("conv", 48, 3, 2, True),  # 16x16
        *residual(96, 48),
        ("conv", 96, 3, 2, True),  # 8x8
        *residual(192, 96),
        *residual(192, 96),
        ("conv", 160, 3, 2, True),  # 4x4
        *residual(384, 160),
        *residual(384, 160),
        ("fc", 128, 4, 1, False),
    ],
}

FINDER = {
    "name": "finder",
    "input": (80, 80, 1),
    "layers": [
        ("conv", 8, 3, 2, True),  # 40x40
        ("conv", 24, 3, 2, True),  # 20x20
        *residual(40, 24),
        ("conv", 48, 3, 2, True),  # 10x10
        *residual(96, 48),
        *residual(96, 48),
        *residual(96, 48),
        ("conv", 11, 1, 1, False),
    ],
}


def widened(spec, width):
    """The same network with `width` outputs."""
    kind, _, *rest = spec["layers"][-1]
    return {**spec, "layers": [*spec["layers"][:-1], (kind, width, *rest)]}


def same_padding(size, kernel, stride):
    """TensorFlow's SAME: (before, after) along one axis; the odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Layer(nn.Module):
    """Convolution with batch norm (until `fold`), optional ReLU, optional fake quantisation of weights and output."""

    def __init__(self, kind, size, inputs, outputs, kernel, stride, relu):
        super().__init__()
        self.kind, self.kernel, self.stride, self.relu = kind, kernel, stride, relu
        self.size = size  # input height and width
        groups = inputs if kind == "dw" else 1
        pad = same_padding(size, kernel, stride) if kind != "fc" else (0, 0)
        self.pad = pad
        symmetric = pad[0] == pad[1]
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, pad[0] if symmetric else 0, groups=groups, bias=False)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_in" if kind == "dw" else "fan_out")
        self.norm = nn.BatchNorm2d(outputs)
        self.bias = None
        self.range = ActivationRange(symmetric=kind == "fc", relu=relu)

    @property
    def out_size(self):
        return 1 if self.kind == "fc" else -(-self.size // self.stride)

    @property
    def macs(self):
        weight = self.conv.weight
        return self.out_size**2 * weight.numel()

    def fold(self):
        """Fold the batch norm, if still there, into the weights and a bias; inference statistics."""
        norm = self.norm
        if norm is None:
            return
        gain = norm.weight.data / torch.sqrt(norm.running_var + norm.eps)
        self.conv.weight.data *= gain[:, None, None, None]
        self.bias = nn.Parameter(norm.bias.data - norm.running_mean * gain)
        self.norm = None

    def forward(self, x, quantised):
        if self.pad[0] != self.pad[1]:
            x = F.pad(x, self.pad * 2)
        if self.norm is not None:
            x = self.norm(self.conv(x))
        else:
            conv = self.conv
            weight = fake_quantise_weights(conv.weight, self.kind == "fc") if quantised else conv.weight
            x = F.conv2d(x, weight, self.bias, conv.stride, conv.padding, 1, conv.groups)
        if self.relu:
            x = F.relu(x)
        return self.range(x, quantised)


class Add(nn.Module):
    """Residual sum with an output range of its own."""

    kind = "add"
    macs = 0

    def __init__(self):
        super().__init__()
        self.range = ActivationRange()

    def forward(self, x, kept, quantised):
        return self.range(x + kept, quantised)


class Net(nn.Module):
    """A network from its description. Takes float NCHW of (pixel - 128) / 128."""

    def __init__(self, spec):
        super().__init__()
        self.spec = spec
        self.quantised = False
        self.nodes = nn.ModuleList()
        self.saves = set()  # indices of the nodes whose input is kept for the next add
        size, _, channels = spec["input"]
        for layer in spec["layers"]:
            if layer[0] == "save":
                self.saves.add(len(self.nodes))
            elif layer[0] == "add":
                self.nodes.append(Add())
            else:
                kind, out, kernel, stride, relu = layer
                node = Layer(kind, size, channels, out or channels, kernel, stride, relu)
                self.nodes.append(node)
                size, channels = node.out_size, out or channels

    @property
    def macs(self):
        return sum(node.macs for node in self.nodes)

    def fold(self):
        for node in self.nodes:
            if isinstance(node, Layer):
                node.fold()
        return self

    def forward(self, x):
        kept = None
        for index, node in enumerate(self.nodes):
            if index in self.saves:
                kept = x
            x = node(x, kept, self.quantised) if isinstance(node, Add) else node(x, self.quantised)
        return x.flatten(1) if self.spec["name"] == "embedder" else x.permute(0, 2, 3, 1)
