"""RESHAPE, PAD, CONCATENATION and RESIZE_NEAREST_NEIGHBOR: values moved as they are."""

from array import array

from . import kernels_plain as kernels
from .operator import (
    Imagewise,
    Operator,
    Unary,
    activation_tensor,
    constant_tensor,
    operand_tensor,
    options_of,
    require,
    require_int8,
    require_same_scale,
)
from .scales import FLOAT_BITS, product, quotient, rounded, to_int


class Reshape(Unary):
    def __init__(self, graph, inputs, output, table):
        x = activation_tensor(inputs, 0)
        require_int8(output)
        require(x.elements == output.elements, "{} elements into {}".format(x.elements, output.elements))

    def run(self):
        self.target[:] = self.source


class Pad(Imagewise):
    """Rows and columns of the zero point around maps [batch, height, width, channels]."""

    def __init__(self, graph, inputs, output, table):
        x, amounts = activation_tensor(inputs, 0), constant_tensor(inputs, 1, "int32")
        require_int8(output)
        require_same_scale(x, output)
        require(len(x.shape) == 4 and amounts.shape == (4, 2), "only maps of 4 dimensions can be padded")
        amounts = list(graph.int32s(amounts))
        require(min(amounts) >= 0 and amounts[:2] == [0, 0] == amounts[6:], "only height and width can be padded")
        expected = tuple([n + amounts[2 * i] + amounts[2 * i + 1] for i, n in enumerate(x.shape)])
        require(output.shape == expected, "the output's shape is {}, not {}".format(output.shape, expected))
        self.row = x.shape[2] * x.shape[3]
        self.out_row = output.shape[2] * output.shape[3]
        self.first = amounts[2] * self.out_row + amounts[4] * x.shape[3]
        self.batch, self.rows = x.shape[:2]
        self.zero = x.zero & 255

    def run_image(self):
        size = len(self.target)
        kernels.enlarge(self.target, self.source, self.rows, self.row, self.out_row, self.first, size, self.zero, 0)


class Concatenation(Operator):
    def __init__(self, graph, inputs, output, table):
        options = options_of(table)
        require(options.i8(1) == 0, "fused activation {} is not supported".format(options.i8(1)))
        require_int8(output)
        axis, rank = options.i32(0), len(output.shape)
        require(-rank <= axis < rank, "there is no axis {}".format(axis))
        axis %= rank
        total = 0
        for index in range(len(inputs)):
            x = operand_tensor(inputs, index)
            require_same_scale(x, output)
            require(len(x.shape) == rank, "'{}' has {} dimensions, not {}".format(x.name, len(x.shape), rank))
            others = x.shape[:axis] + output.shape[axis : axis + 1] + x.shape[axis + 1 :]
            require(others == output.shape, "the shape of '{}' does not fit the output's".format(x.name))
            total += x.shape[axis]
        expected = output.shape[axis]
        require(total == expected, "the inputs have {} along the axis, not {}".format(total, expected))
        self.blocks = 1  # of the output; each has a run of every input
        for n in output.shape[:axis]:
            self.blocks *= n

    def bind(self, inputs, output, scratch):
        self.sources, self.target = inputs, output

    def run(self):
        stride, first = len(self.target) // self.blocks, 0
        for source in self.sources:
            run = len(source) // self.blocks
            kernels.enlarge(self.target, source, self.blocks, run, stride, first, len(source), 0, 0)
            first += run


class ResizeNearest(Imagewise):
    """Maps [batch, height, width, channels]: for each output row and column the nearest of the input."""

    def __init__(self, graph, inputs, output, table):
        x, size, options = activation_tensor(inputs, 0), constant_tensor(inputs, 1, "int32"), options_of(table)
        require_int8(output)
        require_same_scale(x, output)
        require(len(x.shape) == 4 and size.shape == (2,), "only maps of 4 dimensions can be resized")
        self.batch, height, width, self.depth = x.shape
        out_h, self.out_w = graph.int32s(size)
        expected = (self.batch, out_h, self.out_w, self.depth)
        require(output.shape == expected, "the output's shape is {}, not {}".format(output.shape, expected))
        self.row = width * self.depth
        self.rows = _nearest(height, out_h, options.u8(0), options.u8(1))
        columns = _nearest(width, self.out_w, options.u8(0), options.u8(1))
        self.columns = array("I", [column * self.depth for column in columns])

    def run_image(self):
        out_row = self.out_w * self.depth
        for number, y in enumerate(self.rows):
            at, first = number * out_row, y * self.row
            kernels.gather(self.target, at, self.source, first, self.columns, self.out_w, self.depth)


def _nearest(size: int, out: int, corners: int, centres: int) -> "list[int]":
    """For each of `out` outputs along an axis the input among `size`, as TFLite finds it in single precision."""
    whole, parts = (size - 1, out - 1) if corners and out > 1 else (size, out)
    scale = quotient((whole, 0), (parts, 0), FLOAT_BITS)
    nearest = []
    for i in range(out):
        m, x = rounded(product((2 * i + (1 if centres else 0), -1), scale), FLOAT_BITS)
        at = to_int((m, x), size) if corners else m << x if x >= 0 else m >> -x
        nearest.append(min(at, size - 1))
    return nearest
