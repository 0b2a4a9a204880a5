"""Which MicroPython is taken, and one line for each that cannot be."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tools import vm


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a stand-in for micropython that prints a text and ends with a code, and names it in $MICROPYTHON."""
    def make(text: str, code: int = 0):
        path = tmp_path / "micropython"
        path.write_text(f"#!/bin/sh\necho '{text}'\nexit {code}\n")
        path.chmod(0o755)
        monkeypatch.setenv("MICROPYTHON", str(path))
        return path
    return make


def refused(bits: int = 64) -> str:
    with pytest.raises(vm.VmError) as error:
        vm.find(bits)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_one_in_the_environment_is_taken_and_only_for_64_bits(program):
    path = program("1 25 64")
    assert vm.find(64) == path
    assert vm.find(32) == vm.BUILD / "32" / "micropython"


def test_one_that_is_too_old_is_named_with_its_version(program):
    path = program("1 24 64")
    assert refused() == f"$MICROPYTHON: {path} is MicroPython 1.24, needed is 1.25 or newer"


def test_a_newer_one_will_do(program):
    path = program("2 0 64")
    assert vm.find(64) == path


def test_one_of_the_wrong_word_size_is_refused(program):
    path = program("1 25 32")
    assert refused() == f"$MICROPYTHON: {path} is a 32-bit MicroPython, needed is 64-bit"


@pytest.mark.parametrize("text, code", [("Python 3.11.2", 0), ("", 0), ("1 25 64", 3)])
def test_a_program_that_is_no_micropython_is_refused(program, text, code):
    path = program(text, code)
    assert refused().startswith(f"$MICROPYTHON: {path} is not a MicroPython that runs here (")


def test_a_path_that_leads_nowhere_is_refused_by_the_command_in_one_line(tmp_path):
    run = subprocess.run([sys.executable, "-m", "tools.vm"], capture_output=True, text=True, cwd=ROOT, timeout=60,
                         env={**os.environ, "MICROPYTHON": str(tmp_path / "none")}, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith(f"vm: $MICROPYTHON: {tmp_path / 'none'} is not a MicroPython that runs here")
    assert run.stderr.count("\n") == 1


def test_the_real_ones_run_and_have_their_word_size(monkeypatch):
    monkeypatch.delenv("MICROPYTHON", raising=False)
    for bits in (64, 32):
        run = subprocess.run([vm.find(bits), "-c", "import sys; print(sys.maxsize)"], capture_output=True, text=True,
                             timeout=20, check=True)
        assert int(run.stdout) == (1 << bits - 1) - 1
