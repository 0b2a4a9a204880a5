"""Kernels of the int8 convolutions in viper: right on 64-bit and 32-bit machine words, bit for bit TFLite's reference.

Conventions. A real value is scale * (q - zero). Inside a convolution an input byte is unsigned, u = q + 128, and so are
the weights of `multiply`; sum q*w is then sum u*w - 128 * sum u plus a constant that the bias takes in.
A 64-bit word carries two pixels, 24 bits apart: one multiplication serves both (LANES). 32-bit loads and stores only.
Constants of 2**30 and more are objects to the compiler for the chip, hence the shifts.
"""

import sys

from micropython import const

LANES = 2 if sys.maxsize >> 32 else 1
LANE_BITS = 24 if LANES == 2 else 0
BLOCK = const(8)  # output channels that `multiply` takes at once
UNROLLED = const(4)  # terms that `multiply` takes at once
TERMS = const(256)  # products of two bytes that fit a lane of 24 bits


@micropython.viper
def spread(dst: ptr8, src: ptr8, first: int, step: int, n: int):
    """dst[first + i * step] = int8 src[i] + 128, i < n."""
    i = 0
    while i < n:
        dst[first] = src[i] ^ 0x80
        first += step
        i += 1


@micropython.viper
def pack(dst: ptr32, a: ptr8, src: ptr8, start: int, pixels: int, sums: ptr32, shape: ptr32):
    """Gather what a row of `pixels` outputs sees of the map `src`, from byte `start`.

    shape: rows of the kernel, bytes of a run, bytes from the end of a row's runs to the next row's, bytes between
    pixels, words of an output, LANES, LANE_BITS, 1 if the map is int8 or 0 if it is unsigned, runs of a row, and bytes
    from the end of a run to the next. dst: for each LANES pixels a word a byte, pixel 1's byte LANE_BITS above pixel
    0's, then noughts; sums: the bytes' sum for each pixel.
    """
    length = shape[1]
    hop = shape[9]
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
        rows = shape[0]
        runs = shape[8]
        while runs:
            i = length
            while i >= 4:
                word = (b[0] << bits | a[0]) ^ flip
                dst[0] = word
                total += word
                word = (b[1] << bits | a[1]) ^ flip
                dst[1] = word
                total += word
                word = (b[2] << bits | a[2]) ^ flip
                dst[2] = word
                total += word
                word = (b[3] << bits | a[3]) ^ flip
                dst[3] = word
                total += word
                dst = ptr32(uint(dst) + 16)
                a = ptr8(uint(a) + 4)
                b = ptr8(uint(b) + 4)
                i -= 4
            while i:
                word = (b[0] << bits | a[0]) ^ flip
                dst[0] = word
                total += word
                dst = ptr32(uint(dst) + 4)
                a = ptr8(uint(a) + 1)
                b = ptr8(uint(b) + 1)
                i -= 1
            runs -= 1
            gap = hop
            if runs == 0:
                gap = shape[2]
                rows -= 1
                if rows:
                    runs = shape[8]
            a = ptr8(uint(a) + uint(gap))
            b = ptr8(uint(b) + uint(gap))
        i = shape[0] * shape[8] * length
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

    `weights`: int8 + 128, BLOCK channels side by side for each term; `shape` as in `pack`. `v`, `w`, `x` are scratch
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
def depthwise(x: ptr8, acc: ptr32, src: ptr8, start: int, w: ptr8, pixels: int, shape: ptr32):
    """Add nine taps of each channel to acc[pixel][channel] of an output row.

    `src` is the staged map, `start` the first byte seen; `w` the int8 taps + 128, nine a channel. shape: output
    channels, channel multiplier, bytes between output pixels, then where taps 1..8 lie after tap 0. `x` is scratch.
    """
    channels = shape[0]
    multiplier = shape[1]
    step = shape[2]
    o1 = shape[3]
    o2 = shape[4]
    o3 = shape[5]
    o4 = shape[6]
    o5 = shape[7]
    o6 = shape[8]
    o7 = shape[9]
    o8 = shape[10]
    channel = 0
    while channel < channels:
        w0 = w[0] - 0x80
        w1 = w[1] - 0x80
        w2 = w[2] - 0x80
        w3 = w[3] - 0x80
        w4 = w[4] - 0x80
        w5 = w[5] - 0x80
        w6 = w[6] - 0x80
        w7 = w[7] - 0x80
        w8 = w[8] - 0x80
        w = ptr8(uint(w) + 9)
        x = ptr8(uint(src) + uint(start + channel // multiplier))
        at = channel
        n = pixels
        while n:
            total = x[0] * w0 + x[o1] * w1 + x[o2] * w2 + x[o3] * w3 + x[o4] * w4
            acc[at] = x[o5] * w5 + x[o6] * w6 + x[o7] * w7 + x[o8] * w8 + total + acc[at]
            x = ptr8(uint(x) + uint(step))
            at += channels
            n -= 1
        channel += 1
