"""How long the embedder's training takes for a batch, forward and back, beside what torch.compile makes of it.

Where build/torch and a C++ compiler are, on a CPU that has bfloat16; `make train` and `make evaluate` set that up.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TORCH = ROOT / "build" / "torch" / "bin" / "python"

SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[1])
import torch
from embedder_cpu import Embedder
from nets import EMBEDDER, Net
from views import QUICK
if QUICK != torch.bfloat16:
    sys.exit()
torch.set_num_threads(2)
net, pictures = Net(EMBEDDER).eval(), torch.randn(96, 3, 64, 64).contiguous(memory_format=torch.channels_last)
own, compiled, spent = Embedder(net, 2), torch.compile(net), ([], [])
for turn in range(7):
    for run, times in zip((own, compiled), spent):
        begun = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            found = run(pictures)
        found.float().square().mean().backward()
        times.append(time.perf_counter() - begun)
print(min(spent[0]), min(spent[1]))
"""


def figures() -> list[dict[str, Any]]:
    if not (TORCH.is_file() and shutil.which("g++")):
        print("training: not measured, needs build/torch (`make evaluate`) and g++", file=sys.stderr)
        return []
    command = [str(TORCH), "-c", SCRIPT, str(ROOT / "models")]
    times = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    if not times:
        print("training: not measured, this processor has no bfloat16", file=sys.stderr)
        return []
    own, compiled = map(float, times)
    return [
        {"name": name, "value": value, "unit": unit, "better": "lower", "goal": goal, "met": goal and value <= goal}
        for name, value, unit, goal in (
            ("training.batch_ms", own * 1e3, "ms", None),
            ("training.own_vs_compiled", own / compiled, "x", 1.0),
        )
    ]
