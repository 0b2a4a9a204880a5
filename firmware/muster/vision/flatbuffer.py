"""Bounded reader of FlatBuffers: every offset is checked against the file before it is followed."""

import struct


class ModelError(Exception):
    """A model file is damaged, or asks for what this runtime does not have. The message names operator and tensor."""


class Reader:
    """Little-endian scalars of `data` at absolute positions; ModelError outside of it."""

    def __init__(self, data: bytearray):
        self.data = data
        self.size = len(data)

    def _scalar(self, code: str, at: int, size: int) -> int:
        if at < 0 or at + size > self.size:
            raise ModelError("offset {} is outside the file of {} bytes".format(at, self.size))
        return struct.unpack_from(code, self.data, at)[0]

    def u8(self, at: int) -> int:
        return self._scalar("<B", at, 1)

    def i8(self, at: int) -> int:
        return self._scalar("<b", at, 1)

    def u16(self, at: int) -> int:
        return self._scalar("<H", at, 2)

    def i32(self, at: int) -> int:
        return self._scalar("<i", at, 4)

    def u32(self, at: int) -> int:
        return self._scalar("<I", at, 4)

    def i64(self, at: int) -> int:
        return self._scalar("<q", at, 8)

    def table(self, at: int) -> "Table":
        """The table that the offset at `at` points to."""
        return Table(self, at + self.u32(at))


class Table:
    """A FlatBuffers table at an absolute position; fields are numbered as in the schema."""

    def __init__(self, reader: Reader, at: int):
        self.reader = reader
        self.at = at
        self.fields = at - reader.i32(at)
        self.fields_size = reader.u16(self.fields)

    def _field(self, number: int) -> int:
        """Position of a field's value, 0 where it is absent."""
        slot = 4 + 2 * number
        if slot + 2 > self.fields_size:
            return 0
        offset = self.reader.u16(self.fields + slot)
        return self.at + offset if offset else 0

    def has(self, number: int) -> bool:
        return self._field(number) != 0

    def u8(self, number: int, default: int = 0) -> int:
        at = self._field(number)
        return self.reader.u8(at) if at else default

    def i8(self, number: int, default: int = 0) -> int:
        at = self._field(number)
        return self.reader.i8(at) if at else default

    def i32(self, number: int, default: int = 0) -> int:
        at = self._field(number)
        return self.reader.i32(at) if at else default

    def u32(self, number: int, default: int = 0) -> int:
        at = self._field(number)
        return self.reader.u32(at) if at else default

    def table(self, number: int) -> "Table | None":
        at = self._field(number)
        return self.reader.table(at) if at else None

    def vector(self, number: int, size: int, limit: int) -> "tuple[int, int]":
        """(position of the first element, count) of a vector of `size`-byte elements, at most `limit` of them."""
        at = self._field(number)
        if not at:
            return 0, 0
        at += self.reader.u32(at)
        count = self.reader.u32(at)
        if count > limit:
            raise ModelError("a list of {} entries, at most {} are allowed".format(count, limit))
        at += 4
        if at + count * size > self.reader.size:
            raise ModelError("a list of {} entries at {} runs past the end of the file".format(count, at))
        return at, count

    def ints(self, number: int, limit: int) -> "tuple[int, ...]":
        """A vector of 32-bit ints."""
        at, count = self.vector(number, 4, limit)
        return tuple([self.reader.i32(at + 4 * i) for i in range(count)])

    def tables(self, number: int, limit: int) -> "list[Table]":
        at, count = self.vector(number, 4, limit)
        return [self.reader.table(at + 4 * i) for i in range(count)]

    def text(self, number: int, limit: int = 64) -> str:
        """A string for messages: cut at `limit` bytes, other than printable ASCII replaced."""
        at, count = self.vector(number, 1, self.reader.size)
        return "".join([chr(c) if 32 <= c < 127 else "?" for c in self.reader.data[at : at + min(count, limit)]])
