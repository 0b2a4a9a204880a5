"""Operators on the ESP32-S3's vector unit, where kernels_vector.mpy is there: same answers, one call a layer.

Each is the portable operator with other tables, weights and loop. What does not suit the kernels stays portable.
"""

from array import array

from . import convolution, elementwise, pooling
from .operator import Imagewise, Operator, aligned
from .scales import multiplier, quotient
from .vector_tables import (
    SLACK,
    Division,
    Fraction,
    Unsuited,
    buffer,
    constants,
    eightfold,
    rounded_once,
    suits,
    table,
)

try:
    from . import kernels_vector as kernels  # the machine code; tools/vector_mpy.py makes it
except (ImportError, ValueError):  # ValueError: it is for another processor
    kernels = None

MAP_AT = 1024  # bytes of scratch before the staged map
GROUP_BYTES = 8192  # weights that should stay in the data cache while the pixels go by
MOST_CHANNELS = 128  # of a group: their sums fit MAP_AT
WORDS = 30  # of a shape before the segments; tools/vector_kernels.py names them
VECTORS = 4  # of a segment
NOTHING = bytearray(16)
PAIRS = 4096  # of values that ADD tries at once


def build(kind, graph, inputs: list, output, options) -> Operator:
    """The operator of a portable kind, on the vector unit if it can be."""
    fast = KINDS.get(kind) if kernels else None
    if fast:
        work = graph.work
        try:
            return fast(graph, inputs, output, options)
        except Unsuited:
            graph.work = work
    return kind(graph, inputs, output, options)


class _Mapped(Imagewise):
    """Slides over a map, staged in scratch where it needs padding or 16-bit words (`wide`). It has depth, height,
    width, top, left, map_h, map_w, out_h, out_w, stride_h and stride_w."""

    def _geometry(self, staged: bool, wide: bool, padding: int, block: int) -> "list[int]":
        """The first 12 words of the shape; sets row_bytes, value_bytes and scratch. `block`: from output to output."""
        row = self.width * self.depth
        size = self.value_bytes = 2 if wide else 1
        self.row_bytes, start, stage, map_bytes = row, 0, [0] * 6, 0
        if staged:
            suits(row % 16 == 0 and not (wide and self.depth % 8))
            start = -self.left * self.depth * size % 16
            self.row_bytes = aligned(self.map_w * self.depth * size)
            map_bytes = aligned(start + self.map_h * self.row_bytes)
            first = start + self.top * self.row_bytes + self.left * self.depth * size
            gap = self.row_bytes - row * size
            stage = [self.height, row // 16, gap, first, map_bytes // 16, padding & 0xFFFF]
        self.scratch = MAP_AT + map_bytes
        step = self.depth * size
        return stage + [start, self.out_w, self.out_h, self.stride_w * step, self.stride_h * self.row_bytes, block]

    def run_image(self):
        self.kernel(self.shape, self.target, self.source, self.weighted, self.rows, self.area)

    def bind(self, inputs, output, scratch):
        Imagewise.bind(self, inputs, output, scratch)
        self.area = scratch


def _largest(bias: int, terms: int) -> int:
    return abs(bias) + terms * 255 * 128


class _Convolution(_Mapped):
    def _prepare(self, graph, output, activation: int):
        suits(self.channels % 8 == 0)
        self.limits = convolution.output_limits(output, activation)
        terms = self.kernel_h * self.kernel_w * self.depth
        channels = list(self._each_channel(graph, output, terms, 1, terms))
        fraction = Fraction([c[3] for c in channels], [_largest(c[1], terms) for c in channels], 16)
        staged = self.map_size != self.height * self.width * self.depth
        shape = self._geometry(staged, False, self.x.zero, self.channels)
        segments = self._segments()
        bytes_each = sum([16 * vectors for _, _, vectors, _ in segments])
        group = self._group(bytes_each)
        shape[11] -= group  # the kernel has written that many when it goes to the next pixel
        shape += [self.channels // group, fraction.shift, fraction.last, group, group * bytes_each, group * 24]
        shape += [group // 4, group // 2, group // 8] + [0] * (WORDS - 21)
        for offset, _, vectors, _ in segments:
            shape += [vectors, offset]
        self.shape = array("I", shape + [0, 0])
        parts = [constants(fraction.zero(output.zero), self.limits)]
        starts = array("q", [bias - self.x.zero * total for _, bias, total, _ in channels])
        for first in range(0, self.channels, group):
            parts += [starts[first : first + group], fraction.rows(first, group)]
        self.rows = table(parts)
        self.weighted = self._lay_out(graph, terms, bytes_each, group, segments)
        self.kernel = kernels.convolve

    def _segments(self) -> "list[tuple[int, int, int, int]]":
        """What a pixel sees, in parts of up to VECTORS: (offset from its first byte, first term, vectors, terms)."""
        runs, run = (1, self.kernel_w * self.depth) if self.apart_w == 1 else (self.kernel_w, self.depth)
        segments, term = [], 0
        for y in range(self.kernel_h):
            for x in range(runs):
                offset = y * self.apart_h * self.row_bytes + x * self.apart_w * self.depth
                for at in range(0, run, 16 * VECTORS):
                    n = min(run - at, 16 * VECTORS)
                    segments.append((offset + at, term, (n + 15) // 16, n))
                    term += n
        return segments

    def _group(self, bytes_each: int) -> int:
        """How many channels to take at a time: a divisor of their number, and a multiple of 8."""
        most = min(self.channels, MOST_CHANNELS, max(8, GROUP_BYTES // bytes_each))
        return max([n for n in range(8, most + 1, 8) if self.channels % n == 0])

    def _lay_out(self, graph, terms: int, bytes_each: int, group: int, segments: list) -> memoryview:
        """Group by group, for each segment the channels one after another; in place where that is possible."""
        at, size = self.weights.at, self.channels * terms
        given = memoryview(graph.data)[at : at + size]
        target = given
        if bytes_each != terms or not graph.owns(at, size) or not graph.is_aligned(at, size + SLACK):
            target = buffer(self.channels * bytes_each)
        part = memoryview(bytearray(group * bytes_each))
        for first in range(0, self.channels, group):
            place = 0
            for _, term, vectors, n in segments:
                for channel in range(first, first + group):
                    part[place : place + n] = given[channel * terms + term : channel * terms + term + n]
                    place += 16 * vectors
            target[first * bytes_each : first * bytes_each + len(part)] = part
        return target


class Convolution(_Convolution, convolution.Convolution):
    pass


class FullyConnected(_Convolution, convolution.FullyConnected):
    pass


class _Slid(_Mapped):
    """A kernel of kernel_h x kernel_w taps, apart_h and apart_w apart, over blocks of channels that are lanes."""

    apart_h = apart_w = 1

    def _slide_shape(self, shape: "list[int]", blocks: int, fraction, block_weights: int):
        tap = self.apart_w * self.depth * self.value_bytes
        unrolled = self.kernel_h if self.kernel_w == 3 and block_weights else 0
        taken = 2 if unrolled else self.kernel_w  # steps from tap to tap before the one to the next row
        row = self.apart_h * self.row_bytes - taken * tap
        shape += [blocks, fraction.shift if fraction else 0, fraction.last if fraction else 0]
        shape += [self.kernel_h, self.kernel_w, tap, row & 0xFFFFFFFF, block_weights, unrolled]
        self.shape = array("I", shape + [0] * (WORDS - len(shape)))


class Depthwise(_Slid, convolution.Depthwise):
    def _prepare(self, graph, output, activation: int):
        suits(self.channels == self.depth and self.depth % 8 == 0)
        self.limits = convolution.output_limits(output, activation)
        taps, count = self.kernel_h * self.kernel_w, self.channels
        channels = list(self._each_channel(graph, output, taps, count, 1))
        largest = [_largest(c[1], taps) for c in channels]
        suits(max(largest) < 1 << 27)
        fraction = Fraction([c[3] for c in channels], largest, 12)
        self._slide_shape(self._geometry(True, True, self.x.zero, count), count // 8, fraction, 16 * taps)
        biases = [bias - self.x.zero * total for _, bias, total, _ in channels]
        self.rows = _lanes_table(fraction, biases, output.zero, self.limits)
        at, words = self.weights.at, array("h")
        for first in range(0, count, 8):
            for start in range(at + first, at + taps * count, count):
                words.extend(array("h", array("b", graph.data[start : start + 8])))
        self.weighted = table([words])
        self.kernel = kernels.depthwise


def _lanes_table(fraction: Fraction, biases: "list[int]", zero: int, limits: array) -> memoryview:
    """For each eight channels what `depthwise` reads: biases, in low 12 bits and the rest negated, then multipliers."""
    parts = [constants(fraction.zero(zero), limits)]
    for first in range(0, len(biases), 8):
        eight = biases[first : first + 8]
        parts += [array("h", [bias & 0xFFF for bias in eight]), array("h", [-(bias >> 12) for bias in eight])]
        parts.append(fraction.rows(first, 8))
    return table(parts)


class AveragePool(_Slid, pooling.AveragePool):
    """Where every window lies within the map."""

    def __init__(self, graph, inputs, output, options):
        pooling.AveragePool.__init__(self, graph, inputs, output, options)
        inside_h = (self.out_h - 1) * self.stride_h + self.kernel_h <= self.height
        suits(self.top == self.left == 0 and inside_h and self.depth % 8 == 0)
        suits((self.out_w - 1) * self.stride_w + self.kernel_w <= self.width)
        self.map_h, self.map_w = self.height, self.width
        fraction = Division(self.kernel_h * self.kernel_w, self.depth)
        self._slide_shape(self._geometry(True, True, 0, self.depth), self.depth // 8, fraction, 0)
        self.rows = _lanes_table(fraction, [0] * self.depth, 0, self.limits)
        self.weighted = NOTHING
        self.kernel = kernels.depthwise


class Mean(_Slid, pooling.Mean):
    def __init__(self, graph, inputs, output, options):
        pooling.Mean.__init__(self, graph, inputs, output, options)
        x = inputs[0]
        _, self.height, self.width, self.depth = x.shape
        self.kernel_h, self.kernel_w, self.map_h, self.map_w = self.height, self.width, self.height, self.width
        self.top = self.left = 0
        self.out_h = self.out_w = self.stride_h = self.stride_w = 1
        suits(self.depth % 8 == 0 and self.terms * 255 < 1 << 27)
        fraction = Fraction([self.multiplier] * self.depth, [self.terms * 255] * self.depth, 12)
        self._slide_shape(self._geometry(True, True, 0, self.depth), self.depth // 8, fraction, 0)
        self.rows = _lanes_table(fraction, [-self.terms * x.zero] * self.depth, output.zero, self.limits)
        self.weighted = NOTHING
        self.kernel = kernels.depthwise


class MaxPool(_Slid, pooling.MaxPool):
    def __init__(self, graph, inputs, output, options):
        pooling.MaxPool.__init__(self, graph, inputs, output, options)
        suits(self.depth % 16 == 0)
        self.map_h = max((self.out_h - 1) * self.stride_h + self.kernel_h, self.top + self.height)
        self.map_w = max((self.out_w - 1) * self.stride_w + self.kernel_w, self.left + self.width)
        staged = self.map_h > self.height or self.map_w > self.width
        self._slide_shape(self._geometry(staged, False, 0x80, self.depth), self.depth // 16, None, 0)
        self.rows = table([eightfold([(limit ^ 0x80) * 0x101 for limit in self.limits[1:3]])])
        self.weighted = NOTHING
        self.kernel = kernels.largest


class Add(elementwise.Add):
    """Two multipliers with 43 bits of fraction stand in for TFLite's three, whose roundings differ in one pair of
    values now and then. So all 65,536 pairs are tried when the model is loaded, with a nudge up or down where they need
    one; if none helps the operator stays portable."""

    BITS = 43
    NUDGES = (0, 256, -256, 512, -512)  # in units of 2**(15 - BITS)

    def __init__(self, graph, inputs, output, options):
        elementwise.Add.__init__(self, graph, inputs, output, options)
        a, b = inputs[:2]
        suits(a.shape == b.shape == output.shape and not a.at and not b.at and output.elements % 8 == 0)
        factors = [_ratio(tensor.scale(), output.scale(), self.BITS) for tensor in (a, b)]
        suits(max(factors) < 1 << 45)
        limbs = [factor >> bits & mask for bits, mask in ((0, 0x7FFF), (15, 0x7FFF), (30, -1)) for factor in factors]
        parts = [constants(output.zero, self.limits), eightfold([a.zero, b.zero] + limbs)]
        self.shape = self._shape(output.elements // 8)
        expected = self._all_pairs()
        for nudge in self.NUDGES:
            self.rows = table(parts + [eightfold([nudge, 1 << (self.BITS - 31)])])
            if self._agrees(expected):
                return
        raise Unsuited

    def _shape(self, blocks: int) -> array:
        return array("I", [0] * 12 + [blocks, self.BITS - 30] + [0] * (WORDS - 14))

    def _pairs(self):
        """(first output, values of a, values of b), PAIRS at a time."""
        a, b = buffer(PAIRS), buffer(PAIRS)
        b[:] = bytes(range(256)) * (PAIRS // 256)
        for first in range(0, 1 << 16, PAIRS):
            for at in range(0, PAIRS, 256):
                a[at : at + 256] = bytes([first + at >> 8]) * 256
            yield first, a, b

    def _all_pairs(self) -> memoryview:
        """What the portable operator answers."""
        self.target = memoryview(bytearray(1 << 16))
        self.acc, self.sums = memoryview(bytearray(4 * PAIRS)), memoryview(bytearray(4))
        for first, a, b in self._pairs():
            self._combine(a, b, first, PAIRS)
        return self.target

    def _agrees(self, expected: memoryview) -> bool:
        answers, shape = buffer(PAIRS), self._shape(PAIRS // 8)
        for first, a, b in self._pairs():
            kernels.add(shape, answers, a, b, self.rows, NOTHING)
            if answers != expected[first : first + PAIRS]:
                return False
        return True

    def bind(self, inputs, output, scratch):
        elementwise.Add.bind(self, inputs, output, scratch)
        self.a, self.b = inputs

    def run(self):
        kernels.add(self.shape, self.target, self.a, self.b, self.rows, NOTHING)


def _ratio(a: "tuple[int, int]", b: "tuple[int, int]", bits: int) -> int:
    """a / b with this many bits of fraction, for numbers of scales.py."""
    shift = a[1] - b[1] + bits
    suits(-64 < shift < 128)
    return (a[0] << shift) // b[0] if shift >= 0 else a[0] // (b[0] << -shift)


class Prelu(elementwise.Prelu):
    """With a slope for each channel."""

    def __init__(self, graph, inputs, output, options):
        elementwise.Prelu.__init__(self, graph, inputs, output, options)
        x, slopes = inputs[:2]
        depth = output.shape[-1]
        suits(x.shape == output.shape and slopes.at and slopes.elements == slopes.shape[-1] == depth and depth % 8 == 0)
        above = multiplier(quotient(x.scale(), output.scale(), 24))
        below = self.multiplier
        steep = [(byte ^ 0x80) - 0x80 - slopes.zero for byte in graph.data[slopes.at : slopes.at + depth]]
        bend = _Bend(above, below, max([abs(slope) for slope in steep]))
        parts = [constants(output.zero, self.limits), eightfold([x.zero, 0])]
        for first in range(0, depth, 8):
            eight = [bend.words(slope) for slope in steep[first : first + 8]]
            parts += [array("h", [row[column] for row in eight]) for column in range(8)]
        self.rows = table(parts)
        self.shape = array("I", [0] * 7 + [output.elements // depth] + [0] * 4 + [depth // 8, bend.bits - 30]
                           + [0] * (WORDS - 14))

    def bind(self, inputs, output, scratch):
        self.source, self.target = inputs[0], output

    def run(self):
        kernels.prelu(self.shape, self.target, self.source, NOTHING, self.rows, NOTHING)


class _Bend:
    """The multipliers above and below zero of a PRELU, with one number of bits of fraction."""

    def __init__(self, above: "tuple[int, int]", below: "tuple[int, int]", steepest: int):
        self.above, self.below = above, below
        suits(above[0] > 0 and below[0] > 0 and max(above[1], below[1]) < 12)
        least = 31 - min(above[1], below[1], -1)
        self.bits = max(least, min(45, 44 - above[1]))
        suits(self.bits <= 45 and above[0] << (self.bits - 31 + above[1]) < 1 << 45)
        suits((below[0] << (self.bits - 31 + below[1])) * steepest < 1 << 45)

    def words(self, slope: int) -> "tuple[int, ...]":
        """A and B in limbs, what a negative input loses, and what rounds (see `_combine` of the kernels)."""
        a, b = [q << (self.bits - 31 + shift) for q, shift in (self.above, self.below)]
        b *= slope
        once, once_below = rounded_once(self.bits, *self.above), rounded_once(self.bits, *self.below)
        # Below zero the product is negative where the slope is not
        loses = once + once_below if slope > 0 else once - once_below
        rounds = (1 << (self.bits - 31)) + once
        return a & 0x7FFF, b & 0x7FFF, a >> 15 & 0x7FFF, b >> 15 & 0x7FFF, a >> 30, b >> 30, loses, rounds


KINDS = {
    convolution.Convolution: Convolution,
    convolution.FullyConnected: FullyConnected,
    convolution.Depthwise: Depthwise,
    elementwise.Add: Add,
    elementwise.Prelu: Prelu,
    pooling.AveragePool: AveragePool,
    pooling.MaxPool: MaxPool,
    pooling.Mean: Mean,
}
