"""AES-CCM-16-64-128 (RFC 9053 section 4.2): CCM of RFC 3610 with a 13-byte nonce, an 8-byte tag and a 16-byte key."""

import micropython
from cryptolib import aes
from micropython import const

_ECB = const(1)
_CBC = const(2)
_TAG_LEN = const(8)
_MAX_PLAINTEXT = const(65535)
_MAX_AAD = const(65279)


class CcmError(Exception):
    """A key, nonce or length out of range, or a ciphertext that was not made by this key for this nonce and data."""


def encrypt(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
    """The ciphertext and its tag, 8 bytes longer than `plaintext` (at most 65,535 bytes; `aad` at most 65,279)."""
    _check(key, nonce, aad, len(plaintext))
    stream = _stream(key, nonce, len(plaintext))
    out = bytearray(len(plaintext) + _TAG_LEN)
    _xor(plaintext, memoryview(stream)[16:], out, len(plaintext))
    _xor(_mac(key, nonce, aad, plaintext), stream, memoryview(out)[len(plaintext) :], _TAG_LEN)
    return bytes(out)


def decrypt(key: bytes, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of what `encrypt` made. CcmError, and no plaintext, when the tag is wrong."""
    length = len(ciphertext) - _TAG_LEN
    _check(key, nonce, aad, length)
    stream = _stream(key, nonce, length)
    out = bytearray(length)
    _xor(ciphertext, memoryview(stream)[16:], out, length)
    tag = bytearray(_TAG_LEN)
    _xor(memoryview(ciphertext)[length:], stream, tag, _TAG_LEN)
    mac = _mac(key, nonce, aad, out)
    difference = 0
    for i in range(_TAG_LEN):
        difference |= mac[i] ^ tag[i]
    if difference:
        raise CcmError("the tag does not match")
    return bytes(out)


def _check(key: bytes, nonce: bytes, aad: bytes, length: int) -> None:
    if len(key) != 16:
        raise CcmError("the key is not 16 bytes")
    if len(nonce) != 13:
        raise CcmError("the nonce is not 13 bytes")
    if len(aad) > _MAX_AAD:
        raise CcmError("more additional data than 65,279 bytes")
    if not 0 <= length <= _MAX_PLAINTEXT:
        raise CcmError("the text is not 0 to 65,535 bytes")


def _stream(key: bytes, nonce: bytes, length: int) -> bytearray:
    """The key stream: block 0 is for the tag, the text's starts at byte 16."""
    count = (length + 15) // 16 + 1
    blocks = bytearray((b"\x01" + nonce + b"\x00\x00") * count)
    _number(blocks, count)
    aes(key, _ECB).encrypt(blocks, blocks)
    return blocks


def _mac(key: bytes, nonce: bytes, aad: bytes, plaintext) -> bytes:
    """The unencrypted tag: the last block of CBC over the first block, the additional data and the text, padded."""
    flags = (0x40 if aad else 0) | (_TAG_LEN - 2) // 2 << 3 | 1
    blocks = bytearray((flags,)) + nonce + len(plaintext).to_bytes(2, "big")
    if aad:
        blocks += len(aad).to_bytes(2, "big")
        blocks += aad
        blocks += bytes(-len(blocks) % 16)
    blocks += plaintext
    blocks += bytes(-len(blocks) % 16)
    aes(key, _CBC, bytes(16)).encrypt(blocks, blocks)
    return bytes(blocks[-16 : _TAG_LEN - 16])


@micropython.viper
def _number(blocks, count: int):
    """Writes each block's number at its end."""
    octets = ptr8(blocks)
    for i in range(count):
        octets[16 * i + 14] = i >> 8
        octets[16 * i + 15] = i


@micropython.viper
def _xor(a, b, out, length: int):
    left = ptr8(a)
    right = ptr8(b)
    result = ptr8(out)
    for i in range(length):
        result[i] = left[i] ^ right[i]
