"""ADD, MUL, RELU, RELU6, PAD and RESHAPE: each value on its own, or moved."""

from array import array

from . import kernels_plain
from . import kernels_viper as kernels
from .operator import (
    Operator,
    activation_tensor,
    aligned,
    carve,
    constant_tensor,
    new_table,
    options_of,
    output_limits,
    require,
    require_int8,
    require_same_scale,
    set_row,
)
from .scales import FLOAT_BITS, multiplier, product, quotient, rescale, rounded

ADD_SHIFT = 20  # bits that ADD scales its operands up by, as TFLite
CHUNK = 1024  # elements that go through the accumulators at once


class _Pairwise(Operator):
    """Two tensors of one shape, combined value by value."""

    def _tensors(self, graph, inputs, output, table):
        a, b = activation_tensor(inputs, 0), activation_tensor(inputs, 1)
        require_int8(output)
        require(a.shape == b.shape == output.shape, "the shapes differ: broadcasting is not supported")
        self.limits = output_limits(output, options_of(table).i8(0))
        self.table = new_table(1)
        self.elements = output.elements
        graph.add_work(self.elements)
        self.scratch = aligned(4 * min(CHUNK, self.elements)) + 16
        return a, b

    def bind(self, inputs, output, scratch):
        (self.a, self.b), self.target = inputs, output
        self.acc, self.sums = carve(scratch, self.scratch - 16, 4)

    def run(self):
        kernels.fill(self.sums, 1, 0)
        for at in range(0, self.elements, CHUNK):
            n = min(CHUNK, self.elements - at)
            self._combine(at, n)
            kernels.requantise(0, self.table, self.acc, self.target, at, 1, n, n, self.sums, self.limits, self.table, 0)

    def _combine(self, at: int, n: int):
        """Fill the accumulators from elements at .. at + n."""
        raise NotImplementedError


class Add(_Pairwise):
    """The 256 values of each operand are brought to the common scale beforehand."""

    def __init__(self, graph, inputs, output, table):
        a, b = self._tensors(graph, inputs, output, table)
        m, x = (a if _less(b.scale(), a.scale()) else b).scale()
        twice = (m, x + 1)
        self.addends = array("I", bytes(4 * 512))
        for first, tensor in ((0, a), (256, b)):
            q, shift = multiplier(quotient(tensor.scale(), twice))
            for byte in range(256):
                value = (byte if byte < 128 else byte - 256) - tensor.zero
                self.addends[first + byte] = rescale(value << ADD_SHIFT, q, shift) + kernels.RAISED // 2
        scale = quotient(twice, product((1, ADD_SHIFT), output.scale()))
        set_row(self.table, 0, -kernels.RAISED, 255 << ADD_SHIFT, multiplier(scale))

    def _combine(self, at, n):
        kernels_plain.add(self.acc, self.a, self.b, self.addends, at, n)


class Mul(_Pairwise):
    def __init__(self, graph, inputs, output, table):
        a, b = self._tensors(graph, inputs, output, table)
        self.zeros = a.zero, b.zero
        # TFLite multiplies and divides these in single precision.
        scale = quotient(rounded(product(a.scale(), b.scale()), FLOAT_BITS), output.scale(), FLOAT_BITS)
        set_row(self.table, 0, -kernels.RAISED, 255 * 255, multiplier(scale))

    def _combine(self, at, n):
        kernels_plain.product(self.acc, self.a, self.b, at, n, self.zeros[0], self.zeros[1])


class _Relu(Operator):
    """Rescales and clamps by a table of 256 answers."""

    activation = 1  # the fused activation that does the same

    def __init__(self, graph, inputs, output, table):
        x = activation_tensor(inputs, 0)
        require_int8(output)
        require(x.shape == output.shape, "input and output have different shapes")
        zero, low, high, _ = [limit - 128 for limit in output_limits(output, self.activation)]
        q, shift = multiplier(quotient(x.scale(), output.scale(), FLOAT_BITS))
        self.answers = bytearray(256)
        for byte in range(256):
            value = (byte if byte < 128 else byte - 256) - x.zero
            self.answers[byte] = min(max(rescale(value, q, shift) + zero, low), high) & 255

    def bind(self, inputs, output, scratch):
        self.source, self.target = inputs[0], output

    def run(self):
        kernels_plain.look_up(self.target, self.source, self.answers, len(self.target))


class Relu(_Relu):
    pass


class Relu6(_Relu):
    activation = 3


class Reshape(Operator):
    def __init__(self, graph, inputs, output, table):
        x = activation_tensor(inputs, 0)
        require_int8(output)
        require(x.elements == output.elements, "{} elements into {}".format(x.elements, output.elements))

    def bind(self, inputs, output, scratch):
        self.source, self.target = inputs[0], output

    def run(self):
        self.target[:] = self.source


class Pad(Operator):
    """Rows and columns of the zero point around a map [1, height, width, channels]."""

    def __init__(self, graph, inputs, output, table):
        x, amounts = activation_tensor(inputs, 0), constant_tensor(inputs, 1, "int32")
        require_int8(output)
        require_same_scale(x, output)
        require(len(x.shape) == 4 and amounts.shape == (4, 2), "only maps of 4 dimensions can be padded")
        amounts = [graph.int32(amounts, i) for i in range(8)]
        require(min(amounts) >= 0 and amounts[:2] == [0, 0] == amounts[6:], "only height and width can be padded")
        expected = tuple([n + amounts[2 * i] + amounts[2 * i + 1] for i, n in enumerate(x.shape)])
        require(output.shape == expected, "the output's shape is {}, not {}".format(output.shape, expected))
        self.row = x.shape[2] * x.shape[3]
        self.out_row = output.shape[2] * output.shape[3]
        self.first = amounts[2] * self.out_row + amounts[4] * x.shape[3]
        self.rows = x.shape[1]
        self.zero = x.zero & 255

    def bind(self, inputs, output, scratch):
        self.source, self.target = inputs[0], output

    def run(self):
        size = len(self.target)
        kernels.enlarge(self.target, self.source, self.rows, self.row, self.out_row, self.first, size, self.zero, 0)


def _less(a: "tuple[int, int]", b: "tuple[int, int]") -> bool:
    """a < b for numbers of scales.py."""
    x = min(a[1], b[1])
    return a[0] << (a[1] - x) < b[0] << (b[1] - x)
