"""The watch's settings: /settings.json, written by provisioning, validated field by field."""

import json

LIMIT_BYTES = 8192


class SettingsError(Exception):
    """One line: the file, the field and the reason."""


class Settings:
    """Every setting as an attribute of the same name.

    board (module in boards/), zone (POSIX TZ), waking ([first, last] minute of the local day), prompts_per_day,
    spacing_s (least time between prompts), answer_s (time to answer one), reminder_s, tries (of the camera a prompt),
    upload_s (longest time between uploads), fix_moving_s and fix_still_s (time between fixes; 1: the receiver stays on,
    10 and more: it rests), sleep (whether the chip does while nothing is to be done), receiver_host, receiver_port,
    wifi (rows of ssid and key), ueid (hex), receiver_signing_key and receiver_encryption_key (hex, uncompressed P-256
    points).
    """

    def __init__(self, values: dict):
        for name, check, reason in _FIELDS:
            if name not in values and name not in _DEFAULTS:
                raise SettingsError("settings.json: %s: missing" % name)
            value = values[name] if name in values else _DEFAULTS[name]
            if not check(value):
                raise SettingsError("settings.json: %s: must be %s" % (name, reason))
            setattr(self, name, value)
        for name in values:
            if not hasattr(self, name):
                raise SettingsError("settings.json: %s: not a setting" % name)


def load(path: str) -> Settings:
    """Raises SettingsError."""
    try:
        with open(path) as file:
            text = file.read(LIMIT_BYTES + 1)
    except OSError:
        raise SettingsError("settings.json: missing: provision the watch first")
    if len(text) > LIMIT_BYTES:
        raise SettingsError("settings.json: longer than %d bytes" % LIMIT_BYTES)
    try:
        values = json.loads(text)
    except ValueError:
        raise SettingsError("settings.json: not JSON")
    if not isinstance(values, dict):
        raise SettingsError("settings.json: not an object")
    return Settings(values)


def _whole(low, high):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _text(value):
    return isinstance(value, str) and 0 < len(value) <= 128


def _hex(n):
    def check(value):
        return isinstance(value, str) and len(value) == 2 * n and all(c in "0123456789abcdef" for c in value)

    return check


def _waking(value):
    minute = _whole(0, 1440)
    return isinstance(value, list) and len(value) == 2 and all(minute(v) for v in value) and value[0] + 300 <= value[1]


def _wifi(value):
    return isinstance(value, list) and 0 < len(value) <= 8 and all(
        isinstance(row, dict) and _text(row.get("ssid")) and isinstance(row.get("key"), str) for row in value)


def _interval(high):
    return lambda value: _whole(10, high)(value) or _whole(1, 1)(value)


_DEFAULTS = {"fix_moving_s": 1, "fix_still_s": 60, "sleep": True}  # of settings that older provisioning does not write
_FIELDS = (
    ("board", _text, "the name of a board"),
    ("zone", _text, "a POSIX TZ text"),
    ("waking", _waking, "[first, last] minute of the day, five hours apart or more"),
    ("prompts_per_day", _whole(1, 12), "1 to 12"),
    ("spacing_s", _whole(0, 7200), "0 to 7200"),
    ("answer_s", _whole(60, 3600), "60 to 3600"),
    ("reminder_s", _whole(30, 3600), "30 to 3600"),
    ("tries", _whole(1, 5), "1 to 5"),
    ("upload_s", _whole(60, 86400), "60 to 86400"),
    ("fix_moving_s", _interval(25), "1, or 10 to 25"),
    ("fix_still_s", _interval(240), "1, or 10 to 240"),
    ("sleep", lambda value: isinstance(value, bool), "true or false"),
    ("receiver_host", _text, "a host name"),
    ("receiver_port", _whole(1, 65535), "1 to 65535"),
    ("wifi", _wifi, "one to eight rows of ssid and key"),
    ("ueid", _hex(17), "17 bytes in hex"),
    ("receiver_signing_key", _hex(65), "65 bytes in hex"),
    ("receiver_encryption_key", _hex(65), "65 bytes in hex"),
)
