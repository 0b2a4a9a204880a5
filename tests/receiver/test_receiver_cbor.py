"""The receiver's CBOR: strict, bounded, and the same values as the independent `cbor2`."""

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.receiver.cbor import CborError, Tag, dumps, load_prefix, loads

KEYS = st.integers(-(1 << 64), (1 << 64) - 1) | st.text(max_size=5) | st.binary(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 64), (1 << 64) - 1) | st.binary(max_size=300) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=20)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_what_is_encoded_is_read_back_by_both_decoders(value):
    encoded = dumps(value)
    assert cbor2.loads(encoded) == value
    assert loads(encoded, max_depth=30) == value


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_are_either_refused_or_the_one_encoding_of_their_value(data):
    try:
        value, end = load_prefix(data)
    except CborError:
        return
    assert dumps(value) == data[:end]


def test_tagged_values_and_the_rfc_8949_examples():
    assert dumps(Tag(18, [b"\x01"])) == bytes.fromhex("d2814101")
    assert loads(bytes.fromhex("d2814101")) == Tag(18, [b"\x01"])
    assert dumps({100: 1, 10: 2, -1: 3, "z": 4, "aa": 5, False: 6}[100]) == b"\x01"
    assert dumps({100: 1, 10: 2, -1: 3, "z": 4, "aa": 5}).hex() == "a50a0218640120" + "03617a0462616105"
    assert dumps((1 << 64) - 1).hex() == "1bffffffffffffffff"
    assert dumps(-(1 << 64)).hex() == "3bffffffffffffffff"


@pytest.mark.parametrize(("data", "reason"), [
    ("", "cut short"), ("18", "cut short"), ("430102", "cut short"), ("8201", "cut short"), ("a10a", "cut short"),
    ("1817", "longer head"), ("190018", "longer head"), ("1a0000ffff", "longer head"), ("1b00000000ffffffff", "longer"),
    ("5f4101ff", "indefinite"), ("9fff", "indefinite"), ("1c", "indefinite or reserved"),
    ("f90000", "a float"), ("fb0000000000000000", "a float"), ("f7", "simple value"), ("f818", "simple value"),
    ("a201010100", "repeated"), ("a202010100", "unsorted"), ("a18000", "map key"), ("a1f400", "map key"),
    ("62c328", "UTF-8"), ("0000", "1 bytes after the end"), ("9bffffffffffffffff", "cut short"),
    ("bbffffffffffffffff", "cut short"), ("5bffffffffffffffff", "cut short"),
])
def test_each_wrong_encoding_is_refused_with_its_reason(data, reason):
    with pytest.raises(CborError, match=reason):
        loads(bytes.fromhex(data))


def test_depth_is_bounded_however_deep_the_bytes_nest():
    assert loads(b"\x81" * 8 + b"\x00") == [[[[[[[[0]]]]]]]]
    for nest in (b"\x81", b"\xa1\x00", b"\xc1"):
        with pytest.raises(CborError, match="deep"):
            loads(nest * 100_000 + b"\x00")


@pytest.mark.parametrize("value", [1.5, 1 << 64, -(1 << 64) - 1, object()])
def test_what_the_profile_lacks_cannot_be_encoded(value):
    with pytest.raises(CborError):
        dumps(value)
