"""Checks what receivers got in the lives of tools/journal_lives.py, by cwt and cryptography and no code of Muster's."""

from __future__ import annotations

import hashlib
from functools import cache
from io import BytesIO
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cwt import COSE, COSEKey

WATCH, RECEIVER = (ec.derive_private_key(0x7654321 << shift, ec.SECP256R1()) for shift in (180, 90))
_IAT, _UEID, _BOOT_COUNT, _VERSION, _NUMBER, _PREVIOUS = 6, 256, 267, 271, -70001, -70002


def private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_numbers().private_value.to_bytes(32, "big")


def public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def cose_key(key: ec.EllipticCurvePrivateKey, algorithm: int) -> COSEKey:
    point = public(key)
    return COSEKey.new({1: 2, 2: hashlib.sha256(point).digest()[:8], 3: algorithm, -1: 1, -2: point[1:33],
                        -3: point[33:], -4: private(key)})


IDENTITY = [private(WATCH).hex(), public(RECEIVER).hex()]  # arguments of journal_lives.identity
# For a ring of eight sectors: segments of one record and of many, marks with and without one, receipts one by one and
# all at once, reboots in each state; twice around; an outage until it is full, with a reboot there.
SCENARIO: list[Any] = [
    20, 61, "keep", 400, "close", 901, 1500, "close", "send", 2600, 21, "boot", 20, 61, "keep", "boot", "boot", "all",
    2600, 400, 901, "send", 1500, "close", 1500, 2600, "close", 20, "close", 21, "boot", "send", "send", 901, "all",
    *[1901, 900] * 14, "boot", 21, "keep", "boot", 300, "send", 21, "send", 300, 901, "all", "keep", "boot", 20, "all",
    *[2000, 1001, "close", 300, "all"] * 4, "boot", "boot", 20, "all"]
_SIGNER, _OPENER = cose_key(WATCH, -7), cose_key(RECEIVER, -25)


@cache
def opened(message: bytes) -> tuple[dict[int, Any], bytes, list[list[Any]]]:
    """(header, digest, records) of a segment whose signature and frames are right. Raises what cwt raises."""
    payload = COSE.new().decode(message, _SIGNER)
    protected = cbor2.loads(message).value[0]
    digest = hashlib.sha256(cbor2.dumps(["Signature1", protected, b"", payload])).digest()
    stream, items = BytesIO(payload), []
    while stream.tell() < len(payload):
        items.append(cbor2.load(stream))
    header, key_frame, *frames = items
    cipher = AESCCM(COSE.new().decode(key_frame, _OPENER, context={"alg": "AES-CCM-16-64-128"}), tag_length=8)
    records = [cbor2.loads(cipher.decrypt(index.to_bytes(13, "big"), frame,
                                          cbor2.dumps(["Muster", header[_NUMBER], index])))
               for index, frame in enumerate(frames)]
    return header, digest, records


def history(messages: list[bytes]) -> list[list[Any]]:
    """All records of a watch's segments, which must be numbered from 1, chained, and of boots in order."""
    records: list[list[Any]] = []
    previous, boots = bytes(32), 1
    for number, message in enumerate(messages, 1):
        header, digest, own = opened(message)
        assert set(header) == {_IAT, _UEID, _BOOT_COUNT, _VERSION, _NUMBER, _PREVIOUS}
        assert (header[_NUMBER], header[_PREVIOUS]) == (number, previous), f"segment {number} is not next"
        assert boots <= header[_BOOT_COUNT], f"segment {number}: boot count {header[_BOOT_COUNT]} after {boots}"
        previous, boots = digest, header[_BOOT_COUNT]
        records += own
    return records


def losses(result: dict[str, Any]) -> list[tuple[int, list[int], list[int]]]:
    """Of each life that went wrong: (its index, ids lost, ids doubled, out of order or never promised)."""
    messages = [bytes.fromhex(message) for message in result["messages"]]
    wrong = []
    for index, (numbers, kept, trying) in enumerate(result["lives"]):
        ids = [record[3] for record in history([messages[number] for number in numbers])]
        lost = sorted(set(kept) - set(ids))
        more = [each for at, each in enumerate(ids)
                if each not in kept + trying or (at and each <= ids[at - 1])]
        if lost or more:
            wrong.append((index, lost, more))
    return wrong
