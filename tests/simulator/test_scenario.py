"""Scenario files: what is read from a good one, and one line of file, field and reason for each wrong one."""

import json
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator import scenario
from simulator.scenario import Action, Answer, Period, Scenario, ScenarioError, load, parse

PATH = Path("folder/day.yaml")
LEAST = {"name": "x", "start": "2026-06-10T06:30:15+02:00", "zone": "UTC0", "wearer": 1,
         "route": [{"at": "06:30", "lat": 1, "lon": 2}]}


def read(**changes) -> Scenario:
    """The least scenario with some fields changed, or left out where they are None."""
    fields = {name: value for name, value in (LEAST | changes).items() if value is not None}
    return parse(json.dumps(fields).encode(), PATH)


def refused(data: bytes) -> str:
    with pytest.raises(ScenarioError) as error:
        parse(data, PATH)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_shipped_ones_are_read_by_name():
    for path in scenario.FOLDER.glob("*.yaml"):
        assert load(path.stem) == load(path)
    day = load("day")
    assert (day.start_unix_s, day.utc_offset_s, day.hours) == (1781042400, 7200, 24)
    assert [answer.who for answer in day.answers] == ["wearer", "wearer", "stranger", "ignore", "wearer"]
    assert Action(6.5 * 3600, "enrol") in day.actions
    assert Period(17 * 3600 + 1200, 17 * 3600 + 1920, "tunnel") in day.sky


def test_what_is_left_out_has_its_default_and_times_count_from_the_start():
    day = read(network=[{"from": "07:00", "to": "25:00:30", "kind": "hangs"}], answers=[{"who": "nobody"}])
    assert (day.hours, day.seed, day.board, day.stranger, day.settings) == (24, 1, "esp32_s3_eye", 2, {})
    assert day.route == ({"at_s": -15, "lat": 1, "lon": 2},)
    assert day.network == (Period(1785, 66615, "hangs"),)
    assert day.answers == (Answer("nobody", 20, 0, 0, 0, 1.0, 1.0, 0),)


def test_paths_are_beside_the_file():
    day = read(wearer="me.jpg", stranger="/abs/them", route=None, gpx="../walk.gpx")
    assert (day.wearer, day.stranger, day.gpx) == ("folder/me.jpg", "/abs/them", "folder/../walk.gpx")


ROW = {"at": "06:30", "lat": 1, "lon": 2}
MISSING, NO_FIELD = "missing", "not a field"


@pytest.mark.parametrize("changes, field, reason", [
    ({"name": None}, "name", MISSING), ({"start": None}, "start", MISSING), ({"zone": None}, "zone", MISSING),
    ({"wearer": None}, "wearer", MISSING), ({"name": ""}, "name", "''"), ({"name": 5}, "name", "'5'"),
    ({"start": "2026-06-10T06:30:15"}, "start", "2026-06-10T06:30:15"),
    ({"start": "2025-12-31T06:30:15+00:00"}, "start", "2025-12-31T06:30:15+00:00"),
    ({"hours": 0}, "hours", "from 0.1 to 1440, not '0'"), ({"hours": True}, "hours", "not 'True'"),
    ({"seed": -1}, "seed", "not '-1'"), ({"seed": 1.5}, "seed", "not '1.5'"), ({"board": "esp33"}, "board", "esp33"),
    ({"wearer": []}, "wearer", "a path"), ({"stranger": 1 << 32}, "stranger", "4294967296"),
    ({"route": {}}, "route", "a list"), ({"route": [5]}, "route[0]", "a mapping"),
    ({"route": [ROW, ROW | {"lat": 91}]}, "route[1].lat", "from -90 to 90, not '91'"),
    ({"route": [ROW | {"at": "6:60"}]}, "route[0].at", "6:60"),
    ({"route": [ROW | {"speed": 5}]}, "route[0].speed", NO_FIELD),
    ({"answers": [{"who": "police"}]}, "answers[0].who", "one of wearer, stranger, nobody, ignore, not 'police'"),
    ({"answers": [{"who": "wearer", "yaw": "left"}]}, "answers[0].yaw", "not 'left'"),
    ({"sky": [{"from": "08:00", "to": "09:00", "kind": "rain"}]}, "sky[0].kind", "not 'rain'"),
    ({"network": [{"from": "08:00", "to": "08:00", "kind": "down"}]}, "network[0].to", "after from"),
    ({"actions": [{"at": "08:00", "do": "explode"}]}, "actions[0].do", "not 'explode'"),
    ({"actions": [{"at": "08:00", "do": "console", "text": "a\rb"}]}, "actions[0].text", "a line"),
    ({"settings": []}, "settings", "a mapping"), ({"birth_date": "2000-01-01"}, "birth_date", NO_FIELD),
])
def test_a_wrong_field_is_named_with_its_reason(changes, field, reason):
    with pytest.raises(ScenarioError) as error:
        read(**changes)
    place = rf"folder/day\.yaml: (line \d+: )?{re.escape(field)}\.?: "
    assert re.fullmatch(rf"{place}.*{re.escape(reason)}.*", str(error.value))


@pytest.mark.parametrize("changes", [{"route": None}, {"gpx": "a.gpx"}])
def test_the_way_is_a_route_or_a_gpx_file_and_not_both(changes):
    with pytest.raises(ScenarioError, match=r"^folder/day\.yaml: .*route.* gpx[^\n]*$"):
        read(**changes)


@pytest.mark.parametrize("data, reason", [
    (b"", "must be a mapping"),
    (b"- 1", "must be a mapping"),
    (b"a: [", "line 1: not YAML: expected the node content, but found '<stream end>'"),
    (b"a: 1\n b: 2\n", "line 2: not YAML: mapping values are not allowed here"),
    (b"a: &x 1\nb: *x\n", "anchors and aliases are not allowed"),
    (b"a: !!python/object:os.system x", "line 1: not YAML: "),
    (b"a: !!timestamp x", "not YAML: "),
    (b"a: !!int ''", "not YAML: "),
    (b"a: !!bool x", "not YAML: "),
    (b"? [1]\n: 2\n", "line 1: "),
    (b"\xff\xfe\x00", "not YAML: "),
    (b"a: \x00", "not YAML: "),
    (b"[" * 5000, ""),
    (b"seed: 0x" + b"f" * 9000, ""),
    (b"start: 0x" + b"f" * 9000, ""),
    (b"start: 2026-99-99T00:00:00Z", "not YAML: "),
])
def test_what_is_no_scenario_is_one_line(data, reason):
    message = refused(data)
    assert message.startswith("folder/day.yaml: ") and reason in message and len(message) < 400


def test_settings_are_what_json_can_hold():
    text = yaml.safe_dump(LEAST) + "settings: {answer_s: %s}\n"
    assert parse((text % "600").encode(), PATH).settings == {"answer_s": 600}
    for value in ("2026-01-01", ".nan", ".inf", "!!binary aGk=", "0x" + "f" * 17):
        assert "settings.answer_s: must be a text, a number" in refused((text % value).encode())
    assert "'1'" in refused((text % "{1: 2}").encode())


def test_a_missing_or_overlong_file_is_one_line(tmp_path):
    (tmp_path / "long.yaml").write_bytes(b"#" * (scenario.LIMIT_BYTES + 1))
    for name, reason in (("none.yaml", "No such file or directory"), (".", "Is a directory"),
                         ("long.yaml", f"longer than {scenario.LIMIT_BYTES} bytes")):
        with pytest.raises(ScenarioError) as error:
            load(tmp_path / name)
        assert str(error.value) == f"{tmp_path / name}: {reason}"


def test_the_largest_file_is_read_in_bounded_time():
    rows = [f"  - {{at: '{6 + n // 60:03}:{n % 60:02}', lat: 1, lon: 2}}\n".encode() for n in range(8000)]
    head = yaml.safe_dump(LEAST | {"route": None}).replace("route: null\n", "").encode() + b"route:\n"
    data = head + b"".join(rows[:(scenario.LIMIT_BYTES - len(head)) // len(rows[0])])
    started = time.process_time()
    assert len(parse(data, PATH).route) > 1000
    assert time.process_time() - started < 5


TOKENS = st.sampled_from([
    "name", "start", "wearer", "route", "settings", "actions", "at", "lat", ": ", "- ", "\n", "\n  ", "{", "}", "[",
    "]", ",", "'", '"', "!!int ", "!!timestamp ", "!!float ", "!!set ", "!!omap ", "!!pairs ", "!x ", "? ", "| ", "> ",
    "%", "---", "...", "<<: ", "=", "~", "1", "-1", ".inf", ".nan", "0x1f", "1e999", "1:30", "2026-06-10",
    "2026-06-10T00:00:00+02:00", "08:30", "x", "\u00e9", "\t", "#"])


@settings(max_examples=250, deadline=None)
@example(b"!!float ''")
@example(b"? !!timestamp '' : x")
@example(b"<<: 1")
@given(st.one_of(st.binary(max_size=200), st.lists(TOKENS, max_size=40).map(lambda parts: "".join(parts).encode())))
def test_any_bytes_give_a_scenario_or_one_line(data):
    try:
        assert isinstance(parse(data, PATH), Scenario)
    except ScenarioError as error:
        assert "\n" not in str(error) and str(error).startswith("folder/day.yaml: ") and len(str(error)) < 400


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**9), st.floats(allow_nan=False, allow_infinity=False),
              st.text(max_size=12), st.sampled_from(["06:30", "wearer", "down", "open", "2026-06-10T00:00:00+02:00"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.sampled_from(["at", "from", "to", "kind", "who", "lat", "do", "x"]), inner, max_size=4)), max_leaves=6)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*LEAST, "hours", "seed", "stranger", "answers", "sky", "network", "actions", "settings", "gpx",
                        "board"]), VALUES)
def test_any_value_in_a_field_is_taken_or_refused_by_that_fields_name(name, value):
    try:
        read(**{name: value})
    except ScenarioError as error:
        assert re.match(rf"folder/day\.yaml: (line \d+: )?({name}|route|anchors|file)", str(error))
        assert "\n" not in str(error)
