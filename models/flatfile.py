"""Writes a quantised network as a .tflite flatbuffer (schema version 3, int8 as TFLite's specification has it)."""

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import tflite

OPERATORS = {  # builtin operator: (code, version with int8)
    "conv": (tflite.BuiltinOperator.CONV_2D, 3),
    "dw": (tflite.BuiltinOperator.DEPTHWISE_CONV_2D, 3),
    "global": (tflite.BuiltinOperator.DEPTHWISE_CONV_2D, 3),
    "fc": (tflite.BuiltinOperator.CONV_2D, 3),  # over the whole map: unlike FULLY_CONNECTED it has a scale per channel
    "dense": (tflite.BuiltinOperator.FULLY_CONNECTED, 4),
    "add": (tflite.BuiltinOperator.ADD, 2),
    "mul": (tflite.BuiltinOperator.MUL, 2),
    "mean": (tflite.BuiltinOperator.MEAN, 2),
    "logistic": (tflite.BuiltinOperator.LOGISTIC, 2),
    "prelu": (tflite.BuiltinOperator.PRELU, 1),
    "reshape": (tflite.BuiltinOperator.RESHAPE, 1),
}
TYPES = {"int8": tflite.TensorType.INT8, "int32": tflite.TensorType.INT32}


@dataclass
class Tensor:
    """real = scale * (value - zero); `scale` has one entry, or one for each index along `axis`."""

    name: str
    shape: tuple
    scale: list = field(default_factory=list)
    zero: int = 0
    axis: int = 0
    data: np.ndarray | None = None

    @property
    def type(self):
        return "int8" if self.data is None else self.data.dtype.name


@dataclass
class Operation:
    kind: str
    inputs: list
    outputs: list
    stride: int = 1
    relu: bool = False
    shape: tuple = ()  # the new shape of a reshape


def ints(builder, values, size=4):
    put = builder.PrependInt32 if size == 4 else builder.PrependInt64
    builder.StartVector(size, len(values), size)
    for value in reversed(values):
        put(int(value))
    return builder.EndVector()


def offsets(builder, values):
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    return builder.EndVector()


def write_quantisation(builder, tensor, zeros):
    """`zeros`: the vectors of zero points written so far, which tensors share: half the metadata would be noughts."""
    scales, key = builder.CreateNumpyVector(np.float32(tensor.scale)), (tensor.zero, len(tensor.scale))
    if key not in zeros:
        zeros[key] = ints(builder, [tensor.zero] * len(tensor.scale), 8)
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scales)
    tflite.QuantizationParametersAddZeroPoint(builder, zeros[key])
    tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.axis)
    return tflite.QuantizationParametersEnd(builder)


def write_tensor(builder, tensor, buffer, zeros):
    name, shape = builder.CreateString(tensor.name), ints(builder, tensor.shape)
    quantisation = write_quantisation(builder, tensor, zeros) if tensor.scale else None
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, TYPES[tensor.type])
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    if quantisation is not None:
        tflite.TensorAddQuantization(builder, quantisation)
    return tflite.TensorEnd(builder)


def write_options(builder, operation):
    """(options type, options table) of one operation."""
    relu = tflite.ActivationFunctionType.RELU if operation.relu else tflite.ActivationFunctionType.NONE
    if operation.kind in ("conv", "fc"):
        tflite.Conv2DOptionsStart(builder)
        padding = tflite.Padding.SAME if operation.kind == "conv" else tflite.Padding.VALID
        tflite.Conv2DOptionsAddPadding(builder, padding)
        tflite.Conv2DOptionsAddStrideW(builder, operation.stride)
        tflite.Conv2DOptionsAddStrideH(builder, operation.stride)
        tflite.Conv2DOptionsAddFusedActivationFunction(builder, relu)
        return tflite.BuiltinOptions.Conv2DOptions, tflite.Conv2DOptionsEnd(builder)
    if operation.kind in ("dw", "global"):
        tflite.DepthwiseConv2DOptionsStart(builder)
        padding = tflite.Padding.SAME if operation.kind == "dw" else tflite.Padding.VALID
        tflite.DepthwiseConv2DOptionsAddPadding(builder, padding)
        tflite.DepthwiseConv2DOptionsAddStrideW(builder, operation.stride)
        tflite.DepthwiseConv2DOptionsAddStrideH(builder, operation.stride)
        tflite.DepthwiseConv2DOptionsAddDepthMultiplier(builder, 1)
        tflite.DepthwiseConv2DOptionsAddFusedActivationFunction(builder, relu)
        return tflite.BuiltinOptions.DepthwiseConv2DOptions, tflite.DepthwiseConv2DOptionsEnd(builder)
    if operation.kind == "dense":
        tflite.FullyConnectedOptionsStart(builder)
        tflite.FullyConnectedOptionsAddFusedActivationFunction(builder, relu)
        return tflite.BuiltinOptions.FullyConnectedOptions, tflite.FullyConnectedOptionsEnd(builder)
    if operation.kind == "add":
        tflite.AddOptionsStart(builder)
        return tflite.BuiltinOptions.AddOptions, tflite.AddOptionsEnd(builder)
    if operation.kind == "mul":
        tflite.MulOptionsStart(builder)
        return tflite.BuiltinOptions.MulOptions, tflite.MulOptionsEnd(builder)
    if operation.kind == "mean":
        tflite.ReducerOptionsStart(builder)
        tflite.ReducerOptionsAddKeepDims(builder, True)
        return tflite.BuiltinOptions.ReducerOptions, tflite.ReducerOptionsEnd(builder)
    if operation.kind in ("prelu", "logistic"):
        return tflite.BuiltinOptions.NONE, None
    shape = ints(builder, operation.shape)
    tflite.ReshapeOptionsStart(builder)
    tflite.ReshapeOptionsAddNewShape(builder, shape)
    return tflite.BuiltinOptions.ReshapeOptions, tflite.ReshapeOptionsEnd(builder)


def write_operation(builder, operation, codes, index):
    kind, options = write_options(builder, operation)
    inputs = ints(builder, [index[name] for name in operation.inputs])
    outputs = ints(builder, [index[name] for name in operation.outputs])
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, codes.index(operation.kind))
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    tflite.OperatorAddBuiltinOptionsType(builder, kind)
    if options is not None:
        tflite.OperatorAddBuiltinOptions(builder, options)
    return tflite.OperatorEnd(builder)


def write_buffers(builder, tensors):
    """Buffer 0 is empty; each constant tensor has one of its own, 16-byte aligned for the chip's vector loads."""
    data, where = [None], {}
    for tensor in tensors:
        if tensor.data is not None:
            where[tensor.name] = len(data)
            data.append(np.frombuffer(tensor.data.tobytes(), np.uint8))
    tables = []
    for values in data:
        vector = None
        if values is not None:
            builder.StartVector(1, len(values), 16)
            builder.head -= len(values)
            builder.Bytes[builder.head : builder.head + len(values)] = values.tobytes()
            vector = builder.EndVector()
        tflite.BufferStart(builder)
        if vector is not None:
            tflite.BufferAddData(builder, vector)
        tables.append(tflite.BufferEnd(builder))
    return offsets(builder, tables), where


def write_opcode(builder, kind):
    code, version = OPERATORS[kind]
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, code)
    tflite.OperatorCodeAddVersion(builder, version)
    tflite.OperatorCodeAddBuiltinCode(builder, code)
    return tflite.OperatorCodeEnd(builder)


def write_model(name, tensors, operations, inputs, outputs):
    """The bytes of a .tflite file with one subgraph."""
    builder = flatbuffers.Builder(1 << 20)
    buffers, where = write_buffers(builder, tensors)
    index = {tensor.name: i for i, tensor in enumerate(tensors)}
    codes = sorted({operation.kind for operation in operations})
    zeros = {}
    tables = offsets(builder, [write_tensor(builder, t, where.get(t.name, 0), zeros) for t in tensors])
    steps = offsets(builder, [write_operation(builder, o, codes, index) for o in operations])
    taken, given = ints(builder, [index[n] for n in inputs]), ints(builder, [index[n] for n in outputs])
    label = builder.CreateString(name)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tables)
    tflite.SubGraphAddInputs(builder, taken)
    tflite.SubGraphAddOutputs(builder, given)
    tflite.SubGraphAddOperators(builder, steps)
    tflite.SubGraphAddName(builder, label)
    graphs = offsets(builder, [tflite.SubGraphEnd(builder)])
    opcodes = offsets(builder, [write_opcode(builder, kind) for kind in codes])
    about = builder.CreateString(f"Muster {name}")
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, opcodes)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddDescription(builder, about)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())
