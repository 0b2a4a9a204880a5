"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED. Large weights are used where they lie in the file."""

from array import array

from . import kernels_accumulator as accumulator
from . import kernels_convolution as kernels
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
    set_row,
)
from .scales import FLOAT_BITS, multiplier, multipliers, product, quotient, rounded

RAISED = accumulator.RAISED
SIDE = 3  # a depthwise kernel is taken in blocks of 3x3 taps
BAND = 1 << 15  # bytes of the map, or a row's worth, that are staged at a time for a depthwise kernel


class _Window(Imagewise):
    """A kernel sliding over a map of height x width x depth, which is staged where it needs padding."""

    map: memoryview

    def _tensors(self, inputs, output):
        self.x = activation_tensor(inputs, 0)
        self.weights = constant_tensor(inputs, 1, "int8")
        self.bias = constant_tensor(inputs, 2, "int32") if len(inputs) > 2 and inputs[2] is not None else None
        require_int8(output)

    def _slide(self, output, options, dilations: int):
        """The geometry, from tensors of 4 dimensions and the options that both kinds of convolution begin with;
        `dilations`: the option that has the width's, before the height's."""
        x, weights = self.x.shape, self.weights.shape
        require(len(x) == len(weights) == len(output.shape) == 4, "input, weights and output must have 4 dimensions")
        require(x[0] == output.shape[0], "input and output have different batches")
        self.batch, self.height, self.width, self.depth = x
        _, self.kernel_h, self.kernel_w, _ = weights
        _, self.out_h, self.out_w, self.channels = output.shape
        kind, self.stride_w, self.stride_h = options.i8(0), options.i32(1), options.i32(2)
        self.apart_w, self.apart_h = options.i32(dilations, 1), options.i32(dilations + 1, 1)
        require(1 <= self.apart_w <= 64 and 1 <= self.apart_h <= 64, "a dilation is outside 1..64")
        span_h, span_w = (self.kernel_h - 1) * self.apart_h + 1, (self.kernel_w - 1) * self.apart_w + 1
        top = padding(kind, self.height, span_h, self.stride_h, self.out_h)
        left = padding(kind, self.width, span_w, self.stride_w, self.out_w)
        self._map(top, left, span_h, span_w)

    def _map(self, top: int, left: int, span_h: int, span_w: int):
        """The staged map: the input with as much padding as the kernel sees."""
        self.map_h = max((self.out_h - 1) * self.stride_h + span_h, top + self.height)
        self.map_w = max((self.out_w - 1) * self.stride_w + span_w, left + self.width)
        self.map_size = self.map_h * self.map_w * self.depth
        self.top, self.left = top, left

    def _tabulate(self, graph, output, terms: int, term_step: int, row_step: int, raised: int):
        """The requantisation table, for accumulators that are `raised` above their value."""
        self.table = new_table(self.channels)
        table, above_least, largest = self.table, self.x.zero + 128, terms * 255 * 128
        for channel, bias, total, scale in self._each_channel(graph, output, terms, term_step, row_step):
            set_row(table, channel, bias - above_least * total - raised, abs(bias) + largest, scale)

    def _each_channel(self, graph, output, terms: int, term_step: int, row_step: int):
        """(channel, its bias, the sum of its weights, its multiplier); channel c's weights begin at byte c * row_step
        and lie term_step apart."""
        weights, count = self.weights, self.channels
        require(weights.scales in (1, count), "{} weight scales for {} channels".format(weights.scales, count))
        require(weights.zero == 0, "the weights' zero point is not 0")
        require(self.bias is None or self.bias.shape == (count,), "the bias has not one entry a channel")
        graph.add_work(self.batch * self.out_h * self.out_w * count * terms)
        sums = array("I", bytes(4 * count))
        accumulator.row_sums(sums, memoryview(graph.data)[weights.at :], count, terms, term_step, row_step)
        biases = graph.int32s(self.bias) if self.bias is not None else [0] * count
        if weights.scales > 1:
            scales = multipliers(self.x.scale(), weights.scale_words(), output.scale())
        else:
            scales = [multiplier(quotient(self._scale(), output.scale()))] * count
        for channel in range(count):
            yield channel, biases[channel], sums[channel] - RAISED, scales[channel]

    def _scale(self) -> "tuple[int, int]":
        """What the accumulators count in where the weights have one scale, as TFLite rounds it."""
        return product(self.x.scale(), self.weights.scale())

    def _stage(self, start: int, count: int):
        """Copy `count` rows of the map from `start` on out of the input: unsigned bytes, with the padding around."""
        first = max(0, start - self.top)
        rows = min(self.height, start + count - self.top) - first
        length, stride = self.width * self.depth, self.map_w * self.depth
        at = (self.top + first - start) * stride + self.left * self.depth
        source = self.source[first * length :] if first else self.source
        kernels_plain.enlarge(self.map, source, rows, length, stride, at, count * stride, self.x.zero + 128, 128)


class Convolution(_Window):
    def __init__(self, graph, inputs, output, table):
        options = options_of(table)
        self._tensors(inputs, output)
        self._slide(output, options, 4)
        count, _, _, depth = self.weights.shape
        require(depth == self.depth and count == self.channels, "the weights do not fit input and output")
        self._prepare(graph, output, options.i8(3))

    def _prepare(self, graph, output, activation: int):
        """Everything that depends on the geometry: table, weights, the shape the kernels take, scratch."""
        self.limits = output_limits(output, activation)
        terms = self.kernel_h * self.kernel_w * self.depth
        require(terms <= 1 << 15, "{} terms in a sum are too many".format(terms))
        self._tabulate(graph, output, terms, 1, terms, 0)
        words = (terms + kernels.UNROLLED - 1) // kernels.UNROLLED * kernels.UNROLLED
        self.laid_out = self._interleave(graph, terms, words)
        runs, hop = (1, 0) if self.apart_w == 1 else (self.kernel_w, (self.apart_w - 1) * self.depth)
        run = self.kernel_w * self.depth // runs
        row_hop = self.apart_h * self.map_w * self.depth - runs * run - (runs - 1) * hop
        self.staged = self.map_size != self.height * self.width * self.depth
        self.shape = array("I", [self.kernel_h, run, row_hop, self.stride_w * self.depth, words, kernels.LANES,
                                 kernels.LANE_BITS, 0 if self.staged else 1, runs, hop])
        self.blocks = (self.channels + kernels.BLOCK - 1) // kernels.BLOCK
        self.groups = (self.out_w + kernels.LANES - 1) // kernels.LANES
        pixels = self.groups * kernels.LANES
        self.sizes = (
            self.map_size if self.staged else 0,
            self.groups * words * 4,
            pixels * self.blocks * kernels.BLOCK * 4,
            pixels * 4,
        )
        self.scratch = sum([aligned(size) for size in self.sizes])

    def _interleave(self, graph, terms: int, words: int):
        """Lay the weights out for `multiply`, block by block: in place, or in a copy where blocks need filling up or
        another operator has the weights too."""
        at, count, block = self.weights.at, self.channels, kernels.BLOCK
        rows = memoryview(graph.data)[at : at + count * terms]
        if terms == words and count % block == 0 and graph.owns(at, count * terms):
            target = rows
        else:
            target = memoryview(bytearray((count + block - 1) // block * block * words))
        part = memoryview(bytearray(block * words))
        for first in range(0, count, block):
            for row in range(first, min(first + block, count)):
                kernels.spread(part, rows[row * terms :], row - first, block, terms)
            target[first * words : (first + block) * words] = part
        return target

    def bind(self, inputs, output, scratch):
        super().bind(inputs, output, scratch)
        self.map, self.packed, self.acc, self.sums = carve(scratch, *self.sizes)

    def run_image(self):
        if self.staged:
            self._stage(0, self.map_h)
        else:
            self.map = self.source
        pixels, channels, shape, table = self.out_w, self.channels, self.shape, self.table
        packed, acc, sums, weights = self.packed, self.acc, self.sums, self.laid_out
        row_step = self.stride_h * self.map_w * self.depth
        for row in range(self.out_h):
            kernels.pack(packed, self.map, self.map, row * row_step, pixels, sums, shape)
            kernels.multiply(0, weights, packed, acc, weights, packed, self.groups, self.blocks, shape)
            accumulator.requantise(0, table, acc, self.target, row * pixels * channels, pixels, channels,
                               self.blocks * kernels.BLOCK, sums, self.limits, table, accumulator.ROW_BYTES)


class FullyConnected(Convolution):
    """A 1x1 convolution of a map one row high, with a pixel for each row of the input."""

    def __init__(self, graph, inputs, output, table):
        options = options_of(table)
        self._tensors(inputs, output)
        require(options.i8(1) == 0, "shuffled weights are not supported")
        require(len(self.weights.shape) == 2, "the weights have {} dimensions, not 2".format(len(self.weights.shape)))
        self.channels, self.depth = self.weights.shape
        require(self.x.elements % self.depth == 0, "the weights do not fit the input")
        self.width = self.out_w = self.x.elements // self.depth
        require(output.elements == self.width * self.channels, "the weights do not fit the output")
        self.height = self.out_h = self.kernel_h = self.kernel_w = self.stride_h = self.stride_w = 1
        self.apart_h = self.apart_w = 1
        self._map(0, 0, 1, 1)
        self._prepare(graph, output, options.i8(0))

    def _scale(self):
        return rounded(super()._scale(), FLOAT_BITS)


class Depthwise(_Window):
    def __init__(self, graph, inputs, output, table):
        options = options_of(table)
        self._tensors(inputs, output)
        self._slide(output, options, 5)
        count, channels = self.weights.shape[0], self.weights.shape[3]
        require(count == 1 and channels == self.channels, "the weights do not fit the output")
        require(channels % self.depth == 0, "the channels of the output are no multiple of the input's")
        taps = self.kernel_h * self.kernel_w
        require(taps <= 1 << 10, "a kernel of {} taps is too large".format(taps))
        self._prepare(graph, output, options.i8(4))

    def _prepare(self, graph, output, activation: int):
        self.limits = output_limits(output, activation)
        channels = self.channels
        self._tabulate(graph, output, self.kernel_h * self.kernel_w, channels, 1, RAISED)
        self.span = (self.kernel_h - 1) * self.apart_h + 1
        row = self.map_w * self.depth
        self.band = min(self.out_h, max(0, BAND // row - self.span) // self.stride_h + 1)  # rows of the output
        map_size = self._band_rows(self.band) * row
        self.sizes = (map_size, self.out_w * channels * 4, self.out_w * 4)
        self.scratch = sum([aligned(size) for size in self.sizes])
        at, size = self.weights.at, self.weights.size
        taps = memoryview(graph.data)[at : at + size]
        self.blocks = [
            self._block(taps, y, x) for y in range(0, self.kernel_h, SIDE) for x in range(0, self.kernel_w, SIDE)
        ]
        if len(self.blocks) == 1 and size == SIDE * SIDE * channels and graph.owns(at, size):  # they fit in place
            first, laid_out, shape = self.blocks[0]
            taps[:] = laid_out
            self.blocks = [(first, taps, shape)]

    def _band_rows(self, count: int) -> int:
        """Rows of the map that `count` rows of the output see."""
        return (count - 1) * self.stride_h + self.span

    def _block(self, weights: memoryview, top: int, left: int) -> "tuple[int, memoryview, array]":
        """Up to 3x3 neighbouring taps: (byte of the map they see first, their weights, shape), as `depthwise` takes."""
        channels, width = self.channels, self.kernel_w
        taps = memoryview(bytearray(b"\x80" * (SIDE * SIDE * channels)))
        shape = array("I", [channels, channels // self.depth, self.stride_w * self.depth] + [0] * (SIDE * SIDE - 1))
        for y in range(min(SIDE, self.kernel_h - top)):
            for x in range(min(SIDE, width - left)):
                tap = SIDE * y + x
                kernels.spread(taps, weights[((top + y) * width + left + x) * channels :], tap, SIDE * SIDE, channels)
                if tap:
                    shape[2 + tap] = self._place(y, x)
        return self._place(top, left), taps, shape

    def _place(self, y: int, x: int) -> int:
        """Where in the map tap (y, x) lies after the first."""
        return (y * self.apart_h * self.map_w + x * self.apart_w) * self.depth

    def bind(self, inputs, output, scratch):
        super().bind(inputs, output, scratch)
        self.map, self.acc, self.sums = carve(scratch, *self.sizes)

    def run_image(self):
        pixels, channels, table, acc, sums = self.out_w, self.channels, self.table, self.acc, self.sums
        row_step = self.stride_h * self.map_w * self.depth
        accumulator.fill(sums, pixels, 0)
        for row in range(self.out_h):
            within = row % self.band
            if within == 0:
                self._stage(row * self.stride_h, self._band_rows(min(self.band, self.out_h - row)))
            accumulator.fill(acc, pixels * channels, RAISED >> 16)
            for first, taps, shape in self.blocks:
                kernels.depthwise(acc, acc, self.map, within * row_step + first, taps, pixels, shape)
            accumulator.requantise(0, table, acc, self.target, row * pixels * channels, pixels, channels, channels,
                                   sums, self.limits, table, accumulator.ROW_BYTES)
