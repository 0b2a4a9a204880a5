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
    """Multipliers (Q31, shift) of channels with S bits of fraction, so that one shift serves them all.

    A channel whose sums (at most `largest` in magnitude) always come to nought gets the multiplier 0. `radix`: bits of
    the lower part of a sum: 16, or 12. TFLite rounds to nearest twice, the second time halves away from zero, which
    `roundings` expresses.
    """

    def __init__(self, scales: "list[tuple[int, int]]", largest: "list[int]", radix: int):
        self.radix = radix
        for (_, shift), n in zip(scales, largest):
            suits(n << max(shift, 0) < ACC_LIMIT)
        self.scales = [(0, 0) if n * q < 1 << (29 - shift) else (q, shift) for (q, shift), n in zip(scales, largest)]
        shifts = [shift for q, shift in self.scales if q] or [-1]
        least, most = -max(shifts), -min(shifts)
        self.bits = choose_bits(31 + most + LIMB - min(radix, LIMB), 44 + least if least > 0 else 45 + least)
        suits(least > 0 or radix < LIMB and least > -3)
        self.shift, self.last = min(self.bits - 30, LIMB), max(self.bits - 45, 0)

    def limbs(self, channel: int) -> "tuple[int, ...]":
        """The channel's eight words, in the order in which the kernels read them."""
        q, shift = self.scales[channel]
        m = q << (self.bits - 31 + shift)
        n = m << 1 if self.radix == 16 else m >> (LIMB - self.radix)
        rounding, correction = self.roundings(q, shift)
        mask = (1 << LIMB) - 1
        n1 = (n >> LIMB) & ((1 << self.shift) - 1)
        n2 = n >> (LIMB + self.shift)
        return m & mask, (m >> LIMB) & mask, n & mask, m >> 30, n1, correction, rounding, n2

    def roundings(self, q: int, shift: int) -> "tuple[int, int]":
        """What is added before the fraction is dropped, and what a negative sum loses; in units of 2**(30 - S)."""
        half = 0 if self.last else 1 << (self.shift - 1)
        if not q or shift >= 0:
            return half, 0
        once = 1 << (self.bits - 31 + shift)
        return half + once, 2 * once

    def zero(self, zero: int) -> int:
        """The output's zero point, and half a unit where the last shift is one."""
        return (zero << self.last) + (1 << self.last >> 1)


def choose_bits(least: int, most: int) -> int:
    """The bits of fraction: at least `least` to be exact, at most `most` to fit."""
    bits = max(least, min(45, most))
    suits(bits <= most and bits <= MOST_BITS)
    return bits


def eightfold(values: "list[int]") -> "list[int]":
    """Each as a word for every lane."""
    words = []
    for value in values:
        words += [value & 0xFFFF] * 8
    return words


def constants(zero: int, limits: array) -> "list[int]":
    """The start of a table: 1, zero point, low, high and -4096."""
    return eightfold([1, zero, limits[1] - 128, limits[2] - 128, -4096])


def rows(fraction: Fraction, channels: range) -> "list[int]":
    """Words of `limbs` for eight channels at a time, those of one kind together."""
    words = []
    for first in range(channels.start, channels.stop, 8):
        eight = [fraction.limbs(channel) for channel in range(first, first + 8)]
        for column in range(8):
            words += [limbs[column] for limbs in eight]
    return words


def table(words: "list[int]") -> memoryview:
    view = buffer(2 * len(words))
    view[:] = bytes(array("H", words))
    return view

