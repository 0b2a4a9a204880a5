"""The teacher MBF as torch layers, read from its ONNX file: what pruning starts from."""

from dataclasses import dataclass

import numpy as np
import onnx
import torch
from data import data_file
from onnx import numpy_helper
from torch.nn import functional as F

# Its bottlenecks, three convolutions each, after the stem's two; True: the input is added.
ADDS = [False] + [True] * 4 + [False] + [True] * 6 + [False] + [True] * 2


@dataclass
class Convolution:
    """weight [out, in / groups, k, k], bias [out], slope [out] of a PReLU or None."""

    weight: torch.Tensor
    bias: torch.Tensor
    stride: int
    groups: int
    slope: torch.Tensor | None = None

    def __call__(self, x):
        kind, size = x.dtype, self.weight.shape[-1]
        x = F.conv2d(x, self.weight.to(kind), self.bias.to(kind), self.stride, size // 2, 1, self.groups)
        return x if self.slope is None else prelu(x, self.slope)


def prelu(x, slope):
    return torch.addcmul(x, x.clamp(max=0), (slope - 1).to(x.dtype)[:, None, None])


class Mbf:
    """`layers`: its convolutions in order, of which `bottlenecks` has three each and `head` the last two."""

    def __init__(self):
        graph = onnx.load(data_file("models/teacher_espdl_mbf.onnx")).graph
        constants = {c.name: torch.from_numpy(numpy_helper.to_array(c).copy()) for c in graph.initializer}
        self.layers = []
        for node in graph.node:
            given = [constants[name] for name in node.input if name in constants]
            attributes = {a.name: a for a in node.attribute}
            if node.op_type == "Conv":
                stride = attributes["strides"].ints[0] if "strides" in attributes else 1
                groups = attributes["group"].i if "group" in attributes else 1
                self.layers.append(
                    Convolution(given[0].contiguous(memory_format=torch.channels_last), given[1], stride, groups)
                )
            elif node.op_type == "PRelu":
                self.layers[-1].slope = given[0].flatten()
            elif node.op_type == "Gemm":
                self.matrix, self.bias = given
        self.bottlenecks = [self.layers[2 + 3 * i : 5 + 3 * i] for i in range(len(ADDS))]
        self.head = self.layers[2 + 3 * len(ADDS) :]

    @torch.no_grad()
    def features(self, x):
        """Outputs of stem, bottlenecks and head, bfloat16; `x` is NCHW 112x112 of (picture - 127.5) / 127.5."""
        x = x.bfloat16().contiguous(memory_format=torch.channels_last)
        found = [self.layers[1](self.layers[0](x))]
        for (expand, depthwise, project), adds in zip(self.bottlenecks, ADDS, strict=True):
            x = found[-1]
            inner = project(depthwise(expand(x)))
            found.append(x + inner if adds else inner)
        for layer in self.head:
            found.append(layer(found[-1]))
        return found

    def embed(self, pictures, batch=128):
        """Unit embeddings [n, 512], float32, of uint8 NHWC pictures 112x112."""
        found = []
        for start in range(0, len(pictures), batch):
            x = torch.from_numpy(np.ascontiguousarray(pictures[start : start + batch])).permute(0, 3, 1, 2).float()
            last = self.features((x - 127.5) / 127.5)[-1].float().contiguous().flatten(1)
            found.append(F.normalize(F.linear(last, self.matrix, self.bias)).numpy())
            if start % (batch * 50) == 0:
                print(f"teacher: {start} of {len(pictures)}", flush=True)
        return np.concatenate(found)
