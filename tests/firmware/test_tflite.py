"""The .tflite runtime against TFLite's reference kernels, bit for bit, on both word sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.firmware.tflite_builder import Operator, Tensor, build, reference

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import gc
from muster.vision import tflite
result = []
for model, inputs in data:
    net = tflite.load(bytearray(bytes.fromhex(model)))
    for number, value in enumerate(inputs):
        net.input(number)[:] = bytes.fromhex(value)
    net.invoke()
    result.append(bytes(net.output(0)).hex())
    net = None
    gc.collect()
"""

quick = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
seeds = st.integers(0, 1 << 32).map(np.random.default_rng)


def outputs(vm: Any, cases: list[tuple[bytes, list[np.ndarray]]]) -> list[np.ndarray]:
    sent = [[model.hex(), [value.tobytes().hex() for value in values]] for model, values in cases]
    return [np.frombuffer(bytes.fromhex(answer), np.int8) for answer in vm(RUN, sent)]


def assert_as_reference(vm: Any, cases: list[tuple[bytes, list[np.ndarray]]]) -> None:
    for (model, values), answer in zip(cases, outputs(vm, cases), strict=True):
        np.testing.assert_array_equal(answer, reference(model, values))


def int8(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random values; now and then the extremes only."""
    if rng.random() < 0.2:
        return rng.choice(np.int8([-128, 127]), shape)
    return rng.integers(-128, 128, shape, dtype=np.int8)


def zero_point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, -1, 0, 127, rng.integers(-128, 128)]))


def activation(rng: np.random.Generator) -> int:
    return int(rng.integers(0, 4))


def slid(size: int, kernel: int, stride: int, padding: int) -> int:
    return -(-size // stride) if padding == 0 else (size - kernel) // stride + 1


def weights_and_bias(rng: np.random.Generator, shape: tuple[int, ...], axis: int, input_scale: float,
                     per_channel: bool) -> tuple[list[Tensor], float]:
    """(weights and perhaps a bias, a scale at which outputs mostly stay within int8)."""
    channels = shape[axis]
    terms = int(np.prod(shape)) // channels
    scale = np.float32(rng.uniform(0.2, 1, channels if per_channel else 1) * 10 ** rng.uniform(-4, 0))
    weights = Tensor("weights", shape, scale, 0, axis, rng.integers(-127, 128, shape, dtype=np.int8))
    bias = Tensor("bias", (channels,), scale * np.float32(input_scale), 0, 0,
                  rng.integers(-20000, 20000, channels, dtype=np.int32), "int32")
    spread = float(scale.max()) * input_scale * 74 * 74 * np.sqrt(terms) / 40 * 2 ** rng.uniform(-3, 3)
    return [weights, bias], spread


def convolution(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    depthwise = rng.random() < 0.4
    height, width, depth = (int(v) for v in rng.integers(1, (12, 12, 20)))
    kernel_h, kernel_w = (int(v) for v in rng.integers(1, (6, 6)))
    stride_h, stride_w = (int(v) for v in rng.integers(1, 4, 2))
    padding = 0 if kernel_h > height or kernel_w > width else int(rng.integers(0, 2))
    out_h, out_w = slid(height, kernel_h, stride_h, padding), slid(width, kernel_w, stride_w, padding)
    x = Tensor("x", (1, height, width, depth), np.float32(10 ** rng.uniform(-4, 1)), zero_point(rng))
    options = {"Padding": padding, "StrideW": stride_w, "StrideH": stride_h, "FusedActivationFunction": activation(rng)}
    if depthwise:
        multiplier = int(rng.choice([1, 1, 2, 3]))
        channels, shape, axis = depth * multiplier, (1, kernel_h, kernel_w, depth * multiplier), 3
        options["DepthMultiplier"] = multiplier
    else:
        channels = int(rng.integers(1, 20))
        shape, axis = (channels, kernel_h, kernel_w, depth), 0
    constants, scale = weights_and_bias(rng, shape, axis, float(x.scale), rng.random() < 0.7)
    y = Tensor("y", (1, out_h, out_w, channels), scale, zero_point(rng))
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    return build([Operator(kind, [x, *constants], y, options)], [x], [y]), [int8(rng, x.shape)]


def fully_connected(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    rows, depth, channels = (int(v) for v in rng.integers(1, (4, 600, 20)))
    x = Tensor("x", (rows, depth), np.float32(10 ** rng.uniform(-4, 1)), zero_point(rng))
    constants, scale = weights_and_bias(rng, (channels, depth), 0, float(x.scale), False)
    y = Tensor("y", (rows, channels), scale, zero_point(rng))
    options = {"FusedActivationFunction": activation(rng)}
    return build([Operator("FULLY_CONNECTED", [x, *constants], y, options)], [x], [y]), [int8(rng, x.shape)]


def addition(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    shape = (1, *(int(v) for v in rng.integers(1, 14, 3)))
    a, b, y = (Tensor(n, shape, np.float32(10 ** rng.uniform(-2, 0)), zero_point(rng)) for n in "aby")
    model = build([Operator("ADD", [a, b], y, {"FusedActivationFunction": activation(rng)})], [a, b], [y])
    return model, [int8(rng, shape), int8(rng, shape)]


def multiplication(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    shape = (1, *(int(v) for v in rng.integers(1, 14, 3)))
    a, b = (Tensor(n, shape, np.float32(10 ** rng.uniform(-2, 0)), zero_point(rng)) for n in "ab")
    y = Tensor("y", shape, np.float32(a.scale * b.scale * 10 ** rng.uniform(0, 3)), zero_point(rng))
    model = build([Operator("MUL", [a, b], y, {"FusedActivationFunction": activation(rng)})], [a, b], [y])
    return model, [int8(rng, shape), int8(rng, shape)]


def relu(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    shape = (1, 5, 5, 16)
    x = Tensor("x", shape, np.float32(10 ** rng.uniform(-2, 0)), zero_point(rng))
    y = Tensor("y", shape, np.float32(x.scale * rng.uniform(0.1, 3)), zero_point(rng))
    return build([Operator(str(rng.choice(["RELU", "RELU6"])), [x], y)], [x], [y]), [int8(rng, shape)]


def pool(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    height, width, channels = (int(v) for v in rng.integers(1, (12, 12, 9)))
    window_h, window_w, stride_h, stride_w = (int(v) for v in rng.integers(1, (6, 6, 4, 4)))
    padding = 0 if window_h > height or window_w > width else int(rng.integers(0, 2))
    x = Tensor("x", (1, height, width, channels), np.float32(10 ** rng.uniform(-2, 0)), zero_point(rng))
    y = Tensor("y", (1, slid(height, window_h, stride_h, padding), slid(width, window_w, stride_w, padding), channels),
               x.scale, x.zero)
    options = {"Padding": padding, "StrideW": stride_w, "StrideH": stride_h, "FilterWidth": window_w,
               "FilterHeight": window_h, "FusedActivationFunction": activation(rng)}
    kind = str(rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
    return build([Operator(kind, [x], y, options)], [x], [y]), [int8(rng, x.shape)]


def mean(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    x = Tensor("x", (1, *(int(v) for v in rng.integers(1, 20, 3))), np.float32(10 ** rng.uniform(-2, 0)),
               zero_point(rng))
    keep = bool(rng.integers(0, 2))
    y = Tensor("y", (1, 1, 1, x.shape[3]) if keep else (1, x.shape[3]), x.scale, x.zero)
    if rng.random() < 0.7:
        y.scale, y.zero = np.float32(x.scale * rng.uniform(0.1, 3)), zero_point(rng)
    axes = np.int32(rng.choice([[1, 2], [2, 1], [-2, -3], [1, -2]]))
    over = Tensor("axes", (2,), data=axes, type="int32")
    return build([Operator("MEAN", [x, over], y, {"KeepDims": keep})], [x], [y]), [int8(rng, x.shape)]


def pad(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    shape = (1, *(int(v) for v in rng.integers(1, 9, 3)))
    amounts = np.zeros((4, 2), np.int32)
    amounts[1:3] = rng.integers(0, 4, (2, 2))
    x = Tensor("x", shape, 0.5, zero_point(rng))
    y = Tensor("y", tuple(np.add(shape, amounts.sum(1))), x.scale, x.zero)
    how = Tensor("paddings", (4, 2), data=amounts, type="int32")
    return build([Operator("PAD", [x, how], y)], [x], [y]), [int8(rng, shape)]


@pytest.mark.parametrize(
    "make", [convolution, fully_connected, addition, multiplication, relu, pool, mean, pad]
)
@quick
@given(rng=seeds)
def test_operator_equals_reference_kernel(vm, make, rng):
    assert_as_reference(vm, [make(rng) for _ in range(20)])


def boundaries(rng: np.random.Generator, kind: str) -> tuple[bytes, list[np.ndarray]]:
    """Accumulators next to where the output changes, so large that every bit of the multiplier counts."""
    count, channels = 64, 64 if kind == "DEPTHWISE_CONV_2D" else 1
    shape, axis, options = {
        "CONV_2D": ((count, 1, 1, 1), 0, {"StrideW": 1, "StrideH": 1}),
        "DEPTHWISE_CONV_2D": ((1, 1, 1, count), 3, {"StrideW": 1, "StrideH": 1, "DepthMultiplier": 1}),
        "FULLY_CONNECTED": ((count, 1), 0, {}),
    }[kind]
    outer = (1,) * (len(shape) - 1)
    x = Tensor("x", (*outer, channels), np.float32(10 ** rng.uniform(-4, 1)), zero_point(rng))
    scale = np.float32(rng.uniform(1, 2, count if len(shape) == 4 else 1) * 10 ** rng.uniform(-4, 0))
    weights = Tensor("w", shape, scale, 0, axis, np.ones(shape, np.int8))
    y = Tensor("y", (*outer, count), np.float32(x.scale * scale.max() * 2 ** rng.uniform(20, 22)), 0)
    real = np.float64(x.scale) * scale / np.float64(y.scale)
    near = np.round((rng.integers(-100, 100, count) + 0.5) / real) + rng.integers(-2, 3, count)
    bias = Tensor("b", (count,), np.float32(x.scale) * scale, data=np.int32(near), type="int32")
    model = build([Operator(kind, [x, weights, bias], y, options)], [x], [y])
    return model, [np.full(x.shape, x.zero, np.int8)]


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
@quick
@given(rng=seeds)
def test_every_bit_of_a_multiplier_equals_the_reference(vm, kind, rng):
    assert_as_reference(vm, [boundaries(rng, kind) for _ in range(30)])


@pytest.mark.parametrize("name, shape", [("embedder", (1, 64, 64, 3)), ("finder", (1, 80, 80, 1))])
def test_committed_network_equals_the_reference_run_after_run(vm, name, shape):
    script = """
from muster.vision import tflite
net = tflite.load(data["path"])
result = []
for value in data["inputs"]:
    net.input(0)[:] = bytes.fromhex(value)
    net.invoke()
    result.append(bytes(net.output(0)).hex())
"""
    path = ROOT / "models" / f"{name}.tflite"
    noise = np.random.default_rng(1).integers(-128, 128, shape, dtype=np.int8)
    inputs = [noise, np.full(shape, 127, np.int8), noise]
    answers = vm(script, {"path": str(path), "inputs": [value.tobytes().hex() for value in inputs]})
    assert answers == [reference(path.read_bytes(), [value]).tobytes().hex() for value in inputs]


def test_a_dropped_model_is_freed(vm):
    script = """
import gc
from muster.vision import tflite
gc.collect()
before = gc.mem_alloc()
net = tflite.load(data)
net.invoke()
net = None
gc.collect()
result = gc.mem_alloc() - before
"""
    assert vm(script, str(ROOT / "models" / "embedder.tflite")) < 4096
