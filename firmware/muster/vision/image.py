"""From an RGB565 frame to the networks' inputs: a grey miniature, and an upright face, grey or RGB, in fixed point.

A frame is what the camera gives: rows of pixels, two bytes each, high byte first. Its five- and six-bit channels are
widened to eight bits by repeating their top bits. Networks take int8 = pixel - 128. Pixel centres are whole numbers.
"""

from array import array

SAMPLES = 4  # at most, along each axis, for one pixel of a shrunken face


class FrameError(Exception):
    """A frame's bytes do not fit its width and height, or it is too small."""


def check_frame(frame, width: int, height: int, smallest: int):
    if width < smallest or height < smallest:
        raise FrameError("frame of {}x{}: at least {}x{} are needed".format(width, height, smallest, smallest))
    if len(frame) != 2 * width * height:
        raise FrameError("frame of {}x{}: {} bytes, not {}".format(width, height, len(frame), 2 * width * height))


def shrink(target, frame, width: int, height: int, size: int) -> "tuple[int, int, int]":
    """Fill int8 `target` [size, size] with the grey means of square cells in the middle of the frame.

    Returns (pixels along a cell's side, first column, first row). Grey is (77 R + 150 G + 29 B) / 256, cut off; the
    mean is rounded. A frame of 240x240 makes 80x80 of 3x3 cells.
    """
    check_frame(frame, width, height, size)
    cell = min(width, height) // size
    left, top = (width - cell * size) // 2, (height - cell * size) // 2
    _shrink(target, frame, (top * width + left) * 2, width * 2, cell, size)
    return cell, left, top


@micropython.viper
def _shrink(target: ptr8, frame: ptr8, first: int, row_bytes: int, cell: int, size: int):
    area = cell * cell
    row = 0
    while row < size:
        column = 0
        while column < size:
            at = ptr8(uint(frame) + uint(first + row * cell * row_bytes + column * cell * 2))
            total = 0
            y = 0
            while y < cell:
                x = 0
                while x < cell:
                    high = at[x * 2]
                    low = at[x * 2 + 1]
                    green = (high & 7) << 3 | low >> 5
                    red = high & 0xF8
                    blue = (low & 31) << 3
                    total += (77 * (red | red >> 5) + 150 * (green << 2 | green >> 4) + 29 * (blue | blue >> 5)) >> 8
                    x += 1
                at = ptr8(uint(at) + uint(row_bytes))
                y += 1
            target[0] = ((total + (area >> 1)) // area) ^ 0x80
            target = ptr8(uint(target) + 1)
            column += 1
        row += 1


@micropython.viper
def mean(grey: ptr8, size: int, left: int, top: int, right: int, bottom: int) -> int:
    """Mean (0..255) of an int8 picture [size, size] in left <= x < right, top <= y < bottom, which is not empty."""
    total = 0
    y = top
    while y < bottom:
        x = left
        while x < right:
            total += grey[y * size + x] ^ 0x80
            x += 1
        y += 1
    return total // ((right - left) * (bottom - top))


@micropython.viper
def texture(grey: ptr8, size: int, part, sums):
    """Put into int32 `sums` what an int8 picture [size, size] has in `part` (left, top, right, bottom, glare).

    The sum of its greys (0..255), the number of those from `glare` up, and the sums of the squared differences to the
    pixels 2 and 6 further across, 2 and 6 further down.
    """
    right, bottom, glare = int(part[2]), int(part[3]), int(part[4])
    total = glares = near_across = far_across = near_down = far_down = 0
    y = int(part[1])
    while y < bottom:
        x = int(part[0])
        while x < right:
            at = ptr8(uint(grey) + uint(y * size + x))
            here = at[0] ^ 0x80
            if here >= glare:
                glares += 1
            total += here
            step = (at[2] ^ 0x80) - here
            near_across += step * step
            step = (at[6] ^ 0x80) - here
            far_across += step * step
            step = (at[2 * size] ^ 0x80) - here
            near_down += step * step
            step = (at[6 * size] ^ 0x80) - here
            far_down += step * step
            x += 1
        y += 1
    sums[0] = total
    sums[1] = glares
    sums[2] = near_across
    sums[3] = far_across
    sums[4] = near_down
    sums[5] = far_down


def rgb565(rgb) -> bytearray:
    """A picture for the screen, high byte first, of int8 RGB as the networks take it."""
    target = bytearray(len(rgb) // 3 * 2)
    _rgb565(target, rgb, len(rgb) // 3)
    return target


@micropython.viper
def _rgb565(target: ptr8, rgb: ptr8, pixels: int):
    for i in range(pixels):
        green = rgb[3 * i + 1] ^ 0x80
        target[2 * i] = (rgb[3 * i] ^ 0x80) & 0xF8 | green >> 5
        target[2 * i + 1] = (green << 3) & 0xE0 | (rgb[3 * i + 2] ^ 0x80) >> 3


def similarity(points, template) -> "tuple[int, int, int, int]":
    """The map from the template's coordinates to the points': x = a*u - b*v + x0, y = b*u + a*v + y0, all times 2**16.

    It is the inverse of the least-squares similarity from `points` (1/16 pixel) onto `template` (1/1024 pixel), as many
    (x, y) each. Raises FrameError where the points coincide.
    """
    n = len(points)
    px, py = sum([p[0] for p in points]), sum([p[1] for p in points])
    qx, qy = sum([q[0] for q in template]), sum([q[1] for q in template])
    norm = real = imaginary = 0
    for i in range(n):
        x, y = n * points[i][0] - px, n * points[i][1] - py
        u, v = n * template[i][0] - qx, n * template[i][1] - qy
        norm += x * x + y * y
        real += x * u + y * v
        imaginary += x * v - y * u
    square = real * real + imaginary * imaginary
    if square == 0:
        raise FrameError("the landmarks coincide")
    # Forward it is (real + i imaginary) / norm in 1/1024 over 1/16 pixels; backward the reciprocal.
    a = (real * norm << 22) // square
    b = (-imaginary * norm << 22) // square
    x0 = ((px << 12) - ((a * qx - b * qy) >> 10)) // n
    y0 = ((py << 12) - ((b * qx + a * qy) >> 10)) // n
    return a, b, x0, y0


def crop(target, frame, width: int, height: int, turn: "tuple[int, int, int, int]", size: int):
    """Fill int8 `target`, RGB [size, size, 3] or grey [size, size], with what `turn` (see `similarity`) sees.

    Bilinear, with 5 bits of fraction; the edge is repeated outwards. Where the frame is finer than the target each
    pixel is the mean of up to 4x4 samples. Raises FrameError.
    """
    check_frame(frame, width, height, 2)
    a, b, x0, y0 = turn
    samples = min(SAMPLES, max(1, (max(abs(a), abs(b)) + 0x8000) >> 16))
    # A sample stands in the middle of its part of the pixel; half a step of the fraction makes it round.
    back = samples - 1
    a, b = a // samples, b // samples
    x0 += (1 << 10) - (a - b) * back // 2
    y0 += (1 << 10) - (a + b) * back // 2
    if max(abs(a), abs(b), abs(x0), abs(y0)) >> 26 or (abs(a) + abs(b)) * size * samples >> 29:
        raise FrameError("the face is too far off the frame")
    _crop(target, frame, array("i", [width, height, a, b, x0, y0, size, samples, len(target) // size]))


@micropython.viper
def _crop(target: ptr8, frame: ptr8, numbers):
    right = int(numbers[0]) - 1
    bottom = int(numbers[1]) - 1
    a = int(numbers[2])
    b = int(numbers[3])
    x0 = int(numbers[4])
    y0 = int(numbers[5])
    size = int(numbers[6])
    samples = int(numbers[7])
    is_grey = int(numbers[8]) == size
    row_bytes = (right + 1) * 2
    weight = samples * samples << 10
    v = 0
    while v < size:
        u = 0
        while u < size:
            red = green = blue = 0
            j = 0
            while j < samples:
                i = 0
                while i < samples:
                    across = u * samples + i
                    down = v * samples + j
                    x = a * across - b * down + x0
                    y = b * across + a * down + y0
                    fx = (x >> 11) & 31
                    fy = (y >> 11) & 31
                    x = x >> 16
                    y = y >> 16
                    if x < 0:
                        x = fx = 0
                    elif x >= right:
                        x = right - 1
                        fx = 32
                    if y < 0:
                        y = fy = 0
                    elif y >= bottom:
                        y = bottom - 1
                        fy = 32
                    at = ptr8(uint(frame) + uint(y * row_bytes + x * 2))
                    k = 0
                    while k < 2:
                        w = (32 - fx) * fy if k else (32 - fx) * (32 - fy)
                        high = at[0]
                        low = at[1]
                        red += w * (high >> 3)
                        green += w * ((high & 7) << 3 | low >> 5)
                        blue += w * (low & 31)
                        w = fx * fy if k else fx * (32 - fy)
                        high = at[2]
                        low = at[3]
                        red += w * (high >> 3)
                        green += w * ((high & 7) << 3 | low >> 5)
                        blue += w * (low & 31)
                        at = ptr8(uint(at) + uint(row_bytes))
                        k += 1
                    i += 1
                j += 1
            red = (red * 255 + weight * 15) // (weight * 31)
            green = (green * 255 + weight * 31) // (weight * 63)
            blue = (blue * 255 + weight * 15) // (weight * 31)
            if is_grey:
                target[0] = ((77 * red + 150 * green + 29 * blue) >> 8) ^ 0x80
                target = ptr8(uint(target) + 1)
            else:
                target[0] = red ^ 0x80
                target[1] = green ^ 0x80
                target[2] = blue ^ 0x80
                target = ptr8(uint(target) + 3)
            u += 1
        v += 1
