"""The teacher MBF as torch layers, read from its ONNX file."""

import torch
from reid import Convolution, graph_nodes
from torch.nn import functional as F
from views import QUICK, floats

# Its bottlenecks, three convolutions each, after the stem's two; True: the input is added.
ADDS = [False] + [True] * 4 + [False] + [True] * 6 + [False] + [True] * 2


class Mbf:
    def __init__(self):
        layers = []
        for operator, given, attributes in graph_nodes("models/teacher_espdl_mbf.onnx"):
            if operator == "Conv":
                weight, bias = given[0].contiguous(memory_format=torch.channels_last), given[1]
                stride, groups = attributes.get("strides", [1])[0], attributes.get("group", 1)
                layers.append(Convolution(weight, stride, groups, weight.shape[-1] // 2, bias))
            elif operator == "PRelu":
                layers[-1].slope = given[0].flatten()
            elif operator == "Gemm":
                self.matrix, self.bias = given
        end = 2 + 3 * len(ADDS)
        self.stem, self.head = layers[:2], layers[end:]
        self.bottlenecks = [layers[start : start + 3] for start in range(2, end, 3)]

    @torch.no_grad()
    def embed(self, pictures):
        """float32 unit embeddings [n, 512] of aligned RGB uint8 [n, 112, 112, 3]."""
        x = (floats(pictures) - 127.5) / 127.5
        x = x.to(QUICK).contiguous(memory_format=torch.channels_last)
        for layer in self.stem:
            x = layer(x)
        for (expand, depthwise, project), adds in zip(self.bottlenecks, ADDS, strict=True):
            inner = project(depthwise(expand(x)))
            x = x + inner if adds else inner
        for layer in self.head:
            x = layer(x)
        return F.normalize(F.linear(x.float().contiguous().flatten(1), self.matrix, self.bias))
