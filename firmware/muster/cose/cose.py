"""The COSE messages of the watch (RFC 9052): it signs segments, wraps their keys, and verifies receipts."""

from hashlib import sha256

from micropython import const

from muster.cose import aes_ccm, cbor, p256
from muster.cose.cbor import CborError, Tag
from muster.cose.hmac import hkdf_sha256

_SIGN1 = const(18)
_ENCRYPT = const(96)
_ALG = const(1)
_CRIT = const(2)
_CONTENT_TYPE = const(3)
_KID = const(4)
_IV = const(5)
_EPHEMERAL_KEY = const(-1)
_ES256 = const(-7)
_AES_CCM_16_64_128 = const(10)
_ECDH_ES_HKDF_256 = const(-25)


class CoseError(Exception):
    """A message that is malformed or whose signature is wrong, or a payload of another length than was announced."""


def key_id(public: bytes) -> bytes:
    """How messages name an uncompressed public key: the first 8 bytes of its SHA-256."""
    return sha256(public).digest()[:8]


class Sign1:
    """A tagged COSE_Sign1 by ES256, made as a stream: head(), the payload's bytes, tail().

    The payload, whose length must be known, passes through `update` and is never held. `content_type` is a media type
    or a CoAP content format.
    """

    def __init__(self, kid: bytes, payload_len: int, content_type=None):
        protected = {_ALG: _ES256, _KID: kid}
        if content_type is not None:
            protected[_CONTENT_TYPE] = content_type
        self._protected = cbor.dumps(protected)
        self._payload_head = cbor.head(cbor.BYTES, payload_len)
        self._left = payload_len
        self._hash = sha256(_to_be_signed(self._protected, self._payload_head))
        self._digest = b""

    def head(self) -> bytes:
        """The message up to where the payload starts."""
        start = cbor.head(cbor.TAG, _SIGN1) + cbor.head(cbor.ARRAY, 4)
        return start + cbor.dumps(self._protected) + cbor.dumps({}) + self._payload_head

    def update(self, chunk) -> None:
        """Takes the payload's next bytes. CoseError when they are more than announced."""
        if len(chunk) > self._left:
            raise CoseError("%d payload bytes too many" % (len(chunk) - self._left))
        self._left -= len(chunk)
        self._hash.update(chunk)

    def digest(self) -> bytes:
        """The SHA-256 of the Sig_structure: what is signed. CoseError while payload bytes are missing."""
        if self._left:
            raise CoseError("%d payload bytes missing" % self._left)
        if not self._digest:
            self._digest = self._hash.digest()
        return self._digest

    def tail(self, private: bytes) -> bytes:
        """The message after the payload: the signature."""
        return cbor.dumps(p256.sign(private, self.digest()))


def verify1(message: bytes, public: bytes) -> bytes:
    """The payload of a tagged COSE_Sign1 by the holder of `public`, as `Sign1` makes it. CoseError for any other bytes,
    P256Error when `public` is no key. Needs about the message's size twice."""
    protected, payload, signature = _parse_sign1(message)
    headers = _load(protected, 2, "protected headers")
    if not isinstance(headers, dict) or headers.get(_ALG) != _ES256 or _CRIT in headers:
        raise CoseError("COSE_Sign1: not by ES256 alone")
    if headers.get(_KID) != key_id(public):
        raise CoseError("COSE_Sign1: by another key")
    digest = sha256(_to_be_signed(protected, cbor.head(cbor.BYTES, len(payload))))
    digest.update(payload)
    if not p256.verify(public, digest.digest(), signature):
        raise CoseError("COSE_Sign1: the signature is wrong")
    return payload


def wrap_key(segment_key: bytes, recipient_public: bytes, ephemeral_private: bytes, nonce: bytes) -> bytes:
    """A tagged COSE_Encrypt of the 16-byte `segment_key`: AES-CCM-16-64-128, for one recipient by ECDH-ES + HKDF-256.

    `ephemeral_private` (32 bytes, 1 to n - 1) and `nonce` (13 bytes) must be random and used once. P256Error for a bad
    key, CcmError for a bad nonce.
    """
    ephemeral_public = p256.public_key(ephemeral_private)
    secret = p256.shared_secret(ephemeral_private, recipient_public)
    recipient_protected = cbor.dumps({_ALG: _ECDH_ES_HKDF_256})
    nobody = [None, None, None]
    # COSE_KDF_Context, RFC 9053 section 5.2.
    context = cbor.dumps([_AES_CCM_16_64_128, nobody, nobody, [128, recipient_protected]])
    key = hkdf_sha256(secret, b"", context, 16)
    protected = cbor.dumps({_ALG: _AES_CCM_16_64_128})
    ciphertext = aes_ccm.encrypt(key, nonce, cbor.dumps(["Encrypt", protected, b""]), segment_key)
    # COSE_Key: kty EC2, crv P-256, x, y.
    ephemeral = {1: 2, -1: 1, -2: ephemeral_public[1:33], -3: ephemeral_public[33:]}
    recipient = [recipient_protected, {_KID: key_id(recipient_public), _EPHEMERAL_KEY: ephemeral}, b""]
    return cbor.dumps(Tag(_ENCRYPT, [protected, {_IV: nonce}, ciphertext, [recipient]]))


def _to_be_signed(protected: bytes, payload_head: bytes) -> bytes:
    """The Sig_structure (RFC 9052 section 4.4) up to where the payload starts."""
    return cbor.head(cbor.ARRAY, 4) + cbor.dumps("Signature1") + cbor.dumps(protected) + cbor.dumps(b"") + payload_head


def _load(data: bytes, max_depth: int, what: str):
    try:
        return cbor.loads(data, max_depth)
    except CborError as error:
        raise CoseError(what + ": " + str(error))


def _parse_sign1(message: bytes) -> tuple:
    """(protected, payload, signature)"""
    tagged = _load(message, 3, "COSE_Sign1")
    if not isinstance(tagged, Tag) or tagged.number != _SIGN1:
        raise CoseError("COSE_Sign1: not tagged so")
    parts = tagged.value
    if not isinstance(parts, list) or len(parts) != 4:
        raise CoseError("COSE_Sign1: not four parts")
    protected, unprotected, payload, signature = parts
    if unprotected != {} or not all(isinstance(part, bytes) for part in (protected, payload, signature)):
        raise CoseError("COSE_Sign1: parts of other types, or an unprotected header")
    return protected, payload, signature
