"""Segments are taken apart strictly, their signatures and keys checked; COSE by `cwt` is the independent author."""

import hashlib
import os
import re

import cbor2
import cwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.receiver import cbor
from simulator.receiver.cbor import Tag
from simulator.receiver.opening import Frames, OpeningError, record_of, unwrap
from simulator.receiver.segment import SegmentError, key_id, parse, verify
from simulator.receiver.state import public_point
from tools.author import Author

RECORDS = [[1, 0, 31, "power"], [4, 60, 96, [1, 2, 3]]]
UEID = b"\x01" + bytes(16)


def public(author):
    return public_point(author.private.public_key())


def payload(author, **changes):
    """The payload of a right segment, with claims changed (None: left out)."""
    claims = {6: 0, 256: author.ueid, 267: 1, 271: "0.1.0", -70001: 1, -70002: bytes(32)}
    claims |= {int(name[1:]) if name[0] == "c" else -int(name[1:]): value for name, value in changes.items()}
    header = {name: value for name, value in claims.items() if value is not None}
    return cbor.dumps(header) + cbor.dumps(author.wrap(bytes(16)))


def test_a_segment_is_named_part_by_part(author):
    author.boot_count = 3
    message = author.segment(RECORDS)
    segment = parse(message)
    assert segment.header == (1_790_000_000, author.ueid, 3, "0.1.0", 1, bytes(32))
    assert (segment.kid, len(segment.frames), segment.digest) == (key_id(public(author)), 2, author.previous)
    verify(segment, public(author))


def test_a_segment_that_cwt_signed_verifies(author):
    pem = author.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption())
    key = cwt.COSEKey.from_pem(pem, alg="ES256", kid=author.kid)
    message = cwt.COSE.new().encode_and_sign(payload(author), key, protected={"alg": "ES256", "kid": author.kid})
    verify(parse(message), public(author))


def test_a_signature_of_another_key_or_over_other_bytes_is_refused(author):
    message = bytearray(author.segment(RECORDS))
    other = Author(author.ueid, os.urandom(32), author.recipient)
    with pytest.raises(SegmentError, match="signature: not by the device's key"):
        verify(parse(bytes(message)), public(other))
    for at in (-1, -40, -80):  # in s, in r, in the last frame
        changed = bytearray(message)
        changed[at] ^= 1
        with pytest.raises(SegmentError, match="signature: not by the device's key"):
            verify(parse(bytes(changed)), public(author))


@pytest.mark.parametrize(("changes", "reason"), [
    ({"c6": None}, "header: not the six claims"), ({"c7": 1}, "header: not the six claims"),
    ({"c6": -1}, "iat: not an integer"), ({"c6": True}, "iat: not an integer"), ({"c6": 1 << 40}, "iat"),
    ({"c256": bytes(17)}, "ueid: not 0x01 and 16 bytes"), ({"c256": b"\x01" * 16}, "ueid"), ({"c256": "x"}, "ueid"),
    ({"c267": 1 << 32}, "boot count: not an integer in 0..4294967295"), ({"c271": ""}, "software version"),
    ({"c271": "x" * 65}, "software version"), ({"m70001": 0}, "segment number: not an integer in 1..4294967295"),
    ({"m70001": "1"}, "segment number"), ({"m70002": bytes(31)}, "previous digest: not 32 bytes"),
])
def test_each_wrong_claim_is_named(author, changes, reason):
    message, _ = author.sign(payload(author, **changes))
    with pytest.raises(SegmentError, match=re.escape(reason)):
        parse(message)


def outer(author, **parts):
    protected, unprotected, body, signature = cbor.loads(author.segment(RECORDS)).value
    values = {"protected": protected, "unprotected": unprotected, "body": body, "signature": signature} | parts
    return cbor.dumps(Tag(18, list(values.values())))


@pytest.mark.parametrize(("parts", "reason"), [
    ({"protected": cbor.dumps({1: -7})}, "protected header: not ES256 and a key id"),
    ({"protected": cbor.dumps({1: -8, 4: bytes(8)})}, "protected header: not ES256"),
    ({"protected": cbor.dumps({1: -7, 4: bytes(7)})}, "kid: not 8 bytes"),
    ({"protected": b"\xff"}, "protected header: "), ({"protected": 1}, "not bytes"),
    ({"unprotected": {1: 1}}, "not by"), ({"body": None}, "attached payload"),
    ({"signature": bytes(63)}, "signature: not 64 bytes"),
    ({"body": b""}, "payload: no header and key frame"), ({"body": b"\x01\x02"}, "key frame: not a COSE_Encrypt"),
    ({"body": b"\x01\x5f"}, "payload item 1: indefinite"), ({"extra": 1}, "four parts"),
    ({"body": b"\x01\xd8\x60\x00\x48" + bytes(8)}, "payload item 2: not a frame of more than 8 bytes"),
    ({"body": b"\x01\xd8\x60\x00\x01"}, "payload item 2: not a frame"), ({"body": b"\x01\xd8\x60\x00"}, "header: not"),
])
def test_each_wrong_part_is_named(author, parts, reason):
    with pytest.raises(SegmentError, match=re.escape(reason)):
        parse(outer(author, **parts))


def test_a_segment_over_the_limit_is_refused_unread():
    with pytest.raises(SegmentError, match="262145 bytes, at most 262144"):
        parse(bytes(256 * 1024 + 1))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_parse_or_raise(data):
    with pytest.raises(SegmentError):
        parse(data)


AUTHORED = {}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mutated_segment_is_refused_or_its_signature_fails(data):
    if not AUTHORED:
        author = Author(UEID, b"\x07" * 32, public_point(Author(UEID, b"\x09" * 32, b"").private.public_key()))
        AUTHORED.update(message=author.segment(RECORDS), public=public(author))
    message = bytearray(AUTHORED["message"])
    at = data.draw(st.integers(0, len(message) - 1))
    message[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SegmentError):
        verify(parse(bytes(message)), AUTHORED["public"])


def test_a_key_and_frames_open_and_only_in_their_own_places(author, state):
    segment = parse(author.segment(RECORDS))
    key = unwrap(segment.key_frame, state.encryption_key, state.encryption_kid)
    frames = Frames(key, 1)
    assert [record_of(frames.open(index, frame)) for index, frame in enumerate(segment.frames)] == RECORDS
    for opener, index, frame in ((frames, 1, segment.frames[0]), (Frames(key, 2), 0, segment.frames[0]),
                                 (frames, 0, segment.frames[0][:-1]), (Frames(bytes(16), 1), 0, segment.frames[0])):
        with pytest.raises(OpeningError, match="frame: does not decrypt"):
            opener.open(index, frame)
    with pytest.raises(OpeningError, match="frame: over 65543 bytes"):
        frames.open(0, bytes(65544))


def test_a_key_frame_that_cwt_wrapped_opens(state):
    point = public_point(state.encryption_key.public_key())
    recipient_key = cwt.COSEKey.new({1: 2, 2: state.encryption_kid, 3: -25, -1: 1, -2: point[1:33], -3: point[33:]})
    nonce = os.urandom(13)
    recipient = cwt.Recipient.new(protected={"alg": "ECDH-ES+HKDF-256"}, unprotected={"kid": state.encryption_kid},
                                  recipient_key=recipient_key, context={"alg": "AES-CCM-16-64-128"})
    encoded = cwt.COSE.new().encode_and_encrypt(b"0123456789abcdef", protected={"alg": "AES-CCM-16-64-128"},
                                                unprotected={"iv": nonce}, recipients=[recipient])
    tagged = cbor2.loads(encoded)  # cwt writes maps in an older canonical order
    assert unwrap(Tag(96, tagged.value), state.encryption_key, state.encryption_kid) == b"0123456789abcdef"


def changed(key_frame, path, value):
    """A copy of a key frame with the item at `path` replaced."""
    copy = cbor.loads(cbor.dumps(key_frame))
    parent = copy.value
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return copy


@pytest.mark.parametrize(("path", "value", "reason"), [
    ((0,), cbor.dumps({1: 11}), "not AES-CCM"), ((0,), 5, "not AES-CCM"), ((1,), {}, "not AES-CCM"),
    ((1, 5), bytes(12), "not AES-CCM"), ((2,), bytes(8), "not AES-CCM"), ((2,), bytes(24), "does not decrypt"),
    ((3,), [], "one recipient"), ((3, 0), [], "one recipient"), ((3, 0, 0), cbor.dumps({1: -29}), "ECDH-ES"),
    ((3, 0, 1), [], "one recipient"), ((3, 0, 1, 4), bytes(8), "for another receiver's key"),
    ((3, 0, 1, -1), None, "no point"), ((3, 0, 1, -1, -2), bytes(32), "no point of P-256"),
    ((3, 0, 1, -1, -3), b"", "no point"), ((3, 0, 1, -1, -1), 2, "no point"),
])
def test_each_wrong_key_frame_is_refused_with_its_reason(author, state, path, value, reason):
    with pytest.raises(OpeningError, match=reason):
        unwrap(changed(author.wrap(bytes(16)), path, value), state.encryption_key, state.encryption_kid)


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.integers(-30, 30) | st.binary(max_size=33),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(-4, 5), inner),
                    max_leaves=12))
def test_no_key_frame_does_anything_but_raise(value):
    with pytest.raises(OpeningError):
        unwrap(Tag(96, value), ec.derive_private_key(5, ec.SECP256R1()), bytes(8))


@pytest.mark.parametrize("plaintext", [b"", b"\x00", b"\x82\x01\x01", b"\x83\x01\x01\x40", b"\x83\x01\x01\x20",
                                       b"\x83\x01\x01\xf5", b"\x83\x19\x01\x00\x01\x01", b"\x83\x01\x01\x01\x00"])
def test_a_plaintext_that_is_no_record_is_refused(plaintext):
    with pytest.raises(cbor.CborError):
        record_of(plaintext)


def test_the_digest_is_that_of_the_sig_structure(author):
    message = author.segment(RECORDS)
    protected, _, body, _ = cbor.loads(message).value
    assert parse(message).digest == hashlib.sha256(cbor.dumps(["Signature1", protected, b"", body])).digest()
