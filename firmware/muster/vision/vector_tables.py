"""What the vector kernels read: aligned buffers, and tables of multipliers in limbs of 15 bits (docs/KERNELS.md)."""

from array import array

import uctypes

from .operator import ACC_LIMIT

ALIGNMENT = 16
SLACK = 32  # bytes after a buffer that the kernels may read
LIMB = 15
MOST_BITS = 52  # of fraction: with more the zero point would not fit a word


class Unsuited(Exception):
    """The vector kernels cannot run this operator; the portable ones can."""


def suits(condition: bool):
    if not condition:
        raise Unsuited


def buffer(size: int) -> memoryview:
    """Noughts at an aligned address, which may be read SLACK bytes too far."""
    whole = bytearray(size + ALIGNMENT + SLACK)
    first = -uctypes.addressof(whole) % ALIGNMENT
    return memoryview(whole)[first : first + size]


class Fraction:
    """Multipliers (Q31, shift) of channels with S = `bits` bits of fraction, so that one shift serves them all.

    A channel whose sums (at most `largest` in magnitude) always come to nought gets the multiplier 0. `radix`: bits of
    the lower part of a sum: 16, or 12.
    """

    def __init__(self, scales: "list[tuple[int, int]]", largest: "list[int]", radix: int):
        for i, (q, shift) in enumerate(scales):
            suits(largest[i] << max(shift, 0) < ACC_LIMIT)
            if shift < -14 and largest[i] * q < 1 << (29 - shift):
                scales[i] = (0, 0)
        shifts = [shift for q, shift in scales if q] or [-1]
        least, most = -max(shifts), -min(shifts)
        suits(least > 0 or radix < LIMB and least > -3)
        bits = choose_bits(31 + most + LIMB - min(radix, LIMB), 44 + least if least > 0 else 45 + least)
        self.shift, self.last = min(bits - 30, LIMB), max(bits - 45, 0)
        self.lower = 1 if radix == 16 else radix - LIMB  # that n is shifted up beside m, see `write_limbs`
        self.half = 0 if self.last else 1 << (self.shift - 1)
        self.q = array("I", [q for q, _ in scales])
        self.places = bytes([bits - 31 + shift if q else 3 for q, shift in scales])
        self.once = array("H", [rounded_once(bits, q, shift) for q, shift in scales])

    def rows(self, first: int, count: int) -> array:
        """What the kernels read of `count` channels, eight at a time."""
        words = array("H", bytes(16 * count))
        end = first + count
        write_limbs(words, self.q[first:end], self.places[first:end], self.once[first:end], count, self.shift,
                    self.lower, self.half)
        return words

    def zero(self, zero: int) -> int:
        """The output's zero point, and half a unit where the last shift is one."""
        return (zero << self.last) + (1 << self.last >> 1)


class Division(Fraction):
    """By a count of values, halves away from zero, for every channel alike."""

    def __init__(self, count: int, channels: int):
        suits(count <= 4096)
        self.shift, self.last, self.lower = LIMB, 0, -3
        k = 0
        while count >> k > 1:
            k += 1
        # Half a unit more than the fraction that rounds, for the multiplier is a little too large
        one, half = 1 << LIMB, count >> 1
        once = 0 if count & 1 else one // count // 2
        self.half = (2 * half + 1) * one // (2 * count) - once
        self.q = array("I", [(1 << 30 + k) // count + 1] * channels)
        self.places, self.once = bytes([LIMB - k] * channels), array("H", [once] * channels)


@micropython.viper
def write_limbs(words: ptr16, q: ptr32, places: ptr8, once: ptr16, count: int, shift: int, lower: int, half: int):
    """For each channel m = q << place and n = m << lower, in limbs of 15 bits (but n1: `shift` bits): m0, m1, n0, m2,
    n1, what a negative sum loses, what rounds, n2. Those of one kind lie together for eight channels."""
    mask = 0x7FFF
    channel = 0
    while channel < count:
        at = (channel >> 3 << 6) + (channel & 7)
        m = q[channel]
        place = places[channel]
        words[at] = (m << place) & mask
        words[at + 8] = (m >> (15 - place)) & mask
        words[at + 24] = m >> (30 - place)
        place += lower
        words[at + 16] = (m << place) & mask
        high = m >> (15 - place)
        words[at + 32] = high & ((1 << shift) - 1)
        words[at + 40] = once[channel] << 1
        words[at + 48] = once[channel] + half
        words[at + 56] = high >> shift
        channel += 1


def rounded_once(bits: int, q: int, shift: int) -> int:
    """TFLite rounds a product to nearest, then its right shift to nearest, halves away from zero: this, in units of
    2**30, on top of half a unit; and twice this less where the sum is negative."""
    return 1 << (bits - 31 + shift) if q and shift < 0 else 0


def choose_bits(least: int, most: int) -> int:
    """The bits of fraction: at least `least` to be exact, at most `most` to fit."""
    bits = max(least, min(45, most))
    suits(bits <= most and bits <= MOST_BITS)
    return bits


def eightfold(values: "list[int]") -> array:
    """Each as a word for every lane."""
    words = array("H")
    for value in values:
        words.extend(array("H", [value & 0xFFFF] * 8))
    return words


def constants(zero: int, limits: array) -> array:
    """The start of a table: -4096, 1, zero point, low and high."""
    return eightfold([-4096, 1, zero, limits[1] - 128, limits[2] - 128])


def table(parts: "list[array]") -> memoryview:
    """One after another, at an aligned address."""
    whole = b"".join([bytes(part) for part in parts])
    view = buffer(len(whole))
    view[:] = whole
    return view
