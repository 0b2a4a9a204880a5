"""How fast the watch's network runtime is beside TFLite's reference kernels in the same run, the RAM it takes, and what
the chip's vector kernels take, counted on their machine code."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from tflite_runtime.interpreter import Interpreter, OpResolverType

from tools import vector_vm, vm

ROOT = Path(__file__).resolve().parent.parent
EMBEDDER = ROOT / "models" / "embedder.tflite"
ROUNDS = 21  # turns of the one and the other: the median of their ratios counts, for the machine has other work
RUNS = 8  # in each turn, of which the shortest counts
KIB = 1024

SCRIPT = """
import gc, json, sys, time
sys.path.append({firmware!r})
from muster.vision import tflite
gc.collect()
before = gc.mem_alloc()
model = tflite.load({model!r})
gc.collect()
held = gc.mem_alloc() - before
best = None
for _ in range({runs}):
    start = time.ticks_us()
    model.invoke()
    spent = time.ticks_diff(time.ticks_us(), start)
    best = spent if best is None else min(best, spent)
print(json.dumps([best, held]))
"""


def on_vm(bits: int) -> tuple[float, int]:
    """(shortest run in seconds, bytes held with the model loaded) on the VM of this word size."""
    script = SCRIPT.format(firmware=str(ROOT / "firmware"), model=str(EMBEDDER), runs=RUNS)
    command = [vm.find(bits), "-X", "heapsize=16M", "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    spent_us, held = json.loads(run.stdout)
    return spent_us / 1e6, held


def of_reference(interpreter: Interpreter) -> float:
    """Shortest run in seconds."""
    spent = []
    for _ in range(RUNS):
        start = time.perf_counter()
        interpreter.invoke()
        spent.append(time.perf_counter() - start)
    return min(spent)


def figures() -> list[dict[str, Any]]:
    interpreter = Interpreter(str(EMBEDDER), experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]
    interpreter.set_tensor(taken["index"], np.zeros(taken["shape"], np.int8))
    ours, ratios = [], []
    for _ in range(ROUNDS):
        ours.append(on_vm(64)[0])
        ratios.append(ours[-1] / of_reference(interpreter))
    ratio = statistics.median(ratios)
    held_kb = on_vm(32)[1] / KIB
    layers = vector_vm.measure(EMBEDDER)
    per_mac = sum(layer.instructions for layer in layers) / sum(layer.macs for layer in layers)
    return [
        {"name": "vision.vm_vs_reference", "value": ratio, "unit": "ratio", "better": "lower", "goal": 1.0,
         "met": ratio <= 1.0},
        {"name": "vision.embedding_ms", "value": min(ours) * 1e3, "unit": "ms", "better": "lower", "goal": None,
         "met": None},
        {"name": "firmware.arena_kb", "value": held_kb, "unit": "KiB", "better": "lower", "goal": 2048.0,
         "met": held_kb < 2048},
        {"name": "vision.xtensa_insn_per_mac", "value": per_mac, "unit": "", "better": "lower", "goal": 0.5,
         "met": per_mac <= 0.5},
        {"name": "vision.xtensa_estimate_ms", "value": sum(vector_vm.milliseconds(layers)), "unit": "ms",
         "better": "lower", "goal": None, "met": None},
    ]
