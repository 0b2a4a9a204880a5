"""muster.records: the CBOR bytes of each record, and what the receiver reads in them."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from simulator.receiver.decode import Times, decode_record
from simulator.receiver.opening import record_of
from tests.conftest import Vm

HASH, OTHER = bytes(range(8)), bytes(range(8, 16))
T0_S = 1_790_000_000
BUILD = """
from muster import records
from muster.cose import cbor
from muster.vision.quality import Quality

class Result:
    def __init__(self, outcome, reason, tries, score_e4, needs_person, flaws=(), quality=None):
        self.outcome, self.reason, self.tries = outcome, reason, tries
        self.score_e4, self.needs_person = score_e4, needs_person
        self.flaws, self.quality = list(flaws), quality

HASH, OTHER = bytes(range(8)), bytes(range(8, 16))

def encoded(record, dt_s=61, quality=102):
    return cbor.dumps([record[0], dt_s, quality] + list(record[1:])).hex()
"""

# builder, its bytes after [type, 61, 102], and the fields that the receiver reads
CASES: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("boot('power', HASH)", [0, "power", HASH], {"reset_cause": "power", "model_hash": HASH.hex()}),
    ("clock(3, 1790000000123, None)", [1, 3, 1790000000123, None],
     {"source": "gnss", "new_ms": 1790000000123, "old_ms": None}),
    ("clock(2, 1790000000000, 1789999990000)", [1, 2, 1790000000000, 1789999990000],
     {"source": "network", "new_ms": 1790000000000, "old_ms": 1789999990000}),
    ("checkin(20717, 4, 1790000000, 1790000030, Result(0, 0, 1, 9970, False, [4, 14],"
     " Quality(90, 44, 3, 412, 61, -7, 52, 1)), 4100, HASH, [46056900, -14505800, 7])",
     [2, 20717, 4, T0_S, T0_S + 30, 0, 0, 1, 9970, 4100, HASH, False, [46056900, -14505800, 7], [4, 14],
      [90, 44, 3, 412, 61, -7, 52]],
     {"day": 20717, "k": 4, "due_s": T0_S, "answered_s": T0_S + 30, "outcome": "matched", "reason": "none",
      "tries": 1, "score_e4": 9970, "threshold_e4": 4100, "model_hash": HASH.hex(), "manual_check": False,
      "is_device_fault": False, "last_fix": {"lat_e6": 46056900, "lon_e6": -14505800, "age_s": 7},
      "flaws": ["too dark", "blurred"],
      "quality": {"brightness": 90, "contrast": 44, "glare_pm": 3, "sharpness_pm": 412, "eyes_px": 61, "yaw": -7,
                  "pitch": 52}}),
    ("checkin(20717, 0, 1790000000, 1790000030, Result(1, 1, 3, -251, True), 4100, HASH, None)",
     [2, 20717, 0, T0_S, T0_S + 30, 1, 1, 3, -251, 4100, HASH, True, None, [], None],
     {"day": 20717, "k": 0, "due_s": T0_S, "answered_s": T0_S + 30, "outcome": "not matched",
      "reason": "below the threshold", "tries": 3, "score_e4": -251, "threshold_e4": 4100, "model_hash": HASH.hex(),
      "manual_check": True, "is_device_fault": False, "last_fix": None, "flaws": [], "quality": None}),
    ("checkin(20717, 1, 1790000000, 0, Result(3, 8, 0, None, True), 4100, HASH, None)",
     [2, 20717, 1, T0_S, 0, 3, 8, 0, None, 4100, HASH, True, None, [], None],
     {"day": 20717, "k": 1, "due_s": T0_S, "answered_s": None, "outcome": "unable", "reason": "the watch was off",
      "tries": 0, "score_e4": None, "threshold_e4": 4100, "model_hash": HASH.hex(), "manual_check": True,
      "is_device_fault": True, "last_fix": None, "flaws": [], "quality": None}),
    ("track([(1000, 4605690, -1450580, 9)], 1061)", [3, 61, 4605690, -1450580, 9],
     {"worst_hdop_e1": 9, "fixes": [{"age_s": 61, "at_s": T0_S, "lat_e5": 4605690, "lon_e5": -1450580}]}),
    ("track([(1000, 4605690, -1450580, 9), (1010, 4605700, -1450580, 31), (1041, 4605650, -1450500, 12)], 1061)",
     [3, 61, 4605690, -1450580, 31, 10, 10, 0, 31, -50, 80],
     {"worst_hdop_e1": 31, "fixes": [{"age_s": 61, "at_s": T0_S, "lat_e5": 4605690, "lon_e5": -1450580},
                                     {"age_s": 51, "at_s": T0_S + 10, "lat_e5": 4605700, "lon_e5": -1450580},
                                     {"age_s": 20, "at_s": T0_S + 41, "lat_e5": 4605650, "lon_e5": -1450500}]}),
    ("no_fix(1000, 1031, 2, 1061)", [4, 61, 30, 2],
     {"from_age_s": 61, "to_age_s": 30, "from_s": T0_S, "to_s": T0_S + 31, "reason": "it hears no satellite"}),
    ("fault('camera', 'no frame')", [5, "camera", "no frame"], {"part": "camera", "what": "no frame"}),
    ("fault('camera', 'x' * 500)", [5, "camera", "x" * 80], {"part": "camera", "what": "x" * 80}),
    ("enrolled(HASH, OTHER)", [6, HASH, OTHER], {"template_hash": HASH.hex(), "model_hash": OTHER.hex()}),
    ("status(3900, 8000000, 250, 0)", [7, 3900, 8000000, 250, 0],
     {"battery_mv": 3900, "free_heap": 8000000, "free_sectors": 250, "lost": 0}),
    ("gap(20717, 2, 1790000000, 1790600000, 8)", [8, 20717, 2, T0_S, 1790600000, 8],
     {"day": 20717, "k": 2, "first_due_s": T0_S, "last_due_s": 1790600000, "reason": "the watch was off",
      "is_device_fault": True}),
]


@pytest.fixture
def built(vm: Vm) -> list[bytes]:
    script = BUILD + "result = [" + ", ".join(f"encoded(records.{call})" for call, _, _ in CASES) + "]\n"
    return [bytes.fromhex(record) for record in vm(script)]


def test_records_are_the_arrays_of_the_specification(built: list[bytes]) -> None:
    for (call, fields, _), record in zip(CASES, built, strict=True):
        assert record == cbor2.dumps([fields[0], 61, 102, *fields[1:]], canonical=True), call


def test_the_receiver_reads_what_was_recorded(built: list[bytes]) -> None:
    names = ["boot", "clock", "clock", "check-in", "check-in", "check-in", "track", "track", "no fix", "fault", "fault",
             "enrolled", "status", "gap"]
    for (call, _, fields), record, name in zip(CASES, built, names, strict=True):
        items = record_of(record)
        got = decode_record(items, Times(T0_S, []))
        at_s = fields["new_ms"] // 1000 if name == "clock" else T0_S + 61
        common = {key: got.pop(key) for key in ("type", "at", "at_s", "dt_s", "clock", "clock_uncertainty_ms")}
        assert (common["type"], common["at_s"], common["dt_s"], common["clock"]) == (name, at_s, 61, "gnss"), call
        assert common["clock_uncertainty_ms"] == 63
        assert got == fields, call


@pytest.mark.parametrize(("seconds", "speed_e5"), [(12, 17), (40, 24), (200, 60), (10, 200)])
def test_a_track_record_takes_under_8_bytes_a_fix(vm: Vm, seconds: int, speed_e5: int) -> None:
    """On foot, by tram, by car and by train: steps of 17e-5 to 200e-5 degree and 10 to 200 s, in either direction."""
    size, batch = vm(BUILD + """
seconds, step = data
fixes = [(100000 + seconds * i, 4605690 + step * i, -1450580 - step * i // 2, 12) for i in range(records.TRACK_BATCH)]
result = len(encoded(records.track(fixes, fixes[-1][0] + 3), 3599, 104)) // 2, records.TRACK_BATCH
""", [seconds, speed_e5])
    assert batch == 12 and size < 8 * batch
