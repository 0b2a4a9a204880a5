"""Kernels of the operators that have no weights, in viper. Conventions as in kernels_convolution.py."""


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
def gather(dst: ptr8, start: int, src: ptr8, first: int, places: ptr32, n: int, size: int):
    """For i < n copy `size` bytes from src[first + places[i]], one after the other to dst[start]."""
    dst = ptr8(uint(dst) + uint(start))
    i = 0
    while i < n:
        part = ptr8(uint(src) + uint(first + places[i]))
        k = 0
        while k < size:
            dst[k] = part[k]
            k += 1
        dst = ptr8(uint(dst) + uint(size))
        i += 1


@micropython.viper
def broadcast(dst: ptr8, src: ptr8, start: int, n: int, shape: ptr32):
    """Elements start .. start + n of a tensor of 4 dimensions in which those of `src` are repeated.

    shape: the tensor's last three dimensions, then the step through `src` along each of the four, 0 where it repeats.
    """
    i = 0
    while i < n:
        rest = start + i
        x = rest % shape[2]
        rest = rest // shape[2]
        y = rest % shape[1]
        rest = rest // shape[1]
        at = x * shape[6] + y * shape[5] + rest % shape[0] * shape[4] + rest // shape[0] * shape[3]
        end = i + shape[2] - x
        if end > n:
            end = n
        step = shape[6]
        while i < end:
            dst[i] = src[at]
            at += step
            i += 1


@micropython.viper
def add(acc: ptr32, a: ptr8, b: ptr8, table: ptr32, n: int):
    """acc[i] = table[a[i]] + table[256 + b[i]]: both sides already in the common scale."""
    i = 0
    while i < n:
        acc[i] = table[256 + b[i]] + table[a[i]]
        i += 1


@micropython.viper
def product(acc: ptr32, a: ptr8, b: ptr8, n: int, zero_a: int, zero_b: int):
    """acc[i] = (a[i] - zero_a) * (b[i] - zero_b) + RAISED, of int8."""
    raised = 1 << 15
    raised = raised << 15
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
def prelu(n: int, dst: ptr8, start: int, x: ptr8, slopes: ptr8, answers: ptr8, count: int, zeros: ptr32, row: ptr32):
    """dst[start + i] of int8 x[i], i < count: answers[x] where it is not below its zero point, else times slopes[i].

    zeros: of x, of the slopes, of the output (int32). `row` of the requantisation as in `accumulator.requantise`, its
    bias apart. `n` is scratch in a register.
    """
    half = 1 << 15
    half = half << 15
    wide = half << 2  # nought in a word of 32 bits, which the product does not fit
    zero_x = (zeros[0] + 0x80) & 0xFF
    zero_slope = (zeros[1] + 0x80) & 0xFF
    zero = ((zeros[2] + 0x80) & 0xFF) - 0x80
    m = row[1]
    right = row[2]
    rounding = row[3]
    left = row[4]
    dst = ptr8(uint(dst) + uint(start))
    i = 0
    while i < count:
        n = x[i]
        if n ^ 0x80 >= zero_x:
            dst[i] = answers[n]
        else:
            n = ((n ^ 0x80) - zero_x) * ((slopes[i] ^ 0x80) - zero_slope) << left
            if wide:
                n = (m * n + half) >> 31
            else:
                negative = 0
                if n < 0:
                    n = 0 - n
                    negative = 1
                n0 = n & 0x7FFF
                n1 = n >> 15
                m0 = m & 0xFFFF
                m1 = m >> 16
                v = n1 * m0 + ((n0 * m0 - negative) >> 15) + 0x8000
                n = n1 * m1 + ((n0 * m1 + (v >> 1)) >> 15)
                if negative:
                    n = 0 - n
            if n < 0:
                if rounding:
                    n -= 1
            n = ((rounding + n) >> right) + zero
            if n < -128:
                n = -128
            elif n > 127:
                n = 127
            dst[i] = n
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
