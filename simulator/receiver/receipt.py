"""Receipts: the receiver's signed word that a segment is stored, always the same bytes (docs/SPEC.md)."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from simulator.receiver import cbor
from simulator.receiver.cbor import Tag
from simulator.receiver.segment import ALGORITHM, COSE_SIGN1, ES256, IAT, KID, NUMBER, UEID, key_id, sig_structure
from simulator.receiver.state import public_point

DIGEST, STATUS = -70003, -70004
STORED, DUPLICATE = 0, 1


class Receipt(NamedTuple):
    """What a receipt says."""

    received_s: int  # UTC when the segment was first stored
    ueid: bytes
    number: int
    digest: bytes
    status: int


class Signer:
    """Signs receipts with the receiver's key; deterministically (RFC 6979), so that two runs of a day are alike."""

    def __init__(self, key: ec.EllipticCurvePrivateKey):
        self._key = key
        self._protected = cbor.dumps({ALGORITHM: ES256, KID: key_id(public_point(key.public_key()))})

    def sign(self, receipt: Receipt) -> bytes:
        """The receipt as a tagged COSE_Sign1."""
        payload = cbor.dumps({IAT: receipt.received_s, UEID: receipt.ueid, NUMBER: receipt.number,
                              DIGEST: receipt.digest, STATUS: receipt.status})
        signed = sig_structure(self._protected, payload)
        r, s = utils.decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return cbor.dumps(Tag(COSE_SIGN1, [self._protected, {}, payload, signature]))
