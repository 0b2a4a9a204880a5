"""Compiles every firmware file for the chip, and makes the vector kernels: `python -m tools.cross` exits 1 naming each
file that does not compile."""

from __future__ import annotations

import sys
from pathlib import Path

from tools import vector_mpy
from tools.firmware import CompileError, compiled

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE, OUT = ROOT / "firmware", ROOT / "build" / "mpy"


def compile_all(folder: Path = FIRMWARE, out: Path = OUT) -> dict[Path, int | str]:
    """Each file's size as .mpy for xtensawin in bytes, or what the compiler said against it."""
    results: dict[Path, int | str] = {}
    for source in sorted(folder.rglob("*.py")):
        path = source.relative_to(folder)
        target = out / path.with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            results[source] = target.write_bytes(compiled(str(path), source.read_bytes(), "xtensawin"))
        except CompileError as error:
            results[source] = error.reason
    return results


def write_kernels(out: Path = OUT) -> int:
    """The size of the vector kernels' .mpy."""
    target = out / vector_mpy.PLACE
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.write_bytes(vector_mpy.build())


if __name__ == "__main__":
    sizes = compile_all()
    for path, size in sizes.items():
        if isinstance(size, str):
            print(f"{path.relative_to(ROOT)}: {size}")
    if any(isinstance(size, str) for size in sizes.values()):
        sys.exit(1)
    total = sum(int(size) for size in sizes.values()) + write_kernels()
    print(f"cross: {len(sizes)} files and the vector kernels for xtensawin, {total:,} bytes of .mpy")
