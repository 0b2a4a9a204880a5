"""Imports stay shallow: every level compiles on top of the other's stack, and the chip's main task has 16 KB."""

import ast
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
DEEPEST = 3


def imported(source: Path) -> list[str]:
    """Names of our own modules in the order in which a file imports them when it is run."""
    found = []
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.For) and "__import__" in ast.unparse(node):
            found += [f"muster.{name.value}" for name in node.iter.elts]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(source.relative_to(FIRMWARE).parent.parts) if node.level else ""
            base = ".".join(part for part in (package, node.module) if part)
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in found if path_of(name)]


def path_of(name: str) -> Path | None:
    path = FIRMWARE / name.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def depth(source: Path, done: set[str]) -> int:
    """The deepest run of imports inside imports that running `source` starts."""
    deepest = 0
    for name in imported(source):
        if name not in done:
            done.add(name)
            deepest = max(deepest, 1 + depth(path_of(name), done))
    return deepest


def test_no_import_is_deeper_than_the_stack_allows():
    done: set[str] = set()
    assert depth(FIRMWARE / "main.py", done) <= DEEPEST
    assert {"muster.app", "muster.vision.kernels_convolution", "muster.cose.cbor"} <= done
