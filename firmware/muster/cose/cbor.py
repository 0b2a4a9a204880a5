"""Deterministic CBOR (RFC 8949 section 4.2.1): one encoding for each value, and a strict reader that takes no other."""

from micropython import const

UNSIGNED = const(0x00)
NEGATIVE = const(0x20)
BYTES = const(0x40)
TEXT = const(0x60)
ARRAY = const(0x80)
MAP = const(0xA0)
TAG = const(0xC0)
SIMPLE = const(0xE0)

_FALSE = const(0xF4)
_TRUE = const(0xF5)
_NULL = const(0xF6)
_MAX_DEPTH = const(16)


class CborError(Exception):
    """A value that has no encoding here, or bytes that are not deterministic CBOR."""


class Tag:
    """A tagged value: number 0 to 2**64 - 1."""

    def __init__(self, number: int, value):
        self.number = number
        self.value = value

    def __eq__(self, other) -> bool:
        return isinstance(other, Tag) and self.number == other.number and self.value == other.value

    def __repr__(self) -> str:
        return "Tag(%d, %r)" % (self.number, self.value)


def head(major: int, value: int) -> bytes:
    """The shortest head of an item: `major` is one of the eight constants above, `value` 0 to 2**64 - 1."""
    if value < 24:
        return bytes((major | value,))
    info = 24
    while info < 28:
        size = 1 << (info - 24)
        if not value >> (8 * size):
            return bytes((major | info,)) + value.to_bytes(size, "big")
        info += 1
    raise CborError("an integer of more than 64 bits")


def dumps(obj, max_depth: int = _MAX_DEPTH) -> bytes:
    """Encodes None, bool, int (-2**64 to 2**64 - 1), bytes-like, str, list, tuple, Tag, and dict with keys of int,
    bytes or str. CborError for any other value, or when arrays, maps and tags nest deeper than `max_depth`."""
    out = bytearray()
    _dump(obj, out, max_depth)
    return bytes(out)


def loads(data, max_depth: int = _MAX_DEPTH):
    """Decodes exactly one item: arrays become lists. CborError as in `load_prefix`, and for bytes after the item."""
    obj, offset = load_prefix(data, 0, max_depth)
    if offset != len(data):
        raise _error(offset, "bytes after the item")
    return obj


def load_prefix(data, offset: int, max_depth: int = _MAX_DEPTH) -> tuple:
    """Decodes the item at `offset` of a CBOR sequence (RFC 8742); answers (item, offset after it).

    Takes only what `dumps` makes. Memory is bounded by the bytes there are, whatever length they claim: some 16 machine
    words a byte at worst, for arrays of empty arrays.
    """
    return _load(memoryview(data), offset, max_depth)


def _dump(obj, out: bytearray, depth: int) -> None:
    if obj is None:
        out.append(_NULL)
    elif obj is True or obj is False:
        out.append(_TRUE if obj else _FALSE)
    elif isinstance(obj, int):
        out.extend(head(UNSIGNED, obj) if obj >= 0 else head(NEGATIVE, -1 - obj))
    elif isinstance(obj, (bytes, bytearray, memoryview)):
        out.extend(head(BYTES, len(obj)))
        out.extend(obj)
    elif isinstance(obj, str):
        raw = obj.encode()
        out.extend(head(TEXT, len(raw)))
        out.extend(raw)
    elif depth == 0:
        raise CborError("nested too deep")
    elif isinstance(obj, (list, tuple)):
        out.extend(head(ARRAY, len(obj)))
        for item in obj:
            _dump(item, out, depth - 1)
    elif isinstance(obj, dict):
        _dump_map(obj, out, depth - 1)
    elif isinstance(obj, Tag):
        out.extend(head(TAG, obj.number))
        _dump(obj.value, out, depth - 1)
    else:
        raise CborError("no encoding for " + type(obj).__name__)


def _dump_map(obj: dict, out: bytearray, depth: int) -> None:
    out.extend(head(MAP, len(obj)))
    for key, value in sorted([(_dump_key(key), value) for key, value in obj.items()], key=_first):
        out.extend(key)
        _dump(value, out, depth)


def _dump_key(key) -> bytes:
    if isinstance(key, bool) or not isinstance(key, (int, bytes, str)):
        raise CborError("no map key of " + type(key).__name__)
    return dumps(key)


def _first(pair: tuple) -> bytes:
    return pair[0]


def _load(view, offset: int, depth: int) -> tuple:
    start = offset
    if offset >= len(view):
        raise _error(start, "ends early")
    major = view[offset] & 0xE0
    if major == SIMPLE:
        return _load_simple(view[offset], offset), offset + 1
    value, offset = _load_value(view, offset)
    if major == UNSIGNED:
        return value, offset
    if major == NEGATIVE:
        return -1 - value, offset
    if major == BYTES or major == TEXT:
        if value > len(view) - offset:
            raise _error(start, "ends early")
        raw = bytes(view[offset : offset + value])
        return raw if major == BYTES else _text(raw, start), offset + value
    if depth == 0:
        raise _error(start, "nested too deep")
    if major == TAG:
        item, offset = _load(view, offset, depth - 1)
        return Tag(value, item), offset
    if value > (len(view) - offset) >> (major == MAP):
        raise _error(start, "ends early")
    if major == MAP:
        return _load_map(view, offset, value, depth - 1)
    items = []
    for _ in range(value):
        item, offset = _load(view, offset, depth - 1)
        items.append(item)
    return items, offset


def _load_value(view, offset: int) -> tuple:
    """The number in the head at `offset`, which must be in its shortest form; and the offset after the head."""
    info = view[offset] & 0x1F
    if info < 24:
        return info, offset + 1
    if info > 27:
        raise _error(offset, "an indefinite length" if info == 31 else "a reserved head")
    size = 1 << (info - 24)
    end = offset + 1 + size
    if end > len(view):
        raise _error(offset, "ends early")
    value = int.from_bytes(bytes(view[offset + 1 : end]), "big")
    if value < 24 or (size > 1 and not value >> (4 * size)):
        raise _error(offset, "not the shortest form")
    return value, end


def _load_simple(byte: int, offset: int):
    if byte == _NULL:
        return None
    if byte == _TRUE or byte == _FALSE:
        return byte == _TRUE
    raise _error(offset, "a float or an unknown simple value")


def _load_map(view, offset: int, count: int, depth: int) -> tuple:
    """The `count` pairs at `offset`, whose encoded keys must ascend."""
    items = {}
    last = b""
    for _ in range(count):
        start = offset
        if start < len(view) and view[start] >= ARRAY:
            raise _error(start, "no key of a map")
        key, offset = _load(view, start, 0)
        encoded = bytes(view[start:offset])
        if encoded <= last:
            raise _error(start, "keys out of order, or one of them twice")
        last = encoded
        items[key], offset = _load(view, offset, depth)
    return items, offset


def _text(raw: bytes, offset: int) -> str:
    """`raw` as text. The VM's own check lets overlong forms and surrogates pass, so each character is made again."""
    try:
        text = str(raw, "utf-8")
        again = b"".join([chr(ord(character)).encode() for character in text])
    except (UnicodeError, ValueError):
        again = None
    if again != raw or any("\ud800" <= character <= "\udfff" for character in text):
        raise _error(offset, "text that is not UTF-8")
    return text


def _error(offset: int, reason: str) -> CborError:
    return CborError("byte %d: %s" % (offset, reason))
