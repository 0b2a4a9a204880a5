"""32-bit fixed-point arithmetic as TFLite's reference kernels round it. Qa.b: a whole bits, b bits of fraction."""

from .scales import bit_length

LARGEST = (1 << 31) - 1
# exp(-2**k) in Q0.31, k from -2 to 4
POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def high_product(a: int, b: int) -> int:
    """a * b / 2**31, halves up."""
    return (a * b + (1 << 30)) >> 31


def lowered(value: int, bits: int) -> int:
    """value / 2**bits, halves away from zero."""
    half = (1 << bits) >> 1
    return -((half - value) >> bits) if value < 0 else (value + half) >> bits


def raised(value: int, bits: int) -> int:
    """value * 2**bits, held within an int32."""
    return min(max(value << bits, -LARGEST - 1), LARGEST)


def rescale(value: int, q: int, shift: int) -> int:
    """value * q * 2**(shift - 31), rounded twice, as TFLite's MultiplyByQuantizedMultiplier."""
    return lowered(high_product(value << max(shift, 0), q), max(-shift, 0))


def exponential(a: int) -> int:
    """exp(a) in Q0.31, a <= 0 in Q5.26: a polynomial within a quarter, times a constant for each bit above."""
    if a == 0:
        return LARGEST
    quarter = 1 << 24
    rest = (a & (quarter - 1)) - quarter
    x = (rest << 5) + (1 << 28)
    x2 = high_product(x, x)
    x3, x4 = high_product(x2, x), high_product(x2, x2)
    sixth = high_product(lowered(x4, 2) + x3, 715827883)
    start = 1895147668  # exp(-1/8)
    answer = start + high_product(start, x + lowered(sixth + x2, 1))
    quarters = (rest - a) >> 24
    for k in range(len(POWERS)):
        if quarters >> k & 1:
            answer = high_product(answer, POWERS[k])
    return answer


def reciprocal(total: int) -> "tuple[int, int]":
    """(m in Q0.31, bits): 1 / total = m / 2**bits, for a total in Q12.19; Newton-Raphson from 48/17 - 32/17 d."""
    free = 32 - bit_length(total)
    # Half of the total brought to 1..2; the one of Q0.31 is one step short.
    half = ((total << free) - (1 << 31) + LARGEST + 1) >> 1
    x = 1515870810 + high_product(half, -1010580540)  # Q2.29
    for _ in range(3):
        x += raised(high_product(x, (1 << 29) - high_product(half, x)), 2)
    return raised(x, 1), 12 - free


def inverse_sqrt(n: int) -> "tuple[int, int]":
    """(m, shift): 1 / sqrt(n) = m * 2**(shift - 31), 0 <= n < 2**31; five steps of Newton-Raphson from 1 in Q3.28."""
    if n <= 1:
        return LARGEST, 0
    right = 11
    while n >= 1 << 29:
        n >>= 2
        right += 1
    pairs = (31 - bit_length(n)) // 2 - 1
    right -= pairs
    n <<= 2 * pairs
    half = lowered(n >> 1, 1)
    x = 1 << 28
    for _ in range(5):
        cube = raised(high_product(high_product(x, x), x), 6)
        x = raised(high_product(3 << 27, x) - high_product(half, cube), 3)
    x = high_product(x, 1518500250)  # sqrt(1/2)
    return (x << -right, 0) if right < 0 else (x, -right)
