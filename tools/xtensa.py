"""A small assembler for the ESP32-S3: the core instructions that loops need and the vector instructions (EE.*).

Encodings: Xtensa ISA Reference Manual, chapters 7 and 8 (formats RRR, RRI8, BRI8, BRI12, CALL); ESP32-S3 Technical
Reference Manual, section 1.8. An operand is a register's number, an immediate in bytes, or a label.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

FETCH_BYTES = 4  # of one instruction fetch: the first instruction of a loop must lie within one
BRANCH_CONSTANTS = (-1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64, 128, 256)  # what BEQI and its like compare with


class AssemblyError(Exception):
    """An operand that does not fit its instruction."""


def _within(value: int, low: int, high: int, step: int = 1) -> int:
    if not low <= value <= high or value % step:
        raise AssemblyError(f"{value} is not in {low}..{high} by {step}")
    return value // step


def _register(number: int, count: int = 16) -> int:
    return _within(number, 0, count - 1)


def _q(number: int) -> int:
    return _register(number, 8)


def _rrr(op2: int, op1: int, r: int, s: int, t: int) -> int:
    return op2 << 20 | op1 << 16 | _register(r) << 12 | _register(s) << 8 | _register(t) << 4


def _rri8(r: int, s: int, t: int, imm8: int, op0: int) -> int:
    return (imm8 & 0xFF) << 16 | r << 12 | _register(s) << 8 | _register(t) << 4 | op0


def _memory(r: int, step: int) -> Callable[..., int]:
    return lambda t, s, offset: _rri8(r, s, t, _within(offset, 0, 255 * step, step), 2)


def _movi(t: int, value: int) -> int:
    imm12 = _within(value, -2048, 2047) & 0xFFF
    return _rri8(0xA, imm12 >> 8, t, imm12, 2)


# Branches: the distance from the instruction's own address + 4 is the last operand.
def _branch_zero(m: int) -> Callable[..., int]:
    return lambda s, distance: (_within(distance, -2048, 2047) & 0xFFF) << 12 | _register(s) << 8 | m << 6 | 0x16


def _branch_constant(m: int) -> Callable[..., int]:
    def encode(s: int, constant: int, distance: int) -> int:
        r = BRANCH_CONSTANTS.index(constant)
        return _rri8(r, s, m << 2 | 2, _within(distance, -128, 127), 6)
    return encode


def _jump(distance: int) -> int:
    return (_within(distance, -131072, 131071) & 0x3FFFF) << 6 | 6


# Vector instructions of 24 bits.
def _vector_memory(op: int, step: int) -> Callable[..., int]:
    """1 imm[7] q[2:1] op q[0] imm[6:0] as 0100"""
    def encode(q: int, a: int, offset: int) -> int:
        imm = _within(offset, -128 * step, 127 * step, step) & 0xFF
        return (1 << 23 | imm >> 7 << 22 | _q(q) >> 1 << 20 | op << 16 | (q & 1) << 15 | (imm & 0x7F) << 8
                | _register(a) << 4 | 4)
    return encode


def _vector_stride(op: int, high: int) -> Callable[..., int]:
    """high q[2:1] 1101 q[0] op ad as 0100: the address moves by a register"""
    return lambda q, a, ad: (high << 22 | _q(q) >> 1 << 20 | 0xD << 16 | (q & 1) << 15 | op << 12 | _register(ad) << 8
                             | _register(a) << 4 | 4)


def _accumulator_memory(op: int, step: int) -> Callable[..., int]:
    """0 imm[7] op imm[6:0] as 0100"""
    def encode(a: int, offset: int) -> int:
        imm = _within(offset, -128 * step, 127 * step, step) & 0xFF
        return imm >> 7 << 22 | op << 15 | (imm & 0x7F) << 8 | _register(a) << 4 | 4
    return encode


def _three(bit13: int, op: int) -> Callable[..., int]:
    """10 qa[2:1] 1110 qa[0] qy[2] bit qy[1:0] qx op 0100"""
    return lambda qa, qx, qy: (2 << 22 | _q(qa) >> 1 << 20 | 0xE << 16 | (qa & 1) << 15 | _q(qy) >> 2 << 14
                               | bit13 << 13 | (qy & 3) << 11 | _q(qx) << 8 | op << 4 | 4)


def _pair(low: int) -> Callable[..., int]:
    """11 qs1[2:1] 1100 qs1[0] qs0 low"""
    return lambda qs0, qs1: 3 << 22 | _q(qs1) >> 1 << 20 | 0xC << 16 | (qs1 & 1) << 15 | _q(qs0) << 12 | low


def _multiply(high: int, bit13: int, low: int) -> Callable[..., int]:
    return lambda qx, qy: high << 16 | _q(qy) >> 2 << 14 | bit13 << 13 | (qy & 3) << 11 | _q(qx) << 8 | low


def _one(low: int) -> Callable[..., int]:
    """11 q[2:1] 1101 q[0] low"""
    return lambda q: 3 << 22 | _q(q) >> 1 << 20 | 0xD << 16 | (q & 1) << 15 | low


# Multiply-accumulate with a load: 1111 imm[5:4] qu[2:1] qy[0] 000 qu[0] op qx[1:0] qy[2:1] imm[3:0] as 111 qx[2]
def _multiply_load(op: int) -> Callable[..., int]:
    def encode(qu: int, a: int, step: int, qx: int, qy: int) -> int:
        imm = _within(step, -512, 496, 16) & 0x3F
        return (0xF << 28 | imm >> 4 << 26 | _q(qu) >> 1 << 24 | (_q(qy) & 1) << 23 | (qu & 1) << 19 | op << 16
                | (_q(qx) & 3) << 14 | qy >> 1 << 12 | (imm & 15) << 8 | _register(a) << 4 | 7 << 1 | qx >> 2)
    return encode


ENCODERS: dict[str, Callable[..., int]] = {
    "nop": lambda: 0x0020F0,
    "add": lambda r, s, t: _rrr(8, 0, r, s, t),
    "addx8": lambda r, s, t: _rrr(11, 0, r, s, t),
    "mov": lambda r, s: _rrr(2, 0, r, s, s),
    "addi": lambda t, s, value: _rri8(0xC, s, t, _within(value, -128, 127), 2),
    "movi": _movi,
    "l32i": _memory(2, 4), "s32i": _memory(6, 4),
    "j": _jump,
    "beqz": _branch_zero(0), "bnez": _branch_zero(1),
    "bnei": _branch_constant(1),
    "loop": lambda s, distance: _rri8(8, s, 7, _within(distance, 0, 255), 6),
    "ee.vld.128.ip": _vector_memory(0x3, 16), "ee.vst.128.ip": _vector_memory(0xA, 16),
    "ee.ld.128.usar.ip": _vector_memory(0x1, 16), "ee.vld.l.64.ip": _vector_memory(0x9, 8),
    "ee.vst.l.64.ip": _vector_memory(0x4, 8),
    "ee.vld.128.xp": _vector_stride(2, 2), "ee.vst.128.xp": _vector_stride(7, 2),
    "ee.vst.l.64.xp": _vector_stride(4, 3),
    "ee.ld.accx.ip": _accumulator_memory(0b0011100, 8), "ee.st.accx.ip": _accumulator_memory(0b0000100, 8),
    "ee.ldqa.s16.128.ip": _accumulator_memory(0b0000010, 16),
    "ee.st.qacc_l.l.128.ip": _accumulator_memory(0b0011000, 16),
    "ee.st.qacc_l.h.32.ip": _accumulator_memory(0b0111010, 4),
    "ee.st.qacc_h.l.128.ip": _accumulator_memory(0b0011010, 16),
    "ee.st.qacc_h.h.32.ip": _accumulator_memory(0b0100100, 4),
    "ee.ld.qacc_l.l.128.ip": _accumulator_memory(0b0000000, 16),
    "ee.ld.qacc_l.h.32.ip": _accumulator_memory(0b0101100, 4),
    "ee.ld.qacc_h.l.128.ip": _accumulator_memory(0b0001100, 16),
    "ee.ld.qacc_h.h.32.ip": _accumulator_memory(0b0111100, 4),
    "ee.vldbc.8": lambda q, a: _one(0b0111011 << 8 | _register(a) << 4 | 4)(q),
    "ee.vldbc.16": lambda q, a: _one(0b1110011 << 8 | _register(a) << 4 | 4)(q),
    "ee.vcmp.lt.s8": _three(1, 1), "ee.vcmp.lt.s16": _three(0, 15),
    "ee.vmax.s8": _three(1, 4), "ee.vmin.s8": _three(1, 7),
    "ee.vmax.s16": _three(1, 2), "ee.vmin.s16": _three(1, 5), "ee.vsubs.s16": _three(1, 13),
    "ee.vunzip.8": _pair(0x3A4), "ee.vunzip.16": _pair(0x384), "ee.vunzip.32": _pair(0x394), "ee.vzip.8": _pair(0x3D4),
    "ee.src.q": lambda qa, qs0, qs1: _pair(0x304 | _q(qa) << 4)(qs0, qs1),
    "ee.zero.q": _one(0x7FA4), "ee.zero.qacc": lambda: 0x250844,
    "ee.srcmb.s16.qacc": lambda q, a, zero: _one(0x7204 | _register(a) << 4 | _within(zero, 0, 0))(q),
    "ee.vmulas.s16.qacc": _multiply(0x1A, 1, 0x84),
    "ee.vmulas.s8.accx.ld.ip": _multiply_load(2),
    "ee.vmulas.s16.qacc.ld.ip": _multiply_load(1), "ee.vmulas.u16.qacc.ld.ip": _multiply_load(5),
}
JUMPS = {"j", "beqz", "bnez", "bnei", "loop"}


def size_of(mnemonic: str) -> int:
    return 4 if re.match(r"ee\.vmulas\..*\.ld\.", mnemonic) else 3


class Assembler:
    """Collects instructions; `assemble` places them. `start`: the address of the first, from a fetch boundary."""

    def __init__(self, start: int = 0):
        self.start = start
        self.lines: list[tuple[int, str, tuple[Any, ...]]] = []
        self.labels: dict[str, int] = {}
        self.at = start

    def emit(self, mnemonic: str, *operands: Any) -> None:
        """One instruction; a jump's last operand is a label."""
        self.lines.append((self.at, mnemonic, operands))
        self.at += size_of(mnemonic)

    def label(self, name: str) -> None:
        if name in self.labels:
            raise AssemblyError(f"label {name} is set twice")
        self.labels[name] = self.at

    def loop(self, count: int, end: str, first: str) -> None:
        """LOOP until label `end`. `first`: the mnemonic of the body's first instruction, which must lie within one
        fetch (Xtensa ISA, LOOP): NOPs go before."""
        while (self.at + 3) % FETCH_BYTES + size_of(first) > FETCH_BYTES:
            self.emit("nop")
        self.emit("loop", count, end)

    def assemble(self) -> bytes:
        return b"".join(self._encode(at, mnemonic, operands) for at, mnemonic, operands in self.lines)

    def _encode(self, at: int, mnemonic: str, operands: tuple[Any, ...]) -> bytes:
        if mnemonic in JUMPS:
            operands = (*operands[:-1], self.labels[operands[-1]] - at - 4)
        try:
            return ENCODERS[mnemonic](*operands).to_bytes(size_of(mnemonic), "little")
        except AssemblyError as error:
            raise AssemblyError(f"{mnemonic} {operands}: {error}") from None
