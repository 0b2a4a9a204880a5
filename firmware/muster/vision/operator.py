"""What all operators share: checks of their tensors, output limits and requantisation tables."""

from array import array

from .flatbuffer import ModelError, Table
from .kernels_accumulator import COLUMNS
from .scales import FLOAT_BITS, quotient, to_int
from .tensor import Tensor

ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6"}
ACC_LIMIT = 1 << 30  # accumulators stay below it: what `requantise` can take


class Operator:
    """One step of a network. `scratch` bytes of the arena are its own while it runs."""

    inputs: "list[Tensor]"  # computed and constant, in order
    output: Tensor
    scratch = 0

    def bind(self, inputs: "list[memoryview]", output: memoryview, scratch: memoryview):
        """Hand over the memory of the inputs, the output and the scratch, before the first run."""
        raise NotImplementedError

    def run(self):
        raise NotImplementedError


class Unary(Operator):
    """One int8 input of one scale: `source`, and `target`."""

    def bind(self, inputs, output, scratch):
        self.source, self.target = inputs[0], output


class Imagewise(Operator):
    """Takes the images of a batch one after another: `source` and `target` are those of one."""

    batch = 1

    def bind(self, inputs, output, scratch):
        self.sources, self.targets = _parts(inputs[0], self.batch), _parts(output, self.batch)

    def run(self):
        for image in range(self.batch):
            self.source, self.target = self.sources[image], self.targets[image]
            self.run_image()

    def run_image(self):
        raise NotImplementedError


def _parts(view: memoryview, count: int) -> "list[memoryview]":
    size = len(view) // count
    return [view[at : at + size] for at in range(0, count * size, size)]


def require(condition: bool, reason: str):
    if not condition:
        raise ModelError(reason)


def require_int8(tensor: Tensor):
    """One scale is asked for too."""
    require(tensor.type == "int8", "'{}' is not int8".format(tensor.name))
    require(tensor.scales == 1, "'{}' has {} scales, not 1".format(tensor.name, tensor.scales))


def require_scale(tensor: Tensor, bits: int):
    """That of TFLite for this operator's output: 2**-bits."""
    require(tensor.scale() == (1 << 23, -23 - bits), "the scale of '{}' is not 1/{}".format(tensor.name, 1 << bits))


def require_same_scale(a: Tensor, b: Tensor):
    require(a.zero == b.zero and a.scale() == b.scale(), "'{}' and '{}' differ in scale".format(a.name, b.name))


def operand_tensor(inputs: list, index: int) -> Tensor:
    """Input `index`, which must be an int8 tensor with one scale, computed or constant."""
    require(index < len(inputs) and inputs[index] is not None, "input {} is missing".format(index))
    require_int8(inputs[index])
    return inputs[index]


def activation_tensor(inputs: list, index: int) -> Tensor:
    """Input `index`, which must be a computed int8 tensor with one scale."""
    tensor = operand_tensor(inputs, index)
    require(tensor.at == 0, "'{}' is a constant".format(tensor.name))
    return tensor


def constant_tensor(inputs: list, index: int, kind: str) -> Tensor:
    """Input `index`, which must be a constant of type `kind`."""
    require(index < len(inputs) and inputs[index] is not None, "input {} is missing".format(index))
    tensor = inputs[index]
    require(tensor.type == kind, "'{}' is not {}".format(tensor.name, kind))
    require(tensor.at != 0, "'{}' is not a constant".format(tensor.name))
    return tensor


def options_of(table: "Table | None") -> Table:
    if table is None:
        raise ModelError("its options are missing")
    return table


def signed(byte: int) -> int:
    """The int8 with these bits."""
    return (byte ^ 0x80) - 0x80


def output_limits(tensor: Tensor, activation: int) -> array:
    """[zero, low, high] of an int8 output after its fused activation, each + 128, then 1 if low is the zero point or
    above (so that every negative accumulator gives `low`)."""
    require(activation in ACTIVATIONS, "fused activation {} is not supported".format(activation))
    low, high, zero = -128, 127, tensor.zero
    scale = tensor.scale()
    if activation in (1, 3):
        low = max(low, zero)
    if activation == 2:
        one = to_int(quotient((1, 0), scale, FLOAT_BITS), 1000)
        low, high = max(low, zero - one), min(high, zero + one)
    if activation == 3:
        high = min(high, zero + to_int(quotient((6, 0), scale, FLOAT_BITS), 1000))
    return array("I", [zero + 128, low + 128, high + 128, 1 if low >= zero else 0])


def new_table(channels: int) -> array:
    """An empty requantisation table (see kernels_accumulator.requantise)."""
    return array("I", bytes(COLUMNS * 4 * channels))


def set_row(table: array, row: int, bias: int, largest: int, scale: "tuple[int, int]"):
    """Fill one row: `bias` is added first, then the sum, at most `largest` in magnitude, times `scale` (Q31, shift)."""
    q, shift = scale
    left, right = (shift, 0) if shift > 0 else (0, -shift)
    if largest << left >= ACC_LIMIT:
        raise ModelError("an accumulator could overflow")
    if right > 30:
        q, right = 0, 0
    at = row * COLUMNS
    table[at] = bias + (1 << 31)
    table[at + 1] = q
    table[at + 2] = right
    table[at + 3] = (1 << right) >> 1
    table[at + 4] = left


def padding(kind: int, size: int, kernel: int, stride: int, out: int) -> int:
    """Elements before the first along one axis, for a kernel that spans `kernel` of them. ModelError unless `out` is
    the right output size."""
    require(kind in (0, 1), "padding {} is not supported".format(kind))
    require(1 <= stride <= 64 and 1 <= kernel, "stride {} or kernel {} is out of range".format(stride, kernel))
    expected = -(-size // stride) if kind == 0 else (size - kernel) // stride + 1
    require(out == expected and out > 0, "the output has {} rows or columns, not {}".format(out, expected))
    return max((out - 1) * stride + kernel - size, 0) // 2 if kind == 0 else 0


def carve(scratch: memoryview, *sizes: int) -> "list[memoryview]":
    """Consecutive 16-byte aligned parts of the scratch."""
    parts, at = [], 0
    for size in sizes:
        parts.append(scratch[at : at + size])
        at += aligned(size)
    return parts


def aligned(size: int) -> int:
    return (size + 15) // 16 * 16
