"""Kernels of the operators that have no weights, in viper. Conventions as in kernels_viper.py."""


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
