"""Quantisation multipliers from float32 scales in integer arithmetic: what TFLite computes in double, on any chip.

A positive real number is (m, x) = m * 2**x with an integer m.
"""

from .flatbuffer import ModelError

DOUBLE_BITS = 53
FLOAT_BITS = 24


def from_float32(bits: int) -> "tuple[int, int]":
    """The number a float32 with these bits stands for. ModelError unless it is finite and positive."""
    exponent = bits >> 23
    fraction = bits & 0x7FFFFF
    if exponent >= 255 or bits == 0:
        raise ModelError("a quantisation scale is not positive and finite")
    return (fraction, -149) if exponent == 0 else (fraction | 0x800000, exponent - 150)


def rounded(number: "tuple[int, int]", bits: int) -> "tuple[int, int]":
    """The nearest number of `bits` significant bits, ties to even."""
    m, x = number
    extra = bit_length(m) - bits
    if extra <= 0:
        return m, x
    half = 1 << (extra - 1)
    q, rest = m >> extra, m & ((1 << extra) - 1)
    if rest > half or (rest == half and q & 1):
        q += 1
    return q, x + extra


def product(a: "tuple[int, int]", b: "tuple[int, int]") -> "tuple[int, int]":
    """Exact; two float32 also fit a double exactly."""
    return a[0] * b[0], a[1] + b[1]


def quotient(a: "tuple[int, int]", b: "tuple[int, int]", bits: int = DOUBLE_BITS) -> "tuple[int, int]":
    """a / b rounded to `bits` bits, ties to even, as the floating-point division of that width."""
    shift = max(0, bits + 2 + bit_length(b[0]) - bit_length(a[0]))
    q, rest = divmod(a[0] << shift, b[0])
    # The extra low bit keeps a tie from looking exact.
    return rounded((q << 1 | (1 if rest else 0), a[1] - b[1] - shift - 1), bits)


def multiplier(number: "tuple[int, int]", highest: int = 15) -> "tuple[int, int]":
    """(Q31 multiplier, shift) as TFLite's QuantizeMultiplier: number = multiplier * 2**(shift - 31). ModelError where
    the shift is above `highest`."""
    m, x = number
    length = bit_length(m)
    q = m << (31 - length) if length <= 31 else ((m >> (length - 32)) + 1) >> 1
    return _checked(q, length + x, highest)


def _checked(q: int, shift: int, highest: int) -> "tuple[int, int]":
    if q == 1 << 31:
        q >>= 1
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > highest:
        raise ModelError("a quantisation multiplier is too large")
    return q, shift


def multipliers(a: "tuple[int, int]", words: "array[int]", c: "tuple[int, int]") -> "list[tuple[int, int]]":
    """multiplier(quotient(product(a, b), c)) for the float32 b of each of these words; a and c are float32 too.

    A product with a / c of 58 bits stands in for the division wherever what it lacks cannot change the answer.
    """
    ratio = (a[0] << 58) // c[0]  # less than 1 too low
    plain = a[0] > 0x7FFFFF < c[0]
    found = []
    for word in words:
        exponent = word >> 23
        if plain and 0 < exponent < 255:
            n = ratio * (word & 0x7FFFFF | 0x800000) >> 30  # 51 to 53 bits, less than 2 too low
            cut = 22 if n >> 52 else 21 if n >> 51 else 20
            above = (n & (1 << cut) - 1) - (1 << cut - 1)  # the half that decides on the last of 31 bits
            if above > 0 or above < -2:
                found.append(_checked((n >> cut) + (above > 0), cut + exponent + a[1] - c[1] - 147, 15))
                continue
        found.append(multiplier(quotient(product(a, from_float32(word)), c)))
    return found


def to_int(number: "tuple[int, int]", limit: int) -> int:
    """The nearest integer, halves up, at most `limit`."""
    m, x = number
    if bit_length(m) + x > 31:
        return limit
    if x >= 0:
        return min(m << x, limit)
    return min(((m >> (-x - 1)) + 1) >> 1, limit)


def bit_length(n: int) -> int:
    """MicroPython's ints have no bit_length, and its bin() is slow."""
    length = 0
    while n > 0xFFFFFF:
        n >>= 24
        length += 24
    for step in (16, 8, 4, 2, 1):
        if n >> step:
            n >>= step
            length += step
    return length + n
