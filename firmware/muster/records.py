"""The records: one function a type gives its fields in order, as docs/SPEC.md lists them.

segments.py puts the type first, then the seconds since the segment was opened and the clock's quality byte.
"""

from micropython import const

BOOT, CLOCK, CHECKIN, TRACK, NO_FIX, FAULT, ENROLLED, STATUS, GAP = 0, 1, 2, 3, 4, 5, 6, 7, 8

TRACK_BATCH = const(12)  # fixes a record: under 8 bytes each


def boot(cause: str, model_hash: bytes):
    return BOOT, cause, model_hash


def clock(source: int, new_ms: int, old_ms):
    """The time was set; `old_ms` is None when there was none before."""
    return CLOCK, source, new_ms, old_ms


def checkin(day: int, k: int, due_s: int, answered_s: int, result, threshold_e4: int, model_hash: bytes, last_fix):
    """`result` is checkin.Result; `answered_s` 0: no press; `last_fix` [lat_e6, lon_e6, age_s] or None."""
    seen = result.quality
    measured = seen and [seen.brightness, seen.contrast, seen.glare_pm, seen.sharpness_pm, seen.eyes_px, seen.yaw,
                         seen.pitch]
    return (CHECKIN, day, k, due_s, answered_s, result.outcome, result.reason, result.tries, result.score_e4,
            threshold_e4, model_hash, result.needs_person, last_fix, result.flaws, measured)


def track(fixes, now_s: int):
    """1 to TRACK_BATCH fixes (t_s, lat_e5, lon_e5, hdop_e1) in order of time; t_s and now_s by uptime.

    The first in full, with its age; of the others time, latitude and longitude since the one before.
    """
    t_s, lat, lon, hdop = fixes[0]
    body = [TRACK, now_s - t_s, lat, lon, max([fix[3] for fix in fixes])]
    for fix in fixes[1:]:
        body += [fix[0] - t_s, fix[1] - lat, fix[2] - lon]
        t_s, lat, lon = fix[0], fix[1], fix[2]
    return body


def no_fix(from_s: int, to_s: int, reason: int, now_s: int):
    """Times by uptime; `reason` is one of track.py's."""
    return NO_FIX, now_s - from_s, now_s - to_s, reason


def fault(part: str, text: str):
    return FAULT, part, text[:80]


def enrolled(template_hash: bytes, model_hash: bytes):
    return ENROLLED, template_hash, model_hash


def status(battery_mv: int, free_heap: int, free_sectors: int, lost: int):
    """`lost`: records since boot for which there was no room."""
    return STATUS, battery_mv, free_heap, free_sectors, lost


def gap(day: int, k: int, first_due_s: int, last_due_s: int, reason: int):
    """Prompts from (day, k) on that could not be asked, as prompts.py's GAP."""
    return GAP, day, k, first_due_s, last_due_s, reason
