"""RELU, RELU6 and LOGISTIC: an answer for each of the 256 values, made beforehand."""

from . import kernels_plain as kernels
from .fixed_point import rescale
from .operator import Unary, activation_tensor, output_limits, require, require_int8, require_scale, signed
from .scales import FLOAT_BITS, bit_length, multiplier, quotient, rounded, to_int
from .tensor import Tensor

EXP_BITS = 80  # of fraction in what exp() is made of
LN2 = 0xB17217F7D1CF79ABC9E3


class _Table(Unary):
    def __init__(self, graph, inputs, output, table):
        x = activation_tensor(inputs, 0)
        require_int8(output)
        require(x.shape == output.shape, "input and output have different shapes")
        self.answers = self._answers(x, output)

    def _answers(self, x: Tensor, output: Tensor) -> bytearray:
        raise NotImplementedError

    def run(self):
        kernels.look_up(self.target, self.source, self.answers, len(self.target))


class Relu(_Table):
    def _answers(self, x, output):
        return rescaled_answers(x, output, 1)


class Relu6(_Table):
    def _answers(self, x, output):
        return rescaled_answers(x, output, 3)


class Logistic(_Table):
    def _answers(self, x, output):
        require_scale(output, 8)
        m, exponent = x.scale()
        values = [logistic((signed(byte) - x.zero) * m, exponent) + output.zero for byte in range(256)]
        return bytearray([min(value, 127) & 255 for value in values])


def rescaled_answers(x: Tensor, output: Tensor, activation: int) -> bytearray:
    """For each byte of `x` that of the same value in the output's scale, within the limits of an activation."""
    zero, low, high, _ = [limit - 128 for limit in output_limits(output, activation)]
    q, shift = multiplier(quotient(x.scale(), output.scale(), FLOAT_BITS))
    values = [rescale(signed(byte) - x.zero, q, shift) + zero for byte in range(256)]
    return bytearray([min(max(value, low), high) & 255 for value in values])


def logistic(m: int, x: int) -> int:
    """256 / (1 + exp(-m * 2**x)), rounded after every step as TFLite's in single precision; m may be negative."""
    n, exponent = rounded((abs(m), x), FLOAT_BITS)
    if n and bit_length(n) + exponent > 5:  # beyond +-16 the answer stays
        return 256 if m > 0 else 0
    n = n << EXP_BITS + exponent if exponent > -EXP_BITS else n >> -EXP_BITS - exponent
    power, exponent = rounded(_exponential(n if m < 0 else -n), FLOAT_BITS)
    low = min(exponent, 0)
    denominator = rounded(((power << exponent - low) + (1 << -low), low), FLOAT_BITS)
    answer, exponent = quotient((1, 0), denominator, FLOAT_BITS)
    return to_int((answer, exponent + 8), 256)


def _exponential(y: int) -> "tuple[int, int]":
    """exp(y / 2**EXP_BITS) as a number of scales.py, good to 60 bits."""
    halvings, rest = divmod(y, LN2)
    total = term = 1 << EXP_BITS
    i = 1
    while term:
        term = (term * rest >> EXP_BITS) // i
        total += term
        i += 1
    return total, halvings - EXP_BITS
