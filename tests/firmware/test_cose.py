"""COSE messages from the VM, checked by `cwt` and by `cryptography`, and receipts for the VM, made by `cwt`."""

from __future__ import annotations

import hashlib

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cwt import COSE, COSEKey, VerifyError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Vm

WATCH, RECEIVER, EPHEMERAL = (ec.derive_private_key(0x1234567 << shift, ec.SECP256R1()) for shift in (200, 100, 0))

COSE_ON_THE_VM = """
from muster.cose.aes_ccm import CcmError
from muster.cose.cose import CoseError, Sign1, key_id, verify1, wrap_key
from muster.cose.hmac import hkdf_sha256, hmac_sha256
from muster.cose.p256 import P256Error

def attempt(function, *arguments):
    try:
        return function(*[bytes.fromhex(argument) for argument in arguments]).hex()
    except (CoseError, CcmError, P256Error) as error:
        return type(error).__name__ + ": " + str(error)

def signed(private, kid, chunks, content_type=None):
    signer = Sign1(bytes.fromhex(kid), sum(len(chunk) for chunk in chunks) // 2, content_type)
    message = signer.head()
    for chunk in chunks:
        chunk = bytes.fromhex(chunk)
        signer.update(chunk)
        message += chunk
    digest = signer.digest()
    message += signer.tail(bytes.fromhex(private))
    return [message.hex(), digest.hex(), signer.digest().hex()]
"""
few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                                     HealthCheck.large_base_example])


def private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_numbers().private_value.to_bytes(32, "big")


def public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def kid(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(public(key)).digest()[:8]


def cose_key(key: ec.EllipticCurvePrivateKey, alg: int, secret: bool = False) -> COSEKey:
    """`key` for cwt: kty EC2, kid, alg, crv P-256, x, y and, where wanted, d."""
    point = public(key)
    params = {1: 2, 2: kid(key), 3: alg, -1: 1, -2: point[1:33], -3: point[33:]}
    return COSEKey.new(params | {-4: private(key)} if secret else params)


def receipt(payload: bytes, key: ec.EllipticCurvePrivateKey = RECEIVER, protected: dict | None = None,
            unprotected: dict | None = None) -> bytes:
    """A COSE_Sign1 by cwt."""
    return COSE.new().encode(payload, cose_key(key, -7, secret=True),
                             protected={1: -7, 4: kid(key)} if protected is None else protected,
                             unprotected=unprotected or {})


@few
@given(chunks=st.lists(st.binary(max_size=300), max_size=8),
       content_type=st.none() | st.just("application/cbor-seq") | st.integers(0, 65535))
def test_signing_as_a_stream_makes_a_cose_sign1(vm: Vm, chunks: list[bytes], content_type: str | int | None) -> None:
    message, digest, again = vm(COSE_ON_THE_VM + "result = signed(*data)", [
        private(WATCH).hex(), kid(WATCH).hex(), [chunk.hex() for chunk in chunks], content_type])
    payload = b"".join(chunks)
    raw = bytes.fromhex(message)
    headers = {1: -7, 4: kid(WATCH)} if content_type is None else {1: -7, 3: content_type, 4: kid(WATCH)}
    assert COSE.new(verify_kid=True).decode(raw, cose_key(WATCH, -7)) == payload
    tagged = cbor2.loads(raw)
    assert (tagged.tag, tagged.value[:3]) == (18, [cbor2.dumps(headers), {}, payload])
    assert cbor2.dumps(tagged) == raw
    structure = cbor2.dumps(["Signature1", cbor2.dumps(headers), b"", payload])
    assert digest == again == hashlib.sha256(structure).hexdigest()
    with pytest.raises(VerifyError):
        COSE.new().decode(raw[:-1] + bytes([raw[-1] ^ 1]), cose_key(WATCH, -7))


def test_payload_lengths_at_the_edges_of_their_heads(vm: Vm) -> None:
    lengths = [0, 1, 23, 24, 255, 256, 65535, 65536]
    answers = vm(COSE_ON_THE_VM + "secret, kid, lengths = data\n"
                 "result = [signed(secret, kid, ['a5' * length])[0] for length in lengths]",
                 [private(WATCH).hex(), kid(WATCH).hex(), lengths])
    assert [COSE.new().decode(bytes.fromhex(one), cose_key(WATCH, -7)) for one in answers] == [
        b"\xa5" * length for length in lengths]


def test_a_payload_of_another_length_than_announced_is_refused(vm: Vm) -> None:
    assert vm(COSE_ON_THE_VM + """
signer = Sign1(bytes(8), 10)
signer.update(b"123456")
result = []
for wrong in (signer.digest, lambda: signer.tail(bytes(31) + b"1"), lambda: signer.update(b"78901")):
    try:
        result.append(wrong())
    except CoseError as error:
        result.append(str(error))
signer.update(b"7890")
result.append(signer.digest().hex())
""") == ["4 payload bytes missing", "4 payload bytes missing", "1 payload bytes too many",
         hashlib.sha256(cbor2.dumps(["Signature1", cbor2.dumps({1: -7, 4: bytes(8)}), b"", b"1234567890"])).hexdigest()]


def test_receipts_made_by_cwt_verify(vm: Vm) -> None:
    payloads = [b"", cbor2.dumps({6: 1767225600, -70001: 7, -70003: bytes(32)}), b"\x55" * 3000]
    messages = [receipt(payload).hex() for payload in payloads]
    messages.append(receipt(b"typed", protected={1: -7, 3: "application/cbor", 4: kid(RECEIVER)}).hex())
    assert vm(COSE_ON_THE_VM + "result = [attempt(verify1, one, data[0]) for one in data[1]]",
              [public(RECEIVER).hex(), messages]) == [payload.hex() for payload in [*payloads, b"typed"]]


def test_what_the_watch_signs_it_also_verifies(vm: Vm) -> None:
    assert vm(COSE_ON_THE_VM + "result = attempt(verify1, signed(data[0], data[1], ['6d7573746572'])[0], data[2])",
              [private(WATCH).hex(), kid(WATCH).hex(), public(WATCH).hex()]) == "6d7573746572"


def test_messages_of_another_form_or_signer_are_refused_with_the_reason(vm: Vm) -> None:
    good = receipt(b"payload")
    parts = cbor2.loads(good).value
    es256 = cbor2.dumps({1: -7, 4: kid(RECEIVER)})
    forms = "CoseError: COSE_Sign1: parts of other types, or an unprotected header"
    alone = "CoseError: COSE_Sign1: not by ES256 alone"
    another = "CoseError: COSE_Sign1: by another key"
    wrong = "CoseError: COSE_Sign1: the signature is wrong"

    def tagged(*changed: object, tag: int = 18) -> bytes:
        return cbor2.dumps(cbor2.CBORTag(tag, list(changed)))

    cases = [
        (b"", "CoseError: COSE_Sign1: byte 0: ends early"),
        (good[1:], "CoseError: COSE_Sign1: not tagged so"),
        (tagged(*parts, tag=98), "CoseError: COSE_Sign1: not tagged so"),
        (good + b"\0", f"CoseError: COSE_Sign1: byte {len(good)}: bytes after the item"),
        (tagged(*parts[:3]), "CoseError: COSE_Sign1: not four parts"),
        (cbor2.dumps(cbor2.CBORTag(18, b"")), "CoseError: COSE_Sign1: not four parts"),
        (tagged(parts[0], {4: b"kid"}, *parts[2:]), forms),
        (tagged(parts[0], [], *parts[2:]), forms),
        (tagged(parts[0], {}, None, parts[3]), forms),
        (tagged(parts[0], {}, "payload", parts[3]), forms),
        (tagged({1: -7}, *parts[1:]), forms),
        (tagged(b"", *parts[1:]), "CoseError: protected headers: byte 0: ends early"),
        (tagged(b"\x80", *parts[1:]), alone),
        (tagged(cbor2.dumps({4: kid(RECEIVER)}), *parts[1:]), alone),
        (tagged(cbor2.dumps({1: -8, 4: kid(RECEIVER)}), *parts[1:]), alone),
        (receipt(b"", protected={1: -7, 2: [99], 4: kid(RECEIVER), 99: 1}), alone),
        (receipt(b"", protected={1: -7}), another),
        (receipt(b"", WATCH), another),
        (receipt(b"", WATCH, protected={1: -7, 4: kid(RECEIVER)}), wrong),
        (tagged(es256, {}, b"other", parts[3]), wrong),
        (tagged(es256, {}, parts[2], b""), wrong),
        (tagged(es256, {}, parts[2], parts[3] + b"\0"), wrong),
        (tagged(cbor2.dumps({1: -7, 3: 0, 4: kid(RECEIVER)}), *parts[1:]), wrong),
    ]
    answers = vm(COSE_ON_THE_VM + "result = [attempt(verify1, one, data[0]) for one in data[1]]",
                 [public(RECEIVER).hex(), [message.hex() for message, _ in cases]])
    assert answers == [why for _, why in cases]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    original = receipt(b"\xa1\x06\x1a\x69\x55\xb9\x00")
    raw = bytearray(original)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(raw) - 1))
        how = draw(st.integers(0, 3))
        if how == 0:
            raw[place] ^= 1 << draw(st.integers(0, 7))
        elif how == 1:
            raw[place] = draw(st.sampled_from([0, 0x1B, 0x5B, 0x5F, 0x9B, 0xBB, 0xC0, 0xD2, 0xF6, 0xFF]))
        elif how == 2:
            raw[place:place] = draw(st.binary(min_size=1, max_size=9))
        elif len(raw) > 1:
            del raw[place : place + draw(st.integers(1, 9))]
    return bytes(raw)


@few
@given(batch=st.lists(mutated() | st.binary(max_size=60), min_size=20, max_size=40))
def test_no_other_bytes_than_the_signers_are_taken(vm: Vm, batch: list[bytes]) -> None:
    """A mutation can undo itself, but for that every answer is a CoseError."""
    answers = vm(COSE_ON_THE_VM + "result = [attempt(verify1, one, data[0]) for one in data[1]]",
                 [public(RECEIVER).hex(), [message.hex() for message in batch]])
    for message, answer in zip(batch, answers, strict=True):
        assert answer.startswith("CoseError: ") or COSE.new().decode(message, cose_key(RECEIVER, -7)).hex() == answer


def unwrapped(message: bytes, recipient: ec.EllipticCurvePrivateKey) -> bytes:
    """The wrapped key, by `cryptography` and RFC 9052 and 9053 alone."""
    tagged = cbor2.loads(message)
    assert tagged.tag == 96
    protected, unprotected, ciphertext, [(recipient_protected, recipient_unprotected, nothing)] = tagged.value
    assert (cbor2.loads(protected), cbor2.loads(recipient_protected), nothing) == ({1: 10}, {1: -25}, b"")
    assert recipient_unprotected[4] == kid(recipient)
    ephemeral = recipient_unprotected[-1]
    assert (ephemeral[1], ephemeral[-1]) == (2, 1)
    point = ec.EllipticCurvePublicNumbers(*(int.from_bytes(ephemeral[one], "big") for one in (-2, -3)), ec.SECP256R1())
    secret = recipient.exchange(ec.ECDH(), point.public_key())
    context = cbor2.dumps([10, [None] * 3, [None] * 3, [128, recipient_protected]])
    key = HKDF(SHA256(), 16, None, context).derive(secret)
    return AESCCM(key, 8).decrypt(unprotected[5], ciphertext, cbor2.dumps(["Encrypt", protected, b""]))


@few
@given(segment_key=st.binary(min_size=16, max_size=16), nonce=st.binary(min_size=13, max_size=13),
       ephemeral=st.integers(1, 2**255))
def test_a_wrapped_key_opens_for_its_recipient(vm: Vm, segment_key: bytes, nonce: bytes, ephemeral: int) -> None:
    message = bytes.fromhex(vm(COSE_ON_THE_VM + "result = attempt(wrap_key, *data)", [
        segment_key.hex(), public(RECEIVER).hex(), ephemeral.to_bytes(32, "big").hex(), nonce.hex()]))
    assert unwrapped(message, RECEIVER) == segment_key
    key = cose_key(RECEIVER, -25, secret=True)
    assert COSE.new().decode(message, key, context={"alg": "AES-CCM-16-64-128"}) == segment_key
    assert cbor2.dumps(cbor2.loads(message)) == message


def test_wrapping_with_a_bad_key_or_nonce_is_refused(vm: Vm) -> None:
    key, to, ephemeral, nonce = bytes(16).hex(), public(RECEIVER).hex(), private(EPHEMERAL).hex(), bytes(13).hex()
    answers = vm(COSE_ON_THE_VM + "result = [attempt(wrap_key, *one) for one in data]", [
        (key, "04" + "11" * 64, ephemeral, nonce), (key, to, "00" * 32, nonce), (key, to, "ff" * 32, nonce),
        (key, to, ephemeral, nonce[2:])])
    assert answers == ["P256Error: the public key is not an uncompressed point of P-256",
                       "P256Error: the private key is not 32 bytes of 1 to n - 1",
                       "P256Error: the private key is not 32 bytes of 1 to n - 1",
                       "CcmError: the nonce is not 13 bytes"]


def test_a_key_is_named_by_the_start_of_its_hash(vm: Vm) -> None:
    assert vm(COSE_ON_THE_VM + "result = attempt(key_id, data)", public(WATCH).hex()) == kid(WATCH).hex()


def test_hmac_and_hkdf_vectors_of_rfc_4231_and_rfc_5869(vm: Vm) -> None:
    answers = vm(COSE_ON_THE_VM + "result = [hmac_sha256(bytes.fromhex(key), bytes.fromhex(text)).hex() for key, text"
                 " in data[0]] + [hkdf_sha256(*[bytes.fromhex(one) for one in case], size).hex()"
                 " for case, size in data[1]]", [
        [("0b" * 20, b"Hi There".hex()), (b"Jefe".hex(), b"what do ya want for nothing?".hex()),
         ("aa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First".hex())],
        [(("0b" * 22, bytes(range(13)).hex(), bytes(range(0xF0, 0xFA)).hex()), 42), (("0b" * 22, "", ""), 42)]])
    assert answers == [
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ]
