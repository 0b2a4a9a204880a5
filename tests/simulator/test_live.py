"""The live view over HTTP: what its page is given, what it may command, and what is refused."""

import http.client
import json
import re
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import live, live_commands, scenario
from simulator.day import begin
from simulator.devices.camera import Camera, FrameSize, PixelFormat, Scene
from simulator.live_commands import CommandError
from simulator.live_session import Session
from simulator.receiver.server import listen

JSON = {"Content-Type": "application/json"}
STRAIGHT = {"do": "show", "source": "person", "value": "3"} | live_commands.USUAL


def wait(look, condition) -> dict:
    """The first state that `look` gives and of which `condition` holds."""
    end = time.monotonic() + 60
    while not condition(state := look()):
        assert time.monotonic() < end, state
        time.sleep(0.05)
    return state


class Visitor:
    """A page's requests, without the page."""

    def __init__(self, port: int, session: Session):
        self.port, self.session = port, session
        self.seen = dict.fromkeys(("events", "records", "track"), ())

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict | None = None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body or None, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def do(self, **command) -> str:
        """The error of a command, "" for none."""
        status, body, _ = self.ask("POST", "/command", json.dumps(command).encode(), JSON)
        assert status in (200, 400)
        return json.loads(body).get("error", "")

    def state(self, query: str = "") -> dict:
        return json.loads(self.ask("GET", f"/state?{query}")[1])

    def until(self, condition) -> dict:
        """The first state of which `condition` holds."""
        return wait(self.state, condition)


@pytest.fixture(scope="module")
def visitor(tmp_path_factory):
    """At a paused day, on a server in a thread."""
    session = Session(scenario.load("day"), tmp_path_factory.mktemp("live"), "pause")
    session.start()
    listener = listen("127.0.0.1", 0)
    server = live.server(live.application(session))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield Visitor(listener.getsockname()[1], session)
    server.should_exit = True
    thread.join()
    session.close()


def test_the_page_and_its_parts_come_from_the_package_and_name_no_other_host(visitor):
    for path, kind in (("/", "text/html"), ("/live.css", "text/css"), ("/live.js", "text/javascript")):
        status, body, headers = visitor.ask("GET", path)
        assert (status, headers["Content-Type"].partition(";")[0]) == (200, kind)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert set(re.findall(rb"https?://[^\"']*", body)) <= {b"http://www.w3.org/2000/svg"}
    assert visitor.ask("GET", "/../live.py")[0] == 404


@pytest.mark.parametrize("headers, error", [
    ({"Host": "muster.example:80"}, "host: not this machine's loopback"),
    ({"Host": "127.0.0.1.evil.example:80"}, "host: not this machine's loopback"),
    ({"Origin": "http://evil.example"}, "origin: another page's"),
    ({"Origin": "http://127.0.0.1:1"}, "origin: another page's"),
    ({"Origin": "null"}, "origin: another page's"),
    ({"Content-Type": "text/plain"}, "content-type: must be application/json"),
])
def test_other_hosts_origins_and_forms_are_refused(visitor, headers, error):
    before = visitor.state()["speed"]
    status, body, _ = visitor.ask("POST", "/command", b'{"do": "time", "speed": "60"}', JSON | headers)
    assert (status, json.loads(body)) == (403, {"error": error})
    assert visitor.state()["speed"] == before


@pytest.mark.parametrize("body, status, error", [
    (b"", 400, "body: not JSON"),
    (b"{", 400, "body: not JSON"),
    (b"\xff", 400, "body: not JSON"),
    (b"[" * 8000, 400, "body: not JSON"),
    (b"1" * 5000, 400, "body: not JSON"),
    (b'{"do": "press", "button": NaN}', 400, "body: not JSON"),
    (b" " * 9000, 413, "body: over 8192 bytes"),
    (b"[]", 400, "command: must be an object"),
    (b'{"do": "dance"}', 400, "do: must be one of press, type, show, switch, break, sky, power, time, slow"),
    (b'{"do": "press"}', 400, "button: missing"),
    (b'{"do": "press", "button": []}', 400, "button: must be one of boot, up, down, play, menu"),
    (b'{"do": "type", "line": "a\\u0007"}', 400, "line: must be at most 120 printable ASCII characters"),
    (b'{"do": "power", "how": "reset", "x": 1}', 400, "x: not a field"),
    (b'{"do": "switch", "name": "network-down", "on": 1}', 400, "on: must be true or false"),
])
def test_what_is_no_command_is_one_line(visitor, body, status, error):
    answer = visitor.ask("POST", "/command", body, JSON)
    assert (answer[0], json.loads(answer[1])) == (status, {"error": error})


@pytest.mark.parametrize("change, error", [
    ({"yaw": 61}, "yaw: must be a number from -60 to 60"),
    ({"light": True}, "light: must be a number from 0 to 4"),
    ({"value": "-1"}, "person: a drawn person's seed is a whole number from 0 to 4294967295"),
    ({"source": "path", "value": "/nowhere"}, "/nowhere: source: no such file or folder on this machine"),
    ({"source": "path", "value": "/dev/zero"}, "/dev/zero: source: no such file or folder on this machine"),
    ({"source": "path", "value": __file__}, f"{__file__}: source: not a picture that OpenCV can read"),
    ({"source": "webcam", "value": "99"}, "webcam:99: source: no such webcam"),
    ({"source": "gallery"}, "source: must be one of person, path, webcam, nobody, dark"),
])
def test_what_cannot_be_shown_is_one_line_and_changes_nothing(visitor, change, error):
    before = visitor.state()["preview"]
    assert visitor.do(**STRAIGHT | change) == error
    assert visitor.state()["preview"] == before


FIELDS = ("do", "button", "line", "name", "on", "how", "fault", "speed", "source", "value", *live_commands.RANGES)
WORDS = ("press", "type", "show", "switch", "break", "power", "time", "slow", "boot", "person", "1")
json_values = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
                           lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), json_values | st.sampled_from(WORDS), max_size=9))
def test_any_object_is_a_command_or_one_line(values):
    try:
        assert live_commands.parse(values, ("boot",))
    except CommandError as error:
        assert "\n" not in str(error) and len(str(error)) < 200


def test_counts_must_be_numbers(visitor):
    for query in ("events=-1", "console=1e9", "track=" + "9" * 13):
        status, body, _ = visitor.ask("GET", f"/state?{query}")
        assert status == 400 and "must be a whole number" in json.loads(body)["error"]


def test_a_photograph_of_this_machine_is_seen_by_the_watch(visitor, tmp_path):
    picture = np.full((300, 300, 3), (30, 200, 90), np.uint8)
    cv2.imwrite(str(tmp_path / "green.png"), picture)
    assert visitor.do(**STRAIGHT | {"source": "path", "value": str(tmp_path / "green.png")}) == ""
    seen = cv2.imdecode(np.frombuffer(visitor.ask("GET", "/preview.jpg")[1], np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(seen.astype(int) - (30, 200, 90)).max() < 8
    assert visitor.do(**STRAIGHT) == ""


def test_a_press_and_a_command_in_a_pause_make_time_go_on(visitor):
    assert visitor.do(do="time", speed="pause") == ""
    at_s = visitor.state()["at_s"]
    assert visitor.state()["at_s"] == at_s
    assert visitor.do(do="type", line="status") == ""
    state = visitor.until(lambda state: "uptime" in state["console"])
    assert state["speed"] == "1" and state["at_s"] > at_s
    assert visitor.state(f"console={state['console_at']}")["console"] == ""


def test_the_visitor_enrols_and_the_screen_says_so_in_words(visitor):
    visitor.do(do="type", line="enrol")
    visitor.until(lambda state: state["words"] == "Enrol your face? Press if you agree")
    visitor.do(do="press", button="boot")
    visitor.until(lambda state: state["words"].startswith("Store as numbers? ") and "Press: yes" in state["words"])
    visitor.do(do="press", button="boot")
    state = visitor.until(lambda state: state["words"] == "Enrolled. Thank you")
    assert state["frame"] > 0
    assert visitor.ask("GET", "/frame.jpg")[1][:2] == b"\xff\xd8"
    assert visitor.ask("GET", "/screen.png")[1][1:4] == b"PNG"
    visitor.do(do="time", speed="max")
    visitor.until(lambda state: "enrolled" in [record["type"] for record in state["records"]])


def test_steps_lead_from_event_to_event_and_what_was_uploaded_is_decoded(visitor):
    visitor.do(do="time", speed="pause")
    count = len(visitor.state()["events"])
    for _ in range(4):
        visitor.do(do="time", speed="step")
        state = visitor.until(lambda state: state["speed"] == "pause")
        assert len(state["events"]) > count
        assert state["at_s"] - state["events"][-1]["at_s"] < 4
        count = len(state["events"])
    assert state["records"][0]["type"] == "boot"
    assert state["track"][0] == pytest.approx((46.0569, 14.5058), abs=0.001)


def test_faults_reach_the_watch(visitor):
    visitor.do(do="break", fault="not-found")
    visitor.do(do="switch", name="network-down", on=True)
    visitor.do(do="type", line="prompt now")
    visitor.until(lambda state: state["words"].startswith("Check-in"))
    visitor.do(do="press", button="boot")
    state = visitor.until(lambda state: state["words"].startswith("Not possible"))
    assert (state["camera_fault"], state["switches"]["network-down"]) == ("not-found", True)
    visitor.do(do="power", how="power-cut")
    state = visitor.until(lambda state: [event["text"] for event in state["events"]].count("Boot: power") == 2)
    assert state["problem"] == ""
    visitor.do(do="break", fault=None)
    visitor.do(do="switch", name="network-down", on=False)


def test_a_day_that_is_watched_is_the_same_to_the_byte(tmp_path):
    quiet = replace(scenario.load("day"), actions=(), answers=(), hours=0.5)
    session = Session(quiet, tmp_path / "live", "max")
    session.start()
    wait(lambda: session.state(0, 0, 0, 0), lambda state: state["over"])
    session.close()
    with begin(quiet, tmp_path / "alone") as day:
        day.watch.lit = lambda: None
        day.watch.run(until_s=1800)
    live_image, image = (tmp_path / name / "watch" / "flash.img" for name in ("live", "alone"))
    assert live_image.read_bytes() == image.read_bytes()


@pytest.fixture
def begun(tmp_path):
    """Begins a session of a scenario."""
    sessions = []

    def start(wanted: scenario.Scenario, speed: str = "pause") -> Session:
        sessions.append(Session(wanted, tmp_path / "live", speed))
        sessions[-1].start()
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def refusal(session: Session, command: live_commands.Command) -> str:
    with pytest.raises(CommandError) as caught:
        session.do(command).result(timeout=60)
    return str(caught.value)


def test_a_watch_that_is_off_hears_nothing(begun):
    session = begun(replace(scenario.load("day"), actions=(scenario.Action(0.5, "power-cut", for_s=3600),)))
    assert refusal(session, live_commands.Press("boot")) == "the watch is off"
    assert refusal(session, live_commands.Type("help")) == "the watch is off"


def test_when_the_day_is_over_time_stands_still(begun):
    session = begun(replace(scenario.load("day"), hours=0.01), "max")
    wait(lambda: session.state(0, 0, 0, 0), lambda state: state["over"])
    assert refusal(session, live_commands.Forward("60")) == "the day is over"
    assert refusal(session, live_commands.Press("boot")) == "the day is over"
    state = session.state(0, 0, 0, 0)
    assert (state["at_s"], state["speed"]) == (36, "pause")


def test_a_film_that_ends_in_the_middle_of_a_frame_restarts_the_watch(begun, tmp_path):
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25, (240, 240))
    noise = np.random.default_rng(1)
    for _ in range(25):
        writer.write(noise.integers(0, 255, (240, 240, 3), np.uint8))
    writer.release()
    film.write_bytes(film.read_bytes()[:film.stat().st_size // 12])
    session = begun(scenario.load("day"))
    session.do(live_commands.parse(STRAIGHT | {"source": "path", "value": str(film)}, ())).result(timeout=60)
    session.do(live_commands.Type("enrol")).result()
    wait(lambda: session.state(0, 0, 0, 0), lambda state: state["words"].startswith("Enrol"))
    session.do(live_commands.Press("boot")).result()
    state = wait(lambda: session.state(0, 0, 0, 0), lambda state: state["problem"])
    assert state["problem"] == f"{film}: source: the picture could not be read; the watch was started again"
    assert state["shown"]["source"] == "nobody"
    session.do(live_commands.Forward("max")).result()
    wait(lambda: session.state(0, 0, 0, 0),
         lambda state: [event["kind"] for event in state["events"]].count("boot") == 2)


def test_a_look_before_the_lens_changes_no_frame():
    frames = []
    for looks in (0, 3):
        camera = Camera(5)
        camera.show(Scene(4))
        camera.init(PixelFormat.RGB565, FrameSize.QQVGA)
        for time_us in range(0, 200_000, 50_000):
            for _ in range(looks):
                assert camera.preview(120, 120, time_us).shape == (120, 120, 3)
            frames.append(camera.capture(time_us))
    assert frames[:4] == frames[4:]
