"""An independent check of what is stored: CBOR by `cbor2` and COSE by `cwt`, none of the receiver's own decoding."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any, NamedTuple

import cbor2
import cwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cwt.cose_key_interface import COSEKeyInterface

from simulator.receiver.state import State
from simulator.receiver.store import Device, Store, Stored

NUMBER, PREVIOUS = -70001, -70002


class Verified(NamedTuple):
    """What can be said of one stored record."""

    ueid: bytes
    number: int  # of its segment
    frame: int
    is_signed: bool  # the segment's signature is its device's
    is_chained: bool  # the segment follows the one before it, by digest and number, if that is kept
    is_stored: bool  # it decrypts, and to what the records table holds
    plaintext: bytes | None


def verify_store(state: State, store: Store) -> list[Verified]:
    """Checks every record of every segment stored, by device, number and frame. Raises StateError, StoreError."""
    opener = _key(state.encryption_key.public_key(), -25, state.encryption_key)
    verified: list[Verified] = []
    device: Device | None = None
    for stored in store.stored():
        if stored.device != device:
            device, chain = stored.device, _Chain()
            signer = _key(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), device.public), -7)
        is_signed = _is_signed(stored.message, signer)
        protected, _, payload, _ = cbor2.loads(stored.message).value
        header, key_frame, *frames = _sequence(payload)
        is_chained = chain.follows(header, hashlib.sha256(
            cbor2.dumps(["Signature1", protected, b"", payload])).digest()) and header[NUMBER] == stored.number
        key = _segment_key(key_frame, opener)
        verified += [_frame(stored, index, frame, key, is_signed, is_chained) for index, frame in enumerate(frames)]
    return verified


class _Chain:
    """The segments of one device so far; the first one kept starts it, or must be the first of all."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._digest = bytes(32)

    def follows(self, header: dict[int, Any], digest: bytes) -> bool:
        if self._number is None:
            follows = header[NUMBER] > 1 or header[PREVIOUS] == bytes(32)
        else:
            follows = header[NUMBER] == self._number + 1 and header[PREVIOUS] == self._digest
        self._number, self._digest = header[NUMBER], digest
        return follows


def _key(public: ec.EllipticCurvePublicKey, algorithm: int,
         private: ec.EllipticCurvePrivateKey | None = None) -> COSEKeyInterface:
    """A COSE_Key for `algorithm`, its id the first 8 bytes of the SHA-256 of its point."""
    x, y = (number.to_bytes(32, "big") for number in (public.public_numbers().x, public.public_numbers().y))
    claims: dict[int, Any] = {1: 2, 2: hashlib.sha256(b"\x04" + x + y).digest()[:8], 3: algorithm, -1: 1, -2: x, -3: y}
    if private is not None:
        claims[-4] = private.private_numbers().private_value.to_bytes(32, "big")
    return cwt.COSEKey.new(claims)


def _is_signed(message: bytes, signer: COSEKeyInterface) -> bool:
    try:
        cwt.COSE.new().decode(message, signer)
    except (cwt.VerifyError, cwt.DecodeError, ValueError):
        return False
    return True


def _segment_key(key_frame: Any, opener: COSEKeyInterface) -> bytes | None:
    try:
        return cwt.COSE.new().decode(key_frame, opener, context={"alg": "AES-CCM-16-64-128"})
    except (cwt.DecodeError, ValueError):
        return None


def _sequence(payload: bytes) -> list[Any]:
    stream = BytesIO(payload)
    items = []
    while stream.tell() < len(payload):
        items.append(cbor2.load(stream))
    return items


def _frame(stored: Stored, index: int, frame: bytes, key: bytes | None, is_signed: bool, is_chained: bool) -> Verified:
    plaintext = None
    if key is not None:
        aad = cbor2.dumps(["Muster", stored.number, index], canonical=True)
        try:
            plaintext = AESCCM(key, tag_length=8).decrypt(bytes(9) + index.to_bytes(4, "big"), frame, aad)
        except InvalidTag:
            plaintext = None
    is_stored = plaintext is not None and index < len(stored.frames) and stored.frames[index][:2] == (index, plaintext)
    return Verified(stored.device.ueid, stored.number, index, is_signed, is_chained, is_stored, plaintext)
