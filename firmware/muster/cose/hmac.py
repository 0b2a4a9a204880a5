"""HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869) over the chip's hash."""

from hashlib import sha256

_INNER = int.from_bytes(b"\x36" * 64, "big")
_OUTER = int.from_bytes(b"\x5c" * 64, "big")


def hmac_sha256(key: bytes, *parts) -> bytes:
    """The 32-byte code of the parts joined."""
    if len(key) > 64:
        key = sha256(key).digest()
    padded = int.from_bytes(key, "big") << 8 * (64 - len(key))
    inner = sha256((padded ^ _INNER).to_bytes(64, "big"))
    for part in parts:
        inner.update(part)
    outer = sha256((padded ^ _OUTER).to_bytes(64, "big"))
    outer.update(inner.digest())
    return outer.digest()


def hkdf_sha256(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """`length` key bytes, 1 to 8160; an empty salt is the absent one."""
    pseudorandom = hmac_sha256(salt, secret)
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac_sha256(pseudorandom, block, info, bytes((counter,)))
        out += block
        counter += 1
    return out[:length]
