"""Random networks of one operator each, and inputs for them: shapes, zero points and scales from a seeded generator."""

from __future__ import annotations

import numpy as np

from tests.firmware.tflite_builder import Operator, Tensor, build


def int8(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random values; now and then the extremes only."""
    if rng.random() < 0.2:
        return rng.choice(np.int8([-128, 127]), shape)
    return rng.integers(-128, 128, shape, dtype=np.int8)


def zero_point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, -1, 0, 127, rng.integers(-128, 128)]))


def activation(rng: np.random.Generator) -> int:
    return int(rng.integers(0, 4))


def scale(rng: np.random.Generator, low: float = -2, high: float = 0) -> np.float32:
    return np.float32(10 ** rng.uniform(low, high))


def sizes(rng: np.random.Generator, *limits: int) -> tuple[int, ...]:
    """Each from 1 to below its limit."""
    return tuple(int(v) for v in rng.integers(1, limits))


def slid(size: int, kernel: int, stride: int, padding: int) -> int:
    return -(-size // stride) if padding == 0 else (size - kernel) // stride + 1


def weights_and_bias(rng: np.random.Generator, shape: tuple[int, ...], axis: int, input_scale: float,
                     per_channel: bool) -> tuple[list[Tensor], float]:
    """(weights and perhaps a bias, a scale at which outputs mostly stay within int8)."""
    channels = shape[axis]
    terms = int(np.prod(shape)) // channels
    scales = np.float32(rng.uniform(0.2, 1, channels if per_channel else 1) * 10 ** rng.uniform(-4, 0))
    weights = Tensor("weights", shape, scales, 0, axis, rng.integers(-127, 128, shape, dtype=np.int8))
    bias = Tensor("bias", (channels,), scales * np.float32(input_scale), 0, 0,
                  rng.integers(-20000, 20000, channels, dtype=np.int32), "int32")
    spread = float(scales.max()) * input_scale * 74 * 74 * np.sqrt(terms) / 40 * 2 ** rng.uniform(-3, 3)
    return [weights, bias], spread


def convolution(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    depthwise = rng.random() < 0.4
    batch, height, width, depth = sizes(rng, 3, 12, 12, 20)
    kernel_h, kernel_w, stride_h, stride_w = sizes(rng, 6, 6, 4, 4)
    apart_h, apart_w = sizes(rng, 4, 4) if rng.random() < 0.4 else (1, 1)
    span_h, span_w = (kernel_h - 1) * apart_h + 1, (kernel_w - 1) * apart_w + 1
    padding = 0 if span_h > height or span_w > width else int(rng.integers(0, 2))
    out_h, out_w = slid(height, span_h, stride_h, padding), slid(width, span_w, stride_w, padding)
    x = Tensor("x", (batch, height, width, depth), scale(rng, -4, 1), zero_point(rng))
    options = {"Padding": padding, "StrideW": stride_w, "StrideH": stride_h, "FusedActivationFunction": activation(rng),
               "DilationHFactor": apart_h, "DilationWFactor": apart_w}
    if depthwise:
        multiplier = int(rng.choice([1, 1, 2, 3]))
        channels, shape, axis = depth * multiplier, (1, kernel_h, kernel_w, depth * multiplier), 3
        options["DepthMultiplier"] = multiplier
    else:
        channels = int(rng.integers(1, 20))
        shape, axis = (channels, kernel_h, kernel_w, depth), 0
    constants, spread = weights_and_bias(rng, shape, axis, float(x.scale), rng.random() < 0.7)
    y = Tensor("y", (batch, out_h, out_w, channels), spread, zero_point(rng))
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    return build([Operator(kind, [x, *constants], y, options)], [x], [y]), [int8(rng, x.shape)]


def fully_connected(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    rows, depth, channels = sizes(rng, 4, 600, 20)
    x = Tensor("x", (rows, depth), scale(rng, -4, 1), zero_point(rng))
    constants, spread = weights_and_bias(rng, (channels, depth), 0, float(x.scale), rng.random() < 0.5)
    y = Tensor("y", (rows, channels), spread, zero_point(rng))
    options = {"FusedActivationFunction": activation(rng)}
    return build([Operator("FULLY_CONNECTED", [x, *constants], y, options)], [x], [y]), [int8(rng, x.shape)]


def pair(rng: np.random.Generator) -> list[Tensor]:
    """Two operands and their output: of one shape, or one of them broadcast; one perhaps a constant."""
    shape = sizes(rng, 3, 14, 14, 14)
    smaller = shape
    if rng.random() < 0.6:
        smaller = [(), (1,), shape[3:], (1, 1, 1, shape[3]), (shape[0], 1, 1, shape[3]), shape[1:], (shape[1], 1, 1),
                   (1, shape[1], 1, shape[3])][rng.integers(0, 8)]
    a, b = (Tensor(name, shape_, scale(rng), zero_point(rng)) for name, shape_ in (("a", shape), ("b", smaller)))
    if smaller == () or rng.random() < 0.4:
        b.data = int8(rng, smaller)
    wide = np.broadcast_shapes(shape, smaller)
    return [*((a, b) if rng.random() < 0.6 else (b, a)), Tensor("y", wide, scale(rng), zero_point(rng))]


def pairwise(rng: np.random.Generator, kind: str, a: Tensor, b: Tensor, y: Tensor) -> tuple[bytes, list[np.ndarray]]:
    given = [tensor for tensor in (a, b) if tensor.data is None]
    model = build([Operator(kind, [a, b], y, {"FusedActivationFunction": activation(rng)})], given, [y])
    return model, [int8(rng, tensor.shape) for tensor in given]


def addition(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    return pairwise(rng, "ADD", *pair(rng))


def multiplication(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    a, b, y = pair(rng)
    y.scale = np.float32(a.scale * b.scale * 10 ** rng.uniform(0, 3))
    return pairwise(rng, "MUL", a, b, y)


def relu(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    shape = (1, 5, 5, 16)
    x = Tensor("x", shape, scale(rng), zero_point(rng))
    y = Tensor("y", shape, np.float32(x.scale * rng.uniform(0.1, 3)), zero_point(rng))
    return build([Operator(str(rng.choice(["RELU", "RELU6"])), [x], y)], [x], [y]), [int8(rng, shape)]


def pool(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    batch, height, width, channels = sizes(rng, 3, 12, 12, 9)
    window_h, window_w, stride_h, stride_w = sizes(rng, 6, 6, 4, 4)
    padding = 0 if window_h > height or window_w > width else int(rng.integers(0, 2))
    x = Tensor("x", (batch, height, width, channels), scale(rng), zero_point(rng))
    y = Tensor("y", (batch, slid(height, window_h, stride_h, padding), slid(width, window_w, stride_w, padding),
                     channels), x.scale, x.zero)
    options = {"Padding": padding, "StrideW": stride_w, "StrideH": stride_h, "FilterWidth": window_w,
               "FilterHeight": window_h, "FusedActivationFunction": activation(rng)}
    kind = str(rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
    return build([Operator(kind, [x], y, options)], [x], [y]), [int8(rng, x.shape)]


def mean(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    x = Tensor("x", sizes(rng, 3, 20, 20, 20), scale(rng), zero_point(rng))
    keep = bool(rng.integers(0, 2))
    y = Tensor("y", (x.shape[0], 1, 1, x.shape[3]) if keep else (x.shape[0], x.shape[3]), x.scale, x.zero)
    if rng.random() < 0.7:
        y.scale, y.zero = np.float32(x.scale * rng.uniform(0.1, 3)), zero_point(rng)
    axes = np.int32(rng.choice([[1, 2], [2, 1], [-2, -3], [1, -2]]))
    over = Tensor("axes", (2,), data=axes, type="int32")
    return build([Operator("MEAN", [x, over], y, {"KeepDims": keep})], [x], [y]), [int8(rng, x.shape)]


def pad(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    shape = sizes(rng, 3, 9, 9, 9)
    amounts = np.zeros((4, 2), np.int32)
    amounts[1:3] = rng.integers(0, 4, (2, 2))
    x = Tensor("x", shape, 0.5, zero_point(rng))
    y = Tensor("y", tuple(np.add(shape, amounts.sum(1))), x.scale, x.zero)
    how = Tensor("paddings", (4, 2), data=amounts, type="int32")
    return build([Operator("PAD", [x, how], y)], [x], [y]), [int8(rng, shape)]


def slopes(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    x = Tensor("x", sizes(rng, 3, 9, 9, 12), scale(rng), zero_point(rng))
    shape = x.shape if rng.random() < 0.2 else (1, 1, x.shape[3]) if rng.random() < 0.7 else x.shape[1:]
    alpha = Tensor("alpha", shape, scale(rng, -4), zero_point(rng), data=int8(rng, shape))
    y = Tensor("y", x.shape, np.float32(x.scale * rng.uniform(0.1, 3)), zero_point(rng))
    return build([Operator("PRELU", [x, alpha], y)], [x], [y]), [int8(rng, x.shape)]


def logistic(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    x = Tensor("x", (256,), scale(rng, -6, float(rng.choice([0, 2, 15]))), zero_point(rng))
    y = Tensor("y", x.shape, 1 / 256, int(rng.choice([-128, -128, zero_point(rng)])))
    return build([Operator("LOGISTIC", [x], y)], [x], [y]), [np.arange(-128, 128, dtype=np.int8)]


def softmax(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    shape = sizes(rng, 3, 9, 9, 9)[: rng.integers(0, 3)] + sizes(rng, int(rng.choice([4, 12, 400])))
    x = Tensor("x", shape, scale(rng, -5, 1.2), zero_point(rng))
    y = Tensor("y", shape, 1 / 256, -128)
    model = build([Operator("SOFTMAX", [x], y, {"Beta": float(rng.choice([1, 1, 0.3, 1.7]))})], [x], [y])
    return model, [int8(rng, shape) // int(rng.integers(1, 40))]


def normalisation(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    shape = sizes(rng, 3, 9, 9, 9)[: rng.integers(1, 4)] + sizes(rng, int(rng.choice([4, 20, 600])))
    x = Tensor("x", shape, scale(rng), zero_point(rng))
    y = Tensor("y", shape, 1 / 128, 0)
    value = int8(rng, shape) // int(rng.integers(1, 40))
    if rng.random() < 0.3:  # next to the zero point, where a row's length is 0 or 1 too
        value = np.int8(np.clip(x.zero + rng.integers(-1, 2, shape), -128, 127))
    return build([Operator("L2_NORMALIZATION", [x], y)], [x], [y]), [value]


def concatenation(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    shape = sizes(rng, 4, 6, 6, 12)[: rng.integers(1, 5)]
    axis = int(rng.integers(0, len(shape)))
    parts = []
    for number in range(int(rng.integers(1, 7))):
        part = (*shape[:axis], int(rng.integers(1, 20)), *shape[axis + 1 :])
        data = int8(rng, part) if number and rng.random() < 0.2 else None
        parts.append(Tensor(f"x{number}", part, 0.5, 3, data=data))
    y = Tensor("y", (*shape[:axis], sum(part.shape[axis] for part in parts), *shape[axis + 1 :]), 0.5, 3)
    given = [part for part in parts if part.data is None]
    options = {"Axis": axis - len(shape) if rng.random() < 0.5 else axis}
    return build([Operator("CONCATENATION", parts, y, options)], given, [y]), [int8(rng, x.shape) for x in given]


def resize(rng: np.random.Generator) -> tuple[bytes, list[np.ndarray]]:
    x = Tensor("x", sizes(rng, 3, 24, 24, 9), 0.5, 3)
    size = Tensor("size", (2,), data=rng.integers(1, 40, 2, dtype=np.int32), type="int32")
    y = Tensor("y", (x.shape[0], *(int(n) for n in size.data), x.shape[3]), 0.5, 3)
    corners, centres = [(0, 0), (0, 0), (1, 0), (0, 1)][rng.integers(0, 4)]
    options = {"AlignCorners": corners, "HalfPixelCenters": centres}
    return build([Operator("RESIZE_NEAREST_NEIGHBOR", [x, size], y, options)], [x], [y]), [int8(rng, x.shape)]


def boundaries(rng: np.random.Generator, kind: str) -> tuple[bytes, list[np.ndarray]]:
    """Accumulators next to where the output changes, so large that every bit of the multiplier counts."""
    count, channels = 64, 64 if kind == "DEPTHWISE_CONV_2D" else 1
    shape, axis, options = {
        "CONV_2D": ((count, 1, 1, 1), 0, {"StrideW": 1, "StrideH": 1}),
        "DEPTHWISE_CONV_2D": ((1, 1, 1, count), 3, {"StrideW": 1, "StrideH": 1, "DepthMultiplier": 1}),
        "FULLY_CONNECTED": ((count, 1), 0, {}),
    }[kind]
    outer = (1,) * (len(shape) - 1)
    x = Tensor("x", (*outer, channels), scale(rng, -4, 1), zero_point(rng))
    scales = np.float32(rng.uniform(1, 2, count if len(shape) == 4 else 1) * 10 ** rng.uniform(-4, 0))
    weights = Tensor("w", shape, scales, 0, axis, np.ones(shape, np.int8))
    y = Tensor("y", (*outer, count), np.float32(x.scale * scales.max() * 2 ** rng.uniform(20, 22)), 0)
    real = np.float64(x.scale) * scales / np.float64(y.scale)
    near = np.round((rng.integers(-100, 100, count) + 0.5) / real) + rng.integers(-2, 3, count)
    bias = Tensor("b", (count,), np.float32(x.scale) * scales, data=np.int32(near), type="int32")
    model = build([Operator(kind, [x, weights, bias], y, options)], [x], [y])
    return model, [np.full(x.shape, x.zero, np.int8)]


def whole() -> bytes:
    """A network with every operator."""
    x, a = Tensor("x", (1, 4, 4, 3), 0.5, 1), Tensor("a", (1, 4, 4, 8), 2.0, -128)
    d, s, m = Tensor("d", (1, 4, 4, 8), 1.0, 3), Tensor("s", (1, 4, 4, 8), 3.0, -5), Tensor("m", (1, 4, 4, 8), 90.0, 1)
    p, q, r = (Tensor(name, (1, height, 6, 8), 3.0, -5) for name, height in (("p", 5), ("q", 3), ("r", 3)))
    u, v = Tensor("u", (1, 3, 6, 8), 2.5, -5), Tensor("v", (1, 3, 6, 8), 2.5, 4)
    t, big, wide = (Tensor(name, (1, *shape), 2.5, 4)
                    for name, shape in (("t", (3, 6, 8)), ("big", (5, 7, 8)), ("wide", (5, 7, 16))))
    slopes = Tensor("slopes", (1, 1, 8), 0.01, 1, data=np.arange(8, dtype=np.int8))
    size = Tensor("size", (2,), data=np.int32([5, 7]), type="int32")
    e, f, g = Tensor("e", (1, 16), 2.0, 4), Tensor("f", (16,), 2.0, 4), Tensor("g", (1, 5), 20.0)
    h, k, y = Tensor("h", (1, 5), 1 / 128), Tensor("k", (1, 5), 1 / 256, -128), Tensor("y", (1, 5), 1 / 256, -128)
    rng = np.random.default_rng(3)

    def constants(shape: tuple[int, ...], axis: int, channels: int) -> list[Tensor]:
        scale = 0.25 if len(shape) == 2 else np.full(channels, 0.25)
        return [Tensor("w", shape, scale, 0, axis, rng.integers(-127, 128, shape, dtype=np.int8)),
                Tensor("b", (channels,), 0.125, data=rng.integers(-99, 99, channels, dtype=np.int32), type="int32")]

    how = Tensor("how", (4, 2), data=np.int32([[0, 0], [1, 0], [1, 1], [0, 0]]), type="int32")
    over = Tensor("over", (2,), data=np.int32([1, 2]), type="int32")
    flat = Tensor("flat", (1,), data=np.int32([16]), type="int32")
    by_one = {"StrideW": 1, "StrideH": 1, "FusedActivationFunction": 1}
    window = {"FilterWidth": 3, "FilterHeight": 2}
    return build(
        [
            Operator("CONV_2D", [x, *constants((8, 3, 3, 3), 0, 8)], a, by_one),
            Operator("DEPTHWISE_CONV_2D", [a, *constants((1, 3, 3, 8), 3, 8)], d, {**by_one, "DepthMultiplier": 1}),
            Operator("ADD", [a, d], s),
            Operator("MUL", [s, d], m),
            Operator("PAD", [s, how], p),
            Operator("AVERAGE_POOL_2D", [p], q, {**window, "StrideW": 1, "StrideH": 2}),
            Operator("MAX_POOL_2D", [q], r, {**window, "StrideW": 1, "StrideH": 1}),
            Operator("RELU", [r], u),
            Operator("RELU6", [u], v),
            Operator("PRELU", [v, slopes], t),
            Operator("RESIZE_NEAREST_NEIGHBOR", [t, size], big),
            Operator("CONCATENATION", [big, big], wide, {"Axis": 3}),
            Operator("MEAN", [wide, over], e),
            Operator("RESHAPE", [e, flat], f),
            Operator("FULLY_CONNECTED", [f, *constants((5, 16), 0, 5)], g),
            Operator("L2_NORMALIZATION", [g], h),
            Operator("LOGISTIC", [h], k),
            Operator("SOFTMAX", [k], y, {"Beta": 1.0}),
        ],
        [x],
        [y],
    )
