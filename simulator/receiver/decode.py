"""Records as dicts with named fields and absolute times, as docs/SPEC.md gives them; what is not so is flagged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.receiver.cbor import CborError
from simulator.receiver.opening import record_of
from simulator.receiver.segment import parse
from simulator.receiver.store import Stored

BOOT, CLOCK, CHECKIN, TRACK, NO_FIX, FAULT, ENROLLED, STATUS, GAP = range(9)
SOURCES = ("none", "rtc", "network", "gnss")
OUTCOMES = ("matched", "not matched", "missed", "unable")
REASONS = ("none", "below the threshold", "not answered", "no face found", "too dark", "camera", "not enrolled",
           "networks", "the watch was off", "its clock was unknown or wrong", "it was busy",
           "pressed, and no outcome came", "the board cannot ask", "too bright", "blurred", "too far", "too near",
           "turned away", "several faces")
DEVICE_FAULTS = (5, 7, 8, 9, 10, 12)
FLAWS = (3, 4, 13, 14, 15, 16, 17, 18)  # reasons that are a frame's
QUALITY = ("brightness", "contrast", "glare_pm", "sharpness_pm", "eyes_px", "yaw", "pitch")
NO_FIX_REASONS = (None, "the receiver is silent", "it hears no satellite", "it hears some and finds no position",
                  "poor geometry", "switched off")
_LAST_S = 253_402_300_799  # the end of the year 9999
Check = Callable[[Any], bool]


class RecordError(ValueError):
    """A record that is not as its type's fields say; names the field."""


def decode_segment(stored: Stored) -> Iterator[dict[str, Any]]:
    """Each frame of a stored segment: a record's fields, or the flaw that it has and what is known of it."""
    header = parse(stored.message).header
    opened = [(index, _record(plaintext), flaw) for index, plaintext, flaw in stored.frames]
    times = Times(header.iat_s, [record for _, record, _ in opened if record is not None])
    for index, record, flaw in opened:
        fields: dict[str, Any] = {"device": stored.device.ueid.hex(), "wearer": stored.device.wearer,
                                  "boot_count": header.boot_count, "segment": stored.number, "frame": index}
        if record is None:
            yield fields | {"flaw": flaw or "record: not CBOR of a record"}
            continue
        try:
            yield fields | decode_record(record, times)
        except RecordError as error:
            yield fields | {"flaw": str(error), "record": repr(record)}


class Times:
    """Maps seconds since a segment was opened to UTC, from its iat and the clock records among `records`, in order.

    Before the first clock record of a segment opened at an unknown time, that record's time is counted back from.
    """

    def __init__(self, iat_s: int, records: list[list[Any]]):
        self._offset_ms: int | None = iat_s * 1000 if iat_s else None
        if self._offset_ms is None:
            offsets = (_offset_ms(record) for record in records)
            self._offset_ms = next((offset for offset in offsets if offset is not None), None)

    def see(self, record: list[Any]) -> None:
        """Takes the next record: from a clock record on its time counts."""
        offset = _offset_ms(record)
        if offset is not None:
            self._offset_ms = offset

    def utc_s(self, dt_s: int) -> int | None:
        """UTC in whole seconds of `dt_s` since the opening, None when unknown."""
        if self._offset_ms is None:
            return None
        return min(max((self._offset_ms + dt_s * 1000) // 1000, 0), _LAST_S)


def decode_record(record: list[Any], times: Times) -> dict[str, Any]:
    """The named fields of the next record of a segment whose times are `times`. Raises RecordError."""
    kind, dt_s, quality, *body = record
    if kind not in _TYPES:
        raise RecordError(f"type {kind}: unknown")
    if quality > 127:
        raise RecordError(f"quality {quality}: over 127")
    name, decode = _TYPES[kind]
    fields = decode(body)
    times.see(record)
    at_s = times.utc_s(dt_s)
    decoded = {"type": name, "at": _iso(at_s), "at_s": at_s, "dt_s": dt_s, "clock": SOURCES[quality >> 5],
               "clock_uncertainty_ms": (1 << (quality & 31)) - 1 if quality >> 5 else None}
    return decoded | _in_time(fields, at_s)


def _record(plaintext: bytes | None) -> list[Any] | None:
    if plaintext is None:
        return None
    try:
        return record_of(plaintext)
    except CborError:
        return None


def _offset_ms(record: list[Any]) -> int | None:
    """UTC in ms of a segment's opening by a clock record, None for every other record."""
    kind, dt_s, _, *body = record
    if kind != CLOCK or len(body) != 3 or not _is_uint(body[1]) or body[1] > _LAST_S * 1000:
        return None
    return body[1] - dt_s * 1000


def _iso(utc_s: int | None) -> str | None:
    if utc_s is None:
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=utc_s)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_time(fields: dict[str, Any], at_s: int | None) -> dict[str, Any]:
    """Ages, which count back from the record, as absolute times beside them."""
    for fix in fields.get("fixes", ()):
        fix["at_s"] = None if at_s is None else at_s - fix["age_s"]
    for name in ("from", "to"):
        if f"{name}_age_s" in fields:
            fields[f"{name}_s"] = None if at_s is None else at_s - fields[f"{name}_age_s"]
    return fields


def _is_int(value: Any) -> bool:
    return type(value) is int


def _is_uint(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_hash(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == 8


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 80


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _below(limit: int) -> Check:
    return lambda value: type(value) is int and 0 <= value < limit


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is_position(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_is_int, value)) and value[2] >= 0


def _are_flaws(value: Any) -> bool:
    return isinstance(value, list) and all(type(flaw) is int and flaw in FLAWS for flaw in value)


def _is_quality(value: Any) -> bool:
    return isinstance(value, list) and len(value) == len(QUALITY) and all(map(_is_int, value))


def _fields(kind: str, *names: tuple[str, Check]) -> Callable[[list[Any]], dict[str, Any]]:
    """A decoder of a body of exactly the fields `names`; byte strings become hex."""
    def decode(body: list[Any]) -> dict[str, Any]:
        if len(body) != len(names):
            raise RecordError(f"{kind}: {len(body)} fields, not {len(names)}")
        for (name, check), value in zip(names, body, strict=True):
            if not check(value):
                raise RecordError(f"{kind}: {name}: {value!r:.60}")
        return {name: value.hex() if isinstance(value, bytes) else value
                for (name, _), value in zip(names, body, strict=True)}
    return decode


def _checkin(body: list[Any]) -> dict[str, Any]:
    fields = _CHECKIN(body)
    position = fields.pop("last_fix")
    return fields | {
        "outcome": OUTCOMES[fields["outcome"]], "reason": REASONS[fields["reason"]],
        "is_device_fault": fields["reason"] in DEVICE_FAULTS, "answered_s": fields["answered_s"] or None,
        "last_fix": position and dict(zip(("lat_e6", "lon_e6", "age_s"), position, strict=True)),
        "flaws": [REASONS[flaw] for flaw in fields["flaws"]],
        "quality": fields["quality"] and dict(zip(QUALITY, fields["quality"], strict=True))}


def _track(body: list[Any]) -> dict[str, Any]:
    if len(body) < 4 or (len(body) - 4) % 3 or not all(map(_is_int, body)) or body[0] < 0 or body[3] < 0:
        raise RecordError("track: not a fix and, for each further one, three integers")
    age_s, lat_e5, lon_e5, hdop_e1 = body[:4]
    fixes = [{"age_s": age_s, "lat_e5": lat_e5, "lon_e5": lon_e5}]
    for at in range(4, len(body), 3):
        age_s, lat_e5, lon_e5 = age_s - body[at], lat_e5 + body[at + 1], lon_e5 + body[at + 2]
        fixes.append({"age_s": age_s, "lat_e5": lat_e5, "lon_e5": lon_e5})
    if any(abs(fix["lat_e5"]) > 9_000_000 or abs(fix["lon_e5"]) > 18_000_000 for fix in fixes):
        raise RecordError("track: a position that is not on Earth")
    return {"worst_hdop_e1": hdop_e1, "fixes": fixes}


def _clock(body: list[Any]) -> dict[str, Any]:
    fields = _CLOCK(body)
    return fields | {"source": SOURCES[fields["source"]]}


def _no_fix(body: list[Any]) -> dict[str, Any]:
    fields = _NO_FIX(body)
    if fields["reason"] == 0:
        raise RecordError("no fix: reason: 0")
    return fields | {"reason": NO_FIX_REASONS[fields["reason"]]}


def _gap(body: list[Any]) -> dict[str, Any]:
    fields = _GAP(body)
    return fields | {"reason": REASONS[fields["reason"]], "is_device_fault": fields["reason"] in DEVICE_FAULTS}


_PROMPT = ("day", _is_uint), ("k", _below(64))
_is_ms = _below(_LAST_S * 1000 + 1)
_CLOCK = _fields("clock", ("source", _below(len(SOURCES))), ("new_ms", _is_ms), ("old_ms", _or_null(_is_ms)))
_CHECKIN = _fields(
    "check-in", *_PROMPT, ("due_s", _is_uint), ("answered_s", _is_uint), ("outcome", _below(len(OUTCOMES))),
    ("reason", _below(len(REASONS))), ("tries", _is_uint), ("score_e4", _or_null(_is_int)), ("threshold_e4", _is_int),
    ("model_hash", _is_hash), ("manual_check", _is_bool), ("last_fix", _or_null(_is_position)), ("flaws", _are_flaws),
    ("quality", _or_null(_is_quality)))
_NO_FIX = _fields("no fix", ("from_age_s", _is_uint), ("to_age_s", _is_uint), ("reason", _below(len(NO_FIX_REASONS))))
_GAP = _fields("gap", *_PROMPT, ("first_due_s", _is_uint), ("last_due_s", _is_uint), ("reason", _below(FLAWS[2])))
_TYPES: dict[int, tuple[str, Callable[[list[Any]], dict[str, Any]]]] = {
    BOOT: ("boot", _fields("boot", ("reset_cause", _is_text), ("model_hash", _is_hash))),
    CLOCK: ("clock", _clock),
    CHECKIN: ("check-in", _checkin),
    TRACK: ("track", _track),
    NO_FIX: ("no fix", _no_fix),
    FAULT: ("fault", _fields("fault", ("part", _is_text), ("what", _is_text))),
    ENROLLED: ("enrolled", _fields("enrolled", ("template_hash", _is_hash), ("model_hash", _is_hash))),
    STATUS: ("status", _fields("status", ("battery_mv", _is_uint), ("free_heap", _is_uint), ("free_sectors", _is_uint),
                               ("lost", _is_uint))),
    GAP: ("gap", _gap),
}
