"""How fast the network runtime is beside TFLite's kernels in the same run, layer by layer and network by network.

Beside its reference kernels and its default ones (XNNPACK, with this machine's vector units). emlearn is not among
them: the package registry has its C headers and its converter, for networks of dense layers only; the modules that
would run convolutions in MicroPython are not there.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from tflite_runtime.interpreter import Interpreter, OpResolverType

from models.flatfile import Operation, Tensor, write_model
from tools import vm

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ("embedder", "finder", "landmarks")
ROUNDS = 7  # turns of each: the median of their ratios counts, for the machine has other work
RUNS = 8  # in each turn, of which the shortest counts
KERNELS = {"reference": OpResolverType.BUILTIN_REF, "default": OpResolverType.BUILTIN}

# kind: (input height and width, its channels, output channels, kernel, stride), as the embedder has them
LAYERS = {
    "conv_1x1": ("conv", 16, 128, 64, 1, 1),
    "conv_3x3": ("conv", 16, 32, 64, 3, 1),
    "conv_rgb": ("conv", 64, 3, 32, 3, 2),
    "depthwise": ("dw", 16, 128, 128, 3, 1),
    "dense": ("dense", 4, 64, 192, 4, 1),
    "add": ("add", 16, 128, 128, 1, 1),
}

SCRIPT = """
import sys, time
sys.path.append({firmware!r})
from muster.vision import tflite
model = tflite.load({path!r})
best = None
for _ in range({runs}):
    start = time.ticks_us()
    for _ in range({repeats}):
        model.invoke()
    spent = time.ticks_diff(time.ticks_us(), start)
    best = spent if best is None else min(best, spent)
print(best / {repeats})
"""


def on_vm(path: Path, repeats: int) -> float:
    """Shortest run in seconds."""
    script = SCRIPT.format(firmware=str(ROOT / "firmware"), path=str(path), runs=RUNS, repeats=repeats)
    command = [vm.find(64), "-X", "heapsize=16M", "-c", script]
    return float(subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout) / 1e6


def interpreter(path: Path, kernels: OpResolverType) -> Interpreter:
    made = Interpreter(str(path), experimental_op_resolver_type=kernels, num_threads=1)
    made.allocate_tensors()
    for taken in made.get_input_details():
        made.set_tensor(taken["index"], np.zeros(taken["shape"], np.int8))
    return made


def of_tflite(made: Interpreter, repeats: int) -> float:
    """Shortest run in seconds."""
    spent = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for _ in range(repeats):
            made.invoke()
        spent.append((time.perf_counter() - start) / repeats)
    return min(spent)


def layer(name: str, folder: Path) -> Path:
    """A network of one layer, its weights random."""
    kind, side, inputs, outputs, kernel, stride = LAYERS[name]
    rng, out = np.random.default_rng(1), -(-side // stride)
    shape = (1, outputs) if kind == "dense" else (1, out, out, outputs)
    tensors = [Tensor("x", (1, side, side, inputs), [0.05], 3), Tensor("y", shape, [0.05], -2)]
    operations = []
    if kind == "add":
        operations.append(Operation("add", ["x", "x"], ["y"]))
    else:
        source, taken = "x", inputs
        if kind == "dense":
            source, taken = "flat", side * side * inputs
            tensors.insert(1, Tensor("flat", (1, taken), [0.05], 3))
            operations.append(Operation("reshape", ["x"], ["flat"], shape=(1, taken)))
        weights = {
            "conv": (outputs, kernel, kernel, inputs), "dw": (1, kernel, kernel, outputs), "dense": (outputs, taken)
        }  # fmt: skip
        scales = [0.01] * (1 if kind == "dense" else outputs)
        tensors += [
            Tensor("w", weights[kind], scales, 0, 3 if kind == "dw" else 0,
                   rng.integers(-127, 128, weights[kind]).astype(np.int8)),
            Tensor("b", (outputs,), [0.0005] * len(scales), 0, 0, np.zeros(outputs, np.int32)),
        ]
        operations.append(Operation(kind, [source, "w", "b"], ["y"], stride))
    path = folder / f"{name}.tflite"
    path.write_bytes(write_model(name, tensors, operations, ["x"], ["y"]))
    return path


def ratios(path: Path, rounds: int, repeats: int = 1) -> tuple[float, dict[str, float]]:
    """(our shortest run in seconds, median ratio of ours to each of TFLite's kernels)."""
    others = {name: interpreter(path, kernels) for name, kernels in KERNELS.items()}
    ours: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in others}
    for _ in range(rounds):
        ours.append(on_vm(path, repeats))
        for name, made in others.items():
            found[name].append(ours[-1] / of_tflite(made, repeats))
    return min(ours), {name: statistics.median(values) for name, values in found.items()}


def row(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": f"layers.{name}", "value": value, "unit": unit, "better": "lower", "goal": None, "met": None}


def figures() -> list[dict[str, Any]]:
    rows = []
    for name in NETWORKS:
        best_s, found = ratios(ROOT / "models" / f"{name}.tflite", ROUNDS)
        rows += [row(f"{name}_vs_{kernels}", ratio, "ratio") for kernels, ratio in found.items()]
        rows.append(row(f"{name}_ms", best_s * 1e3, "ms"))
    with tempfile.TemporaryDirectory() as folder:
        for name in LAYERS:
            _, found = ratios(layer(name, Path(folder)), ROUNDS, repeats=4)
            rows += [row(f"{name}_vs_{kernels}", ratio, "ratio") for kernels, ratio in found.items()]
    return rows
