"""Turns a folded network with settled ranges into an int8 .tflite."""

import numpy as np
import torch
from fakequant import weight_scales
from flatfile import Operation, Tensor, write_model

INPUT_SCALE = 1 / 128  # int8 = pixel - 128, so the network sees (pixel - 128) / 128


def calibrate(net, inputs):
    """Sets every activation range from batches of float inputs (NCHW), without changing the weights."""
    net.eval()
    observe(net, True)
    with torch.no_grad():
        for batch in inputs:
            net(batch)
    observe(net, False)


def observe(net, on):
    for node in net.nodes:
        node.range.observing = on


def layer_constants(node, name, input_scale):
    """(weight tensor, bias tensor) of a folded layer, in TFLite's layouts."""
    weight = node.conv.weight.detach()
    scales = weight_scales(weight, per_tensor=node.kind == "fc").double().numpy()
    values = np.clip(np.round(weight.double().numpy() / scales[:, None, None, None]), -127, 127).astype(np.int8)
    bias = np.round(node.bias.detach().double().numpy() / (scales * input_scale)).astype(np.int32)
    if node.kind == "dw":
        values, axis = values.transpose(1, 2, 3, 0), 3
    else:
        values, axis = values.transpose(0, 2, 3, 1), 0
    if node.kind == "fc":
        values, scales = values.reshape(len(values), -1), scales[:1]
    return (
        Tensor(f"{name}/weights", values.shape, list(scales), 0, axis, np.ascontiguousarray(values)),
        Tensor(f"{name}/bias", bias.shape, list(scales * input_scale), 0, 0, bias),
    )


def to_tflite(net):
    """The .tflite bytes of a folded network whose ranges are settled."""
    height, width, channels = net.spec["input"]
    tensors = [Tensor("input", (1, height, width, channels), [INPUT_SCALE], 0)]
    operations, kept = [], None
    for index, node in enumerate(net.nodes):
        x, last = tensors_last(tensors), index == len(net.nodes) - 1
        if index in net.saves:
            kept = x
        name = "output" if last else f"{index:02d}_{node.kind}"
        scale, zero = node.range.quantisation()
        if node.kind == "add":
            out = Tensor(name, x.shape, [scale], zero)
            operations.append(Operation("add", [kept.name, x.name], [name]))
            tensors.append(out)
            continue
        if node.kind == "fc":
            flat = Tensor("flat", (1, int(np.prod(x.shape))), x.scale, x.zero)
            operations.append(Operation("reshape", [x.name], ["flat"], shape=flat.shape))
            tensors.append(flat)
            x = flat
        constants = layer_constants(node, name, x.scale[0])
        outputs = node.conv.out_channels
        shape = (1, outputs) if node.kind == "fc" else (1, node.out_size, node.out_size, outputs)
        tensors += [*constants, Tensor(name, shape, [scale], zero)]
        operations.append(Operation(node.kind, [x.name, *(c.name for c in constants)], [name], node.stride, node.relu))
    return write_model(net.spec["name"], tensors, operations, ["input"], ["output"])


def tensors_last(tensors):
    """The newest activation tensor."""
    return next(tensor for tensor in reversed(tensors) if tensor.data is None)
