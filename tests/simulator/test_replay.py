"""A recorded live session is lived again, exactly, at any speed; and what is no session is one line."""

import base64
import json
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator import live, scenario
from simulator.day import ROOT
from simulator.devices import scene
from simulator.live_session import Session
from simulator.receiver.server import listen
from simulator.replay import replay
from simulator.session_file import End, Input, Picture, Recorder, SessionError, SessionFile
from tests.simulator.test_live import STRAIGHT, Visitor


class Webcam:
    """In the place of cv2.VideoCapture: pictures that never come again, until it is unplugged."""

    random = np.random.default_rng()
    left = 1000

    def __init__(self, source):
        pass

    def isOpened(self):  # noqa: N802
        return True

    def get(self, prop):
        return 0.0

    def read(self):
        Webcam.left -= 1
        return Webcam.left >= 0, self.random.integers(0, 255, (120, 160, 3), np.uint8)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A session that a visitor drove over HTTP, at 60x and as fast as it goes, with everything that can be done."""
    folder = tmp_path_factory.mktemp("live")
    picture = folder / "green.png"
    cv2.imwrite(str(picture), np.full((200, 200, 3), (30, 200, 90), np.uint8))
    path = scenario.find("day")
    values, lines = scenario.values_of(scenario.read_file(path), path, ("seed=11", "settings.upload_s=60"))
    day = scenario.from_values(values, lines, path)
    session = Session(day, folder, "60", Recorder(folder / "session.jsonl", day, values, path.parent))
    session.start()
    listener = listen("127.0.0.1", 0)
    server = live.server(live.application(session))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    visitor = Visitor(listener.getsockname()[1], session)

    def do(**command):
        assert visitor.do(**command) == ""

    def answer(line: str, words: str, speed: str) -> None:
        """Time goes at 1x when the screen asks, until the press."""
        before = visitor.state()["frame"]
        do(do="slow", on=True)
        do(do="type", line=line)
        visitor.until(lambda state: state["speed"] == "1" and state["words"].startswith(words))
        do(do="press", button="boot")
        do(do="slow", on=False)
        do(do="time", speed=speed)
        visitor.until(lambda state: state["frame"] > before)

    try:
        with pytest.MonkeyPatch.context() as patch:
            answer("enrol", "Enrol your face?", "1")
            visitor.until(lambda state: state["words"].startswith("Store as numbers?"))
            do(do="press", button="boot")
            do(do="time", speed="60")
            visitor.until(lambda state: any(event["text"].startswith("Enrolled") for event in state["events"]))
            do(**STRAIGHT | {"yaw": 12, "light": 0.7, "blur": 0.4})
            answer("prompt now", "Check-in", "max")
            do(do="time", speed="pause")
            do(**STRAIGHT | {"source": "path", "value": str(picture)})
            patch.setattr(scene.cv2, "VideoCapture", Webcam)
            do(**STRAIGHT | {"source": "webcam", "value": "0"})
            do(do="sky", kind="tunnel")
            answer("prompt now", "Check-in", "60")
            Webcam.left = 0  # it is unplugged
            visitor.until(lambda state: "could not be read" in state["problem"])
            do(do="switch", name="network-lossy", on=True)
            do(do="power", how="power-cut")
            do(do="break", fault="none-frames")
            do(do="time", speed="max")
            end_s = visitor.state()["at_s"] + 90
            visitor.until(lambda state: state["at_s"] > end_s)
            do(do="time", speed="pause")
    finally:
        server.should_exit = True
        thread.join()
        session.close()
    return folder / "session.jsonl"


def test_everything_that_was_done_is_in_the_file_and_no_speed(recorded):
    lines = list(SessionFile(recorded).lines())
    done = [type(line.command).__name__ for line in lines if isinstance(line, Input)]
    assert {"Press", "Type", "Show", "Sky", "Switch", "Break", "Power"} == set(done)
    assert sum(isinstance(line, Picture) for line in lines) >= 2
    assert isinstance(lines[-1], End)


def test_it_is_lived_again_to_the_same_bytes_at_any_speed(recorded, tmp_path):
    same = dict.fromkeys(("image", "console", "received"), "")
    assert replay(SessionFile(recorded), tmp_path / "fastest")[1] == same
    assert replay(SessionFile(recorded), tmp_path / "slower", speed=600)[1] == same


def test_the_command_writes_report_and_junit_and_sees_a_difference(recorded, tmp_path):
    lines = recorded.read_text().splitlines()
    end = json.loads(lines[-1])
    end["end"]["console"] = "0" * 64
    changed = tmp_path / "session.jsonl"
    changed.write_text("\n".join([*lines[:-1], json.dumps(end), ""]))
    run = subprocess.run([sys.executable, "-m", "simulator", "replay", changed, "--out", tmp_path / "out", "--report",
                          tmp_path / "page.html", "--junit", tmp_path / "junit.xml", "--json", tmp_path / "a.json"],
                         capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert (run.returncode, run.stderr) == (1, "")
    assert "the console's output      another\n" in run.stdout and "the flash image           the same\n" in run.stdout
    assert "<html" in (tmp_path / "page.html").read_text()
    failed = ElementTree.parse(tmp_path / "junit.xml").findall(".//testcase[failure]")
    assert [case.get("name") for case in failed] == ["the console's output"]
    assert json.loads((tmp_path / "a.json").read_text())["flaws"] == {"image": "", "console": "another", "received": ""}


def test_a_session_that_was_killed_is_lived_up_to_its_last_line(recorded, tmp_path):
    lines = recorded.read_bytes().splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(lines[:4]) + lines[4][:20])
    day, flaws = replay(SessionFile(cut), tmp_path / "day")
    assert flaws == {}
    assert day.watch.world.now_us == json.loads(lines[3])["at_us"]


@pytest.mark.parametrize("number, change, reason", [
    (1, {"session": 2}, "session: must be one of 1, not '2'"),
    (1, {"scenario": {"name": "x"}}, "start: missing"),
    (1, {"firmware": "0" * 64}, "firmware: the session was lived by another; check out the one of its time"),
    (1, {"files": {"/nowhere": "0" * 64}}, "files: /nowhere: No such file or directory"),
    (1, {"files": {"/dev/zero": "0" * 64}}, "files: /dev/zero: no file"),
    (1, {"files": {__file__: "0" * 64}}, f"files: {__file__}: has changed since"),
    (2, {"at_us": -1}, "at_us: must be a whole number from 0 to "),
    (3, {"at_us": 10**9 * 87}, "at_us: 87000000000 is before the line above, or after the day"),
    (2, {"input": {"do": "time", "speed": "1"}}, "input.do: changes nothing about the watch"),
    (2, {"input": {"do": "press", "button": "x"}}, "button: must be one of boot, up, down, play, menu"),
    (2, {"input": STRAIGHT | {"source": "path", "value": __file__}}, "files: missing"),
])
def test_what_is_no_session_is_named(recorded, tmp_path, number, change, reason):
    lines = recorded.read_text().splitlines()[:4]
    lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | change)
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join([*lines, ""]))
    with pytest.raises(SessionError) as caught:
        SessionFile(path)
    where = f"{path}: line {number}: "
    if "scenario" in change:
        assert str(caught.value).startswith(where) and str(caught.value).endswith(reason)
    else:
        assert str(caught.value).startswith(where + reason)


values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
                      max_leaves=5)
keys = st.sampled_from(("at_us", "input", "picture", "end", "files", "session", "scenario"))


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """Reads a session whose only line after the head is given; None where it is none."""
    path = tmp_path_factory.mktemp("spoilt") / "session.jsonl"
    file = scenario.find("day")
    day_values, lines = scenario.values_of(scenario.read_file(file), file)
    Recorder(path, scenario.from_values(day_values, lines, file), day_values, file.parent)
    head = path.read_bytes()

    def read(line: bytes) -> list | None:
        path.write_bytes(head + line + b"\n")
        try:
            return list(SessionFile(path).lines())
        except SessionError as error:
            assert "\n" not in str(error) and len(str(error)) < 600
        return None

    return read


@settings(max_examples=100, deadline=None)
@given(line=st.binary(max_size=200) | st.dictionaries(keys, values, max_size=4).map(lambda v: json.dumps(v).encode()))
@example(line=b"[" * 100_000)
@example(line=b'{"at_us": 1, "picture": "' + b"A" * (3 << 20) + b'"}')
def test_any_line_is_read_or_named(spoilt, line):
    spoilt(line)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_picture_is_read_or_refused(spoilt, data):
    png = bytearray(cv2.imencode(".png", np.zeros((7, data.draw(st.integers(1, 700)), 3), np.uint8))[1].tobytes())
    at = data.draw(st.integers(0, len(png) - 1))
    png[at:at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    read = spoilt(json.dumps({"at_us": 1, "picture": base64.b64encode(png).decode()}).encode())
    assert read is None or max(read[0].rgb().shape) <= 640
