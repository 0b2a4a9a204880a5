"""Random layers of the shapes that the vector kernels take: channels in eights, rows in vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.firmware.tflite_builder import Operator, Tensor, build
from tests.firmware.tflite_cases import activation, int8, scale, sizes, slid, weights_and_bias, zero_point

Case = tuple[bytes, list[np.ndarray]]


def output_scale(rng: np.random.Generator, spread: float, constants: list[Tensor], x: Tensor) -> np.float32:
    """One at which the multipliers have the sizes that networks have: below a half, above 2**-20."""
    factor = float(x.scale) * np.atleast_1d(constants[0].scale)
    return np.float32(np.clip(spread, factor.max() * 4, factor.min() * 2**16))


def convolution(rng: np.random.Generator) -> Case:
    kernels = ((1, 1, 1, 1), (3, 3, 1, 1), (3, 3, 2, 2), (2, 5, 1, 3))
    kernel_h, kernel_w, stride_h, stride_w = kernels[rng.integers(0, 4)]
    apart = int(rng.choice([1, 1, 1, 2]))
    depth = int(rng.choice([1, 3, 8, 16, 24, 48, 64, 80, 96]))
    height, width = int(rng.integers(1, 8)), int(rng.integers(1, 5)) * (16 // np.gcd(depth, 16))
    span_h, span_w = (kernel_h - 1) * apart + 1, (kernel_w - 1) * apart + 1
    padding = 0 if span_h > height or span_w > width else int(rng.integers(0, 2))
    batch, channels = int(rng.choice([1, 1, 2])), 8 * int(rng.integers(1, 7))
    x = Tensor("x", (batch, height, width, depth), scale(rng, -4, 1), zero_point(rng))
    constants, spread = weights_and_bias(rng, (channels, kernel_h, kernel_w, depth), 0, float(x.scale), True)
    shape = (batch, slid(height, span_h, stride_h, padding), slid(width, span_w, stride_w, padding), channels)
    y = Tensor("y", shape, output_scale(rng, spread, constants, x), zero_point(rng))
    options = {"Padding": padding, "StrideW": stride_w, "StrideH": stride_h, "FusedActivationFunction": activation(rng),
               "DilationHFactor": apart, "DilationWFactor": apart}
    return build([Operator("CONV_2D", [x, *constants], y, options)], [x], [y]), [int8(rng, x.shape)]


def depthwise(rng: np.random.Generator) -> Case:
    kernel_h, kernel_w = ((3, 3), (3, 3), (2, 3), (5, 2))[rng.integers(0, 4)]
    stride, apart = int(rng.integers(1, 3)), int(rng.choice([1, 1, 2]))
    depth = 8 * int(rng.integers(1, 5))
    height, width = int(rng.integers(1, 8)), int(rng.integers(1, 5)) * (16 // np.gcd(depth, 16))
    span_h, span_w = (kernel_h - 1) * apart + 1, (kernel_w - 1) * apart + 1
    padding = 0 if span_h > height or span_w > width else int(rng.integers(0, 2))
    x = Tensor("x", (1, height, width, depth), scale(rng, -4, 1), zero_point(rng))
    constants, spread = weights_and_bias(rng, (1, kernel_h, kernel_w, depth), 3, float(x.scale), True)
    shape = (1, slid(height, span_h, stride, padding), slid(width, span_w, stride, padding), depth)
    factor = float(x.scale) * np.atleast_1d(constants[0].scale)
    y = Tensor("y", shape, np.float32(np.clip(spread, factor.max() / 2, factor.min() * 2**9)), zero_point(rng))
    options = {"Padding": padding, "StrideW": stride, "StrideH": stride, "FusedActivationFunction": activation(rng),
               "DilationHFactor": apart, "DilationWFactor": apart, "DepthMultiplier": 1}
    return build([Operator("DEPTHWISE_CONV_2D", [x, *constants], y, options)], [x], [y]), [int8(rng, x.shape)]


def fully_connected(rng: np.random.Generator) -> Case:
    rows, depth, channels = int(rng.integers(1, 3)), int(rng.integers(1, 700)), 8 * int(rng.integers(1, 7))
    x = Tensor("x", (rows, depth), scale(rng, -4, 1), zero_point(rng))
    constants, spread = weights_and_bias(rng, (channels, depth), 0, float(x.scale), rng.random() < 0.5)
    y = Tensor("y", (rows, channels), output_scale(rng, spread, constants, x), zero_point(rng))
    options = {"FusedActivationFunction": activation(rng)}
    return build([Operator("FULLY_CONNECTED", [x, *constants], y, options)], [x], [y]), [int8(rng, x.shape)]


def pool(rng: np.random.Generator) -> Case:
    kind = str(rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
    depth = int(rng.choice([16, 32]) if kind == "MAX_POOL_2D" else rng.choice([8, 16, 24]))
    height, width = int(rng.integers(2, 9)), 2 * int(rng.integers(1, 5))
    window_h, window_w, stride_h, stride_w = sizes(rng, min(height, 6) + 1, min(width, 6) + 1, 4, 4)
    padding = int(rng.integers(0, 2)) if kind == "MAX_POOL_2D" else 1
    x = Tensor("x", (1, height, width, depth), scale(rng), zero_point(rng))
    shape = (1, slid(height, window_h, stride_h, padding), slid(width, window_w, stride_w, padding), depth)
    y = Tensor("y", shape, x.scale, x.zero)
    options = {"Padding": padding, "StrideW": stride_w, "StrideH": stride_h, "FilterWidth": window_w,
               "FilterHeight": window_h, "FusedActivationFunction": activation(rng)}
    return build([Operator(kind, [x], y, options)], [x], [y]), [int8(rng, x.shape)]


def mean(rng: np.random.Generator) -> Case:
    height, width, depth = int(rng.integers(1, 9)), 2 * int(rng.integers(1, 5)), 8 * int(rng.integers(1, 4))
    x = Tensor("x", (1, height, width, depth), scale(rng), zero_point(rng))
    y = Tensor("y", (1, depth), np.float32(x.scale * rng.uniform(0.3, 3)), zero_point(rng))
    over = Tensor("axes", (2,), data=np.int32([1, 2]), type="int32")
    return build([Operator("MEAN", [x, over], y, {"KeepDims": False})], [x], [y]), [int8(rng, x.shape)]


def addition(rng: np.random.Generator) -> Case:
    shape = (1, *sizes(rng, 4, 4), 8 * int(rng.integers(1, 4)))
    a, b = (Tensor(name, shape, scale(rng, -1), zero_point(rng)) for name in "ab")
    y = Tensor("y", shape, np.float32(max(a.scale, b.scale) * rng.uniform(0.5, 2)), zero_point(rng))
    model = build([Operator("ADD", [a, b], y, {"FusedActivationFunction": activation(rng)})], [a, b], [y])
    return model, [int8(rng, shape), int8(rng, shape)]


def prelu(rng: np.random.Generator) -> Case:
    """Every value of the input meets every slope."""
    depth = 8 * int(rng.integers(1, 4))
    x = Tensor("x", (1, 256, 1, depth), scale(rng), zero_point(rng))
    alpha = Tensor("alpha", (1, 1, depth), np.float32(10 ** rng.uniform(-4, -2.2)), zero_point(rng),
                   data=int8(rng, (1, 1, depth)))
    y = Tensor("y", x.shape, np.float32(x.scale * rng.uniform(0.5, 2)), zero_point(rng))
    value = np.broadcast_to(np.arange(-128, 128, dtype=np.int8)[None, :, None, None], x.shape)
    return build([Operator("PRELU", [x, alpha], y)], [x], [y]), [np.ascontiguousarray(value)]


def boundaries(rng: np.random.Generator) -> Case:
    """Sums next to where the output changes, so that every bit of the multiplier counts."""
    kind, count = str(rng.choice(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])), 128
    shape, axis, depth, options = {
        "CONV_2D": ((count, 1, 1, 1), 0, 1, {"StrideW": 1, "StrideH": 1}),
        "DEPTHWISE_CONV_2D": ((1, 1, 1, count), 3, count, {"StrideW": 1, "StrideH": 1, "DepthMultiplier": 1}),
        "FULLY_CONNECTED": ((count, 1), 0, 1, {}),
    }[kind]
    outer = (1,) * (len(shape) - 1)
    x = Tensor("x", (*outer, depth), scale(rng, -4, 1), zero_point(rng))
    scales = np.float32(rng.uniform(0.1, 1, count if len(shape) == 4 else 1) * 10 ** rng.uniform(-4, 0))
    weights = Tensor("w", shape, scales, 0, axis, np.ones(shape, np.int8))
    largest = 2.0 ** (rng.integers(2, 9) if kind == "DEPTHWISE_CONV_2D" else rng.integers(2, 17))
    y = Tensor("y", (*outer, count), np.float32(x.scale * scales.max() * largest), 0)
    real = np.float64(x.scale) * scales / np.float64(y.scale)
    near = np.round((rng.integers(-128, 128, count) + 0.5) / real) + rng.integers(-2, 3, count)
    bias = Tensor("b", (count,), np.float32(x.scale) * scales, data=np.int32(near), type="int32")
    return build([Operator(kind, [x, weights, bias], y, options)], [x], [y]), [np.full(x.shape, x.zero, np.int8)]


KINDS: dict[str, Callable[[np.random.Generator], Case]] = {
    "convolution": convolution, "depthwise": depthwise, "fully connected": fully_connected, "pool": pool, "mean": mean,
    "addition": addition, "prelu": prelu, "boundaries": boundaries,
}
