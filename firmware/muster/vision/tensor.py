"""A tensor of a .tflite file: shape, type, quantisation and where its data lie."""

from array import array

from .flatbuffer import ModelError, Reader, Table
from .scales import from_float32

MAX_FILE = 6 << 20
MAX_DIMENSION = 8192
TYPES = {2: ("int32", 4), 9: ("int8", 1)}


class Tensor:
    """A tensor: real = scale * (value - zero). `at`: where its data begin in the file, 0 if it is computed."""

    def __init__(self, reader: Reader, table: Table, buffers: "list[Table]"):
        self.reader = reader
        self.name = table.text(3)
        self.shape = table.ints(0, 4)
        self.type, width = TYPES.get(table.i8(1), ("unsupported", 1))
        self.elements = 1
        for n in self.shape:
            if not 0 < n <= MAX_DIMENSION:
                raise ModelError("tensor '{}': dimension {} is outside 1..{}".format(self.name, n, MAX_DIMENSION))
            self.elements *= n
        if self.elements > MAX_FILE:
            raise ModelError("tensor '{}': {} elements are too many".format(self.name, self.elements))
        self.size = self.elements * width
        if table.has(6):
            raise ModelError("tensor '{}': sparse data are not supported".format(self.name))
        self._read_quantisation(table.table(4))
        self.at = self._constant(table.u32(2), buffers)
        self.offset = -1  # in the arena
        self.last = -1  # the last operator that needs it

    def _read_quantisation(self, table: "Table | None"):
        self.scales_at, self.scales, self.zero, self.axis = 0, 0, 0, 0
        if table is None:
            return
        self.scales_at, self.scales = table.vector(2, 4, MAX_DIMENSION)
        zeros_at, zeros = table.vector(3, 8, MAX_DIMENSION)
        self.axis = table.i32(6)
        self.zero = self.reader.i64(zeros_at) if zeros else 0
        data = memoryview(self.reader.data)[zeros_at : zeros_at + 8 * zeros]
        if data != bytes(data[:8]) * zeros:
            raise ModelError("tensor '{}': zero points differ".format(self.name))
        if not -128 <= self.zero <= 127:
            raise ModelError("tensor '{}': zero point {} is outside int8".format(self.name, self.zero))

    def _constant(self, number: int, buffers: "list[Table]") -> int:
        if number >= len(buffers):
            raise ModelError("tensor '{}': there is no buffer {}".format(self.name, number))
        if buffers[number].has(1):
            raise ModelError("tensor '{}': data outside the flatbuffer are not supported".format(self.name))
        at, count = buffers[number].vector(0, 1, MAX_FILE)
        if count and count != self.size:
            raise ModelError("tensor '{}': {} bytes of data, {} expected".format(self.name, count, self.size))
        return at if count else 0

    def scale(self, index: int = 0) -> "tuple[int, int]":
        """Scale of one channel, or the tensor's only one, as an exact number (see scales.py)."""
        if self.scales == 0:
            raise ModelError("tensor '{}' is not quantised".format(self.name))
        return from_float32(self.reader.u32(self.scales_at + 4 * (index if self.scales > 1 else 0)))

    def scale_words(self) -> "array[int]":
        """The float32 of all channels' scales."""
        return array("I", self.reader.data[self.scales_at : self.scales_at + 4 * self.scales])
