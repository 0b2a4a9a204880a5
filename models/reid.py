"""The teacher reid0095 as torch layers, read from its ONNX file: what the embedder's first weights come from."""

from dataclasses import dataclass

import onnx
import torch
from augment import INPUT
from data import data_file
from onnx import numpy_helper
from torch.nn import functional as F
from views import DEVICE, QUICK, floats, plain

SIDE = 128  # of its input, which shows what the embedder's shows
BLOCKS = 15


@dataclass
class Convolution:
    """weight [out, in / groups, k, k], bias [out] or None, slope [1 or out] of a PReLU or None."""

    weight: torch.Tensor
    stride: int
    groups: int
    pad: int
    bias: torch.Tensor | None = None
    slope: torch.Tensor | None = None

    def linear(self, x):
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.conv2d(x, self.weight.to(x.dtype), bias, self.stride, self.pad, 1, self.groups)

    def bent(self, x):
        return x if self.slope is None else torch.where(x > 0, x, x * self.slope.to(x.dtype)[:, None, None])

    def __call__(self, x):
        return self.bent(self.linear(x))


def graph_nodes(file):
    """(operator, its constants as tensors, {attribute: value}) of each node of an ONNX file in the data folder."""
    graph = onnx.load(data_file(file)).graph
    constants = {c.name: torch.from_numpy(numpy_helper.to_array(c).copy()).to(DEVICE) for c in graph.initializer}
    for node in graph.node:
        given = [constants[name] for name in node.input if name in constants]
        yield node.op_type, given, {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


class Reid:
    """`stem` of two convolutions, BLOCKS `blocks` of five (expand, depthwise, project; squeeze, excite), `head` of
    three."""

    def __init__(self):
        layers = []
        for operator, given, attributes in graph_nodes("models/teacher_reid0095.onnx"):
            if operator == "Conv":
                weight = given[0].contiguous(memory_format=torch.channels_last)
                layers.append(Convolution(weight, attributes["strides"][0], attributes["group"], attributes["pads"][0]))
            elif operator == "PRelu":
                layers[-1].slope = given[0].flatten()
            elif operator == "Add" and given and layers:
                layers[-1].bias = given[0].flatten()
            elif operator == "Add" and given:
                self.shift = given[0].flatten()
            elif operator == "Mul" and given:
                self.scale = given[0].flatten()
        self.stem, self.head = layers[:2], layers[-3:]
        self.blocks = [layers[2 + 5 * i : 7 + 5 * i] for i in range(BLOCKS)]

    def prepared(self, pictures):
        """What the first layer takes, of aligned RGB uint8 [n, 112, 112, 3]: as much as the embedder sees."""
        x = F.interpolate(plain(floats(pictures)), (SIDE, SIDE), mode="bilinear").flip(1)
        x = x * self.scale[:, None, None] + self.shift[:, None, None]
        return x.to(QUICK).contiguous(memory_format=torch.channels_last)

    def embed(self, pictures):
        """float32 unit embeddings [n, 256] of aligned RGB uint8 [n, 112, 112, 3]."""
        return F.normalize(self.features(self.prepared(pictures))[-1].float().flatten(1))

    @torch.no_grad()
    def features(self, x):
        """Outputs of stem, blocks and the three of the head; `x` as of `prepared`."""
        found = [self.stem[1](self.stem[0](x))]
        for block in self.blocks:
            found.append(through(block, found[-1]))
        for layer in self.head:
            found.append(layer(found[-1]))
        return found


def gated(block, x):
    """`x` times what a block's squeeze and excitation say of it."""
    squeeze, excite = block[3:]
    return x * torch.sigmoid(excite(squeeze(x.mean((2, 3), keepdim=True))))


def through(block, x):
    expand, depthwise, project = block[:3]
    inner = gated(block, project(depthwise(expand(x))))
    return x + inner if x.shape == inner.shape else inner


def at_grid(maps, size, stride):
    """The teacher's `maps` [n, c, g, g], float, at the centres of the embedder's `size`^2 cells of `stride` pixels.

    Its padding (SAME) puts the centre of cell i at pixel stride * (i + 1) - 1 of INPUT, the teacher's at pixel
    SIDE / g * i of SIDE. Between cells by a triangle filter as wide as the coarser grid's step.
    """
    given = maps.shape[-1]
    centres = ((stride * (torch.arange(size) + 1) - 0.5) * SIDE / INPUT - 0.5) * given / SIDE
    weights = (1 - (torch.arange(given) - centres[:, None]).abs() / max(1, given / size)).clamp(min=0)
    weights /= weights.sum(1, keepdim=True)
    return torch.einsum("ncyx,iy,jx->ncij", maps.float(), weights, weights)
