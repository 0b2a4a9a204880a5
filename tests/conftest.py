"""Fixtures of all tests: `vm` runs firmware code on the real MicroPython VM, 64-bit and 32-bit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import vm as micropython

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

RUNNER = """
import json, sys
sys.path.append({firmware!r})
with open({inputs!r}) as file:
    data = json.load(file)
result = None
{script}
with open({outputs!r}, "w") as file:
    json.dump(result, file)
"""


class Vm:
    """Runs a script on the VM: it finds `data` set, and leaves its answer in `result` (both JSON; bytes as hex)."""

    def __init__(self, bits: int, folder: Path):
        self.bits = bits
        self.program = micropython.find(bits)
        self.folder = folder

    def __call__(self, script: str, data: Any = None, timeout_s: float = 120) -> Any:
        inputs, outputs, main = (self.folder / name for name in ("inputs.json", "outputs.json", "main.py"))
        inputs.write_text(json.dumps(data))
        main.write_text(RUNNER.format(firmware=str(ROOT / "firmware"), inputs=str(inputs), outputs=str(outputs),
                                      script=script))
        run = subprocess.run([self.program, "-X", "heapsize=64M", main], capture_output=True, text=True,
                             timeout=timeout_s, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return json.loads(outputs.read_text())


@pytest.fixture(params=[64, 32], ids=["64-bit", "32-bit"])
def vm(request: pytest.FixtureRequest, tmp_path: Path) -> Vm:
    """The VM, once of each word size."""
    return Vm(request.param, tmp_path)


@pytest.fixture
def shared() -> Path:
    """The folder of shared data; the test is skipped where it is absent."""
    folder = Path(os.environ.get("MUSTER_SHARED", SHARED))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}")
    return folder
