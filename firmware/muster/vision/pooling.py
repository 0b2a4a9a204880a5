"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN over height and width."""

from array import array

from . import kernels_accumulator as kernels
from . import kernels_plain
from .operator import (
    Imagewise,
    activation_tensor,
    aligned,
    carve,
    constant_tensor,
    new_table,
    options_of,
    output_limits,
    padding,
    require,
    require_int8,
    require_same_scale,
    set_row,
)
from .scales import multiplier, quotient


class _Pool(Imagewise):
    """A window over maps [batch, height, width, channels]; what lies outside the map does not count."""

    largest = 0

    def __init__(self, graph, inputs, output, table):
        x, options = activation_tensor(inputs, 0), options_of(table)
        require_int8(output)
        require_same_scale(x, output)
        require(len(x.shape) == len(output.shape) == 4, "input and output must have 4 dimensions")
        require(x.shape[0] == output.shape[0], "input and output have different batches")
        require(x.shape[3] == output.shape[3], "input and output have different numbers of channels")
        kind = options.i8(0)
        self.stride_w, self.stride_h, self.kernel_w, self.kernel_h = [options.i32(i) for i in range(1, 5)]
        self.batch, self.height, self.width, self.depth = x.shape
        _, self.out_h, self.out_w, _ = output.shape
        window_h, step_h = self.kernel_h, self.stride_h
        self.top = top = padding(kind, self.height, window_h, step_h, self.out_h)
        self.left = padding(kind, self.width, self.kernel_w, self.stride_w, self.out_w)
        require(window_h * self.kernel_w <= 1 << 16, "a window of {}x{} is too large".format(window_h, self.kernel_w))
        graph.add_work(output.elements * window_h * self.kernel_w)
        self.limits = output_limits(output, options.i8(5))
        self.shape = array("I", [self.depth, self.width, self.out_w, self.stride_w, self.kernel_w, self.left,
                                 self.largest])
        # For each output row the first row of the map it sees, and the one after the last.
        self.rows = [(max(0, y * step_h - top), min(self.height, y * step_h - top + window_h))
                     for y in range(self.out_h)]
        self.row_bytes = self.out_w * self.depth

    def run_image(self):
        for row, (first, end) in enumerate(self.rows):
            kernels_plain.pool(self.target, self.source, row * self.row_bytes, first, end, self.shape, self.limits)


class AveragePool(_Pool):
    pass


class MaxPool(_Pool):
    largest = 1


class Mean(Imagewise):
    def __init__(self, graph, inputs, output, table):
        x, axes = activation_tensor(inputs, 0), constant_tensor(inputs, 1, "int32")
        require_int8(output)
        require(len(x.shape) == 4, "only maps [batch, height, width, channels] are supported")
        given = sorted([axis % 4 for axis in graph.int32s(axes)[:4]])
        require(given == [1, 2], "only the mean over height and width is supported")
        self.batch, height, width, self.channels = x.shape
        count, expected = output.elements, self.batch * self.channels
        require(count == expected, "the output has {} values, not {}".format(count, expected))
        self.terms = height * width
        graph.add_work(x.elements)
        self.limits = output_limits(output, 0)
        self.table = new_table(1)
        self.multiplier = _divided(multiplier(quotient(x.scale(), output.scale())), self.terms)
        set_row(self.table, 0, -kernels.RAISED - self.terms * x.zero, self.terms * 255, self.multiplier)
        self.scratch = aligned(4 * self.channels) + 16

    def bind(self, inputs, output, scratch):
        super().bind(inputs, output, scratch)
        self.acc, self.sums = carve(scratch, self.scratch - 16, 4)

    def run_image(self):
        n = self.channels
        kernels.fill(self.sums, 1, 0)
        kernels.row_sums(self.acc, self.source, n, self.terms, n, 1)
        kernels.requantise(0, self.table, self.acc, self.target, 0, 1, n, n, self.sums, self.limits, self.table, 0)


def _divided(scale: "tuple[int, int]", terms: int) -> "tuple[int, int]":
    """(Q31, shift) over `terms`, with as many bits as 64 hold: what TFLite does for a mean."""
    q, shift = scale
    bits = min(len(bin(terms)) - 3, 32, 31 + shift)
    return (q << bits) // terms, shift - bits
