"""Reads a .tflite file as it is, plans an arena for its tensors and runs it: int8 networks, schema version 3."""

import os
from array import array

import uctypes

from . import vector
from .flatbuffer import ModelError, Reader, Table
from .operator import Operator
from .registry import OPERATORS, OTHERS
from .tensor import MAX_FILE, Tensor
from .vector_tables import ALIGNMENT, buffer

__all__ = ("Model", "ModelError", "load")

MAX_ARENA = 4 << 20
MAX_TENSORS = 1024
MAX_OPERATORS = 512
MAX_INPUTS = 16  # of one operator
MAX_WORK = 1 << 30  # multiplications of one run


class Graph:
    """What an operator may ask of the model while it is built."""

    def __init__(self, data: bytearray):
        reader = Reader(data)
        if data[4:8] != b"TFL3":
            raise ModelError("not a .tflite file: the identifier TFL3 is missing")
        root = reader.table(0)
        if root.u32(0) != 3:
            raise ModelError("schema version {} is not supported, 3 is".format(root.u32(0)))
        graphs = root.tables(2, 16)
        if len(graphs) != 1:
            raise ModelError("{} subgraphs, 1 is supported".format(len(graphs)))
        buffers = root.tables(4, MAX_TENSORS)
        self.data = data
        self.reader = reader
        self.tensors = [Tensor(reader, table, buffers) for table in graphs[0].tables(0, MAX_TENSORS)]
        self.inputs = self._listed(graphs[0].ints(1, 16), "input")
        self.outputs = self._listed(graphs[0].ints(2, 16), "output")
        self.work = 0
        codes, steps = root.tables(1, 256), graphs[0].tables(3, MAX_OPERATORS)
        # Where the constants lie, once for each operator that has them
        self._uses = [(t.at, t.at + t.size) for step in steps for t in self._inputs(step, "an operator") if t and t.at]
        self.operators = [self._operator(step, codes) for step in steps]

    def _listed(self, numbers: "tuple[int, ...]", kind: str) -> "list[Tensor]":
        tensors = [self._tensor(number, "the model's " + kind) for number in numbers]
        for tensor in tensors:
            if tensor.type != "int8" or tensor.at:
                raise ModelError("{} '{}' is not an int8 activation".format(kind, tensor.name))
        return tensors

    def _tensor(self, number: int, user: str) -> Tensor:
        if not 0 <= number < len(self.tensors):
            raise ModelError("{}: there is no tensor {}".format(user, number))
        return self.tensors[number]

    def _inputs(self, table: Table, user: str) -> "list[Tensor | None]":
        return [self._tensor(i, user) if i != -1 else None for i in table.ints(1, MAX_INPUTS)]

    def _operator(self, table: Table, codes: "list[Table]") -> Operator:
        number = table.u32(0)
        if number >= len(codes):
            raise ModelError("there is no operator code {}".format(number))
        code, version = max(codes[number].i8(0), codes[number].i32(3)), codes[number].i32(2, 1)
        name, highest, kind = OPERATORS.get(code, (OTHERS.get(code, "operator {}".format(code)), 0, None))
        outputs = [self._tensor(i, name) for i in table.ints(2, 4)]
        if len(outputs) != 1:
            raise ModelError("{}: {} outputs, 1 is supported".format(name, len(outputs)))
        title = "{} '{}'".format(name, outputs[0].name)
        if kind is None:
            raise ModelError("{} is not supported".format(title))
        if not 1 <= version <= highest:
            raise ModelError("{}: version {} is not supported, 1..{} are".format(title, version, highest))
        inputs = self._inputs(table, title)
        if outputs[0].at:
            raise ModelError("{}: the output is a constant".format(title))
        try:
            operator = vector.build(kind, self, inputs, outputs[0], table.table(4))
        except ModelError as error:
            raise ModelError("{}: {}".format(title, error))
        if self.work > MAX_WORK:
            raise ModelError("{}: more than {} multiplications".format(title, MAX_WORK))
        operator.inputs = [tensor for tensor in inputs if tensor is not None]
        operator.output = outputs[0]
        return operator

    def add_work(self, multiplications: int):
        self.work += multiplications

    def owns(self, at: int, size: int) -> bool:
        """Whether these constants are one operator's alone, which may lay them out anew in place."""
        return sum([1 for start, end in self._uses if at < end and start < at + size]) == 1

    def is_aligned(self, at: int, size: int) -> bool:
        """Whether the vector kernels may read these constants where they lie."""
        return uctypes.addressof(self.data) + at & 15 == 0 and at + size <= len(self.data)

    def int32s(self, tensor: Tensor) -> "array[int]":
        """The elements of a constant int32 tensor."""
        return array("i", self.data[tensor.at : tensor.at + tensor.size])


class Model:
    """A network ready to run. Write `input(i)`, call `invoke()`, read `output(i)`; an input must be written before each
    run, since its memory is used again. Drop every reference to free it."""

    def __init__(self, graph: Graph):
        self._tensors_in, self._tensors_out = graph.inputs, graph.outputs
        self._operators = graph.operators
        scratch_at, size = plan(graph)
        self.arena_bytes = size
        arena = buffer(size)
        for number, operator in enumerate(graph.operators):
            scratch = arena[scratch_at[number] : scratch_at[number] + operator.scratch]
            inputs = [_constant(graph, t) if t.at else _view(arena, t) for t in operator.inputs]
            operator.bind(inputs, _view(arena, operator.output), scratch)
        self._inputs = [_view(arena, t) for t in graph.inputs]
        self._outputs = [_view(arena, t) for t in graph.outputs]

    def input(self, index: int) -> memoryview:
        """Bytes of an input, int8 in two's complement."""
        return self._inputs[index]

    def output(self, index: int) -> memoryview:
        """Bytes of an output, int8 in two's complement."""
        return self._outputs[index]

    def input_shape(self, index: int) -> "tuple[int, ...]":
        return self._tensors_in[index].shape

    def output_shape(self, index: int) -> "tuple[int, ...]":
        return self._tensors_out[index].shape

    def input_scale(self, index: int) -> "tuple[int, int, int]":
        """(m, x, zero) of an input: real = m * 2**x * (value - zero)."""
        return _scale(self._tensors_in[index])

    def output_scale(self, index: int) -> "tuple[int, int, int]":
        """(m, x, zero) of an output, likewise."""
        return _scale(self._tensors_out[index])

    def invoke(self):
        for operator in self._operators:
            operator.run()


def _scale(tensor: Tensor) -> "tuple[int, int, int]":
    m, x = tensor.scale()
    return m, x, tensor.zero


def _view(arena: memoryview, tensor: Tensor) -> memoryview:
    return arena[tensor.offset : tensor.offset + tensor.size]


def _constant(graph: Graph, tensor: Tensor) -> memoryview:
    return memoryview(graph.data)[tensor.at : tensor.at + tensor.size]


def plan(graph: Graph) -> "tuple[list[int], int]":
    """Give each activation a place in the arena while it is needed; (places of the operators' scratch, arena size).

    Greedy: each takes the lowest gap among those alive with it. ModelError when a tensor is used before it is made,
    made twice, or the arena would exceed MAX_ARENA.
    """
    steps = len(graph.operators)
    for number, operator in enumerate(graph.operators):
        for tensor in operator.inputs:
            tensor.last = number
    for tensor in graph.outputs:
        tensor.last = steps
    alive: "list[tuple[int, int, int]]" = []  # (offset, end, last step)
    size = 0
    scratch_at = []

    def place(needed: int, last: int) -> int:
        nonlocal size
        at = 0
        for start, end, _ in sorted(alive):
            if at + needed <= start:
                break
            at = max(at, end)
        end = at + (needed + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        alive.append((at, end, last))
        size = max(size, end)
        if size > MAX_ARENA:
            raise ModelError("the arena would exceed {} bytes".format(MAX_ARENA))
        return at

    for tensor in graph.inputs:
        if tensor.offset >= 0:
            raise ModelError("tensor '{}' is listed twice".format(tensor.name))
        tensor.offset = place(tensor.size, tensor.last)
    for number, operator in enumerate(graph.operators):
        alive = [entry for entry in alive if entry[2] >= number]
        for tensor in operator.inputs:
            if tensor.offset < 0 and not tensor.at:
                raise ModelError("tensor '{}' is used before it is made".format(tensor.name))
        if operator.output.offset >= 0:
            raise ModelError("tensor '{}' is made twice".format(operator.output.name))
        operator.output.offset = place(operator.output.size, max(operator.output.last, number))
        scratch_at.append(place(operator.scratch, number))
    for tensor in graph.outputs:
        if tensor.offset < 0:
            raise ModelError("output '{}' is never made".format(tensor.name))
    return scratch_at, size


def load(source: "str | bytes | bytearray") -> Model:
    """The model of a .tflite file or of its bytes.

    A bytearray is taken over: weights are laid out anew in it, in place; anything else is read or copied once. Raises
    ModelError (the message names the file, operator and tensor) and OSError.
    """
    if isinstance(source, str):
        try:
            return load(_read(source))
        except ModelError as error:
            raise ModelError("{}: {}".format(source, error))
    if len(source) > MAX_FILE:
        raise ModelError("{} bytes, at most {} are supported".format(len(source), MAX_FILE))
    return Model(Graph(source if isinstance(source, bytearray) else bytearray(source)))


def _read(path: str) -> bytearray:
    size = os.stat(path)[6]
    if size > MAX_FILE:
        raise ModelError("{} bytes, at most {} are supported".format(size, MAX_FILE))
    data = bytearray(size)
    with open(path, "rb") as file:
        file.readinto(data)
    return data
