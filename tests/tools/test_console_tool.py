"""`make console` against the simulated watch: a serial program on a real pseudo-terminal."""

import os
import select
import subprocess
import sys
import time

import pytest
import serial

from simulator import scenario
from simulator.day import begin
from simulator.serial_port import SerialPort
from tests.conftest import ROOT

SPEED = 20  # times real time


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """pyserial's view of a simulated watch that lives on in a thread."""
    with (begin(scenario.load("day"), tmp_path_factory.mktemp("console")) as day,
          SerialPort(day.watch, SPEED) as simulated,
          serial.Serial(simulated.path, 115200, timeout=20) as client):
        client.read_until(b"muster> ")
        yield client


def said(port: serial.Serial, line: str) -> list[str]:
    port.write(line.encode() + b"\r")
    answer = port.read_until(b"muster> ").decode()
    assert answer.startswith(line + "\r\n") and answer.endswith("muster> ")
    return answer.split("\r\n")[1:-1]


def test_help_and_status_over_the_wire(port):
    assert [line.split()[0] for line in said(port, "help")] == [
        "enrol", "fix", "journal", "log", "prompt", "selftest", "status", "upload"]
    lines = said(port, "status")
    assert lines[0].endswith(" s, boot 1, power") and lines[3] == "enrolled no"


def test_time_passes_between_two_looks(port):
    """At the speed that was asked for, within what a busy machine allows."""
    def uptime_s():
        return int(said(port, "status")[0].split()[1])

    before, started = uptime_s(), time.monotonic()
    time.sleep(1.5)
    lived, passed = uptime_s() - before, time.monotonic() - started
    assert 2 < lived <= passed * SPEED * 1.5 + 1


def test_a_slow_typist_and_any_bytes_are_served(port):
    for byte in b"jour\xffnal":
        port.write(bytes((byte,)))
        time.sleep(0.02)
    port.write(b"\r")
    echo, answer, prompt = port.read_until(b"muster> ").decode().split("\r\n")
    assert echo == "journal" and answer.endswith("sectors free") and prompt == "muster> "


def test_a_watch_whose_console_nobody_reads_lives_on_and_keeps_what_it_said(port):
    port.write(b"help\r" * 30)  # more than a pseudo-terminal holds
    time.sleep(1)
    answers = [port.read_until(b"muster> ") for _ in range(30)]
    assert len(set(answers)) == 1 and len(answers[0]) * 30 > 8192
    assert said(port, "status")


def test_the_command_talks_to_a_simulated_watch_of_its_own():
    """`python -m tools.console sim` on a terminal: a command, its answer, and Ctrl-] to leave."""
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-m", "tools.console", "sim"], stdin=theirs, stdout=theirs, stderr=theirs,
                          cwd=ROOT) as run:
        os.close(theirs)
        try:
            seen = read_until(ours, b"muster> ")
            os.write(ours, b"journal\r")
            seen += read_until(ours, b"sectors free")
            os.write(ours, b"\x1d")
            assert run.wait(60) == 0
        finally:
            run.kill()
            os.close(ours)
    assert b"0 segments closed" in seen


def read_until(descriptor: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        assert select.select([descriptor], [], [], 120)[0], seen
        seen += os.read(descriptor, 4096)
    return seen


def test_a_port_that_is_not_there_is_one_line():
    run = subprocess.run([sys.executable, "-m", "tools.console", "/dev/none"], capture_output=True, text=True, cwd=ROOT,
                         timeout=60, check=False)
    assert (run.returncode, run.stderr) == (1, "console: port: /dev/none is not there: is the board plugged in?\n")
