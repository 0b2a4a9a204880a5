"""Kernels of the int8 operators in viper: right on 64-bit and 32-bit machine words, bit for bit TFLite's reference.

Conventions. A real value is scale * (q - zero). Inside a convolution an input byte is unsigned, u = q + 128, and so are
the weights of `multiply`; sum q*w is then sum u*w - 128 * sum u plus a constant that the bias takes in.
A 64-bit word carries two pixels, 24 bits apart: one multiplication serves both (LANES). 32-bit loads and stores only.
Accumulators are uint32; those that could be negative are raised by RAISED.
Constants of 2**30 and more are objects to the compiler for the chip, hence the shifts.
"""

import sys

from micropython import const

LANES = 2 if sys.maxsize >> 32 else 1
LANE_BITS = 24 if LANES == 2 else 0
BLOCK = const(8)  # output channels that `multiply` takes at once
UNROLLED = const(4)  # terms that `multiply` takes at once
TERMS = const(256)  # products of two bytes that fit a lane of 24 bits
COLUMNS = const(5)  # words in a row of a requantisation table: see `requantise`
ROW_BYTES = COLUMNS * 4
RAISED = 1 << 30  # added to what may be negative and is kept as uint32


@micropython.viper
def enlarge(dst: ptr8, src: ptr8, rows: int, length: int, stride: int, first: int, size: int, zero: int, flip: int):
    """Copy `rows` of `length` bytes, each ^ `flip`, from `src` into the map `dst` of `size` bytes.

    Row r goes to dst[first + r * stride]; all other bytes become `zero` (0..255), the padding.
    """
    i = 0
    if size != rows * length:
        while i < size:
            dst[i] = zero
            i += 1
    dst = ptr8(uint(dst) + first)
    while rows > 0:
        i = length
        while i >= 8:
            dst[0] = src[0] ^ flip
            dst[1] = src[1] ^ flip
            dst[2] = src[2] ^ flip
            dst[3] = src[3] ^ flip
            dst[4] = src[4] ^ flip
            dst[5] = src[5] ^ flip
            dst[6] = src[6] ^ flip
            dst[7] = src[7] ^ flip
            dst = ptr8(uint(dst) + 8)
            src = ptr8(uint(src) + 8)
            i -= 8
        while i > 0:
            dst[0] = src[0] ^ flip
            dst = ptr8(uint(dst) + 1)
            src = ptr8(uint(src) + 1)
            i -= 1
        dst = ptr8(uint(dst) + uint(stride - length))
        rows -= 1


@micropython.viper
def interleave(dst: ptr8, src: ptr8, rows: int, terms: int):
    """Lay `rows` (1..8) weight rows of `terms` int8 side by side as unsigned bytes: dst[k * 8 + row]."""
    row = 0
    while row < rows:
        k = 0
        while k < terms:
            dst[k * 8 + row] = src[k] ^ 0x80
            k += 1
        src = ptr8(uint(src) + uint(terms))
        row += 1


@micropython.viper
def row_sums(sums: ptr32, src: ptr8, rows: int, terms: int, step: int, stride: int):
    """sums[r] = sum over k < terms of int8 src[r * stride + k * step], plus RAISED."""
    row = 0
    while row < rows:
        at = row * stride
        total = 1 << 15
        total = total << 15
        k = 0
        while k < terms:
            total += ((src[at] ^ 0x80) - 0x80)
            at += step
            k += 1
        sums[row] = total
        row += 1


@micropython.viper
def pack(dst: ptr32, a: ptr8, src: ptr8, start: int, pixels: int, sums: ptr32, shape: ptr32):
    """Gather what a row of `pixels` outputs sees of the map `src`, from byte `start`.

    shape: runs, bytes of a run, bytes between runs, bytes between pixels, words of an output, LANES, LANE_BITS,
    and 1 if the map is int8, 0 if it is unsigned. dst: for each LANES pixels a word a byte, pixel 1's byte LANE_BITS
    above pixel 0's; sums: the bytes' sum for each pixel.
    """
    runs = shape[0]
    length = shape[1]
    hop = shape[2]
    step = shape[3]
    words = shape[4]
    lanes = shape[5]
    bits = shape[6]
    flip = (1 << bits | 1) << 7
    if shape[7] == 0:
        flip = 0
    mask = (1 << bits) - 1
    if bits == 0:
        mask = 0 - 1
    pixel = 0
    while pixel < pixels:
        a = ptr8(uint(src) + uint(start))
        b = a
        if pixel + 1 < pixels:
            b = ptr8(uint(a) + uint(step * (lanes - 1)))
        total = 0
        run = 0
        while run < runs:
            i = 0
            while i < length:
                word = (b[i] << bits | a[i]) ^ flip
                dst[i] = word
                total += word
                i += 1
            dst = ptr32(uint(dst) + uint(length << 2))
            a = ptr8(uint(a) + uint(hop))
            b = ptr8(uint(b) + uint(hop))
            run += 1
        i = runs * length
        while i < words:
            dst[0] = 0
            dst = ptr32(uint(dst) + 4)
            i += 1
        sums[pixel] = total & mask
        if lanes == 2:
            sums[pixel + 1] = total >> bits
        start += step * lanes
        pixel += lanes


@micropython.viper
def multiply(v: int, w: ptr8, x: ptr32, acc: ptr32, weights: ptr8, packed: ptr32, groups: int, blocks: int,
             shape: ptr32):
    """acc[pixel][channel] = sum of packed * weights over a pixel's words, for `groups` of LANES pixels.

    `weights` as `interleave` lays them out, BLOCK channels a block; `shape` as in `pack`. `v`, `w`, `x` are scratch
    (the first two arguments live in registers): pass 0 and any buffers.
    """
    words = shape[4]
    lanes = shape[5]
    bits = shape[6]
    mask = (1 << bits) - 1
    if bits == 0:
        mask = 0 - 1
    width = blocks * 8
    block = 0
    while block < blocks:
        group = 0
        while group < groups:
            w = ptr8(uint(weights) + uint(block * 8 * words))
            x = ptr32(uint(packed) + uint(group * words * 4))
            out = ptr32(uint(acc) + uint((group * lanes * width + block * 8) * 4))
            high = ptr32(uint(out) + uint(width * 4))
            left = words
            more = 0
            while left:
                n = left
                if n > TERMS:
                    n = TERMS
                left -= n
                a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0
                while n:
                    v = x[0]
                    a0 = w[0] * v + a0
                    a1 = w[1] * v + a1
                    a2 = w[2] * v + a2
                    a3 = w[3] * v + a3
                    a4 = w[4] * v + a4
                    a5 = w[5] * v + a5
                    a6 = w[6] * v + a6
                    a7 = w[7] * v + a7
                    v = x[1]
                    a0 = w[8] * v + a0
                    a1 = w[9] * v + a1
                    a2 = w[10] * v + a2
                    a3 = w[11] * v + a3
                    a4 = w[12] * v + a4
                    a5 = w[13] * v + a5
                    a6 = w[14] * v + a6
                    a7 = w[15] * v + a7
                    v = x[2]
                    a0 = w[16] * v + a0
                    a1 = w[17] * v + a1
                    a2 = w[18] * v + a2
                    a3 = w[19] * v + a3
                    a4 = w[20] * v + a4
                    a5 = w[21] * v + a5
                    a6 = w[22] * v + a6
                    a7 = w[23] * v + a7
                    v = x[3]
                    a0 = w[24] * v + a0
                    a1 = w[25] * v + a1
                    a2 = w[26] * v + a2
                    a3 = w[27] * v + a3
                    a4 = w[28] * v + a4
                    a5 = w[29] * v + a5
                    a6 = w[30] * v + a6
                    a7 = w[31] * v + a7
                    w = ptr8(uint(w) + 32)
                    x = ptr32(uint(x) + 16)
                    n -= 4
                out[0] = out[0] * more + (a0 & mask)
                out[1] = out[1] * more + (a1 & mask)
                out[2] = out[2] * more + (a2 & mask)
                out[3] = out[3] * more + (a3 & mask)
                out[4] = out[4] * more + (a4 & mask)
                out[5] = out[5] * more + (a5 & mask)
                out[6] = out[6] * more + (a6 & mask)
                out[7] = out[7] * more + (a7 & mask)
                if lanes == 2:
                    high[0] = high[0] * more + (a0 >> bits)
                    high[1] = high[1] * more + (a1 >> bits)
                    high[2] = high[2] * more + (a2 >> bits)
                    high[3] = high[3] * more + (a3 >> bits)
                    high[4] = high[4] * more + (a4 >> bits)
                    high[5] = high[5] * more + (a5 >> bits)
                    high[6] = high[6] * more + (a6 >> bits)
                    high[7] = high[7] * more + (a7 >> bits)
                more = 1
            group += 1
        block += 1


@micropython.viper
def depthwise(x: ptr8, acc: ptr32, src: ptr8, start: int, weights: ptr8, taps: int, pixels: int, shape: ptr32):
    """Add `taps` (1..3) neighbouring taps of one kernel row to acc[pixel][channel] of an output row.

    shape: output channels, channel multiplier, bytes between taps, bytes between output pixels. `x` is scratch.
    `src` is the staged map, `start` the first byte seen; `weights` the int8 taps, one row of channels after another.
    """
    channels = shape[0]
    multiplier = shape[1]
    tap1 = shape[2]
    step = shape[3]
    tap2 = tap1 * 2
    channel = 0
    while channel < channels:
        w0 = (weights[channel] ^ 0x80) - 0x80
        w1 = w2 = 0
        if taps > 1:
            w1 = (weights[channels + channel] ^ 0x80) - 0x80
        else:
            tap1 = 0
        if taps > 2:
            w2 = (weights[channels * 2 + channel] ^ 0x80) - 0x80
        else:
            tap2 = 0
        x = ptr8(uint(src) + uint(start + channel // multiplier))
        at = channel
        n = pixels
        while n:
            acc[at] = x[0] * w0 + x[tap1] * w1 + x[tap2] * w2 + acc[at]
            x = ptr8(uint(x) + uint(step))
            at += channels
            n -= 1
        channel += 1


@micropython.viper
def fill(dst: ptr32, n: int, high: int):
    """dst[0:n] = high << 16."""
    high = high << 16
    while n:
        n -= 1
        dst[n] = high


@micropython.viper
def add(acc: ptr32, a: ptr8, b: ptr8, table: ptr32, start: int, n: int):
    """acc[i] = table[a[start + i]] + table[256 + b[start + i]]: both sides already in the common scale."""
    a = ptr8(uint(a) + uint(start))
    b = ptr8(uint(b) + uint(start))
    i = 0
    while i < n:
        acc[i] = table[256 + b[i]] + table[a[i]]
        i += 1


@micropython.viper
def product(acc: ptr32, a: ptr8, b: ptr8, start: int, n: int, zero_a: int, zero_b: int):
    """acc[i] = (a[start + i] - zero_a) * (b[start + i] - zero_b) + RAISED, of int8."""
    raised = 1 << 15
    raised = raised << 15
    a = ptr8(uint(a) + uint(start))
    b = ptr8(uint(b) + uint(start))
    i = 0
    while i < n:
        acc[i] = ((a[i] ^ 0x80) - 0x80 - zero_a) * ((b[i] ^ 0x80) - 0x80 - zero_b) + raised
        i += 1


@micropython.viper
def look_up(dst: ptr8, src: ptr8, answers: ptr8, n: int):
    """dst[i] = answers[src[i]]."""
    i = 0
    while i < n:
        dst[i] = answers[src[i]]
        i += 1


@micropython.viper
def pool(dst: ptr8, src: ptr8, start: int, first: int, end: int, shape: ptr32, limits: ptr32):
    """One row of a pooled int8 map, to dst[start], from rows first .. end of `src`.

    shape: channels, width, output width, step, window width, columns of padding before the first, and 1 for the largest
    value, 0 for the mean (halves away from zero). `limits` as in `requantise`.
    """
    channels = shape[0]
    width = shape[1]
    low = limits[1] - 0x80
    high = limits[2] - 0x80
    dst = ptr8(uint(dst) + uint(start))
    column = 0
    while column < shape[2]:
        left = column * shape[3] - shape[5]
        right = left + shape[4]
        if left < 0:
            left = 0
        if right > width:
            right = width
        channel = 0
        while channel < channels:
            total = 0
            largest = 0 - 0x80
            y = first
            while y < end:
                x = left
                while x < right:
                    value = (src[(y * width + x) * channels + channel] ^ 0x80) - 0x80
                    total += value
                    if value > largest:
                        largest = value
                    x += 1
                y += 1
            count = (end - first) * (right - left)
            if shape[6]:
                total = largest
            elif total > 0:
                total = (total + (count >> 1)) // count
            else:
                total = 0 - ((count >> 1) - total) // count
            if total < low:
                total = low
            elif total > high:
                total = high
            dst[channel] = total
            channel += 1
        dst = ptr8(uint(dst) + uint(channels))
        column += 1


@micropython.viper
def requantise(n: int, t: ptr32, acc: ptr32, out: ptr8, start: int, pixels: int, channels: int, width: int, sums: ptr32,
               limits: ptr32, table: ptr32, step: int):
    """Bring accumulator rows to int8, as TFLite's MultiplyByQuantizedMultiplier (two roundings) and clamp do.

    For each pixel and channel n = acc[pixel * width + channel] + bias - 128 * sums[pixel], |n| < 2**30, then scaled to
    out[start + pixel * channels + channel]. A row of `table`, COLUMNS words, for each channel (`step` bytes further;
    0: one row for all): bias + 2**31, multiplier (Q31), right shift e (0..30), 2**e / 2, left shift. `limits`: zero,
    low and high of the output, each + 128, and 1 when every negative n gives `low`. `n`, `t` are scratch in registers.
    """
    zero = limits[0] - 0x80
    low = limits[1] - 0x80
    high = limits[2] - 0x80
    floor = (limits[3] - 1) << 30
    half = 1 << 15
    half = half << 15
    wide = half << 2  # nought in a word of 32 bits, which the product does not fit
    out = ptr8(uint(out) + uint(start))
    while pixels:
        base = 1 << 15
        base = (base << 16) + (sums[0] << 7)
        t = table
        i = 0
        while i < channels:
            n = acc[i] + t[0] - base
            if n < floor:
                out[i] = low
            else:
                n = n << t[4]
                if wide:
                    n = (t[1] * n + half) >> 31
                else:
                    negative = 0
                    if n < 0:
                        n = 0 - n
                        negative = 1
                    m = t[1]
                    n0 = n & 0x7FFF
                    n1 = n >> 15
                    m0 = m & 0xFFFF
                    m1 = m >> 16
                    v = n1 * m0 + ((n0 * m0 - negative) >> 15) + 0x8000
                    n = n1 * m1 + ((n0 * m1 + (v >> 1)) >> 15)
                    if negative:
                        n = 0 - n
                if n < 0:
                    if t[3]:
                        n -= 1
                n = ((t[3] + n) >> t[2]) + zero
                if n < low:
                    n = low
                elif n > high:
                    n = high
                out[i] = n
            t = ptr32(uint(t) + uint(step))
            i += 1
        acc = ptr32(uint(acc) + uint(width * 4))
        out = ptr8(uint(out) + uint(channels))
        sums = ptr32(uint(sums) + 4)
        pixels -= 1
