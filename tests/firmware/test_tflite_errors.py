"""What the .tflite reader refuses, and how it says so."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.firmware import tflite_cases as cases
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


REFUSED = [
    (b"", "not a .tflite file: the identifier TFL3 is missing"),
    (b"\0" * 40, "not a .tflite file: the identifier TFL3 is missing"),
    (small("TRANSPOSE", options={}), "TRANSPOSE 'y' is not supported"),
    (small("GREATER", options={}), "operator 61 'y' is not supported"),
    (small("SOFTMAX", 3, {}), "SOFTMAX 'y': version 3 is not supported, 1..2 are"),
    (small(version=4), "CONV_2D 'y': version 4 is not supported, 1..3 are"),
    (small(options={"StrideW": 0, "StrideH": 1}), "CONV_2D 'y': stride 0 or kernel 1 is out of range"),
    (small(options={"StrideW": 1, "StrideH": 2}), "CONV_2D 'y': the output has 3 rows or columns, not 2"),
    (small(options={"StrideW": 1, "StrideH": 1, "DilationWFactor": 65}),
     "CONV_2D 'y': a dilation is outside 1..64"),
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
]


def test_a_model_it_cannot_run_is_refused_by_name(vm):
    assert errors(vm, *[model for model, _ in REFUSED]) == [message for _, message in REFUSED]


def one(kind: str, inputs: list[Tensor], y: Tensor, options: dict[str, Any] | None = None) -> bytes:
    return build([Operator(kind, inputs, y, options or {})], [tensor for tensor in inputs if tensor.data is None], [y])


def tensor(name: str, *shape: int, scale: float = 0.5, zero: int = 3, data: int | None = None) -> Tensor:
    return Tensor(name, shape, scale, zero, data=None if data is None else np.full(shape, data, np.int8))


MISFITS = [
    (one("ADD", [tensor("a", 2, 3), tensor("b", 2)], tensor("y", 2, 3)),
     "ADD 'y': 'b' cannot be broadcast to (2, 3)"),
    (one("PRELU", [tensor("x", 1), tensor("slopes", 3, data=1)], tensor("y", 3)),
     "PRELU 'y': input and output have different shapes"),
    (one("LOGISTIC", [tensor("x", 5)], tensor("y", 5)), "LOGISTIC 'y': the scale of 'y' is not 1/256"),
    (one("SOFTMAX", [tensor("x", 5)], tensor("y", 5, scale=1 / 256), {"Beta": 1.0}),
     "SOFTMAX 'y': the output's zero point is not -128"),
    (one("SOFTMAX", [tensor("x", 4096)], tensor("y", 4096, scale=1 / 256, zero=-128), {"Beta": 1.0}),
     "SOFTMAX 'y': 4096 classes, at most 4095 are supported"),
    (one("SOFTMAX", [tensor("x", 5)], tensor("y", 5, scale=1 / 256, zero=-128), {"Beta": 1e-9}),
     "SOFTMAX 'y': the input's scale times beta is too small"),
    (one("L2_NORMALIZATION", [tensor("x", 5)], tensor("y", 5, scale=1 / 256)),
     "L2_NORMALIZATION 'y': the scale of 'y' is not 1/128"),
    (one("CONCATENATION", [tensor("a", 2, 3), tensor("b", 2, 4)], tensor("y", 2, 8), {"Axis": 1}),
     "CONCATENATION 'y': the inputs have 7 along the axis, not 8"),
    (one("CONCATENATION", [tensor("a", 2, 3), tensor("b", 1, 3)], tensor("y", 2, 6), {"Axis": 1}),
     "CONCATENATION 'y': the shape of 'b' does not fit the output's"),
    (one("CONCATENATION", [tensor("a", 2), tensor("b", 2, zero=4)], tensor("y", 4)),
     "CONCATENATION 'y': 'b' and 'y' differ in scale"),
    (one("CONCATENATION", [tensor("a", 2)], tensor("y", 2), {"Axis": 1}), "CONCATENATION 'y': there is no axis 1"),
    (one("RESIZE_NEAREST_NEIGHBOR", [tensor("x", 1, 2, 2, 1), Tensor("size", (2,), data=np.int32([3, 4]),
                                                                     type="int32")], tensor("y", 1, 3, 5, 1)),
     "RESIZE_NEAREST_NEIGHBOR 'y': the output's shape is (1, 3, 5, 1), not (1, 3, 4, 1)"),
]


def test_an_operator_that_does_not_fit_its_tensors_is_refused(vm):
    assert errors(vm, *[model for model, _ in MISFITS]) == [message for _, message in MISFITS]


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


WHOLE = cases.whole()
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
