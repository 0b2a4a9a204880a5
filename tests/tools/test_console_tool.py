"""`make console` against the simulated watch, over a real pseudo-terminal: lines, pictures, segments, faults."""

import io
import os
import select
import subprocess
import sys
import time

import cv2
import pytest
import serial

from simulator import scenario
from simulator.bench import on_bench
from simulator.day import begin
from simulator.receiver import segment
from simulator.serial_port import SerialPort
from tests.conftest import ROOT
from tools import console
from tools.console import Desk
from tools.port import BoardError, Unplugged
from tools.session import Session

SPEED = 20  # times real time


@pytest.fixture(scope="module")
def watch(tmp_path_factory):
    """A watch with a receiver, and nobody who wears it."""
    with on_bench(None, tmp_path_factory.mktemp("console"), settings={"prompts_per_day": 1}) as watch:
        watch.gnss.at(46.05, 14.5)
        yield watch


@pytest.fixture(scope="module")
def port(watch):
    with SerialPort(watch, SPEED) as port:
        yield port


@pytest.fixture
def said(port):
    """What the desk says to a line."""
    lines = []
    with Session(port.path, lambda text: lines.append(f"note: {text}")) as session:
        desk = Desk(session, lines.append)

        def say(line):
            lines.clear()
            desk.run(line)
            return list(lines)

        say.desk, say.lines = desk, lines
        yield say


def until(condition, patience_s=60):
    given_up_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < given_up_s
        time.sleep(0.05)


def test_the_watch_answers_what_it_knows_and_the_desk_the_rest(said):
    assert said.desk.names() == ["enrol", "fix", "frame", "journal", "log", "prompt", "screen", "selftest", "status",
                                 "time", "upload"]
    assert said("status")[3] == "enrolled no"
    assert said("?") == [console.HELP]
    assert said("  ") == []
    assert said("nonsense") == ["nonsense: no such command; try help"]


def test_time_passes_between_two_looks(said):
    """At the speed that was asked for, within what a busy machine allows."""
    def uptime_s():
        return int(said("status")[0].split()[1])

    before, started = uptime_s(), time.monotonic()
    time.sleep(1.5)
    lived, passed = uptime_s() - before, time.monotonic() - started
    assert 2 < lived <= passed * SPEED * 1.5 + 1


def test_a_screenshot_is_what_the_wearer_sees(said, port, watch, tmp_path):
    until(lambda: not watch.display.lit)
    assert said("screenshot") == ["the screen is dark, or shows its wearer"]
    port.speed = 0.5  # so that it stays lit for a minute
    try:
        assert said("enrol") == ["the wearer is asked; a press agrees"]
        assert said(f"screenshot {tmp_path}/screen.png") == [f"{tmp_path}/screen.png, 240x240"]
        assert (cv2.imread(str(tmp_path / "screen.png"))[..., ::-1] == watch.screen()).all()
        assert "▀" in said("screenshot")[0]
    finally:
        port.speed = SPEED
    until(lambda: not watch.display.lit)


def test_a_frame_is_asked_for_on_the_screen_and_nothing_is_sent_without_the_press(said, watch, tmp_path):
    taken = len(watch.camera_opened)
    assert said(f"frame {tmp_path}/frame.png") == [
        "the wearer is asked; a press agrees", "the wearer has not agreed, or the camera fails: nothing was sent"]
    assert len(watch.camera_opened) == taken and not (tmp_path / "frame.png").exists()


def test_a_frame_that_the_wearer_agrees_to_is_taken_with_the_light_on(said, watch, tmp_path):
    watch.lit = lambda: watch.world.after(1_000_000, watch.press)
    try:
        assert said(f"frame {tmp_path}/frame.png")[1:] == [f"{tmp_path}/frame.png, 240x240"]
    finally:
        watch.lit = lambda: None
    assert watch.camera_opened and all(lit for _, lit in watch.camera_opened) and not watch.light
    assert cv2.imread(str(tmp_path / "frame.png")).shape == (240, 240, 3)
    sent = [line for line in said("log") if line.endswith("a frame went to the console")]  # uploads may have come after
    assert len(sent) == 1


def test_a_camera_that_fails_sends_nothing(said, watch):
    watch.lit = lambda: watch.world.after(1_000_000, watch.press)
    watch.camera.fault = "not-found"
    try:
        assert said("frame")[1:] == ["the wearer has not agreed, or the camera fails: nothing was sent"]
    finally:
        watch.lit, watch.camera.fault = lambda: None, None


def test_the_journal_is_dumped_as_it_is_encrypted(said, port, watch, tmp_path):
    """The segments are COSE messages that the receiver's own parser takes."""
    port.hand(watch.network.down)
    port.hand(watch.reset)  # a boot is a record
    until(lambda: len(watch.boots) > 1)
    time.sleep(0.5)
    said("upload")  # closes the open segment and cannot send it
    number = int(said("journal")[0].split()[0])
    assert number > 0
    assert said(f"journal dump {tmp_path}/dump") == [f"{number} segments in {tmp_path}/dump"]
    port.hand(watch.network.up)
    dumped = sorted((tmp_path / "dump").iterdir())
    assert len(dumped) == number
    for file in dumped:
        assert segment.parse(file.read_bytes()).header.number == int(file.stem)


def test_time_is_set_until_a_better_source_speaks(said, watch):
    until(lambda: ", source 3," in said("status")[1])
    assert said("time set") == ["kept: it is no time, or a better source has given one"]
    assert said("time set 99") == ["kept: it is no time, or a better source has given one"]
    assert said("time set x") == said("time") == ["usage: time set UNIX_SECONDS"]


def test_lines_of_the_log_come_as_they_happen_by_level(said, port, watch):
    for level, comes in (("debug", True), ("error", False)):
        assert said(f"log {level}") == []
        port.speed = 1  # the question stays for half a minute
        assert said("prompt now") == ["a drill is on the screen; nothing of it is recorded"]
        port.hand(watch.press)
        time.sleep(3)
        port.speed = SPEED
        assert any("note: info: " in line and "drill: outcome 3" in line for line in said.lines) == comes
    assert said("log loud") == ["usage: log [error|warning|info|debug|quiet]"]
    assert said("log quiet") == []


def test_the_state_is_shown_live(said, monkeypatch):
    monkeypatch.setattr(console, "VIEW_S", 0.2)
    views = said("watch 3")
    assert len(views) >= 2 and views[0].startswith("uptime") and views[1].startswith("\x1b[7A\x1b[Juptime")


def test_no_command_shows_a_secret(said, watch):
    secrets = [bytes.fromhex(text) for text in watch.nvs["muster"].values()]
    said("upload")
    text = "\n".join("\n".join(said(name)) for name in said.desk.names() if name not in ("frame", "screen"))
    assert len(secrets) >= 3
    for secret in secrets:
        assert secret.hex() not in text.replace(" ", "") and repr(secret)[2:-1] not in text


def test_a_line_that_the_watch_could_not_take_is_refused_at_the_desk(said):
    for line in ("x" * 121, "naïve", "a\x03b"):
        with pytest.raises(BoardError, match="^a line has at most 120 characters, of ASCII$"):
            said(line)


def test_a_slow_typist_and_any_bytes_are_served(port):
    with serial.Serial(port.path, timeout=20, exclusive=True) as line:
        line.write(b"\r")
        line.read_until(b"muster> ")
        for byte in b"jour\xffnal":
            line.write(bytes((byte,)))
            time.sleep(0.02)
        line.write(b"\r")
        echo, answer, prompt = line.read_until(b"muster> ").decode().split("\r\n")
    assert echo == "journal" and answer.endswith("sectors free") and prompt == "muster> "


def test_a_watch_whose_console_nobody_reads_lives_on_and_keeps_what_it_said(port):
    with serial.Serial(port.path, timeout=20, exclusive=True) as line:
        line.write(b"\r")
        line.read_until(b"muster> ")
        line.write(b"help\r" * 30)  # more than a pseudo-terminal holds
        time.sleep(1)
        answers = [line.read_until(b"muster> ") for _ in range(30)]
    assert len(set(answers)) == 1 and len(answers[0]) * 30 > 8192


# the command


def test_a_person_has_history_and_completion(tmp_path):
    """`python -m tools.console sim` on a terminal: completed by Tab, and again by the arrow up."""
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-m", "tools.console", "sim"], stdin=theirs, stdout=theirs, stderr=theirs,
                          cwd=ROOT, env={**os.environ, "TERM": "xterm"}) as run:
        os.close(theirs)
        try:
            read_until(ours, b"the desk's: ?")
            read_until(ours, b"muster>")
            os.write(ours, b"jour\t")
            read_until(ours, b"nal")
            os.write(ours, b"\r")
            read_until(ours, b"sectors free")
            read_until(ours, b"muster>")
            os.write(ours, b"\x1b[A\r")
            read_until(ours, b"sectors free")
            read_until(ours, b"muster>")
            os.write(ours, b"\x04")
            assert run.wait(60) == 0
        finally:
            run.kill()
            os.close(ours)


def read_until(descriptor: int, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        assert select.select([descriptor], [], [], 60)[0], seen
        seen += os.read(descriptor, 4096)
        if b"\x1b[6n" in seen:  # prompt_toolkit asks where the cursor is
            os.write(descriptor, b"\x1b[1;1R")
            seen = seen.replace(b"\x1b[6n", b"")


def test_lines_of_a_file_are_run_one_by_one(monkeypatch, capsys, port):
    monkeypatch.setattr(sys, "stdin", io.StringIO("log loud\njournal dump /dev/null/x\nquit\nstatus\n"))
    monkeypatch.setattr(sys, "argv", ["console", port.path])
    assert console.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], *lines[2:3], *lines[4:]] == [
        "muster> log loud", "muster> journal dump /dev/null/x", "muster> quit"]
    assert lines[1].startswith("usage: log [") and lines[3] == "console: [Errno 20] Not a directory: '/dev/null/x'"


def test_a_port_that_is_not_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["console", "/dev/none"])
    assert console.main() == 1
    assert capsys.readouterr().err == "console: port: /dev/none is not there: is the board plugged in?\n"


@pytest.mark.parametrize("left", [b"", b"\x01"], ids=["its REPL", "a raw REPL that a program left"])
def test_a_watch_without_its_firmware_is_said(tmp_path, left):
    with on_bench({"main.py": "print(1)"}, tmp_path) as watch, SerialPort(watch) as port:
        with serial.Serial(port.path, timeout=20) as line:
            line.read_until(b">>> ")
            line.write(left)
        with pytest.raises(BoardError, match="its firmware does not run: make flash, or look with mpremote connect"):
            with Session(port.path, print):
                pass


def test_a_watch_that_is_unplugged_ends_the_conversation_with_one_line(tmp_path):
    with begin(scenario.load("day"), tmp_path) as day, SerialPort(day.watch, SPEED, unplug_after=30) as port:
        with pytest.raises(Unplugged, match="the board went away while its console was used$"):
            with Session(port.path, lambda text: None) as session:
                while True:
                    session.ask("status")
