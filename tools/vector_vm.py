"""Runs a network on the real VM with the vector kernels, whose machine code runs in the interpreter here.

The VM's kernels are stand-ins that send their buffers to this process and take the output back; they choose nothing.
`python -m tools.vector_vm [MODEL]` counts instructions layer by layer: the table of docs/KERNELS.md.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tflite_runtime.interpreter import Interpreter, OpResolverType

from tools import vector_mpy, vm
from tools.xtensa_interpreter import READ, WRITE, Instruction, Kernel, Memory, disassemble, kernels

ROOT = Path(__file__).resolve().parent.parent
EMBEDDER = ROOT / "models" / "embedder.tflite"
SLACK = 32  # bytes after a buffer that a kernel may read: vector_tables.SLACK
CLOCK_HZ = 240_000_000
PSRAM_BYTES_S = 80_000_000  # half of what eight lines at 80 MHz, twice a clock, carry at most
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


@dataclass
class Run:
    """What a network answered, and for each operator (name, instructions, cycles)."""

    answer: np.ndarray
    steps: list[tuple[str, int, int]]


def run(cases: list[tuple[str, list[bytes]]], bits: int = 32, vector: bool = True) -> list[Run]:
    """Each case is a model (hex of its bytes, or its path) and its inputs."""
    code = kernels(vector_mpy.build())
    program = PROGRAM.format(firmware=str(ROOT / "firmware"), vector=vector)
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


def call(kernel: Kernel, buffers: list[bytes]) -> bytes:
    """The output that the kernel makes of (shape, out, x, weights, table, scratch)."""
    memory = Memory(sum(map(len, buffers)) + 16384)
    rights = (READ | WRITE, READ | WRITE, READ, READ, READ, READ | WRITE)
    places = [memory.place(content, right, bytes(range(SLACK))) for content, right in zip(buffers, rights, strict=True)]
    kernel(memory, places)
    return bytes(memory.data[places[1] : places[1] + len(buffers[1])])


@dataclass
class Layer:
    name: str
    shape: tuple[int, ...]  # of the output
    macs: int
    weight_bytes: int
    instructions: int
    cycles: int


def measure(model: Path = EMBEDDER) -> list[Layer]:
    """Every layer of a network, run once on noise. AssertionError if the answer is not TFLite's to the bit."""
    interpreter = Interpreter(str(model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]
    value = np.random.default_rng(1).integers(-128, 128, taken["shape"], dtype=np.int8)
    interpreter.set_tensor(taken["index"], value)
    interpreter.invoke()
    (made,) = run([(str(model), [value.tobytes()])])
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()
    if not np.array_equal(made.answer, expected):
        raise AssertionError(f"{model}: the vector kernels answer otherwise than TFLite")
    return [Layer(name, *size, instructions, cycles)
            for (name, instructions, cycles), size in zip(made.steps, _sizes(interpreter), strict=True)]


def _sizes(interpreter: Interpreter) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """(shape of the output, multiplications, bytes of weights) of each operator."""
    shapes = {details["index"]: tuple(int(n) for n in details["shape"]) for details in interpreter.get_tensor_details()}
    for operator in interpreter._get_ops_details():
        shape, weights = shapes[operator["outputs"][0]], 0
        if operator["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            weights = int(np.prod(shapes[operator["inputs"][1]]))
        yield shape, weights * int(np.prod(shape[:-1])), weights


def milliseconds(layers: list[Layer]) -> tuple[float, float]:
    """(computing, waiting for weights) on the chip, estimated as docs/KERNELS.md says."""
    cycles, weights = sum(layer.cycles for layer in layers), sum(layer.weight_bytes for layer in layers)
    return cycles / CLOCK_HZ * 1e3, weights / PSRAM_BYTES_S * 1e3


def portable_instructions(layers: list[Layer]) -> float:
    """What the inner loops alone of the viper kernels, compiled for the chip, take for the same multiplications."""
    source = ROOT / "firmware" / "muster" / "vision" / "kernels_convolution.py"
    _, _, multiply, depthwise = map(disassemble, vector_mpy.functions(vector_mpy.compiled(source.read_text())))
    return sum(layer.macs * _per_product(depthwise if layer.name == "Depthwise" else multiply) for layer in layers)


def _per_product(listing: list[Instruction]) -> float:
    """Instructions for each multiplication, in the loop in which they are fewest."""
    loops = [[i for i in listing if jump.target <= i.at <= jump.at] for jump in listing if 0 <= jump.target < jump.at]
    products = [sum(i.mnemonic == "mull" for i in loop) for loop in loops]
    return min(len(loop) / n for loop, n in zip(loops, products, strict=True) if n)


def main() -> None:
    layers = measure(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else EMBEDDER)
    print(f"| {'layer':16} | {'output':14} | {'MACs':>10} | {'instructions':>12} | {'per MAC':>7} |")
    print(f"|{'-' * 18}|{'-' * 16}|{'-' * 11}:|{'-' * 13}:|{'-' * 8}:|")
    total = Layer("whole network", (), sum(x.macs for x in layers), 0, sum(x.instructions for x in layers), 0)
    for layer in [*layers, total]:
        each = f"{layer.instructions / layer.macs:.3f}" if layer.macs else ""
        print(f"| {layer.name:16} | {'x'.join(map(str, layer.shape[1:])):14} | {layer.macs:10,} | "
              f"{layer.instructions:12,} | {each:>7} |")
    computing, waiting = milliseconds(layers)
    print(f"estimate: {computing:.1f} ms of cycles, {waiting:.1f} ms for weights from PSRAM")
    portable = portable_instructions(layers)
    print(f"viper, inner loops alone: {portable:,.0f} instructions, {portable / total.macs:.1f} per MAC")


if __name__ == "__main__":
    main()
