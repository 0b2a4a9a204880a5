"""settings.json is checked field by field before anything runs."""

import json

import pytest

GOOD = {"board": "esp32_s3_eye", "zone": "CET-1CEST,M3.5.0,M10.5.0/3", "waking": [420, 1320], "prompts_per_day": 5,
        "spacing_s": 3600, "answer_s": 900, "reminder_s": 300, "tries": 3, "upload_s": 3600,
        "receiver_host": "receiver.muster.test", "receiver_port": 8443, "wifi": [{"ssid": "home", "key": "secret"}],
        "ueid": "01" + "ab" * 16, "receiver_signing_key": "04" * 65, "receiver_encryption_key": "04" * 65}

LOAD = """
from muster.settings import load, SettingsError
result = []
for text in data:
    with open("settings-under-test.json", "w") as file:
        file.write(text)
    try:
        result.append(load("settings-under-test.json").zone)
    except SettingsError as error:
        result.append(str(error))
"""


def test_good_settings_are_taken_as_they_are(vm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert vm(LOAD, [json.dumps(GOOD)]) == [GOOD["zone"]]


@pytest.mark.parametrize(("change", "reason"), [
    ({"zone": None}, "settings.json: zone: must be a POSIX TZ text"),
    ({"waking": [1300, 1320]}, "settings.json: waking: must be [first, last] minute of the day, five hours apart or "
     "more"),
    ({"answer_s": True}, "settings.json: answer_s: must be 60 to 3600"),
    ({"answer_s": 59}, "settings.json: answer_s: must be 60 to 3600"),
    ({"ueid": "01"}, "settings.json: ueid: must be 17 bytes in hex"),
    ({"wifi": []}, "settings.json: wifi: must be one to eight rows of ssid and key"),
    ({"name": "x"}, "settings.json: name: not a setting"),
])
def test_wrong_settings_are_refused_with_field_and_reason(vm, tmp_path, monkeypatch, change, reason):

    monkeypatch.chdir(tmp_path)
    assert vm(LOAD, [json.dumps({**GOOD, **change})]) == [reason]


def test_a_file_that_is_no_settings_is_refused(vm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert vm(LOAD, ["", "[1]", "{" * 9000]) == [
        "settings.json: not JSON", "settings.json: not an object", "settings.json: longer than 8192 bytes"]


def test_a_missing_setting_is_named(vm, tmp_path, monkeypatch):

    monkeypatch.chdir(tmp_path)
    texts = [json.dumps({name: value for name, value in GOOD.items() if name != left_out}) for left_out in GOOD]
    assert vm(LOAD, texts) == [f"settings.json: {left_out}: missing" for left_out in GOOD]
