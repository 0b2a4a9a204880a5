"""The vector kernels of firmware/muster/vision, as programs for tools/xtensa.py; docs/KERNELS.md explains them.

Every kernel takes (shape, out, x, weights, table, scratch), which firmware/muster/vision/vector.py fills in. They begin
with a2 = x, a3 = weights, a4 = shape, a5 = scratch, a7 = table, a8 = out, and leave a0, a1 and a4 alone.
"""

from __future__ import annotations

from collections.abc import Callable

from tools.xtensa import Assembler

# Where the words of `shape` lie, in bytes
STAGE_ROWS, STAGE_VECTORS, STAGE_GAP, STAGE_FIRST, STAGE_SIZE, PADDING = range(0, 24, 4)
START, COLUMNS, ROWS, X_STEP, X_ROW, OUT_STEP, BLOCKS, SHIFT, LAST_SHIFT = range(24, 60, 4)
GROUP, GROUP_WEIGHTS, GROUP_TABLE, QUARTERS, HALVES, EIGHTHS = range(60, 84, 4)  # of `convolve`
KERNEL_ROWS, KERNEL_COLUMNS, TAP_STEP, TAP_ROW, BLOCK_WEIGHTS, UNROLLED_ROWS = range(60, 84, 4)  # of the others
# These the kernels write themselves
ROW, ROWS_LEFT, BLOCKS_LEFT, WEIGHTS, TABLE, FIRST_ROW, CONSTANTS, OUT = range(84, 116, 4)
SEGMENTS = 120  # pairs (vectors, place after the pixel's first byte), ended by (0, 0)

MAP_AT = 1024  # bytes of scratch before the staged map: the sums of a group, or QACC
CONSTANT_BYTES = 80  # at the table's start, vectors of 16-bit words: -4096, 1, zero point, low, high
FIFTEEN = 15  # the register that holds 15, the bits of a limb


def _stage(a: Assembler, wide: bool) -> None:
    """Where `shape` asks for it, copies x into the map in scratch with the padding around, and turns a2 there; `wide`:
    as 16-bit words. Changes a9..a14, q0, q1, q6, q7."""
    a.emit("l32i", 13, 4, STAGE_ROWS)
    a.emit("beqz", 13, "staged")
    a.emit("addi", 9, 4, PADDING)
    a.emit("ee.vldbc.16" if wide else "ee.vldbc.8", 7, 9)
    a.emit("ee.zero.q", 6)
    a.emit("movi", 10, MAP_AT)
    a.emit("add", 10, 5, 10)
    a.emit("mov", 12, 10)
    a.emit("l32i", 11, 4, STAGE_SIZE)
    a.loop(11, "filled", "ee.vst.128.ip")
    a.emit("ee.vst.128.ip", 7, 12, 16)
    a.label("filled")
    a.emit("l32i", 11, 4, STAGE_FIRST)
    a.emit("add", 12, 10, 11)
    a.emit("l32i", 14, 4, STAGE_GAP)
    a.label("stage row")
    a.emit("l32i", 11, 4, STAGE_VECTORS)
    a.loop(11, "row staged", "ee.vld.128.ip")
    a.emit("ee.vld.128.ip", 0, 2, 16)
    if wide:
        a.emit("ee.vcmp.lt.s8", 1, 0, 6)
        a.emit("ee.vzip.8", 0, 1)
    a.emit("ee.vst.128.ip", 0, 12, 16)
    if wide:
        a.emit("ee.vst.128.ip", 1, 12, 16)
    a.label("row staged")
    a.emit("add", 12, 12, 14)
    a.emit("addi", 13, 13, -1)
    a.emit("bnez", 13, "stage row")
    a.emit("mov", 2, 10)
    a.label("staged")
    a.emit("l32i", 9, 4, START)
    a.emit("add", 2, 2, 9)
    a.emit("movi", FIFTEEN, 15)


def _advance(a: Assembler, register: int, word: int, temporary: int = 11) -> None:
    a.emit("l32i", temporary, 4, word)
    a.emit("add", register, register, temporary)


def _advance_word(a: Assembler, word: int, by: int) -> None:
    a.emit("l32i", 9, 4, word)
    _advance(a, 9, by)
    a.emit("s32i", 9, 4, word)


def _count_down(a: Assembler, word: int, back: str) -> None:
    a.emit("l32i", 11, 4, word)
    a.emit("addi", 11, 11, -1)
    a.emit("s32i", 11, 4, word)
    a.emit("bnez", 11, back)


def _load_unaligned(a: Assembler, address: int, vectors: int) -> None:
    """q0.. = `vectors` vectors from any byte address; reads up to 16 bytes more."""
    a.emit("ee.ld.128.usar.ip", 0, address, 16)
    for q in range(1, vectors + 1):
        a.emit("ee.vld.128.ip", q, address, 16)
    for q in range(vectors):
        a.emit("ee.src.q", q, q, q + 1)


def _requantise(a: Assembler, table: int, constants: int, shift: int, last: int, back: int) -> None:
    """Eight sums (q2 << radix) + q0 to words from low to high in q0; q1 must be ones.

    P = q0 * m + q2 * n, where m and n are the multiplier with S bits of fraction in limbs of 15 bits, plus what rounds;
    QACC is shifted down after each limb, the last times by the registers `shift` and `last`. Reads eight vectors of
    `table` and three of `constants`, from the zero point on, which goes `back` after the last.
    """
    a.emit("ee.vld.128.ip", 4, table, 16)  # m0
    a.emit("ee.vld.128.ip", 5, table, 16)  # m1
    a.emit("ee.zero.q", 3)
    a.emit("ee.zero.qacc")
    a.emit("ee.vmulas.u16.qacc.ld.ip", 6, table, 16, 0, 4)  # n0
    a.emit("ee.vcmp.lt.s16", 3, 2, 3)  # -1 where the sum is negative
    a.emit("ee.srcmb.s16.qacc", 4, FIFTEEN, 0)
    a.emit("ee.vmulas.u16.qacc.ld.ip", 7, table, 16, 0, 5)  # m2
    a.emit("ee.vmulas.s16.qacc.ld.ip", 4, table, 16, 2, 6)  # n1
    a.emit("ee.srcmb.s16.qacc", 5, FIFTEEN, 0)
    a.emit("ee.vmulas.u16.qacc.ld.ip", 6, table, 16, 0, 7)  # what a negative sum loses
    a.emit("ee.vmulas.s16.qacc.ld.ip", 5, table, 16, 2, 4)  # what rounds
    a.emit("ee.vmulas.s16.qacc.ld.ip", 7, table, 16, 3, 6)  # n2
    a.emit("ee.vmulas.s16.qacc.ld.ip", 6, constants, 16, 1, 5)  # zero point
    a.emit("ee.srcmb.s16.qacc", 5, shift, 0)
    a.emit("ee.vmulas.s16.qacc.ld.ip", 4, constants, 16, 2, 7)  # low
    a.emit("ee.vmulas.s16.qacc.ld.ip", 3, constants, back, 1, 6)  # high
    a.emit("ee.srcmb.s16.qacc", 0, last, 0)
    a.emit("ee.vmax.s16", 0, 0, 4)
    a.emit("ee.vmin.s16", 0, 0, 3)


def convolve(a: Assembler) -> None:
    """CONV_2D and FULLY_CONNECTED, group by group of output channels.

    What a pixel sees is cut into segments of one to four vectors. They are held in q0..q3 while the weights of the
    group's channels stream past; each channel's sum, first the bias, waits as an ACCX in scratch between segments.
    """
    a.emit("s32i", 3, 4, WEIGHTS)
    a.emit("addi", 9, 7, 16)
    a.emit("s32i", 9, 4, CONSTANTS)
    a.emit("addi", 7, 7, CONSTANT_BYTES)
    a.emit("s32i", 7, 4, TABLE)
    a.emit("s32i", 8, 4, OUT)
    _stage(a, wide=False)
    a.emit("s32i", 2, 4, FIRST_ROW)
    a.emit("l32i", 13, 4, SHIFT)
    a.emit("l32i", 9, 4, BLOCKS)
    a.emit("s32i", 9, 4, BLOCKS_LEFT)
    # a2 input, a3 weights, a5 scratch, a6 and a7 sums, a8 output, a9 pixel, a10 segment, a14 columns left
    a.label("group")
    a.emit("l32i", 8, 4, OUT)
    a.emit("l32i", 9, 4, FIRST_ROW)
    a.emit("l32i", 11, 4, ROWS)
    a.emit("s32i", 11, 4, ROWS_LEFT)
    a.label("row")
    a.emit("s32i", 9, 4, ROW)
    a.emit("l32i", 14, 4, COLUMNS)
    a.label("pixel")
    a.emit("l32i", 3, 4, WEIGHTS)
    a.emit("l32i", 6, 4, TABLE)
    a.emit("addi", 10, 4, SEGMENTS)
    a.label("segment")
    a.emit("l32i", 11, 10, 0)
    a.emit("l32i", 12, 10, 4)
    a.emit("mov", 7, 5)
    a.emit("beqz", 11, "sums")
    a.emit("addi", 10, 10, 8)
    a.emit("add", 2, 9, 12)
    for vectors, channels, registers, count in ((4, 1, 4, GROUP), (3, 1, 3, GROUP), (2, 2, 4, HALVES),
                                                (1, 4, 4, QUARTERS)):
        if vectors > 1:
            a.emit("bnei", 11, vectors, f"not {vectors}")
        _segment(a, vectors, channels, registers, count)
        a.emit("addi", 3, 3, -32)  # two vectors of weights were loaded ahead
        a.emit("mov", 6, 5)
        a.emit("j", "segment")
        a.label(f"not {vectors}")
    a.label("sums")
    a.emit("l32i", 6, 4, TABLE)
    a.emit("l32i", 11, 4, GROUP)
    a.emit("addx8", 6, 11, 6)
    a.emit("l32i", 10, 4, CONSTANTS)
    a.emit("ee.vld.128.ip", 1, 10, 16)  # ones
    a.emit("l32i", 12, 4, LAST_SHIFT)
    a.emit("l32i", 11, 4, EIGHTHS)
    a.loop(11, "requantised", "ee.vld.128.ip")
    for q in (0, 3, 2, 4):
        a.emit("ee.vld.128.ip", q, 7, 16)
    a.emit("ee.vunzip.32", 0, 3)
    a.emit("ee.vunzip.32", 2, 4)
    a.emit("ee.vunzip.16", 0, 2)
    _requantise(a, 6, 10, 13, 12, -32)
    a.emit("ee.vunzip.8", 0, 3)
    a.emit("ee.vst.l.64.ip", 0, 8, 8)
    a.label("requantised")
    _advance(a, 8, OUT_STEP)
    _advance(a, 9, X_STEP)
    a.emit("addi", 14, 14, -1)
    a.emit("bnez", 14, "pixel")
    a.emit("l32i", 9, 4, ROW)
    _advance(a, 9, X_ROW)
    _count_down(a, ROWS_LEFT, "row")
    _advance_word(a, WEIGHTS, GROUP_WEIGHTS)
    _advance_word(a, TABLE, GROUP_TABLE)
    _advance_word(a, OUT, GROUP)
    _count_down(a, BLOCKS_LEFT, "group")


def _segment(a: Assembler, vectors: int, channels: int, registers: int, count: int) -> None:
    """The sums at a6, one a channel, plus `vectors` vectors at a2 times those at a3, to a7; `channels` a turn."""
    _load_unaligned(a, 2, vectors)
    a.emit("ee.vld.128.ip", 4, 3, 16)
    a.emit("ee.vld.128.ip", 5, 3, 16)
    a.emit("l32i", 11, 4, count)
    a.loop(11, f"end {vectors}", "ee.ld.accx.ip")
    for number in range(channels * vectors):
        if number % vectors == 0:
            a.emit("ee.ld.accx.ip", 6, 8)
        ahead = 4 + (number + 2) % registers
        a.emit("ee.vmulas.s8.accx.ld.ip", ahead, 3, 16, number % vectors, 4 + number % registers)
        if number % vectors == vectors - 1:
            a.emit("ee.st.accx.ip", 7, 8)
    a.label(f"end {vectors}")


def _slide(a: Assembler) -> None:
    """The start of a kernel that goes over the map once for each block of channels, and of its loops: a2 = a6 is the
    pixel's first value, a9 and a12 the steps from tap to tap and from row to row."""
    a.emit("s32i", 2, 4, FIRST_ROW)
    a.emit("l32i", 9, 4, TAP_STEP)
    a.emit("l32i", 12, 4, TAP_ROW)
    a.emit("l32i", 11, 4, BLOCKS)
    a.emit("s32i", 11, 4, BLOCKS_LEFT)
    a.label("block")
    a.emit("l32i", 8, 4, OUT)
    a.emit("l32i", 6, 4, FIRST_ROW)
    a.emit("l32i", 11, 4, ROWS)
    a.emit("s32i", 11, 4, ROWS_LEFT)
    a.label("row")
    a.emit("s32i", 6, 4, ROW)
    a.emit("l32i", 14, 4, COLUMNS)
    a.label("pixel")
    a.emit("mov", 2, 6)


def _slide_on(a: Assembler, block_bytes: int) -> None:
    """The ends of the loops over pixels and rows; a block's channels are 16 bytes of x, `block_bytes` of the output."""
    _advance(a, 6, X_STEP)
    a.emit("addi", 14, 14, -1)
    a.emit("bnez", 14, "pixel")
    a.emit("l32i", 6, 4, ROW)
    _advance(a, 6, X_ROW)
    _count_down(a, ROWS_LEFT, "row")
    for word, step in ((FIRST_ROW, 16), (OUT, block_bytes)):
        a.emit("l32i", 11, 4, word)
        a.emit("addi", 11, 11, step)
        a.emit("s32i", 11, 4, word)


def depthwise(a: Assembler) -> None:
    """DEPTHWISE_CONV_2D, AVERAGE_POOL_2D and MEAN, eight channels at a time: one a lane of QACC.

    The table of a block: the biases' low 12 bits and the rest, negated, then what `_requantise` reads. A kernel of
    three columns runs unrolled; without weights of their own (BLOCK_WEIGHTS 0) all taps are ones.
    """
    a.emit("s32i", 3, 4, WEIGHTS)
    a.emit("s32i", 7, 4, CONSTANTS)
    a.emit("addi", 7, 7, CONSTANT_BYTES)
    a.emit("s32i", 7, 4, TABLE)
    a.emit("s32i", 8, 4, OUT)
    _stage(a, wide=True)
    a.emit("l32i", 13, 4, SHIFT)
    a.emit("l32i", 10, 4, CONSTANTS)
    a.emit("j", "slide")
    a.label("any kernel")
    a.emit("l32i", 11, 4, BLOCK_WEIGHTS)
    a.emit("beqz", 11, "ones")
    _taps(a, "tap", weighted=True)
    a.emit("j", "sums")
    a.label("ones")
    a.emit("ee.vld.128.ip", 1, 10, 0)
    _taps(a, "one", weighted=False)
    a.emit("j", "sums")
    a.label("slide")
    _slide(a)
    a.emit("l32i", 3, 4, WEIGHTS)
    a.emit("l32i", 7, 4, TABLE)
    a.emit("ee.vld.128.ip", 7, 10, 16)  # -4096
    a.emit("l32i", 11, 4, UNROLLED_ROWS)
    a.emit("ee.ldqa.s16.128.ip", 7, 16)
    a.emit("ee.vld.128.ip", 4, 7, 16)
    a.emit("ee.vmulas.s16.qacc", 4, 7)
    a.emit("beqz", 11, "any kernel")
    a.loop(11, "sums", "ee.vld.128.xp")
    a.emit("ee.vld.128.xp", 0, 2, 9)
    a.emit("ee.vld.128.ip", 1, 3, 16)
    a.emit("ee.vld.128.xp", 2, 2, 9)
    a.emit("ee.vmulas.s16.qacc.ld.ip", 3, 3, 16, 0, 1)
    a.emit("ee.vld.128.xp", 4, 2, 12)
    a.emit("ee.vmulas.s16.qacc.ld.ip", 5, 3, 16, 2, 3)
    a.emit("ee.vmulas.s16.qacc", 4, 5)
    a.label("sums")
    _split_sums(a)
    a.emit("l32i", 11, 4, LAST_SHIFT)
    a.emit("ee.vld.128.ip", 1, 10, 16)
    _requantise(a, 7, 10, 13, 11, -64)
    a.emit("l32i", 11, 4, OUT_STEP)
    a.emit("ee.vunzip.8", 0, 3)
    a.emit("ee.vst.l.64.xp", 0, 8, 11)
    _slide_on(a, 8)
    a.emit("s32i", 7, 4, TABLE)
    a.emit("l32i", 3, 4, WEIGHTS)
    _advance(a, 3, BLOCK_WEIGHTS)
    a.emit("s32i", 3, 4, WEIGHTS)
    _count_down(a, BLOCKS_LEFT, "block")


def _taps(a: Assembler, name: str, weighted: bool) -> None:
    """Adds the taps of any kernel to QACC: times those at a3, or times q1."""
    a.emit("l32i", 11, 4, KERNEL_ROWS)
    a.label(f"{name} row")
    a.emit("l32i", 15, 4, KERNEL_COLUMNS)
    a.loop(15, f"{name} column", "ee.vld.128.xp")
    a.emit("ee.vld.128.xp", 0, 2, 9)
    if weighted:
        a.emit("ee.vld.128.ip", 1, 3, 16)
    a.emit("ee.vmulas.s16.qacc", 0, 1)
    a.label(f"{name} column")
    a.emit("add", 2, 2, 12)
    a.emit("addi", 11, 11, -1)
    a.emit("bnez", 11, f"{name} row")
    a.emit("movi", FIFTEEN, 15)


def _split_sums(a: Assembler) -> None:
    """QACC's lanes as q2 << 12 + q0, q0 from 0 to 4095; q7 must be -4096. QACC waits in scratch meanwhile."""
    parts = (("_l.l.128", 16), ("_l.h.32", 16), ("_h.l.128", 16), ("_h.h.32", -48))
    for part, step in parts:
        a.emit(f"ee.st.qacc{part}.ip", 5, step)
    a.emit("movi", 11, 12)
    a.emit("ee.srcmb.s16.qacc", 2, 11, 0)
    for part, step in parts:
        a.emit(f"ee.ld.qacc{part}.ip", 5, step)
    a.emit("movi", 11, 0)
    a.emit("ee.vmulas.s16.qacc", 2, 7)
    a.emit("ee.srcmb.s16.qacc", 0, 11, 0)


def largest(a: Assembler) -> None:
    """MAX_POOL_2D, sixteen channels at a time. The table: lowest and highest output, a vector each."""
    a.emit("s32i", 8, 4, OUT)
    _stage(a, wide=False)
    a.emit("ee.vld.128.ip", 6, 7, 16)
    a.emit("ee.vld.128.ip", 7, 7, -16)
    _slide(a)
    a.emit("ee.vld.128.ip", 1, 7, 0)
    a.emit("l32i", 11, 4, KERNEL_ROWS)
    a.label("tap row")
    a.emit("l32i", 10, 4, KERNEL_COLUMNS)
    a.loop(10, "tap", "ee.vld.128.xp")
    a.emit("ee.vld.128.xp", 0, 2, 9)
    a.emit("ee.vmax.s8", 1, 1, 0)
    a.label("tap")
    a.emit("add", 2, 2, 12)
    a.emit("addi", 11, 11, -1)
    a.emit("bnez", 11, "tap row")
    a.emit("ee.vmin.s8", 1, 1, 7)
    a.emit("l32i", 11, 4, OUT_STEP)
    a.emit("ee.vst.128.xp", 1, 8, 11)
    _slide_on(a, 16)
    _count_down(a, BLOCKS_LEFT, "block")


def _combine(a: Assembler, bent: bool) -> None:
    """Words from low to high in q0: q0 * A + q2 * B, in limbs as in `_requantise`; q1 must be ones. a7 is the table,
    a10 the constants. Bent: where q3 is -1 a correction is taken away. Else a nudge is added with the middle limbs, and
    a7 goes back to where it was."""
    a.emit("ee.vld.128.ip", 4, 7, 16)  # A0
    a.emit("ee.vld.128.ip", 5, 7, 16)  # B0
    a.emit("ee.zero.qacc")
    a.emit("ee.vmulas.s16.qacc.ld.ip", 6, 7, 16, 0, 4)  # A1
    a.emit("ee.vmulas.s16.qacc.ld.ip", 7, 7, 16, 2, 5)  # B1
    a.emit("ee.srcmb.s16.qacc", 4, FIFTEEN, 0)
    a.emit("ee.vmulas.s16.qacc.ld.ip", 4, 7, 16, 0, 6)  # A2
    a.emit("ee.vmulas.s16.qacc.ld.ip", 5, 7, 16, 2, 7)  # B2
    if bent:
        a.emit("ee.srcmb.s16.qacc", 6, FIFTEEN, 0)
        a.emit("ee.vmulas.s16.qacc.ld.ip", 6, 7, 16, 0, 4)  # the correction
        a.emit("ee.vmulas.s16.qacc.ld.ip", 7, 7, 16, 2, 5)  # what rounds
        a.emit("ee.vmulas.s16.qacc.ld.ip", 4, 10, 16, 3, 6)  # zero point
    else:
        a.emit("ee.vld.128.ip", 6, 7, 16)  # the nudge
        a.emit("ee.vld.128.ip", 7, 7, -112)  # what rounds
        a.emit("ee.vmulas.s16.qacc", 1, 6)
        a.emit("ee.srcmb.s16.qacc", 6, FIFTEEN, 0)
        a.emit("ee.vmulas.s16.qacc", 0, 4)
        a.emit("ee.vmulas.s16.qacc.ld.ip", 4, 10, 16, 2, 5)  # zero point
    a.emit("ee.vmulas.s16.qacc.ld.ip", 5, 10, 16, 1, 7)  # low
    a.emit("ee.srcmb.s16.qacc", 6, 13, 0)
    a.emit("ee.vmulas.s16.qacc.ld.ip", 6, 10, -32, 1, 4)  # high
    a.emit("ee.srcmb.s16.qacc", 0, 12, 0)
    a.emit("ee.vmax.s16", 0, 0, 5)
    a.emit("ee.vmin.s16", 0, 0, 6)


def _pairwise(a: Assembler) -> None:
    """a9 = the operands' zero points, q1 = ones, a10 = the constants after them, a7 = the first block of the table."""
    a.emit("addi", 10, 7, 16)
    a.emit("ee.vld.128.ip", 1, 10, 16)
    a.emit("addi", 9, 7, CONSTANT_BYTES)
    a.emit("addi", 7, 9, 32)
    a.emit("movi", FIFTEEN, 15)
    a.emit("l32i", 13, 4, SHIFT)
    a.emit("movi", 12, 0)


def _widen(a: Assembler, q: int, address: int) -> None:
    """q = eight int8 at `address` as 16-bit words; q7 must be noughts, q3 is changed."""
    a.emit("ee.vld.l.64.ip", q, address, 8)
    a.emit("ee.vcmp.lt.s8", 3, q, 7)
    a.emit("ee.vzip.8", q, 3)


def add(a: Assembler) -> None:
    """ADD of x and weights, both of one shape: BLOCKS times eight values."""
    _pairwise(a)
    a.emit("l32i", 11, 4, BLOCKS)
    a.loop(11, "added", "ee.zero.q")
    a.emit("ee.zero.q", 7)
    _widen(a, 0, 2)
    _widen(a, 2, 3)
    a.emit("ee.vld.128.ip", 4, 9, 16)
    a.emit("ee.vld.128.ip", 5, 9, -16)
    a.emit("ee.vsubs.s16", 0, 0, 4)
    a.emit("ee.vsubs.s16", 2, 2, 5)
    _combine(a, bent=False)
    a.emit("ee.vunzip.8", 0, 3)
    a.emit("ee.vst.l.64.ip", 0, 8, 8)
    a.label("added")


def prelu(a: Assembler) -> None:
    """PRELU of COLUMNS pixels with a slope for each of BLOCKS times eight channels."""
    _pairwise(a)
    a.emit("mov", 3, 7)
    a.emit("l32i", 14, 4, COLUMNS)
    a.label("pixel")
    a.emit("mov", 7, 3)
    a.emit("l32i", 11, 4, BLOCKS)
    a.loop(11, "bent", "ee.zero.q")
    a.emit("ee.zero.q", 7)
    _widen(a, 2, 2)
    a.emit("ee.vld.128.ip", 4, 9, 0)
    a.emit("ee.vsubs.s16", 2, 2, 4)
    a.emit("ee.vmax.s16", 0, 2, 7)
    a.emit("ee.vmin.s16", 2, 2, 7)
    a.emit("ee.vcmp.lt.s16", 3, 2, 7)
    _combine(a, bent=True)
    a.emit("ee.vunzip.8", 0, 3)
    a.emit("ee.vst.l.64.ip", 0, 8, 8)
    a.label("bent")
    a.emit("addi", 14, 14, -1)
    a.emit("bnez", 14, "pixel")


KERNELS: dict[str, Callable[[Assembler], None]] = {
    "convolve": convolve, "depthwise": depthwise, "largest": largest, "add": add, "prelu": prelu,
}
