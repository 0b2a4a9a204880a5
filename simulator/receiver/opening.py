"""Opens what only the receiver can: a segment's key from its COSE_Encrypt, and with it the frames (docs/SPEC.md)."""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from simulator.receiver import cbor
from simulator.receiver.cbor import CborError, Tag
from simulator.receiver.segment import ALGORITHM, KID, TAG_BYTES, public_key

AES_CCM_16_64_128, ECDH_ES_HKDF_256 = 10, -25
IV, EPHEMERAL_KEY = 5, -1
KEY_BYTES, NONCE_BYTES = 16, 13
MAX_FRAME_BYTES = 65535 + TAG_BYTES  # a nonce of 13 bytes leaves 2 for the length (RFC 3610)
MAX_TYPE = 255
FRAME_AAD = "Muster"
_PROTECTED, _RECIPIENT_PROTECTED = cbor.dumps({ALGORITHM: AES_CCM_16_64_128}), cbor.dumps({ALGORITHM: ECDH_ES_HKDF_256})
_KEY_AAD = cbor.dumps(["Encrypt", _PROTECTED, b""])  # the Enc_structure, RFC 9052, section 5.3
_NOBODY = [None, None, None]
_KDF_CONTEXT = cbor.dumps([AES_CCM_16_64_128, _NOBODY, _NOBODY, [8 * KEY_BYTES, _RECIPIENT_PROTECTED]])  # RFC 9053, 5.2


class OpeningError(ValueError):
    """A key frame or a frame that the receiver's key does not open."""


def unwrap(key_frame: Tag, private: ec.EllipticCurvePrivateKey, kid: bytes) -> bytes:
    """The 16-byte segment key that `key_frame` wraps to the receiver's key of id `kid`. Raises OpeningError."""
    nonce, ciphertext, recipient = _parts(key_frame)
    if recipient.get(KID) != kid:
        raise OpeningError("key frame: for another receiver's key")
    shared = private.exchange(ec.ECDH(), _ephemeral(recipient.get(EPHEMERAL_KEY)))
    key = HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=_KDF_CONTEXT).derive(shared)
    try:
        segment_key = AESCCM(key, tag_length=TAG_BYTES).decrypt(nonce, ciphertext, _KEY_AAD)
    except InvalidTag:
        raise OpeningError("key frame: does not decrypt") from None
    if len(segment_key) != KEY_BYTES:
        raise OpeningError(f"key frame: a key of {len(segment_key)} bytes")
    return segment_key


class Frames:
    """Opens the data frames of segment `number` with its key."""

    def __init__(self, segment_key: bytes, number: int):
        self._cipher = AESCCM(segment_key, tag_length=TAG_BYTES)
        self._aad = b"\x83" + cbor.dumps(FRAME_AAD) + cbor.dumps(number)

    def open(self, index: int, frame: bytes) -> bytes:
        """The plaintext of the frame at `index` (0..). Raises OpeningError."""
        nonce = index.to_bytes(NONCE_BYTES, "big")
        if len(frame) > MAX_FRAME_BYTES:
            raise OpeningError(f"frame: over {MAX_FRAME_BYTES} bytes")
        try:
            return self._cipher.decrypt(nonce, frame, self._aad + cbor.head(0, index))
        except InvalidTag:
            raise OpeningError("frame: does not decrypt") from None


def _parts(key_frame: Tag) -> tuple[bytes, bytes, dict[Any, Any]]:
    """Nonce, ciphertext and the one recipient's unprotected header, when the form is what the watch writes."""
    try:
        protected, unprotected, ciphertext, [recipient] = key_frame.value
        recipient_protected, recipient_unprotected, recipient_ciphertext = recipient
        nonce = unprotected[IV]
        right = (protected == _PROTECTED and recipient_protected == _RECIPIENT_PROTECTED and not recipient_ciphertext
                 and isinstance(recipient_unprotected, dict)
                 and isinstance(ciphertext, bytes) and isinstance(nonce, bytes)
                 and TAG_BYTES < len(ciphertext) <= 64 and len(nonce) == NONCE_BYTES)
    except (TypeError, ValueError, KeyError):
        right = False
    if not right:
        raise OpeningError("key frame: not AES-CCM-16-64-128 with one recipient by ECDH-ES+HKDF-256")
    return nonce, ciphertext, recipient_unprotected


def _ephemeral(key: Any) -> ec.EllipticCurvePublicKey:
    """The sender's COSE_Key, EC2 on P-256, both coordinates given."""
    if isinstance(key, dict) and key.get(1) == 2 and key.get(-1) == 1:
        x, y = key.get(-2), key.get(-3)
        if isinstance(x, bytes) and isinstance(y, bytes) and len(x) == len(y) == 32:
            try:
                return public_key.__wrapped__(b"\x04" + x + y)
            except ValueError:
                pass
    raise OpeningError("key frame: the ephemeral key is no point of P-256")


def record_of(plaintext: bytes) -> list[Any]:
    """The record array of a frame: type, seconds and clock quality, then its body. Raises CborError."""
    record = cbor.loads(plaintext)
    if (not isinstance(record, list) or len(record) < 3 or any(type(item) is not int or item < 0 for item in record[:3])
            or record[0] > MAX_TYPE):
        raise CborError(f"not an array of type (to {MAX_TYPE}), seconds, clock quality and a body")
    return record
