"""The .tflite runtime against TFLite's reference kernels, bit for bit, on both word sizes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.firmware import tflite_cases as cases
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

quick = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
seeds = st.integers(0, 1 << 32).map(np.random.default_rng)


def outputs(vm: Any, runs: list[tuple[bytes, list[np.ndarray]]]) -> list[np.ndarray]:
    sent = [[model.hex(), [value.tobytes().hex() for value in values]] for model, values in runs]
    return [np.frombuffer(bytes.fromhex(answer), np.int8) for answer in vm(RUN, sent)]


def assert_as_reference(vm: Any, runs: list[tuple[bytes, list[np.ndarray]]]) -> None:
    for (model, values), answer in zip(runs, outputs(vm, runs), strict=True):
        np.testing.assert_array_equal(answer, reference(model, values))


@pytest.mark.parametrize(
    "make",
    [cases.convolution, cases.fully_connected, cases.addition, cases.multiplication, cases.slopes, cases.relu,
     cases.logistic, cases.softmax, cases.normalisation, cases.pool, cases.mean, cases.pad, cases.concatenation,
     cases.resize],
    ids=lambda make: make.__name__,
)
@quick
@given(rng=seeds)
def test_operator_equals_reference_kernel(vm, make, rng):
    assert_as_reference(vm, [make(rng) for _ in range(20)])


MULTIPLIERS = """
from array import array
from muster.vision.scales import from_float32, multiplier, multipliers, product, quotient
result = []
for a, words, c in data:
    a, c = from_float32(a), from_float32(c)
    quick = multipliers(a, array("I", words), c)
    result.append(quick == [multiplier(quotient(product(a, from_float32(b)), c)) for b in words])
"""


def test_multipliers_without_a_division_are_those_with_it(vm):
    """At random, subnormal and largest, and where the last bit hangs on what the quick way leaves out."""
    rng = np.random.default_rng(1)

    def floats(count: int) -> list[int]:
        return np.float32(10 ** rng.uniform(-4, 0, count)).view(np.uint32).tolist()

    rows = [[*floats(1), [*floats(200), 1, 0x7FFFFF, 0x800000], *floats(1)] for _ in range(20)]
    close = [(1008031812, 1010056996, 1040043719), (982077861, 1009540000, 981195107),
             (1018888719, 1006673308, 923988699), (1050932516, 1006886672, 1009542903),
             (1075227965, 1011443764, 984181352), (925834727, 1007564507, 990897369)]
    rows += [[a, [b], c] for a, b, c in close] + [[1, floats(3), 1]]
    assert all(vm(MULTIPLIERS, rows))


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
@quick
@given(rng=seeds)
def test_every_bit_of_a_multiplier_equals_the_reference(vm, kind, rng):
    assert_as_reference(vm, [cases.boundaries(rng, kind) for _ in range(30)])


@pytest.mark.parametrize("name, shape", [("embedder", (1, 64, 64, 3)), ("finder", (1, 120, 120, 1)),
                                         ("landmarks", (1, 64, 64, 1))])
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


def test_a_network_with_every_operator_equals_the_reference(vm):
    noise = np.random.default_rng(5).integers(-128, 128, (8, 1, 4, 4, 3), dtype=np.int8)
    assert_as_reference(vm, [(cases.whole(), [value]) for value in noise])


def test_operators_that_share_weights_equal_the_reference(vm):
    """One operator may lay its weights out anew in place, but not these."""
    rng = np.random.default_rng(2)
    x, *made = (Tensor(name, (8, 1, 1, 8), scale, 1) for name, scale in (("x", 0.5), ("u", 9), ("v", 9), ("y", 99)))
    u, v, y = made
    weights = Tensor("w", (8, 1, 1, 8), data=rng.integers(-127, 128, (8, 1, 1, 8), dtype=np.int8))
    bias = Tensor("b", (8,), data=np.zeros(8, np.int32), type="int32")
    options = {"StrideW": 1, "StrideH": 1}
    model = build([Operator("CONV_2D", [x, weights, bias], u, options), Operator("ADD", [u, weights], v),
                   Operator("CONV_2D", [v, weights, bias], y, options)], [x], [y])
    assert_as_reference(vm, [(model, [rng.integers(-128, 128, x.shape, dtype=np.int8)])])


def test_the_example_of_the_documentation_runs_as_printed(vm, tmp_path):
    """docs/TFLITE.md's own lines, on a small network of somebody else's: two layers, mean, classes."""
    rng = np.random.default_rng(8)
    x, a, d = Tensor("x", (1, 12, 16, 1), 1 / 255, -128), Tensor("a", (1, 6, 8, 8), 0.1), Tensor("d", (1, 6, 8, 8), 0.3)
    e, f, y = Tensor("e", (1, 8), 0.02), Tensor("f", (1, 4), 0.1), Tensor("y", (1, 4), 1 / 256, -128)

    def weights(into: Tensor, channels: int, *shape: int) -> list[Tensor]:
        bias = rng.integers(-99, 99, channels, dtype=np.int32)
        return [Tensor("w", shape, 0.01, data=rng.integers(-127, 128, shape, dtype=np.int8)),
                Tensor("b", (channels,), into.scale * 0.01, data=bias, type="int32")]

    stride = {"StrideW": 2, "StrideH": 2, "FusedActivationFunction": 3}
    over = Tensor("over", (2,), data=np.int32([1, 2]), type="int32")
    model = build(
        [
            Operator("CONV_2D", [x, *weights(x, 8, 8, 3, 3, 1)], a, stride),
            Operator("DEPTHWISE_CONV_2D", [a, *weights(a, 8, 1, 3, 3, 8)], d, {"StrideW": 1, "StrideH": 1,
                                                                        "DepthMultiplier": 1}),
            Operator("MEAN", [d, over], e),
            Operator("FULLY_CONNECTED", [e, *weights(e, 4, 4, 8)], f),
            Operator("SOFTMAX", [f], y, {"Beta": 1.0}),
        ],
        [x],
        [y],
    )
    (tmp_path / "model.tflite").write_bytes(model)
    frame = rng.integers(0, 256, (1, 12, 16, 1), dtype=np.uint8)
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "TFLITE.md").read_text(), re.DOTALL)
    assert example and example[1].count("\n") <= 10
    script = f"import os\nos.chdir({str(tmp_path)!r})\nframe = bytes.fromhex(data)\n{example[1]}"
    answer = vm(script + "\nresult = [net.arena_bytes, best, real[best]]", frame.tobytes().hex())
    expected = reference(model, [(frame ^ 0x80).view(np.int8)])
    best = int(expected.argmax())
    assert answer == [answer[0], best, (int(expected[best]) + 128) / 256]
    assert 192 + 384 <= answer[0] < 4096


def test_a_dropped_model_is_freed(vm):
    """In one run of eight at least: of four layouts of 32 bits one has a word that the collector takes for the model's
    address; what keeps a model keeps it in all."""
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
    assert any(vm(script, str(ROOT / "models" / "embedder.tflite")) < 4096 for _ in range(8))
