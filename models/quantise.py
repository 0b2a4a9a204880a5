"""Turns a folded network with settled ranges into an int8 .tflite."""

import numpy as np
import torch
from fakequant import ActivationRange, slope_scale, weight_scales
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
    for module in net.modules():
        if isinstance(module, ActivationRange):
            module.observing = on


def layer_constants(node, name, input_scale):
    """(weight tensor, bias tensor) of a folded layer, in TFLite's layouts."""
    weight = node.conv.weight.detach()
    scales = weight_scales(weight).double().numpy()
    values = np.clip(np.round(weight.double().numpy() / scales[:, None, None, None]), -127, 127).astype(np.int8)
    bias = np.round(node.bias.detach().double().numpy() / (scales * input_scale)).astype(np.int32)
    if node.conv.groups > 1:
        values, axis = values.transpose(1, 2, 3, 0), 3
    else:
        values, axis = values.transpose(0, 2, 3, 1), 0
    return (
        Tensor(f"{name}/weights", values.shape, list(scales), 0, axis, np.ascontiguousarray(values)),
        Tensor(f"{name}/bias", bias.shape, list(scales * input_scale), 0, 0, bias),
    )


def slope_constant(node, name):
    scale = slope_scale(node.slope).double().item()
    values = np.clip(np.round(node.slope.detach().double().numpy() / scale), -127, 127).astype(np.int8)
    return Tensor(f"{name}/slopes", (1, 1, len(values)), [scale], 0, 0, values)


def to_tflite(net):
    """The .tflite bytes of a folded network whose ranges are settled."""
    height, width, channels = net.spec["input"]
    tensors = [Tensor("input", (1, height, width, channels), [INPUT_SCALE], 0)]
    operations, kept = [], None
    axes = Tensor("axes", (2,), data=np.int32([1, 2]))
    if any(node.kind == "gate" for node in net.nodes):
        tensors.append(axes)

    def add(kind, inputs, name, shape, quantisation, node=None):
        """One operation and its output tensor, which it returns."""
        scale, zero = quantisation
        stride, relu = (node.stride, node.relu) if node else (1, False)
        new = shape if kind == "reshape" else ()
        tensors.append(Tensor(name, shape, [scale], zero))
        operations.append(Operation(kind, [x.name for x in inputs], [name], stride, relu, new))
        return tensors[-1]

    def add_layer(node, x, name):
        """A convolution of the tensor `x`, with its PReLU; its output."""
        constants = layer_constants(node, name, x.scale[0])
        tensors.extend(constants)
        shape = (1, node.out_size, node.out_size, node.conv.out_channels)
        x = add(node.kind, [x, *constants], name, shape, node.range.quantisation(), node)
        if node.prelu:
            tensors.append(slope_constant(node, name))
            x = add("prelu", [x, tensors[-1]], f"{name}_prelu", shape, node.after.quantisation())
        return x

    def add_gate(node, x, name):
        share = add("mean", [x, axes], f"{name}_mean", (1, 1, 1, x.shape[-1]), node.mean.quantisation())
        share = add_layer(node.squeeze, share, f"{name}_squeeze")
        share = add_layer(node.excite, share, f"{name}_excite")
        share = add("logistic", [share], f"{name}_share", share.shape, (node.STEP, -128))
        return add("mul", [x, share], name, x.shape, node.range.quantisation())

    x = tensors[0]
    for index, node in enumerate(net.nodes):
        if index in net.saves:
            kept = x
        name = f"{index:02d}_{node.kind}"
        if node.kind == "add":
            x = add("add", [kept, x], name, x.shape, node.range.quantisation())
        elif node.kind == "gate":
            x = add_gate(node, x, name)
        else:
            x = add_layer(node, x, name)
    if net.nodes[-1].kind == "fc":
        x = add("reshape", [x], "flat", (1, x.shape[-1]), (x.scale[0], x.zero))
    return write_model(net.spec["name"], tensors, operations, ["input"], [x.name])
