"""Runs the machine code of a vector kernel without a chip, for tests and benchmarks: `Kernel(code)(memory, buffers)`.

capstone disassembles the code; each basic block becomes Python. Semantics: ESP32-S3 Technical Reference Manual, section
1.8 (EE.*), and the Xtensa ISA manual. Every access is checked against the buffers that the kernel was given, and what
the manuals leave open or forbid (a LOOP of nought turns, a body that begins across two fetches) is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from operator import mul
from struct import Struct
from typing import Any

import capstone

from tools import vector_mpy
from tools.vector_kernels import KERNELS

READ, WRITE = 1, 2
GUARD = 256  # bytes between buffers that nobody may touch
FUNCTION_TABLE = 256  # what MicroPython hands a viper function lies below the buffers
LIMIT_40, MASK_32 = 1 << 39, 0xFFFFFFFF
JUMP_CYCLES = 2  # that a taken branch costs beside its own

s8 = lru_cache(maxsize=1 << 17)(Struct("<16b").unpack)
s16 = lru_cache(maxsize=1 << 12)(Struct("<8h").unpack)
u16 = lru_cache(maxsize=1 << 12)(Struct("<8H").unpack)
as_s8, as_s16 = Struct("<16b").pack, Struct("<8h").pack


class Fault(Exception):
    """The kernel did what it must not do."""


class Memory:
    """Buffers, each at an address that is a multiple of 16, with guards around. Little-endian."""

    def __init__(self, size: int = 1 << 23):
        self.data = bytearray(size)
        self.rights = bytearray(size)
        self.end = 4096
        self.rights[:1024] = bytes([READ]) * 1024
        self.rights[1024:2048] = bytes([READ | WRITE]) * 1024  # the stack

    def place(self, content: bytes, rights: int, slack: bytes = b"") -> int:
        """The address of a copy; `slack` follows it, which may be read only."""
        at = self.end
        end = at + len(content)
        if end + len(slack) + GUARD > len(self.data):
            raise Fault(f"{len(content)} bytes are too many for the memory")
        self.data[at:end] = content
        self.rights[at:end] = bytes([rights]) * len(content)
        self.data[end : end + len(slack)] = slack
        self.rights[end : end + len(slack)] = bytes([READ]) * len(slack)
        self.end = (end + len(slack) + GUARD + 15) // 16 * 16
        return at

    def load(self, at: int, size: int) -> int:
        if at % size:
            raise Fault(f"a load of {size} bytes at {at:#x}")
        return int.from_bytes(self.read(at, size), "little")

    def read(self, at: int, size: int) -> bytes:
        if not self.rights[at] & self.rights[at + size - 1] & READ:
            raise Fault(f"{size} bytes read at {at:#x}")
        return bytes(self.data[at : at + size])

    def store(self, at: int, value: int, size: int) -> None:
        if at % size:
            raise Fault(f"a store of {size} bytes at {at:#x}")
        self.write(at, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def write(self, at: int, value: bytes) -> None:
        if not self.rights[at] & self.rights[at + len(value) - 1] & WRITE:
            raise Fault(f"{len(value)} bytes written at {at:#x}")
        self.data[at : at + len(value)] = value


# What the vector instructions do to values. A q register is its 16 bytes, QACC a list of eight 40-bit lanes.
def clamp(value: int, bits: int) -> int:
    return min(max(value, -(1 << bits - 1)), (1 << bits - 1) - 1)


def multiply_accx(accx: int, x: bytes, y: bytes) -> int:
    """ACCX + the sum of 16 products, saturated to 40 bits."""
    accx += sum(map(mul, s8(x), s8(y)))
    return accx if -LIMIT_40 <= accx < LIMIT_40 else clamp(accx, 40)


def multiply_qacc(qacc: list[int], x: tuple[int, ...], y: tuple[int, ...]) -> list[int]:
    qacc = [q + a * b for q, a, b in zip(qacc, x, y, strict=True)]
    return qacc if max(qacc) < LIMIT_40 and min(qacc) >= -LIMIT_40 else [clamp(q, 40) for q in qacc]


def saturated(qacc: list[int]) -> bytes:
    return as_s16(*[q if -32768 <= q < 32768 else clamp(q, 16) for q in qacc])


def packed(lanes: list[int]) -> bytes:
    """Four lanes as the 160 bits of QACC_L or QACC_H."""
    return b"".join((lane & (1 << 40) - 1).to_bytes(5, "little") for lane in lanes)


def unpacked(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 5], "little", signed=True) for i in range(0, 20, 5)]


def unzip(a: bytes, b: bytes, size: int) -> tuple[bytes, bytes]:
    both = a + b
    parts = [both[i : i + size] for i in range(0, 32, size)]
    return b"".join(parts[::2]), b"".join(parts[1::2])


def zipped(a: bytes, b: bytes, size: int) -> tuple[bytes, bytes]:
    both = b"".join(a[i : i + size] + b[i : i + size] for i in range(0, 16, size))
    return both[:16], both[16:]


# Python for each instruction; {0}, {1}... are its operands as capstone writes them
_LOAD_Q = "{0} = m.read({1} & ~15, 16)"
_QACC_PART = {"l.l.128": (0, 0, 16), "l.h.32": (0, 16, 4), "h.l.128": (4, 0, 16), "h.h.32": (4, 16, 4)}
CODE: dict[str, tuple[str, ...]] = {
    "nop": ("pass",),
    "add": ("{0} = ({1} + {2}) & M32",), "addi": ("{0} = ({1} + {2}) & M32",),
    "addx8": ("{0} = (8 * {1} + {2}) & M32",), "or": ("{0} = {1} | {2}",), "mov.n": ("{0} = {1}",),
    "movi": ("{0} = {1} & M32",), "movi.n": ("{0} = {1} & M32",),
    "l32i": ("{0} = m.load(({1} + {2}) & M32, 4)",), "s32i": ("m.store(({1} + {2}) & M32, {0}, 4)",),
    "l32i.n": ("{0} = m.load(({1} + {2}) & M32, 4)",), "s32i.n": ("m.store(({1} + {2}) & M32, {0}, 4)",),
    "entry": ("{0} = {0} - {1}",),
    "callx8": ("if {0} != CONVERT: raise Fault('a call')",),  # the argument in a10 is an address already
    "ee.vld.128.ip": (_LOAD_Q, "{1} = ({1} + {2}) & M32"), "ee.vld.128.xp": (_LOAD_Q, "{1} = ({1} + {2}) & M32"),
    "ee.vst.128.ip": ("m.write({1} & ~15, {0})", "{1} = ({1} + {2}) & M32"),
    "ee.vst.128.xp": ("m.write({1} & ~15, {0})", "{1} = ({1} + {2}) & M32"),
    "ee.vld.l.64.ip": ("{0} = m.read({1} & ~7, 8) + {0}[8:]", "{1} = ({1} + {2}) & M32"),
    "ee.vst.l.64.ip": ("m.write({1} & ~7, {0}[:8])", "{1} = ({1} + {2}) & M32"),
    "ee.vst.l.64.xp": ("m.write({1} & ~7, {0}[:8])", "{1} = ({1} + {2}) & M32"),
    "ee.ld.128.usar.ip": (_LOAD_Q, "sar_byte = {1} & 15", "{1} = ({1} + {2}) & M32"),
    "ee.src.q": ("{0} = ({1} + {2})[sar_byte : sar_byte + 16]",),
    "ee.vldbc.8": ("{0} = m.read({1}, 1) * 16",), "ee.vldbc.16": ("{0} = m.read({1} & ~1, 2) * 8",),
    "ee.ld.accx.ip": ("accx = int.from_bytes(m.read({0} & ~7, 8)[:5], 'little', signed=True)",
                      "{0} = ({0} + {1}) & M32"),
    "ee.st.accx.ip": ("m.write({0} & ~7, (accx & (1 << 40) - 1).to_bytes(8, 'little'))", "{0} = ({0} + {1}) & M32"),
    "ee.ldqa.s16.128.ip": ("qacc = list(s16(m.read({0} & ~15, 16)))", "{0} = ({0} + {1}) & M32"),
    "ee.zero.q": ("{0} = bytes(16)",), "ee.zero.qacc": ("qacc = [0] * 8",),
    "ee.vcmp.lt.s8": ("{0} = as_s8(*[-(x < y) for x, y in zip(s8({1}), s8({2}))])",),
    "ee.vcmp.lt.s16": ("{0} = as_s16(*[-(x < y) for x, y in zip(s16({1}), s16({2}))])",),
    "ee.vmax.s8": ("{0} = as_s8(*map(max, s8({1}), s8({2})))",),
    "ee.vmin.s8": ("{0} = as_s8(*map(min, s8({1}), s8({2})))",),
    "ee.vmax.s16": ("{0} = as_s16(*map(max, s16({1}), s16({2})))",),
    "ee.vmin.s16": ("{0} = as_s16(*map(min, s16({1}), s16({2})))",),
    "ee.vsubs.s16": ("{0} = saturated([x - y for x, y in zip(s16({1}), s16({2}))])",),
    "ee.vunzip.8": ("{0}, {1} = unzip({0}, {1}, 1)",), "ee.vunzip.16": ("{0}, {1} = unzip({0}, {1}, 2)",),
    "ee.vunzip.32": ("{0}, {1} = unzip({0}, {1}, 4)",), "ee.vzip.8": ("{0}, {1} = zipped({0}, {1}, 1)",),
    "ee.srcmb.s16.qacc": ("shift = {1} & 63", "qacc = [q >> shift for q in qacc]", "{0} = saturated(qacc)"),
    "ee.vmulas.s16.qacc": ("qacc = multiply_qacc(qacc, s16({0}), s16({1}))",),
    # The products are those of the registers before the load
    "ee.vmulas.s8.accx.ld.ip": ("accx = multiply_accx(accx, {3}, {4})", _LOAD_Q, "{1} = ({1} + {2}) & M32"),
    "ee.vmulas.s16.qacc.ld.ip": ("qacc = multiply_qacc(qacc, s16({3}), s16({4}))", _LOAD_Q, "{1} = ({1} + {2}) & M32"),
    "ee.vmulas.u16.qacc.ld.ip": ("qacc = multiply_qacc(qacc, u16({3}), u16({4}))", _LOAD_Q, "{1} = ({1} + {2}) & M32"),
    **{f"ee.st.qacc_{part}.ip": (f"m.write({{0}} & ~{size - 1}, packed(qacc[{first}:{first + 4}])[{at}:{at + size}])",
                                 "{0} = ({0} + {1}) & M32") for part, (first, at, size) in _QACC_PART.items()},
    **{f"ee.ld.qacc_{part}.ip": (f"part = bytearray(packed(qacc[{first}:{first + 4}]))",
                                 f"part[{at}:{at + size}] = m.read({{0}} & ~{size - 1}, {size})",
                                 f"qacc[{first}:{first + 4}] = unpacked(bytes(part))",
                                 "{0} = ({0} + {1}) & M32") for part, (first, at, size) in _QACC_PART.items()},
}
BRANCHES = {
    "j": "True", "beqz": "{0} == 0", "bnez": "{0} != 0", "bne": "{0} != {1}", "bnei": "{0} != {1} & M32",
}
CONVERT, NONE = 0x40001000, 0x3C000000  # addresses of MicroPython's that only have to be told apart


class Instruction:
    """One instruction as capstone reads it; `target`: where it may jump to, or where its loop ends."""

    def __init__(self, found: Any):
        self.at, self.size, self.mnemonic = found.address, found.size, found.mnemonic
        self.operands = [part.strip() for part in found.op_str.split(",")] if found.op_str else []
        self.target = -1
        if self.operands and (match := re.fullmatch(r"\. ([+-]) ?(\w+)", self.operands[-1].replace(". +", ". + "))):
            self.target = self.at + int(match[1] + match[2], 0)

    @property
    def next(self) -> int:
        return self.at + self.size

    def python(self) -> list[str]:
        if self.mnemonic not in CODE:
            raise Fault(f"{self.mnemonic} is not known")
        return [line.format(*self.operands) for line in CODE[self.mnemonic]]

    def loaded(self) -> str | None:
        """The register that it loads, which the next instruction would have to wait for."""
        loads = self.mnemonic.startswith(("ee.vld", "ee.ld.128", "l32i")) or ".ld." in self.mnemonic
        return self.operands[0] if loads else None

    def uses(self, register: str) -> bool:
        first = 1 if self.loaded() else 0
        return register in self.operands[first:]


def disassemble(code: bytes) -> list[Instruction]:
    """The instructions of a function, from its ENTRY on; what goes before is a jump and constants."""
    engine = capstone.Cs(capstone.CS_ARCH_XTENSA, capstone.CS_MODE_XTENSA_ESP32S3)
    start = next(at for at in range(0, len(code), 4) if code[at] == 0x36 and code[at + 1] & 0xF == 1)
    found = [Instruction(i) for i in engine.disasm(code[start:], start)]
    last = next(n for n, i in enumerate(found) if i.mnemonic == "retw.n")
    return found[: last + 1]


class Kernel:
    """A function of a .mpy. Calls add to `instructions`, and to `cycles`: those, and one for each value that is used
    right after its load, and JUMP_CYCLES for each jump."""

    def __init__(self, code: bytes):
        self.instructions = self.cycles = 0
        self.listing = disassemble(code)
        scope: dict[str, Any] = dict(globals()) | {"M32": MASK_32}
        exec(_translate(self.listing), scope)
        self._run: Callable[..., tuple[int, ...]] = scope["run"]

    def __call__(self, memory: Memory, arguments: list[int]) -> None:
        """Calls it as MicroPython does, with addresses in memory for its arguments. Raises Fault."""
        words = {0: 0, 4: 16, 24: 0, 28: 64, 64: 128, 128: NONE, 140: CONVERT}  # object, context, constants, table
        words |= {FUNCTION_TABLE + 4 * i: argument for i, argument in enumerate(arguments)}
        for at, word in words.items():
            memory.data[at : at + 4] = word.to_bytes(4, "little")
        instructions, cycles, stack, result = self._run(memory, len(arguments), 1984)
        if (stack, result) != (1984 - int(self.listing[0].operands[1], 0), NONE):
            raise Fault(f"returned {result:#x} with the stack at {stack}")
        self.instructions += instructions
        self.cycles += cycles


def _translate(listing: list[Instruction]) -> str:
    """The source of run(m, arguments, stack) -> (instructions, cycles, stack, a2)."""
    targets = {i.target for i in listing if i.mnemonic in BRANCHES} | {
        i.next for i in listing if i.mnemonic in BRANCHES} | {listing[0].at}
    lines = ["def run(m, arguments, stack):",
             f" {' = '.join(f'a{n}' for n in range(16))} = 0", f" {' = '.join(f'q{n}' for n in range(8))} = bytes(16)",
             " a0, a1, a3, a5 = 0xDEAD, stack, arguments, FUNCTION_TABLE",
             " count = cycles = accx = sar_byte = 0", " qacc = [0] * 8", f" at = {listing[0].at}", " while True:"]
    number = 0
    while number < len(listing):
        lines.append(f"  if at == {listing[number].at}:")
        number = _block(listing, number, targets, lines)
    lines.append("  raise Fault(f'a jump to {at}')")
    return "\n".join(lines)


def _block(listing: list[Instruction], number: int, targets: set[int], lines: list[str]) -> int:
    """One basic block, with the loops within; the number of the instruction after it."""
    counted: list[Instruction] = []

    def flush() -> None:
        if counted:
            lines.append(f"   count += {len(counted)}; cycles += {len(counted) + _stalls(counted)}")
            counted.clear()

    while True:
        i = listing[number]
        number += 1
        counted.append(i)
        if i.mnemonic in BRANCHES:
            flush()
            lines.append(f"   if {BRANCHES[i.mnemonic].format(*i.operands)}: cycles += JUMP_CYCLES; at = {i.target}; "
                         "continue")
            lines.append(f"   at = {i.next}")
            return number
        if i.mnemonic == "retw.n":
            flush()
            lines.append("   if a0 != 0xDEAD: raise Fault('the return address is lost')")
            lines.append("   return count, cycles, a1, a2")
            return number
        if i.mnemonic == "loop":
            flush()
            body = [x for x in listing if i.next <= x.at < i.target]
            _loop(i, body, targets, lines)
            number += len(body)
        elif i.mnemonic != "l32r":  # only on the way to an error that a call of six arguments does not take
            lines.extend("   " + line for line in i.python())
        if number < len(listing) and listing[number].at in targets:
            flush()
            lines.append(f"   at = {listing[number].at}")
            return number


def _loop(loop: Instruction, body: list[Instruction], targets: set[int], lines: list[str]) -> None:
    if body[0].at % 4 + body[0].size > 4:
        raise Fault(f"the loop at {loop.next:#x} begins across two fetches")
    if body[-1].next != loop.target or any(x.at in targets or x.mnemonic in BRANCHES for x in body):
        raise Fault(f"the loop at {loop.next:#x} is not straight")
    stalls = _stalls([*body, body[0]])
    lines.append(f"   if {loop.operands[0]} == 0: raise Fault('a loop of nought turns')")
    lines.append(f"   count += {len(body)} * {loop.operands[0]}; cycles += {len(body) + stalls} * {loop.operands[0]}")
    lines.append(f"   for _ in range({loop.operands[0]}):")
    lines.extend("    " + line for x in body for line in x.python())


def _stalls(block: list[Instruction]) -> int:
    return sum(1 for a, b in zip(block, block[1:], strict=False) if (q := a.loaded()) and b.uses(q))


@cache
def kernels(data: bytes) -> dict[str, Kernel]:
    """The functions of a .mpy that tools/vector_mpy.py made."""
    return dict(zip(KERNELS, map(Kernel, vector_mpy.functions(data)), strict=True))
