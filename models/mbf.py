"""The teacher MBF as torch layers, read from its ONNX file: on a CPU with bfloat16 several times as quick as that."""

import numpy as np
import onnx
import torch
from data import data_file
from onnx import numpy_helper
from reid import Convolution
from torch.nn import functional as F

# Its bottlenecks, three convolutions each, after the stem's two; True: the input is added.
ADDS = [False] + [True] * 4 + [False] + [True] * 6 + [False] + [True] * 2


class Mbf:
    def __init__(self):
        graph = onnx.load(data_file("models/teacher_espdl_mbf.onnx")).graph
        constants = {c.name: torch.from_numpy(numpy_helper.to_array(c).copy()) for c in graph.initializer}
        layers = []
        for node in graph.node:
            given = [constants[name] for name in node.input if name in constants]
            if node.op_type == "Conv":
                attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
                weight, bias = given[0].contiguous(memory_format=torch.channels_last), given[1]
                stride, groups = attributes.get("strides", [1])[0], attributes.get("group", 1)
                layers.append(Convolution(weight, stride, groups, weight.shape[-1] // 2, bias))
            elif node.op_type == "PRelu":
                layers[-1].slope = given[0].flatten()
            elif node.op_type == "Gemm":
                self.matrix, self.bias = given
        end = 2 + 3 * len(ADDS)
        self.stem, self.head = layers[:2], layers[end:]
        self.bottlenecks = [layers[start : start + 3] for start in range(2, end, 3)]

    @torch.no_grad()
    def embed(self, pictures):
        """float32 unit embeddings [n, 512] of aligned RGB uint8 [n, 112, 112, 3]."""
        x = (torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2) - 127.5) / 127.5
        x = x.bfloat16().contiguous(memory_format=torch.channels_last)
        for layer in self.stem:
            x = layer(x)
        for (expand, depthwise, project), adds in zip(self.bottlenecks, ADDS, strict=True):
            inner = project(depthwise(expand(x)))
            x = x + inner if adds else inner
        for layer in self.head:
            x = layer(x)
        return F.normalize(F.linear(x.float().contiguous().flatten(1), self.matrix, self.bias)).numpy()
