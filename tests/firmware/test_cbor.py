"""Deterministic CBOR on the VM, against RFC 8949's own examples and against cbor2."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Vm

# JSON cannot carry bytes, tags or maps with integer keys, and the VM's json no characters past U+FFFF, so values travel
# to and from the VM spelled out.
SPELL = """
from muster.cose.cbor import CborError, Tag, dumps, load_prefix, loads

def build(spelled):
    kind, value = spelled
    if kind == "bytes":
        return bytes.fromhex(value)
    if kind == "text":
        return bytes.fromhex(value).decode()
    if kind == "array":
        return [build(item) for item in value]
    if kind == "map":
        return {build(key): build(item) for key, item in value}
    if kind == "tag":
        return Tag(value[0], build(value[1]))
    return int(value) if kind == "int" else value

def spell(obj):
    if isinstance(obj, bytes):
        return ["bytes", obj.hex()]
    if isinstance(obj, str):
        return ["text", obj.encode().hex()]
    if isinstance(obj, list):
        return ["array", [spell(item) for item in obj]]
    if isinstance(obj, dict):
        return ["map", [[spell(key), spell(obj[key])] for key in sorted(obj, key=dumps)]]
    if isinstance(obj, Tag):
        return ["tag", [obj.number, spell(obj.value)]]
    if isinstance(obj, int) and not isinstance(obj, bool):
        return ["int", str(obj)]
    return ["plain", obj]

def attempt(function, *arguments):
    try:
        return function(*arguments)
    except CborError as error:
        return "CborError: " + str(error)
"""

# RFC 8949 appendix A: every example but floats, bignums, undefined, unassigned simple values and indefinite lengths.
APPENDIX_A: list[tuple[Any, str]] = [
    (0, "00"), (1, "01"), (10, "0a"), (23, "17"), (24, "1818"), (25, "1819"), (100, "1864"), (1000, "1903e8"),
    (1000000, "1a000f4240"), (1000000000000, "1b000000e8d4a51000"), (18446744073709551615, "1bffffffffffffffff"),
    (-18446744073709551616, "3bffffffffffffffff"), (-1, "20"), (-10, "29"), (-100, "3863"), (-1000, "3903e7"),
    (False, "f4"), (True, "f5"), (None, "f6"),
    (cbor2.CBORTag(0, "2013-03-21T20:04:00Z"), "c074323031332d30332d32315432303a30343a30305a"),
    (cbor2.CBORTag(1, 1363896240), "c11a514b67b0"), (cbor2.CBORTag(23, b"\1\2\3\4"), "d74401020304"),
    (cbor2.CBORTag(24, b"dIETF"), "d818456449455446"),
    (cbor2.CBORTag(32, "http://www.example.com"), "d82076687474703a2f2f7777772e6578616d706c652e636f6d"),
    (b"", "40"), (b"\1\2\3\4", "4401020304"), ("", "60"), ("a", "6161"), ("IETF", "6449455446"), ('"\\', "62225c"),
    ("\u00fc", "62c3bc"), ("\u6c34", "63e6b0b4"), ("\U00010151", "64f0908591"),
    ([], "80"), ([1, 2, 3], "83010203"), ([1, [2, 3], [4, 5]], "8301820203820405"),
    ([*range(1, 26)], "98190102030405060708090a0b0c0d0e0f101112131415161718181819"),
    ({}, "a0"), ({1: 2, 3: 4}, "a201020304"), ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    (["a", {"b": "c"}], "826161a161626163"),
    ({"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"}, "a56161614161626142616361436164614461656145"),
]

REFUSED = {
    "": "byte 0: ends early",
    "18": "byte 0: ends early",
    "1900": "byte 0: ends early",
    "42ff": "byte 0: ends early",
    "820001ff": "byte 3: bytes after the item",
    "8201": "byte 0: ends early",
    "a10100ff": "byte 3: bytes after the item",
    "c1": "byte 1: ends early",
    "1817": "byte 0: not the shortest form",
    "1900ff": "byte 0: not the shortest form",
    "1a0000ffff": "byte 0: not the shortest form",
    "1b00000000ffffffff": "byte 0: not the shortest form",
    "3817": "byte 0: not the shortest form",
    "580100": "byte 0: not the shortest form",
    "1c": "byte 0: a reserved head",
    "5f4100ff": "byte 0: an indefinite length",
    "9fff": "byte 0: an indefinite length",
    "bfff": "byte 0: an indefinite length",
    "f93c00": "byte 0: a float or an unknown simple value",
    "fb3ff199999999999a": "byte 0: a float or an unknown simple value",
    "f7": "byte 0: a float or an unknown simple value",
    "ff": "byte 0: a float or an unknown simple value",
    "a202000100": "byte 3: keys out of order, or one of them twice",
    "a201000100": "byte 3: keys out of order, or one of them twice",
    "a220001818" "00": "byte 3: keys out of order, or one of them twice",
    "a1f500": "byte 1: no key of a map",
    "a1810000": "byte 1: no key of a map",
    "a1f93c0000": "byte 1: no key of a map",
    "62c080": "byte 0: text that is not UTF-8",
    "61ff": "byte 0: text that is not UTF-8",
    "63eda080": "byte 0: text that is not UTF-8",
    "64f4908080": "byte 0: text that is not UTF-8",
    "81" * 17 + "00": "byte 16: nested too deep",
    "c1" * 17 + "00": "byte 16: nested too deep",
    "5b1000000000000000": "byte 0: ends early",
    "7b1000000000000000": "byte 0: ends early",
    "9b1000000000000000": "byte 0: ends early",
    "bb1000000000000000": "byte 0: ends early",
    "9bffffffffffffffff" + "00" * 64: "byte 0: ends early",
}


def spell(obj: Any) -> list:
    if isinstance(obj, bytes):
        return ["bytes", obj.hex()]
    if isinstance(obj, str):
        return ["text", obj.encode().hex()]
    if isinstance(obj, list):
        return ["array", [spell(item) for item in obj]]
    if isinstance(obj, dict):
        return ["map", [[spell(key), spell(obj[key])] for key in sorted(obj, key=cbor2.dumps)]]
    if isinstance(obj, cbor2.CBORTag):
        return ["tag", [obj.tag, spell(obj.value)]]
    if isinstance(obj, int) and not isinstance(obj, bool):
        return ["int", str(obj)]
    return ["plain", obj]


def build(spelled: list) -> Any:
    kind, value = spelled
    if kind == "bytes":
        return bytes.fromhex(value)
    if kind == "text":
        return bytes.fromhex(value).decode()
    if kind == "array":
        return [build(item) for item in value]
    if kind == "map":
        return {build(key): build(item) for key, item in value}
    if kind == "tag":
        return cbor2.CBORTag(value[0], build(value[1]))
    return int(value) if kind == "int" else value


def deterministic(obj: Any) -> bytes:
    """`obj` by cbor2, with keys in the order of RFC 8949 section 4.2.1 (cbor2's canonical order is RFC 7049's)."""
    if isinstance(obj, list):
        return cbor2.dumps([0] * len(obj))[: -len(obj) or None] + b"".join(map(deterministic, obj))
    if isinstance(obj, dict):
        size = cbor2.dumps([0] * len(obj))[: -len(obj) or None]
        pairs = sorted((cbor2.dumps(key), deterministic(value)) for key, value in obj.items())
        return bytes([size[0] | 0x20]) + size[1:] + b"".join(key + value for key, value in pairs)
    if isinstance(obj, cbor2.CBORTag):
        return cbor2.dumps(cbor2.CBORTag(obj.tag, 0))[:-1] + deterministic(obj.value)
    return cbor2.dumps(obj)


integers = st.integers(-(2**64), 2**64 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
leaves = st.none() | st.booleans() | integers | st.binary(max_size=300) | texts
keys = st.integers(-300, 300) | integers | st.binary(max_size=4) | texts
tags = st.integers(0, 100) | st.integers(0, 2**64 - 1)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=30) | st.dictionaries(keys, inner, max_size=30)
                      | st.builds(cbor2.CBORTag, tags, inner), max_leaves=40)
few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                                     HealthCheck.too_slow,
                                                                     HealthCheck.data_too_large,
                                                                     HealthCheck.large_base_example])


def test_appendix_a_of_rfc_8949_both_ways(vm: Vm) -> None:
    encoded, decoded = vm(SPELL + "result = [[dumps(build(value)).hex() for value, _ in data],"
                          "[spell(loads(bytes.fromhex(raw))) for _, raw in data]]",
                          [[spell(value), raw] for value, raw in APPENDIX_A])
    assert encoded == [raw for _, raw in APPENDIX_A]
    assert decoded == [spell(value) for value, _ in APPENDIX_A]


def test_each_other_form_is_refused_with_its_place_and_reason(vm: Vm) -> None:
    answers = vm(SPELL + "result = [attempt(loads, bytes.fromhex(raw)) for raw in data]", list(REFUSED))
    assert dict(zip(REFUSED, answers, strict=True)) == {raw: "CborError: " + why for raw, why in REFUSED.items()}


@few
@given(batch=st.lists(values, min_size=1, max_size=20))
def test_values_encode_as_cbor2_does_and_come_back(vm: Vm, batch: list) -> None:
    encoded, decoded = vm(SPELL + """
objs = [build(value) for value in data]
encoded = [dumps(obj) for obj in objs]
result = [[raw.hex() for raw in encoded], [loads(raw) == obj and spell(loads(raw)) for raw, obj in zip(encoded, objs)]]
""", [spell(value) for value in batch])
    assert encoded == [deterministic(value).hex() for value in batch]
    assert decoded == [spell(value) for value in batch]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    raw = bytearray(deterministic(draw(values)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(raw) - 1))
        how = draw(st.integers(0, 3))
        if how == 0:
            raw[place] = draw(st.integers(0, 255))
        elif how == 1:
            raw[place] ^= 1 << draw(st.integers(0, 7))
        elif how == 2:
            raw[place:place] = draw(st.binary(min_size=1, max_size=9))
        elif len(raw) > 1:
            del raw[place]
    return bytes(raw)


@few
@given(batch=st.lists(mutated() | st.binary(max_size=40), min_size=40, max_size=80))
def test_what_is_taken_is_exactly_what_would_be_written(vm: Vm, batch: list[bytes]) -> None:
    """Whatever the bytes: a CborError, or a value whose one encoding, by cbor2 too, is these bytes."""
    answers = vm(SPELL + """
def again(raw):
    obj = loads(raw)
    return [dumps(obj).hex(), spell(obj)]
result = [attempt(again, bytes.fromhex(raw)) for raw in data]
""", [raw.hex() for raw in batch])
    for raw, answer in zip(batch, answers, strict=True):
        if isinstance(answer, str):
            assert answer.startswith("CborError: byte ")
        else:
            assert (answer[0], deterministic(build(answer[1]))) == (raw.hex(), raw)


def test_a_claimed_length_of_2_to_the_60_allocates_nothing(vm: Vm) -> None:
    """Also when nested: 64 claims in 600 bytes are refused within a few kilobytes of heap."""
    used = vm(SPELL + """
import gc
result = []
for first in (0x5b, 0x7b, 0x9b, 0xbb):
    claim = bytes((first, 0x10, 0, 0, 0, 0, 0, 0, 0))
    raw = b"\\x98\\x40" + claim * 64
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    answers = [attempt(loads, claim), attempt(loads, raw)]
    result.append([gc.mem_alloc() - before, answers])
    gc.enable()
""")
    assert [answers for _, answers in used] == [["CborError: byte 0: ends early", "CborError: byte 2: ends early"]] * 4
    assert max(size for size, _ in used) < 4096


def test_a_sequence_is_read_item_by_item(vm: Vm) -> None:
    items, error = vm(SPELL + """
raw = bytes.fromhex(data)
offset, items = 0, []
while offset < len(raw) - 1:
    item, offset = load_prefix(raw, offset)
    items.append([spell(item), offset])
result = [items, attempt(load_prefix, raw, offset)]
""", "a1060a" "d86001" "43010203" "1a00010000" "18")
    assert items == [[["map", [[["int", "6"], ["int", "10"]]]], 3], [["tag", [96, ["int", "1"]]], 6],
                     [["bytes", "010203"], 10], [["int", "65536"], 15]]
    assert error == "CborError: byte 15: ends early"


@pytest.mark.parametrize("value, why", [
    ("1.5", "no encoding for float"), ("{1}", "no encoding for set"), ("2**64", "an integer of more than 64 bits"),
    ("-2**64 - 1", "an integer of more than 64 bits"), ("{None: 1}", "no map key of NoneType"),
    ("{True: 1}", "no map key of bool"), ("{(1, 2): 1}", "no map key of tuple"), ("Tag(2**64, 0)",
    "an integer of more than 64 bits"), ("[[[]]]", "nested too deep"), ("{1: [[]]}", "nested too deep"),
])
def test_a_value_without_an_encoding_is_refused(vm: Vm, value: str, why: str) -> None:
    assert vm(SPELL + f"result = attempt(dumps, {value}, 2)") == "CborError: " + why


def test_bytes_like_and_tuples_encode_as_bytes_and_lists(vm: Vm) -> None:
    assert vm(SPELL + "result = dumps((bytearray(b'ab'), memoryview(b'cd'))).hex()") == "82426162426364"
