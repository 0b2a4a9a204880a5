"""One segment as it arrives: COSE_Sign1 taken apart strictly, its signature checked, its parts named (docs/SPEC.md)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from simulator.receiver import cbor
from simulator.receiver.cbor import CborError, Tag

MAX_BYTES = 256 * 1024
COSE_SIGN1, COSE_ENCRYPT = 18, 96
ALGORITHM, KID, ES256 = 1, 4, -7
IAT, UEID, BOOT_COUNT, SOFTWARE, NUMBER, PREVIOUS = 6, 256, 267, 271, -70001, -70002
FIRST_PREVIOUS = bytes(32)  # in segment 1, which has none before it
MAX_COUNT = (1 << 32) - 1  # boot counts and segment numbers
MAX_IAT = 4_102_444_800  # the year 2100
TAG_BYTES = 8  # of AES-CCM-16-64-128
_CURVE = ec.SECP256R1()
_PREHASHED = ec.ECDSA(utils.Prehashed(hashes.SHA256()))


class SegmentError(ValueError):
    """The bytes are no segment, or its signature is not the device's; says which part and why."""


class Header(NamedTuple):
    """The claims at the start of a segment's payload."""

    iat_s: int  # UTC when the segment was opened, 0 when the watch did not know the time
    ueid: bytes
    boot_count: int
    software: str
    number: int
    previous: bytes  # digest of the segment before


class Segment(NamedTuple):
    """A segment whose form is right; `verify` says whether its signature is."""

    kid: bytes
    header: Header
    key_frame: Tag
    frames: tuple[bytes, ...]
    digest: bytes  # SHA-256 of the Sig_structure
    signature: bytes  # r || s


def key_id(public: bytes) -> bytes:
    """The `kid` of an uncompressed P-256 point: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(public).digest()[:8]


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """What a COSE_Sign1 signs (RFC 9052, section 4.4)."""
    return (b"\x84\x6aSignature1" + cbor.head(2, len(protected)) + protected
            + b"\x40" + cbor.head(2, len(payload)) + payload)


def parse(message: bytes) -> Segment:
    """Takes a segment of at most MAX_BYTES apart. Raises SegmentError."""
    if len(message) > MAX_BYTES:
        raise SegmentError(f"segment: {len(message)} bytes, at most {MAX_BYTES}")
    outer = _decode(message, "segment")
    if not (isinstance(outer, Tag) and outer.number == COSE_SIGN1 and isinstance(outer.value, list)
            and len(outer.value) == 4):
        raise SegmentError("segment: not a COSE_Sign1 of four parts")
    protected, unprotected, payload, signature = outer.value
    if not isinstance(protected, bytes) or unprotected != {} or not isinstance(payload, bytes):
        raise SegmentError("segment: not bytes, an empty map and an attached payload")
    if not isinstance(signature, bytes) or len(signature) != 64:
        raise SegmentError("signature: not 64 bytes")
    kid = _protected_kid(protected)
    header, key_frame, frames = _payload(payload)
    digest = hashlib.sha256(sig_structure(protected, payload)).digest()
    return Segment(kid, header, key_frame, frames, digest, signature)


def verify(segment: Segment, public: bytes) -> None:
    """Checks the signature with the device's key, an uncompressed point. Raises SegmentError."""
    r, s = (int.from_bytes(half, "big") for half in (segment.signature[:32], segment.signature[32:]))
    try:
        public_key(public).verify(utils.encode_dss_signature(r, s), segment.digest, _PREHASHED)
    except InvalidSignature:
        raise SegmentError("signature: not by the device's key") from None


@lru_cache(maxsize=4096)
def public_key(point: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key of an uncompressed point. Raises ValueError."""
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)


def _decode(data: bytes, part: str) -> Any:
    try:
        return cbor.loads(data)
    except CborError as error:
        raise SegmentError(f"{part}: {error}") from None


def _protected_kid(protected: bytes) -> bytes:
    claims = _decode(protected, "protected header")
    if not isinstance(claims, dict) or claims.keys() != {ALGORITHM, KID} or claims[ALGORITHM] != ES256:
        raise SegmentError("protected header: not ES256 and a key id, exactly")
    kid = claims[KID]
    if not isinstance(kid, bytes) or len(kid) != 8:
        raise SegmentError("kid: not 8 bytes")
    return kid


def _payload(payload: bytes) -> tuple[Header, Tag, tuple[bytes, ...]]:
    items: list[Any] = []
    offset = 0
    while offset < len(payload):
        try:
            item, offset = cbor.load_prefix(payload, offset)
        except CborError as error:
            raise SegmentError(f"payload item {len(items)}: {error}") from None
        if len(items) >= 2 and not (isinstance(item, bytes) and len(item) > TAG_BYTES):
            raise SegmentError(f"payload item {len(items)}: not a frame of more than {TAG_BYTES} bytes")
        items.append(item)
    if len(items) < 2:
        raise SegmentError("payload: no header and key frame")
    if not isinstance(items[1], Tag) or items[1].number != COSE_ENCRYPT:
        raise SegmentError("key frame: not a COSE_Encrypt")
    return _header(items[0]), items[1], tuple(items[2:])


def _header(claims: Any) -> Header:
    names = (IAT, UEID, BOOT_COUNT, SOFTWARE, NUMBER, PREVIOUS)
    if not isinstance(claims, dict) or claims.keys() != set(names):
        raise SegmentError("header: not the six claims, exactly")
    header = Header(*(claims[name] for name in names))
    for name, value, least, most in (("iat", header.iat_s, 0, MAX_IAT), ("boot count", header.boot_count, 0, MAX_COUNT),
                                     ("segment number", header.number, 1, MAX_COUNT)):
        if type(value) is not int or not least <= value <= most:
            raise SegmentError(f"{name}: not an integer in {least}..{most}")
    if not isinstance(header.ueid, bytes) or len(header.ueid) != 17 or header.ueid[0] != 1:
        raise SegmentError("ueid: not 0x01 and 16 bytes")
    if not isinstance(header.software, str) or not 1 <= len(header.software) <= 64:
        raise SegmentError("software version: not 1 to 64 characters")
    if not isinstance(header.previous, bytes) or len(header.previous) != 32:
        raise SegmentError("previous digest: not 32 bytes")
    return header
