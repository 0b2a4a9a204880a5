"""What the .tflite reader refuses, and how it says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.firmware.tflite_builder import Operator, Tensor, build

LOAD = """
import gc
from muster.vision import tflite
result = []
for model in data:
    try:
        net = tflite.load(bytes.fromhex(model))
        for i in range(len(net._inputs)):
            net.input(i)
        net.invoke()
        result.append("")
    except tflite.ModelError as error:
        result.append(str(error))
    net = None
    gc.collect()
"""


def errors(vm: Any, *models: bytes) -> list[str]:
    return vm(LOAD, [model.hex() for model in models])


def small(kind: str = "CONV_2D", version: int | None = None, options: dict[str, int] | None = None,
          **changes: Any) -> bytes:
    """A 1x1 convolution of 2 channels to 8, or one with something changed in its tensors."""
    x, y = Tensor("x", (1, 3, 3, 2), 0.5, 1), Tensor("y", (1, 3, 3, 8), 2.0, -1)
    weights = Tensor("w", (8, 1, 1, 2), np.full(8, 0.25), data=np.arange(16, dtype=np.int8).reshape(8, 1, 1, 2))
    bias = Tensor("b", (8,), 0.125, data=np.arange(8, dtype=np.int32), type="int32")
    tensors = {"x": x, "y": y, "w": weights, "b": bias}
    for name, value in changes.items():
        tensor, attribute = name.split("_")
        setattr(tensors[tensor], attribute, value)
    options = {"StrideW": 1, "StrideH": 1} if options is None else options
    return build([Operator(kind, [x, weights, bias], y, options, version)], [x], [y])


def test_the_small_model_itself_is_right(vm):
    assert errors(vm, small()) == [""]


@pytest.mark.parametrize(
    "model, message",
    [
        (b"", "not a .tflite file: the identifier TFL3 is missing"),
        (b"\0" * 40, "not a .tflite file: the identifier TFL3 is missing"),
        (small("SOFTMAX", options={}), "operator 25 'y' is not supported"),
        (small(version=4), "CONV_2D 'y': version 4 is not supported, 1..3 are"),
        (small(options={"StrideW": 0, "StrideH": 1}), "CONV_2D 'y': stride 0 or kernel 1 is out of range"),
        (small(options={"StrideW": 1, "StrideH": 2}), "CONV_2D 'y': the output has 3 rows or columns, not 2"),
        (small(options={"StrideW": 1, "StrideH": 1, "DilationWFactor": 2}), "CONV_2D 'y': dilation is not supported"),
        (small(options={"StrideW": 1, "StrideH": 1, "FusedActivationFunction": 4}),
         "CONV_2D 'y': fused activation 4 is not supported"),
        (small(x_type="uint8"), "input 'x' is not an int8 activation"),
        (small(w_zero=3), "CONV_2D 'y': the weights' zero point is not 0"),
        (small(w_scale=np.full(3, 0.25)), "CONV_2D 'y': 3 weight scales for 8 channels"),
        (small(w_shape=(8, 1, 1, 3)), "tensor 'w': 16 bytes of data, 24 expected"),
        (small(w_shape=(16, 1, 1, 1)), "CONV_2D 'y': the weights do not fit input and output"),
        (small(w_data=None), "CONV_2D 'y': 'w' is not a constant"),
        (small(b_shape=(2, 4)), "CONV_2D 'y': the bias has not one entry a channel"),
        (small(b_data=np.full(8, 1 << 30, np.int32)), "CONV_2D 'y': an accumulator could overflow"),
        (small(x_scale=0.0), "CONV_2D 'y': a quantisation scale is not positive and finite"),
        (small(y_scale=float("nan")), "CONV_2D 'y': a quantisation scale is not positive and finite"),
        (small(y_scale=1e-9), "CONV_2D 'y': a quantisation multiplier is too large"),
        (small(x_zero=128), "tensor 'x': zero point 128 is outside int8"),
        (small(x_shape=(1, 0, 3, 2)), "tensor 'x': dimension 0 is outside 1..8192"),
        (small(x_shape=(8000, 8000, 3, 2)), "tensor 'x': 384000000 elements are too many"),
    ],
)
def test_a_model_it_cannot_run_is_refused_by_name(vm, model, message):
    assert errors(vm, model) == [message]


def test_weights_of_two_operators_are_refused(vm):
    """They are laid out anew in place, which can be done once."""
    x, y, z = (Tensor(name, (1, 3, 3, 8)) for name in "xyz")
    weights = Tensor("w", (8, 1, 1, 8), data=np.ones((8, 1, 1, 8), np.int8))
    bias = Tensor("b", (8,), data=np.zeros(8, np.int32), type="int32")
    options = {"StrideW": 1, "StrideH": 1}
    model = build([Operator("CONV_2D", [x, weights, bias], y, options),
                   Operator("CONV_2D", [y, weights, bias], z, options)], [x], [z])
    assert errors(vm, model) == ["CONV_2D 'z': its weights are shared with another operator, which is not supported"]


def test_a_tensor_used_before_it_is_made_is_refused(vm):
    x, y, z = (Tensor(name, (1, 8)) for name in "xyz")
    model = build([Operator("ADD", [x, z], y), Operator("ADD", [x, y], z)], [x], [z])
    assert errors(vm, model) == ["tensor 'z' is used before it is made"]


def test_an_error_in_a_file_names_the_file(vm, tmp_path):
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3")
    script = """
from muster.vision import tflite
try:
    tflite.load(data)
except tflite.ModelError as error:
    result = str(error)
"""
    assert vm(script, str(path)) == f"{path}: offset 28 is outside the file of 8 bytes"


def whole() -> bytes:
    """A network with every operator."""
    x, a = Tensor("x", (1, 4, 4, 3), 0.5, 1), Tensor("a", (1, 4, 4, 8), 2.0, -128)
    d, s, m = Tensor("d", (1, 4, 4, 8), 1.0, 3), Tensor("s", (1, 4, 4, 8), 3.0, -5), Tensor("m", (1, 4, 4, 8), 90.0, 1)
    p, q, r = (Tensor(name, (1, height, 6, 8), 3.0, -5) for name, height in (("p", 5), ("q", 3), ("r", 3)))
    u, v = Tensor("u", (1, 3, 6, 8), 2.5, -5), Tensor("v", (1, 3, 6, 8), 2.5, 4)
    e, f, y = Tensor("e", (1, 8), 2.0, 4), Tensor("f", (8,), 2.0, 4), Tensor("y", (1, 5), 20.0)
    rng = np.random.default_rng(3)

    def constants(shape: tuple[int, ...], axis: int, channels: int) -> list[Tensor]:
        scale = 0.25 if len(shape) == 2 else np.full(channels, 0.25)
        return [Tensor("w", shape, scale, 0, axis, rng.integers(-127, 128, shape, dtype=np.int8)),
                Tensor("b", (channels,), 0.125, data=rng.integers(-99, 99, channels, dtype=np.int32), type="int32")]

    how = Tensor("how", (4, 2), data=np.int32([[0, 0], [1, 0], [1, 1], [0, 0]]), type="int32")
    over = Tensor("over", (2,), data=np.int32([1, 2]), type="int32")
    one = {"StrideW": 1, "StrideH": 1, "FusedActivationFunction": 1}
    window = {"FilterWidth": 3, "FilterHeight": 2}
    return build(
        [
            Operator("CONV_2D", [x, *constants((8, 3, 3, 3), 0, 8)], a, one),
            Operator("DEPTHWISE_CONV_2D", [a, *constants((1, 3, 3, 8), 3, 8)], d, {**one, "DepthMultiplier": 1}),
            Operator("ADD", [a, d], s),
            Operator("MUL", [s, d], m),
            Operator("PAD", [s, how], p),
            Operator("AVERAGE_POOL_2D", [p], q, {**window, "StrideW": 1, "StrideH": 2}),
            Operator("MAX_POOL_2D", [q], r, {**window, "StrideW": 1, "StrideH": 1}),
            Operator("RELU", [r], u),
            Operator("RELU6", [u], v),
            Operator("MEAN", [v, over], e),
            Operator("RESHAPE", [e], f),
            Operator("FULLY_CONNECTED", [f, *constants((5, 8), 0, 5)], y),
        ],
        [x],
        [y],
    )


WHOLE = whole()
values = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 127, 128, 255]))
change = st.tuples(st.integers(0, len(WHOLE) - 1), values)


def mutated(changes: list[tuple[int, int]], cut: int) -> bytes:
    model = bytearray(WHOLE)
    for at, value in changes:
        model[at] = value
    return bytes(model[: len(model) - cut])


broken = st.builds(mutated, st.lists(change, min_size=1, max_size=4),
                   st.one_of(st.just(0), st.just(0), st.integers(0, len(WHOLE))))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(models=st.lists(broken, min_size=60, max_size=60))
def test_damaged_models_run_or_are_refused(vm, models):
    """Any other exception, a crash or a hang of the VM fails the call. The VM has 64 MB."""
    assert errors(vm, WHOLE) == [""]
    assert len(errors(vm, *models)) == len(models)
