"""Builds small .tflite files with the published schema, and runs them with TFLite's reference kernels: the oracle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite
from tflite_runtime.interpreter import Interpreter, OpResolverType

PADDING = {"SAME": 0, "VALID": 1}
ACTIVATION = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
# name: (builtin code, version, options class, its fields in the order of the schema)
OPERATORS = {
    "CONV_2D": (3, "Conv2DOptions", ("Padding", "StrideW", "StrideH", "FusedActivationFunction", "DilationWFactor",
                                     "DilationHFactor")),
    "DEPTHWISE_CONV_2D": (3, "DepthwiseConv2DOptions", ("Padding", "StrideW", "StrideH", "DepthMultiplier",
                                                        "FusedActivationFunction", "DilationWFactor",
                                                        "DilationHFactor")),
    "FULLY_CONNECTED": (4, "FullyConnectedOptions", ("FusedActivationFunction", "KeepNumDims")),
    "ADD": (2, "AddOptions", ("FusedActivationFunction",)),
    "MUL": (2, "MulOptions", ("FusedActivationFunction",)),
    "PAD": (2, "PadOptions", ()),
    "RESHAPE": (1, "ReshapeOptions", ()),
    "AVERAGE_POOL_2D": (2, "Pool2DOptions", ("Padding", "StrideW", "StrideH", "FilterWidth", "FilterHeight",
                                             "FusedActivationFunction")),
    "MAX_POOL_2D": (2, "Pool2DOptions", ("Padding", "StrideW", "StrideH", "FilterWidth", "FilterHeight",
                                         "FusedActivationFunction")),
    "MEAN": (2, "ReducerOptions", ("KeepDims",)),
    "LOGISTIC": (2, None, ()),
    "PRELU": (1, None, ()),
    "CONCATENATION": (2, "ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "RESIZE_NEAREST_NEIGHBOR": (3, "ResizeNearestNeighborOptions", ("AlignCorners", "HalfPixelCenters")),
    "L2_NORMALIZATION": (2, "L2NormOptions", ("FusedActivationFunction",)),
    "TRANSPOSE": (2, "TransposeOptions", ()),
    "GREATER": (2, "GreaterOptions", ()),
    "RELU": (2, None, ()),
    "RELU6": (2, None, ()),
    "SOFTMAX": (2, "SoftmaxOptions", ("Beta",)),
}
TYPES = {"int8": 9, "int32": 2, "uint8": 3, "float32": 0}


@dataclass
class Tensor:
    """real = scale * (value - zero), a scale for each index along `axis` or one; constant where it has `data`."""

    name: str
    shape: tuple[int, ...]
    scale: Any = 1.0
    zero: int = 0
    axis: int = 0
    data: np.ndarray | None = None
    type: str = "int8"


@dataclass
class Operator:
    kind: str
    inputs: list[Tensor | None]
    output: Tensor
    options: dict[str, int] = field(default_factory=dict)
    version: int | None = None


def _vector(builder: flatbuffers.Builder, values: list[int], size: int, put: Any) -> int:
    builder.StartVector(size, len(values), size)
    for value in reversed(values):
        put(value)
    return builder.EndVector()


def _ints(builder: flatbuffers.Builder, values: Any) -> int:
    return _vector(builder, [int(v) for v in values], 4, builder.PrependInt32)


def _tables(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    return _vector(builder, offsets, 4, builder.PrependUOffsetTRelative)


def _table(builder: flatbuffers.Builder, kind: str, **fields: Any) -> int:
    getattr(tflite, kind + "Start")(builder)
    for name, value in fields.items():
        getattr(tflite, kind + "Add" + name)(builder, value)
    return getattr(tflite, kind + "End")(builder)


def _tensor(builder: flatbuffers.Builder, tensor: Tensor, buffer: int) -> int:
    scales = np.atleast_1d(np.float32(tensor.scale))
    name, shape = builder.CreateString(tensor.name), _ints(builder, tensor.shape)
    scale = builder.CreateNumpyVector(scales)
    zero = builder.CreateNumpyVector(np.full(len(scales), tensor.zero, np.int64))
    quantisation = _table(builder, "QuantizationParameters", Scale=scale, ZeroPoint=zero,
                          QuantizedDimension=tensor.axis)
    return _table(builder, "Tensor", Shape=shape, Type=TYPES[tensor.type], Buffer=buffer, Name=name,
                  Quantization=quantisation)


def build(operators: list[Operator], inputs: list[Tensor], outputs: list[Tensor]) -> bytes:
    """The file of a network of one subgraph."""
    tensors: list[Tensor] = []
    for tensor in [*inputs, *(t for o in operators for t in [*o.inputs, o.output])]:
        if tensor is not None and not any(tensor is known for known in tensors):
            tensors.append(tensor)
    index = {id(tensor): i for i, tensor in enumerate(tensors)}
    builder = flatbuffers.Builder(4096)
    buffers, number = [_table(builder, "Buffer")], {}
    for tensor in tensors:
        if tensor.data is not None:
            data = builder.CreateByteVector(tensor.data.tobytes())
            number[id(tensor)] = len(buffers)
            buffers.append(_table(builder, "Buffer", Data=data))
    kinds = [(o.kind, o.version) for o in operators]
    codes = []
    for kind, version in dict.fromkeys(kinds):
        code = getattr(tflite.BuiltinOperator, kind)
        codes.append(_table(builder, "OperatorCode", DeprecatedBuiltinCode=code, BuiltinCode=code,
                            Version=version or OPERATORS[kind][0]))
    steps = []
    for operator in operators:
        _, kind, known = OPERATORS[operator.kind]
        taken = _ints(builder, [-1 if t is None else index[id(t)] for t in operator.inputs])
        given = _ints(builder, [index[id(operator.output)]])
        extra = {}
        if kind is not None:
            assert set(operator.options) <= set(known)
            extra = {"BuiltinOptionsType": getattr(tflite.BuiltinOptions, kind),
                     "BuiltinOptions": _table(builder, kind, **operator.options)}
        steps.append(_table(builder, "Operator", OpcodeIndex=list(dict.fromkeys(kinds)).index(
            (operator.kind, operator.version)), Inputs=taken, Outputs=given, **extra))
    graph = _table(
        builder, "SubGraph",
        **{k: v for k, v in zip(
            ("Tensors", "Inputs", "Outputs", "Operators"),
            (
                _tables(builder, [_tensor(builder, t, number.get(id(t), 0)) for t in tensors]),
                _ints(builder, [index[id(t)] for t in inputs]),
                _ints(builder, [index[id(t)] for t in outputs]),
                _tables(builder, steps),
            ),
            strict=True,
        )},
    )
    graphs, all_codes, all_buffers = _tables(builder, [graph]), _tables(builder, codes), _tables(builder, buffers)
    builder.Finish(
        _table(builder, "Model", Version=3, OperatorCodes=all_codes, Subgraphs=graphs, Buffers=all_buffers), b"TFL3"
    )
    return bytes(builder.Output())


def reference(model: bytes, values: list[np.ndarray]) -> np.ndarray:
    """What tflite-runtime's reference kernels answer, flat int8."""
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    for details, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()
