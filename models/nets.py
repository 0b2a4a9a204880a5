"""The networks as plain layer lists: one description for training, quantising, exporting and counting."""

import torch
from fakequant import ActivationRange, fake_quantise_slopes, fake_quantise_weights, rounded
from torch import nn
from torch.nn import functional as F

# A layer is (kind, output channels, kernel, stride, activation); kinds are conv, dw (depthwise), global (depthwise over
# the whole map), fc (fully connected: a convolution over the whole map), gate (squeeze and excitation, with so many
# channels inside), and the residual marks: save keeps the current tensor, add adds the kept one. The activation is
# False, True for ReLU, or "prelu" for PReLU with a slope for each channel.


def residual(width, out):
    """Inverted residual: 1x1 up to `width`, depthwise 3x3, linear 1x1 back to `out`, plus the input."""
    return [("save",), ("conv", width, 1, 1, True), ("dw", None, 3, 1, True), ("conv", out, 1, 1, False), ("add",)]


def gated(width, out, stride=1):
    """Inverted residual with squeeze and excitation (Hu et al. 2018): 1x1 to `width`, depthwise 3x3, linear 1x1."""
    return [
        ("conv", width, 1, 1, "prelu"),
        ("dw", None, 3, stride, "prelu"),
        ("conv", out, 1, 1, False),
        ("gate", out // 8),
    ]


def plus_input(layers):
    return [("save",), *layers, ("add",)]


# The architecture of the teacher reid0095 (a MobileNetV2 with gates) on a picture of half the side, without its last
# stride, so that the last stage has the teacher's grid: coarsen.py fits its weights to the coarser grids before that.
EMBEDDER = {
    "name": "embedder",
    "input": (64, 64, 3),
    "layers": [
        ("conv", 64, 3, 2, "prelu"),  # 32x32
        ("dw", None, 3, 1, "prelu"),
        *gated(128, 64, 2),  # 16x16
        *plus_input(gated(128, 64)) * 4,
        *gated(256, 128, 2),  # 8x8
        *plus_input(gated(256, 128)) * 6,
        *gated(512, 128),
        *plus_input(gated(256, 128)) * 2,
        ("conv", 512, 1, 1, "prelu"),
        ("global", None, 8, 1, False),
        ("fc", 256, 1, 1, False),
    ],
}

FINDER = {
    "name": "finder",
    "input": (120, 120, 1),
    "layers": [
        ("conv", 8, 3, 2, True),  # 60x60
        ("conv", 16, 3, 2, True),  # 30x30
        *residual(32, 16),
        ("conv", 32, 3, 2, True),  # 15x15
        *residual(64, 32) * 5,
        ("conv", 5, 1, 1, False),
    ],
}

LANDMARKS = {
    "name": "landmarks",
    "input": (64, 64, 1),
    "layers": [
        ("conv", 16, 3, 2, True),  # 32x32
        ("conv", 32, 3, 2, True),  # 16x16
        *residual(64, 32),
        ("conv", 48, 3, 2, True),  # 8x8
        *residual(96, 48) * 2,
        ("conv", 64, 3, 2, True),  # 4x4
        ("fc", 11, 4, 1, False),
    ],
}


def same_padding(size, kernel, stride):
    """TensorFlow's SAME: (before, after) along one axis; the odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Layer(nn.Module):
    """Convolution with batch norm (until `fold`) or bias, optional activation, optional fake quantisation."""

    def __init__(self, kind, size, inputs, outputs, kernel, stride, activation, norm):
        super().__init__()
        self.kind, self.kernel, self.stride = kind, kernel, stride
        self.relu, self.prelu = activation is True, activation == "prelu"
        self.size = size  # input height and width
        groups = inputs if kind in ("dw", "global") else 1
        whole = kind in ("fc", "global")
        pad = (0, 0) if whole else same_padding(size, kernel, stride)
        self.out_size = 1 if whole else -(-size // stride)
        self.pad = pad
        self.exact = False  # int8 but for the weights
        symmetric = pad[0] == pad[1]
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, pad[0] if symmetric else 0, groups=groups, bias=False)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_in" if kind == "dw" else "fan_out")
        self.norm = nn.BatchNorm2d(outputs) if norm else None
        self.bias = None if norm else nn.Parameter(torch.zeros(outputs))
        self.range = ActivationRange(symmetric=kind == "fc", relu=self.relu)
        if self.prelu:
            self.slope = nn.Parameter(torch.full((outputs,), 0.25))
            self.after = ActivationRange()  # `range` is that of its input

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

    @torch.no_grad()
    def unfold(self, mean, variance):
        """The inverse of `fold`: a batch norm that changes nothing where the output has this mean and variance."""
        self.norm = norm = nn.BatchNorm2d(len(self.bias))
        norm.running_mean.copy_(mean - self.bias)
        norm.running_var.copy_(variance)
        norm.weight.copy_(torch.sqrt(variance + norm.eps))
        norm.bias.copy_(mean)
        self.bias = None

    def convolve(self, x, quantised):
        conv, rounding = self.conv, quantised and not self.exact
        weight = fake_quantise_weights(conv.weight) if rounding else conv.weight
        # On a CPU the backward passes of these two take much longer as strided or wide depthwise convolutions.
        if self.kind == "global":
            found = (x * weight[:, 0].to(x.dtype)).sum((2, 3), keepdim=True)
            return found if self.bias is None else found + self.bias[:, None, None]
        if self.kind == "dw" and self.stride > 1:
            first = self.kernel // 2 - self.pad[0]
            every = F.conv2d(x, weight, self.bias, 1, self.kernel // 2, 1, conv.groups)
            return every[..., first :: self.stride, first :: self.stride]
        if self.pad[0] != self.pad[1]:
            x = F.pad(x, self.pad * 2)
        return F.conv2d(x, weight, self.bias, conv.stride, conv.padding, 1, conv.groups)

    def forward(self, x, quantised):
        x = self.convolve(x, quantised)
        if self.norm is not None:
            x = self.norm(x)
        if self.relu:
            x = F.relu(x)
        x = self.range(x, quantised)
        if self.prelu:
            slope = fake_quantise_slopes(self.slope) if quantised else self.slope
            x = self.after(torch.where(x > 0, x, x * slope.to(x.dtype)[:, None, None]), quantised)
        return x


class Gate(nn.Module):
    """Squeeze and excitation: each channel times a number in 0..1 that two small layers make of the map's means."""

    kind = "gate"
    STEP = 1 / 256  # of TFLite's int8 LOGISTIC, zero point -128

    def __init__(self, size, channels, inside):
        super().__init__()
        self.out_size = size
        self.mean, self.range = ActivationRange(), ActivationRange()
        self.squeeze = Layer("conv", 1, channels, inside, 1, 1, "prelu", norm=False)
        self.excite = Layer("conv", 1, inside, channels, 1, 1, False, norm=False)

    @property
    def macs(self):
        return self.squeeze.macs + self.excite.macs

    def forward(self, x, quantised):
        mean = self.mean(x.mean((2, 3), keepdim=True), quantised)
        share = torch.sigmoid(self.excite(self.squeeze(mean, quantised), quantised))
        if quantised:
            share = rounded(share / self.STEP).clamp(max=255) * self.STEP
        return self.range(x * share, quantised)


class Add(nn.Module):
    """Residual sum with an output range of its own."""

    kind = "add"
    macs = 0

    def __init__(self, size):
        super().__init__()
        self.out_size = size
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
                self.nodes.append(Add(size))
            elif layer[0] == "gate":
                self.nodes.append(Gate(size, channels, layer[1]))
            else:
                kind, out, kernel, stride, activation = layer
                norm = spec.get("norm", True)
                node = Layer(kind, size, channels, out or channels, kernel, stride, activation, norm)
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
        return x.flatten(1) if self.nodes[-1].kind == "fc" else x.permute(0, 2, 3, 1)
