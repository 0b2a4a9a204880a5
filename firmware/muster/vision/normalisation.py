"""SOFTMAX and L2_NORMALIZATION: each row of the last dimension on its own, through a table made for that row."""

from array import array

from . import kernels_plain as kernels
from .fixed_point import exponential, high_product, inverse_sqrt, lowered, reciprocal, rescale
from .operator import Unary, activation_tensor, options_of, require, require_int8, require_scale, signed
from .scales import from_float32, multiplier, product
from .tensor import Tensor

DIFFERENCE_BITS = 26  # of fraction in what SOFTMAX takes the exponential of
ACCUMULATOR_BITS = 12  # fewer than an exponential has in the sum of them
MAX_CLASSES = 4095  # whose sum fits 32 bits
ROW_WORK, VALUE_WORK = 10000, 100  # multiplications that take as long as what is done here for each


class _Rows(Unary):
    def _tensors(self, graph, inputs: list, output: Tensor) -> Tensor:
        x = activation_tensor(inputs, 0)
        require_int8(output)
        require(x.shape == output.shape and len(x.shape) > 0, "input and output have different shapes")
        self.depth = x.shape[-1]
        graph.add_work(x.elements // self.depth * ROW_WORK + x.elements * VALUE_WORK)
        self.answers = bytearray(256)
        return x

    def run(self):
        depth = self.depth
        for at in range(0, len(self.source), depth):
            row = self.source[at : at + depth]
            self._tabulate(row)
            kernels.look_up(self.target[at : at + depth], row, self.answers, depth)

    def _tabulate(self, row: memoryview):
        """Set the answers to the bytes of this row."""
        raise NotImplementedError


class Softmax(_Rows):
    def __init__(self, graph, inputs, output, table):
        x = self._tensors(graph, inputs, output)
        require_scale(output, 8)
        require(output.zero == -128, "the output's zero point is not -128")
        require(self.depth <= MAX_CLASSES, "{} classes, at most {} are supported".format(self.depth, MAX_CLASSES))
        beta = from_float32(options_of(table).u32(0))
        m, exponent = product(beta, x.scale())
        q, shift = multiplier((m, exponent + DIFFERENCE_BITS), 31)
        require(shift > 0, "the input's scale times beta is too small")
        # For each difference from the row's largest its exponential, 0 where TFLite leaves it out.
        count = min((31 << DIFFERENCE_BITS >> shift) + 1, 256)
        self.powers = array("I", bytes(4 * 256))
        for n in range(count):
            self.powers[n] = exponential(high_product(-n << shift, q))

    def _tabulate(self, row):
        powers, seen = self.powers, set(row)
        largest = max([byte ^ 0x80 for byte in seen])
        total = sum([lowered(powers[largest - (byte ^ 0x80)], ACCUMULATOR_BITS) for byte in row])
        scale, bits = reciprocal(total)
        for byte in seen:
            share = lowered(high_product(scale, powers[largest - (byte ^ 0x80)]), bits + 31 - 8)
            self.answers[byte] = min(share, 255) ^ 0x80


class L2Normalization(_Rows):
    def __init__(self, graph, inputs, output, table):
        self.zero = self._tensors(graph, inputs, output).zero
        activation = options_of(table).i8(0)
        require(activation == 0, "fused activation {} is not supported".format(activation))
        require_scale(output, 7)
        require(output.zero == 0, "the output's zero point is not 0")

    def _tabulate(self, row):
        zero = self.zero
        q, shift = inverse_sqrt(sum([(signed(byte) - zero) ** 2 for byte in row]))
        for byte in set(row):
            self.answers[byte] = min(max(rescale(signed(byte) - zero, q, shift + 7), -128), 127) & 255
