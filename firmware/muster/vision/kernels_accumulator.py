"""Kernels of 32-bit accumulators in viper: filled, summed up, and brought back to int8.

Accumulators are uint32; those that could be negative are raised by RAISED.
"""

from micropython import const

COLUMNS = const(5)  # words in a row of a requantisation table: see `requantise`
ROW_BYTES = COLUMNS * 4
RAISED = 1 << 30  # added to what may be negative and is kept as uint32


@micropython.viper
def fill(dst: ptr32, n: int, high: int):
    """dst[0:n] = high << 16."""
    high = high << 16
    while n:
        n -= 1
        dst[n] = high


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
