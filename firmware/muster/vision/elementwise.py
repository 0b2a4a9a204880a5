"""ADD, MUL and PRELU: two tensors combined value by value, a smaller one broadcast."""

from array import array

from . import kernels_accumulator as accumulator
from . import kernels_plain as kernels
from .activations import rescaled_answers
from .fixed_point import rescale
from .operator import (
    Operator,
    aligned,
    carve,
    new_table,
    operand_tensor,
    options_of,
    output_limits,
    require,
    require_int8,
    set_row,
    signed,
)
from .scales import FLOAT_BITS, multiplier, product, quotient, rounded
from .tensor import Tensor

ADD_SHIFT = 20  # bits that ADD scales its operands up by, as TFLite
CHUNK = 1024  # elements that go through the accumulators at once


class _Operand:
    """An input as the output sees it: some of its dimensions repeated."""

    def __init__(self, tensor: Tensor, output: Tensor):
        self.zero = tensor.zero
        self.shape = None
        if tensor.shape == output.shape:
            return
        dimensions, wide = [(1,) * (4 - len(shape)) + shape for shape in (tensor.shape, output.shape)]
        steps, step = [0, 0, 0, 0], 1
        for axis in (3, 2, 1, 0):
            n = dimensions[axis]
            require(n in (1, wide[axis]), "'{}' cannot be broadcast to {}".format(tensor.name, output.shape))
            if n > 1:
                steps[axis] = step
            step *= n
        self.shape = array("I", list(wide[1:]) + steps)
        self.recurs = steps[:3] == [0, 0, 0] and CHUNK % wide[3] == 0  # each part is then the same

    def bind(self, source: memoryview, scratch: memoryview):
        self.source, self.scratch = source, scratch

    def part(self, at: int, n: int) -> memoryview:
        """Elements at .. at + n; parts are asked for from 0 on, CHUNK at a time."""
        if self.shape is None:
            return self.source[at : at + n]
        if at == 0 or not self.recurs:
            kernels.broadcast(self.scratch, self.source, at, n, self.shape)
        return self.scratch


class _Pairwise(Operator):
    def _tensors(self, graph, inputs, output, activation: int):
        a, b = operand_tensor(inputs, 0), operand_tensor(inputs, 1)
        require_int8(output)
        self.operands = _Operand(a, output), _Operand(b, output)
        self.limits = output_limits(output, activation)
        self.table = new_table(1)
        self.elements = output.elements
        graph.add_work(self.elements)
        n = min(CHUNK, self.elements)
        self.sizes = [4 * n, 4] + [n if operand.shape is not None else 0 for operand in self.operands]
        self.scratch = sum([aligned(size) for size in self.sizes])
        return a, b

    def bind(self, inputs, output, scratch):
        self.target = output
        self.acc, self.sums, *parts = carve(scratch, *self.sizes)
        for i, operand in enumerate(self.operands):
            operand.bind(inputs[i], parts[i])

    def run(self):
        a, b = self.operands
        accumulator.fill(self.sums, 1, 0)
        for at in range(0, self.elements, CHUNK):
            n = min(CHUNK, self.elements - at)
            self._combine(a.part(at, n), b.part(at, n), at, n)

    def _combine(self, a: memoryview, b: memoryview, at: int, n: int):
        """Answer elements at .. at + n of the output from these of the operands."""
        raise NotImplementedError

    def _answer(self, at: int, n: int):
        """Elements at .. at + n from the accumulators."""
        accumulator.requantise(0, self.table, self.acc, self.target, at, 1, n, n, self.sums, self.limits, self.table, 0)


class Add(_Pairwise):
    """The 256 values of each operand are brought to the common scale beforehand."""

    def __init__(self, graph, inputs, output, table):
        a, b = self._tensors(graph, inputs, output, options_of(table).i8(0))
        m, x = (a if _less(b.scale(), a.scale()) else b).scale()
        twice = (m, x + 1)
        self.addends = array("I", bytes(4 * 512))
        for first, tensor in ((0, a), (256, b)):
            q, shift = multiplier(quotient(tensor.scale(), twice))
            for byte in range(256):
                value = signed(byte) - tensor.zero
                self.addends[first + byte] = rescale(value << ADD_SHIFT, q, shift) + accumulator.RAISED // 2
        scale = quotient(twice, product((1, ADD_SHIFT), output.scale()))
        set_row(self.table, 0, -accumulator.RAISED, 255 << ADD_SHIFT, multiplier(scale))

    def _combine(self, a, b, at, n):
        kernels.add(self.acc, a, b, self.addends, n)
        self._answer(at, n)


class _Product(_Pairwise):
    """Accumulators hold the products; how the scales multiply and divide is the operator's."""

    def _multiply(self, a: memoryview, b: memoryview, at: int, n: int):
        kernels.product(self.acc, a, b, n, self.operands[0].zero, self.operands[1].zero)
        self._answer(at, n)

    def _scale(self, a: Tensor, b: Tensor, output: Tensor):
        # TFLite multiplies and divides these in single precision.
        scale = quotient(rounded(product(a.scale(), b.scale()), FLOAT_BITS), output.scale(), FLOAT_BITS)
        self.multiplier = multiplier(scale)
        set_row(self.table, 0, -accumulator.RAISED, 255 * 255, self.multiplier)


class Mul(_Product):
    def __init__(self, graph, inputs, output, table):
        a, b = self._tensors(graph, inputs, output, options_of(table).i8(0))
        self._scale(a, b, output)

    def _combine(self, a, b, at, n):
        self._multiply(a, b, at, n)


class Prelu(_Product):
    """The product with the slopes where the input is negative, the answers of a table elsewhere."""

    def __init__(self, graph, inputs, output, table):
        x, slopes = self._tensors(graph, inputs, output, 0)
        require(x.shape == output.shape, "input and output have different shapes")
        self._scale(x, slopes, output)
        self.answers = rescaled_answers(x, output, 0)
        self.zeros = array("i", [x.zero, slopes.zero, output.zero])

    def _combine(self, a, b, at, n):
        kernels.prelu(0, self.target, at, a, b, self.answers, n, self.zeros, self.table)


def _less(a: "tuple[int, int]", b: "tuple[int, int]") -> bool:
    """a < b for numbers of scales.py."""
    x = min(a[1], b[1])
    return a[0] << (a[1] - x) < b[0] << (b[1] - x)
