"""Pictures and segments as lines of text, for the console: `begin NAME ABOUT`, base64, `end NAME SHA-256`."""

from binascii import b2a_base64
from hashlib import sha256

_LINE_BYTES = 72  # of data in one line


def framed(name: str, about: str, data):
    """Lines of text for the pieces of bytes that `data` gives; the digest is of them all."""
    digest, rest = sha256(), b""
    yield "begin %s %s" % (name, about)
    for piece in data:
        digest.update(piece)
        rest += piece
        while len(rest) >= _LINE_BYTES:
            yield _text(rest[:_LINE_BYTES])
            rest = rest[_LINE_BYTES:]
    if rest:
        yield _text(rest)
    yield "end %s %s" % (name, digest.digest().hex())


def runs(pixels, row_bytes: int):
    """A row of RGB565 pixels a piece, each run of one colour as its length (1..255) and its two bytes."""
    for start in range(0, len(pixels), row_bytes):
        piece = bytearray()
        at, end = start, start + row_bytes
        while at < end:
            first, second, length = pixels[at], pixels[at + 1], 1
            at += 2
            while at < end and length < 255 and pixels[at] == first and pixels[at + 1] == second:
                at += 2
                length += 1
            piece.extend(bytes((length, first, second)))
        yield piece


def pieces(data):
    """`data` in pieces of a line."""
    view = memoryview(data)
    for start in range(0, len(data), _LINE_BYTES):
        yield view[start:start + _LINE_BYTES]


def _text(data):
    return b2a_base64(data).decode().strip()
