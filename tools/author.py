"""Writes segments as a watch does (docs/SPEC.md), fast, for the receiver's tests and benchmark."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from simulator.receiver import cbor
from simulator.receiver.cbor import Tag
from simulator.receiver.segment import key_id, sig_structure
from simulator.receiver.state import public_point


class Author:
    """One watch's history: each `segment` follows the one before it. Its attributes may be changed between them."""

    def __init__(self, ueid: bytes, signing_key: bytes, recipient: bytes):
        self.ueid, self.recipient = ueid, recipient  # recipient: the receiver's public encryption key, a point
        self.private = ec.derive_private_key(int.from_bytes(signing_key, "big"), ec.SECP256R1())
        self.kid = key_id(public_point(self.private.public_key()))
        self.number, self.previous, self.boot_count, self.iat_s = 1, bytes(32), 1, 1_790_000_000

    def segment(self, records: Iterable[Any], key_frame: Any = None) -> bytes:
        """The next segment, with `records`: arrays, or bytes taken as plaintext."""
        segment_key = os.urandom(16)
        cipher = AESCCM(segment_key, tag_length=8)
        header = {6: self.iat_s, 256: self.ueid, 267: self.boot_count, 271: "0.1.0", -70001: self.number,
                  -70002: self.previous}
        items = [header, self.wrap(segment_key) if key_frame is None else key_frame]
        for index, record in enumerate(records):
            plaintext = record if isinstance(record, bytes) else cbor.dumps(record)
            aad = cbor.dumps(["Muster", self.number, index])
            items.append(cipher.encrypt(index.to_bytes(13, "big"), plaintext, aad))
        message, self.previous = self.sign(b"".join(map(cbor.dumps, items)))
        self.number += 1
        return message

    def sign(self, payload: bytes) -> tuple[bytes, bytes]:
        """A COSE_Sign1 of `payload`, and the digest of its Sig_structure."""
        protected = cbor.dumps({1: -7, 4: self.kid})
        digest = hashlib.sha256(sig_structure(protected, payload)).digest()
        r, s = utils.decode_dss_signature(self.private.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return cbor.dumps(Tag(18, [protected, {}, payload, signature])), digest

    def wrap(self, segment_key: bytes) -> Tag:
        """A COSE_Encrypt of `segment_key` to the recipient."""
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        recipient = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.recipient)
        protected, recipient_protected = cbor.dumps({1: 10}), cbor.dumps({1: -25})
        party = [None, None, None]
        context = cbor.dumps([10, party, party, [128, recipient_protected]])
        key = HKDF(hashes.SHA256(), 16, salt=None, info=context).derive(ephemeral.exchange(ec.ECDH(), recipient))
        nonce = os.urandom(13)
        ciphertext = AESCCM(key, tag_length=8).encrypt(nonce, segment_key, cbor.dumps(["Encrypt", protected, b""]))
        point = public_point(ephemeral.public_key())
        cose_key = {1: 2, -1: 1, -2: point[1:33], -3: point[33:]}
        recipients = [[recipient_protected, {4: key_id(self.recipient), -1: cose_key}, b""]]
        return Tag(96, [protected, {5: nonce}, ciphertext, recipients])
