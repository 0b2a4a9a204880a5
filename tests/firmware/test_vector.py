"""The vector kernels' machine code, executed, answers as TFLite's reference kernels do, bit for bit."""

import numpy as np
import pytest

from tests.firmware import tflite_cases, vector_cases
from tests.firmware.tflite_builder import Operator, Tensor, build, reference
from tools import vector_mpy, vector_vm

FIRMWARE = vector_vm.ROOT / "firmware"
CASES = {"convolution": 12, "depthwise": 25, "fully connected": 12, "pool": 25, "mean": 25, "prelu": 6,
         "boundaries": 25}


def answers(cases, bits=32):
    """For each (model, inputs): whether the answer is right, and whether the first operator ran on vectors."""
    runs = vector_vm.run([(model.hex(), [value.tobytes() for value in values]) for model, values in cases], bits)
    return [(bool(np.array_equal(run.answer, reference(model, values))), run.steps[0][1] > 0)
            for (model, values), run in zip(cases, runs, strict=True)]


@pytest.mark.parametrize("kind", CASES)
def test_random_layers_are_exact(kind):
    rng = np.random.default_rng(5)
    cases = [vector_cases.KINDS[kind](rng) for _ in range(CASES[kind])]
    assert answers(cases) == [(True, True)] * len(cases)


def test_additions_are_exact_and_mostly_vectors():
    rng = np.random.default_rng(5)
    exact, fast = zip(*answers([vector_cases.addition(rng) for _ in range(3)]), strict=True)
    assert all(exact) and any(fast)


@pytest.mark.parametrize("kind", ["convolution", "fully_connected", "pool", "mean", "slopes", "boundaries"])
def test_layers_of_any_shape_are_exact_too(kind):
    rng = np.random.default_rng(6)
    make = getattr(tflite_cases, kind)
    cases = [make(rng, "CONV_2D") if kind == "boundaries" else make(rng) for _ in range(15)]
    exact, _ = zip(*answers(cases), strict=True)
    assert all(exact)


def test_an_addition_that_would_round_otherwise_stays_portable():
    """Every sum is a half or a whole: TFLite rounds halves away from zero on both sides."""
    a, b = (Tensor(name, (1, 1, 1, 256), 1.0) for name in "ab")
    y = Tensor("y", (1, 1, 1, 256), 2.0)
    value = np.arange(-128, 128, dtype=np.int8).reshape(a.shape)
    model = build([Operator("ADD", [a, b], y)], [a, b], [y])
    assert answers([(model, [value, np.zeros_like(value)])]) == [(True, False)]


def test_weights_that_two_layers_share_are_laid_out_once_for_each():
    rng = np.random.default_rng(2)
    x, y, z = (Tensor(name, (1, 1, 1, 16), 1.0) for name in "xyz")
    w = Tensor("w", (16, 1, 1, 16), np.full(16, 0.01), data=rng.integers(-127, 128, (16, 1, 1, 16), dtype=np.int8))
    b = Tensor("b", (16,), 0.01, data=rng.integers(-99, 99, 16, dtype=np.int32), type="int32")
    step = {"StrideW": 1, "StrideH": 1}
    model = build([Operator("CONV_2D", [x, w, b], y, step), Operator("CONV_2D", [y, w, b], z, step)], [x], [z])
    assert answers([(model, [rng.integers(-128, 128, x.shape, dtype=np.int8)])]) == [(True, True)]


def face_network(rng):
    """As the watch's: strided convolution, inverted residual blocks, and a layer over all that is left."""
    tensors = [Tensor("x", (1, 16, 16, 3), 1 / 128, 0)]
    operators = []

    def layer(kind, shape, weights, axis, **options):
        x = tensors[-1]
        scales = np.float32(rng.uniform(0.2, 1, weights[axis]) / (60 * np.sqrt(np.prod(weights) / weights[axis])))
        if kind == "FULLY_CONNECTED":
            scales = scales[:1]
        y = Tensor(f"t{len(tensors)}", shape, 1 / 32, int(rng.integers(-60, 60)))
        w = Tensor(f"w{len(tensors)}", weights, scales, 0, axis, rng.integers(-127, 128, weights, dtype=np.int8))
        b = Tensor(f"b{len(tensors)}", (weights[axis],), x.scale * scales, type="int32",
                   data=rng.integers(-2000, 2000, weights[axis], dtype=np.int32))
        operators.append(Operator(kind, [x, w, b], y, options))
        tensors.append(y)

    def bend(x):
        y = Tensor(f"t{len(tensors)}", x.shape, 1 / 40, 9)
        slopes = Tensor(f"s{len(tensors)}", (1, 1, x.shape[3]), 0.003, 0,
                        data=rng.integers(-128, 128, (1, 1, x.shape[3]), dtype=np.int8))
        operators.append(Operator("PRELU", [x, slopes], y))
        tensors.append(y)

    by_one, by_two = {"StrideW": 1, "StrideH": 1}, {"StrideW": 2, "StrideH": 2}
    layer("CONV_2D", (1, 8, 8, 32), (32, 3, 3, 3), 0, **by_two)
    bend(tensors[-1])
    layer("DEPTHWISE_CONV_2D", (1, 4, 4, 32), (1, 3, 3, 32), 3, **by_two, DepthMultiplier=1)
    kept = tensors[-1]
    layer("CONV_2D", (1, 4, 4, 64), (64, 1, 1, 32), 0, **by_one, FusedActivationFunction=1)
    layer("DEPTHWISE_CONV_2D", (1, 4, 4, 64), (1, 3, 3, 64), 3, **by_one, DepthMultiplier=1)
    layer("CONV_2D", (1, 4, 4, 32), (32, 1, 1, 64), 0, **by_one)
    total = Tensor("sum", kept.shape, 0.0427, 5)
    operators.append(Operator("ADD", [tensors[-1], kept], total))
    flat = Tensor("flat", (1, 512), total.scale, total.zero)
    shape = Tensor("shape", (2,), data=np.int32([1, 512]), type="int32")
    operators.append(Operator("RESHAPE", [total, shape], flat))
    tensors.append(flat)
    layer("FULLY_CONNECTED", (1, 64), (64, 512), 0)
    return build(operators, tensors[:1], tensors[-1:])


def test_a_face_network_is_exact_on_vectors_from_end_to_end():
    rng = np.random.default_rng(9)
    model, value = face_network(rng), rng.integers(-128, 128, (1, 16, 16, 3), dtype=np.int8)
    (run,) = vector_vm.run([(model.hex(), [value.tobytes()])])
    assert run.answer.tolist() == reference(model, [value]).tolist()
    assert len(set(run.answer.tolist())) > 20
    assert [name for name, instructions, _ in run.steps if not instructions] == ["Reshape"]


def test_kernels_for_another_processor_leave_the_network_portable(vm, tmp_path):
    """The simulator's own case, were the chip's file there."""
    folder = tmp_path / "muster" / "vision"
    folder.mkdir(parents=True)
    for path in (FIRMWARE / "muster" / "vision").glob("*.py"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "kernels_vector.mpy").write_bytes(vector_mpy.build())
    assert vm(f"""
sys.path.insert(0, {str(tmp_path)!r})
from muster.vision import tflite, vector
net = tflite.load({str(FIRMWARE.parent / "models" / "finder.tflite")!r})
result = [vector.kernels is None, vector.__file__.startswith({str(tmp_path)!r})]
""") == [True, True]
