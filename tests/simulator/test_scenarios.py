"""The shipped scenarios: each is a story with expectations; some are lived through here, all by `make scenarios`."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from simulator import scenario
from simulator.run_commands import BUILD

FILES = sorted(scenario.FOLDER.glob("*.yaml"))
FAST = ("captive-portal", "clock-lost", "power-cut-in-check-in", "low-battery")


def simulator(*words: str | Path, timeout_s: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "simulator", *map(str, words)], capture_output=True, text=True,
                          timeout=timeout_s, check=False, cwd=BUILD.parent)


def test_there_are_many_and_each_tells_a_story_and_expects_something():
    assert len(FILES) >= 20
    for path in FILES:
        first = path.read_text().split("\n")[0]
        assert first.startswith("# ") and len(first) > 40 and first.endswith(".")
        assert scenario.load(path).expect


def test_check_reads_them_all_and_names_what_is_wrong_with_one(tmp_path):
    assert simulator("check", *FILES).returncode == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text(FILES[0].read_text().replace("seed:", "sed:"))
    run = simulator("check", FILES[0], bad)
    assert run.returncode == 2
    assert run.stderr.startswith(f"simulator: {bad}: line ") and run.stderr.endswith(": sed: not a field\n")


@pytest.mark.parametrize("names", [FAST[:2], FAST[2:]], ids=" ".join)
def test_scenarios_are_as_they_expect(names, tmp_path):
    run = simulator("run", *names, "--out", tmp_path, "--junit", tmp_path / "junit.xml")
    assert (run.returncode, "2 scenarios, 2 as expected, 0 not" in run.stdout) == (0, True), run.stderr
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suites.get("failures"), suites.get("errors")) == ("0", "0")
    for suite, name in zip(suites, names, strict=True):
        assert (suite.get("name"), len(suite)) == (name, len(scenario.load(name).expect) + 1)


def test_what_is_not_as_expected_and_what_cannot_run_have_their_exit_codes(tmp_path):
    short = tmp_path / "short.yaml"
    short.write_text("""# A quarter of an hour in which nothing happens, and somebody expects more.
name: short
start: "2026-06-10T06:00:00+02:00"
zone: CET-1CEST,M3.5.0,M10.5.0/3
hours: 0.25
wearer: 1
route: [{at: "00:00", lat: 46.05690, lon: 14.50580}]
actions: [{at: "06:14:30", do: console, text: upload}]
expect:
  - {outcomes: {matched: 1}}
  - {boots: [power]}
  - {at: "06:10", clock_within_s: 1}
""")
    run = simulator("run", short, "--out", tmp_path, "--junit", tmp_path / "j.xml", "--json", tmp_path / "j.json")
    assert run.returncode == 1
    assert f"simulator: {short}: line 10: expected outcomes matched 1; found none\n" in run.stderr
    failures = ElementTree.parse(tmp_path / "j.xml").getroot().findall(".//failure")
    assert [failure.get("message") for failure in failures] == ["found none"]
    result, = json.loads((tmp_path / "j.json").read_text())
    assert (result["status"], [e["is_met"] for e in result["expectations"]]) == ("not met", [False, True, True])
    assert simulator("run", short, "--until", "00:05", "--out", tmp_path / "out").returncode == 0
    run = simulator("run", short, short.with_name("none.yaml"), "--set", "seed=2", "--out", tmp_path / "two")
    assert run.returncode == 2
    assert f"simulator: {short.with_name('none.yaml')}: No such file or directory\n" in run.stderr


def test_a_change_that_cannot_be_is_one_line():
    run = simulator("run", "day", "--set", "hours=often")
    assert run.returncode == 2
    assert run.stderr.strip().endswith("day.yaml: hours: must be a number from 0.1 to 1440, not 'often'")
