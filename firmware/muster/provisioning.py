"""The watch's own keys, made on the watch: only what is public or sealed leaves it. tools/provision.py calls this."""

from muster.cose import cose, p256

_SCALAR_BYTES, _PROMPT_BYTES, _NONCE_BYTES = 32, 16, 13
# ECPrivateKey of a P-256 key with its public point, DER (RFC 5915): what comes before the scalar, and before the point
_DER_SCALAR = b"\x30\x77\x02\x01\x01\x04\x20"
_DER_POINT = b"\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\xa1\x44\x03\x42\x00"


def make_keys(board, receiver: bytes) -> "dict[str, str]":
    """New keys to sign and for TLS, and a new secret of the prompts, in the chip's NVS.

    Gives, in hex, the public points `sign` and `client`, and `prompts`: a COSE_Encrypt of the prompts' secret to the
    point `receiver`, for an auditor of the prompt times. A template from before is of another wearer: it goes.
    """
    sign, sign_point = _pair(board.random)
    client, client_point = _pair(board.random)
    prompts = board.random(_PROMPT_BYTES)
    sealed = cose.wrap_key(prompts, receiver, _pair(board.random)[0], board.random(_NONCE_BYTES))
    board.drop_blob("template")
    board.keep_blob("prompt_secret", prompts)
    board.keep_blob("client_key", _DER_SCALAR + client + _DER_POINT + client_point)
    board.keep_blob("sign_key", sign)
    return {"sign": sign_point.hex(), "client": client_point.hex(), "prompts": sealed.hex()}


def _pair(random) -> "tuple[bytes, bytes]":
    """(scalar, uncompressed point); a number that is no scalar, one in 2**32, is drawn again."""
    while True:
        scalar = random(_SCALAR_BYTES)
        try:
            return scalar, p256.public_key(scalar)
        except p256.P256Error:
            pass
