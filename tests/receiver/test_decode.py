"""Records with named fields and absolute times; the firmware's own records.py is the author where it can be."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.receiver.decode import RecordError, Times, decode_record, decode_segment
from tests.receiver.test_command import run

HASH = bytes(range(8))
T0_S = 1_790_000_000
GNSS_64MS = 3 << 5 | 6


def decoded(*record, iat_s=T0_S):
    """The fields after the common ones."""
    fields = decode_record(list(record), Times(iat_s, [list(record)]))
    common = {name: fields.pop(name) for name in ("type", "at", "at_s", "dt_s", "clock", "clock_uncertainty_ms")}
    return common, fields


def test_every_record_carries_its_time_and_what_its_clock_was_worth():
    common, _ = decoded(5, 61, GNSS_64MS, "camera", "no frame")
    assert common == {"type": "fault", "at": "2026-09-21T14:14:21Z", "at_s": T0_S + 61, "dt_s": 61, "clock": "gnss",
                      "clock_uncertainty_ms": 63}
    common, _ = decoded(5, 61, 31, "camera", "no frame", iat_s=0)
    assert (common["at"], common["at_s"], common["clock"], common["clock_uncertainty_ms"]) == (None, None, "none", None)


@pytest.mark.parametrize(("record", "expected"), [
    ((0, 0, 31, "power", HASH), {"reset_cause": "power", "model_hash": "0001020304050607"}),
    ((1, 9, 70, 2, T0_S * 1000 + 5, None), {"source": "network", "new_ms": T0_S * 1000 + 5, "old_ms": None}),
    ((2, 9, 70, 20717, 4, T0_S, T0_S + 30, 1, 1, 3, -250, 4100, HASH, True, [48_000_001, -9_000_002, 12],
      [18, 15], [80, 30, 0, 350, 58, -3, 60]),
     {"day": 20717, "k": 4, "due_s": T0_S, "answered_s": T0_S + 30, "outcome": "not matched",
      "reason": "below the threshold", "tries": 3, "score_e4": -250, "threshold_e4": 4100,
      "model_hash": "0001020304050607", "manual_check": True, "is_device_fault": False,
      "last_fix": {"lat_e6": 48_000_001, "lon_e6": -9_000_002, "age_s": 12}, "flaws": ["several faces", "too far"],
      "quality": {"brightness": 80, "contrast": 30, "glare_pm": 0, "sharpness_pm": 350, "eyes_px": 58, "yaw": -3,
                  "pitch": 60}}),
    ((2, 9, 70, 20717, 0, T0_S, 0, 3, 5, 0, None, 4100, HASH, True, None, [], None),
     {"day": 20717, "k": 0, "due_s": T0_S, "answered_s": None, "outcome": "unable", "reason": "camera", "tries": 0,
      "score_e4": None, "threshold_e4": 4100, "model_hash": "0001020304050607", "manual_check": True,
      "is_device_fault": True, "last_fix": None, "flaws": [], "quality": None}),
    ((3, 100, 70, 90, 4_800_000, -900_000, 12, 30, 5, -7, 60, -1, 2),
     {"worst_hdop_e1": 12, "fixes": [
         {"age_s": 90, "lat_e5": 4_800_000, "lon_e5": -900_000, "at_s": T0_S + 10},
         {"age_s": 60, "lat_e5": 4_800_005, "lon_e5": -900_007, "at_s": T0_S + 40},
         {"age_s": 0, "lat_e5": 4_800_004, "lon_e5": -900_005, "at_s": T0_S + 100}]}),
    ((4, 100, 70, 90, 10, 2), {"from_age_s": 90, "to_age_s": 10, "from_s": T0_S + 10, "to_s": T0_S + 90,
                               "reason": "it hears no satellite"}),
    ((5, 1, 70, "camera", "no frame"), {"part": "camera", "what": "no frame"}),
    ((6, 1, 70, HASH, HASH), {"template_hash": "0001020304050607", "model_hash": "0001020304050607"}),
    ((7, 1, 70, 3900, 150_000, 200, 0), {"battery_mv": 3900, "free_heap": 150_000, "free_sectors": 200, "lost": 0}),
    ((8, 1, 70, 20717, 1, T0_S, T0_S + 9000, 8), {
        "day": 20717, "k": 1, "first_due_s": T0_S, "last_due_s": T0_S + 9000, "reason": "the watch was off",
        "is_device_fault": True}),
])
def test_each_type_has_its_named_fields(record, expected):
    assert decoded(*record)[1] == expected


def times_of(iat_s, *records):
    times = Times(iat_s, list(records))
    return [decode_record(record, times)["at_s"] for record in records]


def fault(dt_s):
    return [5, dt_s, 31, "part", "what"]


def clock(dt_s, new_ms):
    return [1, dt_s, 70, 3, new_ms, None]


def test_from_a_clock_record_on_its_time_counts():
    records = fault(0), fault(10), clock(20, (T0_S + 1000) * 1000 + 999), fault(25), clock(30, T0_S * 1000), fault(31)
    assert times_of(T0_S, *records) == [T0_S, T0_S + 10, T0_S + 1000, T0_S + 1005, T0_S, T0_S + 1]


def test_before_the_first_clock_record_of_a_segment_opened_at_an_unknown_time_it_is_counted_back():
    assert times_of(0, fault(0), fault(5), clock(20, T0_S * 1000), fault(25)) == [T0_S - 20, T0_S - 15, T0_S, T0_S + 5]
    assert times_of(0, fault(0), fault(5)) == [None, None]


@pytest.mark.parametrize(("record", "reason"), [
    ((9, 0, 0), "type 9: unknown"), ((5, 0, 128, "a", "b"), "quality 128: over 127"),
    ((0, 0, 0, "power"), "boot: 1 fields, not 2"), ((0, 0, 0, "power", bytes(7)), "boot: model_hash: "),
    ((0, 0, 0, "x" * 81, HASH), "boot: reset_cause: "), ((1, 0, 0, 4, 0, None), "clock: source: 4"),
    ((1, 0, 0, 0, 1 << 60, None), "clock: new_ms: "), ((1, 0, 0, 0, 0, -1), "clock: old_ms: -1"),
    ((2, 0, 0, 1, 1, 0, 0, 4, 0, 0, 0, 0, HASH, True, None, [], None), "check-in: outcome: 4"),
    ((2, 0, 0, 1, 1, 0, 0, 0, 19, 0, 0, 0, HASH, True, None, [], None), "check-in: reason: 19"),
    ((2, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, HASH, 1, None, [], None), "check-in: manual_check: 1"),
    ((2, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, HASH, True, [1, 2], [], None), r"check-in: last_fix: \[1, 2\]"),
    ((2, 0, 0, 1, 1, 0, 0, True, 0, 0, 0, 0, HASH, True, None, [], None), "check-in: outcome: True"),
    ((2, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, HASH, True, None, [4, 5], None), r"check-in: flaws: \[4, 5\]"),
    ((2, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, HASH, True, None, [True], None), r"check-in: flaws: \[True\]"),
    ((2, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, HASH, True, None, [], [1, 2]), r"check-in: quality: \[1, 2\]"),
    ((3, 0, 0, 0, 1, 2), "track: not"), ((3, 0, 0, 0, 1, 2, 3, 4), "track: not"),
    ((3, 0, 0, -1, 1, 2, 3), "track: not"),
    ((3, 0, 0, 0, 9_000_001, 2, 3), "track: a position"),
    ((3, 0, 0, 0, 1, 2, 3, 1, 0, 18_000_000), "track: a position"),
    ((4, 0, 0, 0, 0, 0), "no fix: reason: 0"), ((4, 0, 0, 0, 0, 6), "no fix: reason: 6"),
    ((7, 0, 0, 3900, -1, 0, 0), "status: free_heap: -1"), ((8, 0, 0, 1, 1, 0, 0, 13), "gap: reason: 13"),
])
def test_each_wrong_field_is_named(record, reason):
    with pytest.raises(RecordError, match=reason):
        decoded(*record)


INTEGERS = st.integers(-(1 << 64), (1 << 64) - 1)
VALUES = st.none() | st.booleans() | INTEGERS | st.text(max_size=3) | st.binary(max_size=9)
UINTS = st.integers(0, (1 << 64) - 1)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 9), st.integers(0, 130) | UINTS, UINTS,
       st.lists(VALUES | st.lists(VALUES, max_size=3), max_size=16), st.integers(0, 4_102_444_800))
def test_no_record_does_anything_but_decode_or_raise(kind, quality, dt_s, body, iat_s):
    record = [kind, dt_s, quality, *body]
    try:
        json.dumps(decode_record(record, Times(iat_s, [record])))
    except RecordError as error:
        assert "\n" not in str(error)


RECORDS = """
from muster import records
class Result:
    outcome, reason, tries, score_e4, needs_person, flaws, quality = 0, 0, 1, 7000, False, [], None
rows = [
    records.boot("power", bytes(8)), records.clock(3, 1790000010000, None),
    records.checkin(20717, 2, 1790000000, 1790000020, Result, 4100, bytes(8), [48000000, 9000000, 3]),
    records.track([(10, 4800000, 900000, 9), (40, 4800010, 900010, 14)], 45), records.no_fix(0, 30, 2, 40),
    records.fault("camera", "no frame"), records.enrolled(bytes(8), bytes(8)), records.status(3900, 100000, 200, 0),
    records.gap(20717, 3, 1790000000, 1790009000, 8)]
result = [[b.hex() if isinstance(b, bytes) else b for b in row] for row in rows]
"""


def test_what_the_firmware_writes_decodes(vm):
    rows = [[bytes(8) if value == "00" * 8 else value for value in row] for row in vm(RECORDS)]
    names = []
    for kind, *body in rows:
        record = [kind, 45, GNSS_64MS, *body]
        fields = decode_record(record, Times(T0_S, [record]))
        names.append(fields["type"])
        if kind == 2:
            assert (fields["outcome"], fields["score_e4"], fields["manual_check"]) == ("matched", 7000, False)
        if kind == 3:
            assert [(fix["at_s"], fix["lat_e5"]) for fix in fields["fixes"]] == [
                (T0_S + 10, 4_800_000), (T0_S + 40, 4_800_010)]
            assert fields["worst_hdop_e1"] == 14
    assert names == ["boot", "clock", "check-in", "track", "no fix", "fault", "enrolled", "status", "gap"]


def test_a_segment_is_decoded_frame_by_frame_and_flaws_are_told(receiver, store, author):
    receiver.accept([author.segment([fault(0), b"\xff", [9, 1, 0], fault(2)])])
    [stored] = store.stored()
    rows = list(decode_segment(stored))
    assert [(row["segment"], row["frame"], row["boot_count"]) for row in rows] == [(1, index, 1) for index in range(4)]
    assert {row["device"] for row in rows} == {author.ueid.hex()}
    assert [row.get("flaw") for row in rows] == [
        None, "record: a float or a simple value that is not used here", "type 9: unknown", None]
    assert rows[3]["at_s"] == T0_S + 2


def test_the_command_prints_records_as_lines_of_json_of_all_or_one_device(receiver, store, state, author, provisioned):
    receiver.accept([author.segment([fault(0), fault(1)]), author.segment([fault(2)])])
    lines = [json.loads(line) for line in run("records", state.folder).stdout.splitlines()]
    assert [(line["segment"], line["frame"], line["type"], line["dt_s"]) for line in lines] == [
        (1, 0, "fault", 0), (1, 1, "fault", 1), (2, 0, "fault", 2)]
    assert run("records", state.folder, "--device", author.ueid.hex()).stdout.count("\n") == 3
    assert run("records", state.folder, "--device", provisioned.bundles[1].ueid.hex()).stdout == ""
