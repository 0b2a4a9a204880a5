"""Deterministic CBOR (RFC 8949, section 4.2.1): a strict, bounded decoder and the encoder that matches it.

Integers, byte and text strings, arrays, maps, tags, booleans and null; nothing else. The decoder takes one encoding of
each value only: no indefinite lengths, no longer heads than needed, map keys sorted and unique.
"""

from __future__ import annotations

from typing import Any, NamedTuple

MAX_DEPTH = 8
_LEAST = (24, 1 << 8, 1 << 16, 1 << 32)  # the least argument that needs a head of 1, 2, 4, 8 bytes


class CborError(ValueError):
    """The bytes are not what this profile of CBOR allows."""


class Tag(NamedTuple):
    """A tagged value."""

    number: int
    value: Any


def loads(data: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """The one value `data` holds. Raises CborError, also for bytes after it."""
    value, end = load_prefix(data, 0, max_depth)
    if end != len(data):
        raise CborError(f"{len(data) - end} bytes after the end")
    return value


def load_prefix(data: bytes, offset: int = 0, max_depth: int = MAX_DEPTH) -> tuple[Any, int]:
    """The value at `offset` and the offset after it, as in a CBOR sequence (RFC 8742). Raises CborError.

    Each value takes a byte of input at least, so memory and time are bounded by the length of `data`.
    """
    try:
        return _value(data, offset, max_depth)
    except IndexError:
        raise CborError("cut short") from None


def _head(data: bytes, at: int) -> tuple[int, int]:
    """The argument of the head at `at`, and the offset after the head."""
    info = data[at] & 31
    if info < 24:
        return info, at + 1
    if info > 27:
        raise CborError("indefinite or reserved length")
    if info == 24:
        argument, end = data[at + 1], at + 2
    elif info == 25:
        argument, end = data[at + 1] << 8 | data[at + 2], at + 3
    else:
        end = at + (5 if info == 26 else 9)
        if end > len(data):
            raise CborError("cut short")
        argument = int.from_bytes(data[at + 1:end], "big")
    if argument < _LEAST[info - 24]:
        raise CborError("a longer head than needed")
    return argument, end


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    initial = data[at]
    major = initial >> 5
    if major == 7:
        return _simple(initial), at + 1
    argument, at = _head(data, at)
    if major == 0:
        return argument, at
    if major == 1:
        return -1 - argument, at
    if major <= 3:
        return _string(data, at, argument, major == 3)
    if depth == 0:
        raise CborError("nested too deeply")
    if major == 4:
        return _array(data, at, argument, depth - 1)
    if major == 5:
        return _map(data, at, argument, depth - 1)
    value, at = _value(data, at, depth - 1)
    return Tag(argument, value), at


def _simple(initial: int) -> bool | None:
    if initial == 0xF4:
        return False
    if initial == 0xF5:
        return True
    if initial == 0xF6:
        return None
    raise CborError("a float or a simple value that is not used here")


def _string(data: bytes, at: int, length: int, is_text: bool) -> tuple[Any, int]:
    end = at + length
    if end > len(data):
        raise CborError("cut short")
    raw = data[at:end]
    if not is_text:
        return raw, end
    try:
        return raw.decode(), end
    except UnicodeDecodeError:
        raise CborError("text that is not UTF-8") from None


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[list[Any], int]:
    if count > len(data) - at:
        raise CborError("cut short")
    items = []
    for _ in range(count):
        initial = data[at]
        if initial < 24:  # small integers are most of a record: no call for those of one byte
            items.append(initial)
            at += 1
        elif 32 <= initial < 56:
            items.append(31 - initial)
            at += 1
        else:
            item, at = _value(data, at, depth)
            items.append(item)
    return items, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
    if 2 * count > len(data) - at:
        raise CborError("cut short")
    items: dict[Any, Any] = {}
    previous = b""
    for _ in range(count):
        start = at
        if data[at] >> 5 > 3:
            raise CborError("a map key that is neither an integer nor a string")
        key, at = _value(data, at, depth)
        encoded = data[start:at]
        if encoded <= previous:
            raise CborError("map keys unsorted or repeated")
        previous = encoded
        items[key], at = _value(data, at, depth)
    return items, at


def head(major: int, argument: int) -> bytes:
    """The shortest head of a value of type `major` (0..7) with `argument` (0..2^64 - 1)."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    for size_code in range(4):
        if argument < 1 << (8 << size_code):
            return bytes((major << 5 | 24 + size_code,)) + argument.to_bytes(1 << size_code, "big")
    raise CborError("an integer over 64 bits")


def dumps(value: Any) -> bytes:
    """The deterministic encoding of `value`. Raises CborError for what the profile lacks."""
    if value is None or value is True or value is False:
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        raw = value.encode()
        return head(3, len(raw)) + raw
    if isinstance(value, Tag):
        return head(6, value.number) + dumps(value.value)
    if isinstance(value, list | tuple):
        return head(4, len(value)) + b"".join(map(dumps, value))
    if isinstance(value, dict):
        pairs = sorted((dumps(key), dumps(item)) for key, item in value.items())
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise CborError(f"no encoding for {type(value).__name__}")
