"""The watch's network runtime on the real VM with the vector kernels: their machine code runs in the interpreter here.

The VM's kernels are stand-ins that send their buffers to this process and take the output back; they choose nothing.
"""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tools import vector_mpy, vm
from tools.xtensa_interpreter import READ, WRITE, Memory, kernels

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
SLACK = 32  # bytes after a buffer that a kernel may read: vector_tables.SLACK
PROGRAM = """
import json, struct, sys
sys.path.append({firmware!r})
out, into = sys.stdout.buffer, sys.stdin.buffer

class Remote:
    def __getattr__(self, name):
        def call(*arguments):
            out.write(struct.pack("<BI6I", 1, len(name), *[len(bytes(a)) for a in arguments]) + name.encode())
            for argument in arguments:
                out.write(bytes(argument))
            arguments[1][:] = into.read(len(arguments[1]))
        return call

import muster.vision
if {vector}:
    muster.vision.kernels_vector = sys.modules["muster.vision.kernels_vector"] = Remote()
from muster.vision import tflite
for model, inputs in json.loads(into.read(int(into.readline()))):
    if isinstance(model, str) and model.startswith("/"):
        net = tflite.load(model)
    else:
        net = tflite.load(bytearray(bytes.fromhex(model)))
    for i, value in enumerate(inputs):
        net.input(i)[:] = bytes.fromhex(value)
    for operator in net._operators:
        name = type(operator).__name__
        out.write(struct.pack("<BI6I", 2, len(name), 0, 0, 0, 0, 0, 0) + name.encode())
        operator.run()
    answer = bytes(net.output(0))
    out.write(struct.pack("<BI6I", 3, 0, len(answer), 0, 0, 0, 0, 0) + answer)
"""


class Run:
    """What a network answered, and for each operator (name, instructions, cycles)."""

    def __init__(self, answer: np.ndarray, steps: list[tuple[str, int, int]]):
        self.answer, self.steps = answer, steps


def run(cases: list[tuple[str, list[bytes]]], bits: int = 32, vector: bool = True) -> list[Run]:
    """Each case is a model (hex of its bytes, or its path) and its inputs."""
    code = kernels(vector_mpy.build())
    program = PROGRAM.format(firmware=str(FIRMWARE), vector=vector)
    process = subprocess.Popen([vm.find(bits), "-X", "heapsize=64M", "-c", program], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    data = json.dumps([(model, [value.hex() for value in values]) for model, values in cases]).encode()
    assert process.stdout and process.stdin
    process.stdin.write(b"%d\n" % len(data) + data)
    process.stdin.flush()
    results: list[Run] = []
    steps: list[list[Any]] = []
    while header := process.stdout.read(29):
        kind, length, *sizes = struct.unpack("<BI6I", header)
        name = process.stdout.read(length).decode()
        buffers = [process.stdout.read(size) for size in sizes]
        if kind == 1:
            kernel = code[name]
            before = kernel.instructions, kernel.cycles
            process.stdin.write(call(kernel, buffers))
            process.stdin.flush()
            if steps:
                steps[-1][1] += kernel.instructions - before[0]
                steps[-1][2] += kernel.cycles - before[1]
        elif kind == 2:
            steps.append([name, 0, 0])
        else:
            results.append(Run(np.frombuffer(buffers[0], np.int8), [tuple(step) for step in steps]))
            steps = []
    if process.wait():
        raise AssertionError("the VM failed")
    return results


def call(kernel: Any, buffers: list[bytes]) -> bytes:
    """The output that the kernel makes of (shape, out, x, weights, table, scratch)."""
    memory = Memory(sum(map(len, buffers)) + 16384)
    rights = (READ | WRITE, READ | WRITE, READ, READ, READ, READ | WRITE)
    places = [memory.place(content, right, bytes(range(SLACK))) for content, right in zip(buffers, rights, strict=True)]
    kernel(memory, places)
    return bytes(memory.data[places[1] : places[1] + len(buffers[1])])
