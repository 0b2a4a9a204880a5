"""The simulated serial port, with the real, unmodified mpremote and with pyserial in the place of a person."""

import hashlib
import signal
import subprocess
import sys
import time

import pytest
import serial

from simulator.serial_port import SerialPort
from simulator.watch import Watch
from tests.conftest import ROOT

START = 1_780_000_000
MAIN = b"import time\nprint('main')\nwhile True: time.sleep(1)"
BANNER = b"raw REPL; CTRL-B to exit\r\n>"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    watch = Watch({"boot.py": b"print('boot')", "main.py": MAIN}, tmp_path_factory.mktemp("serial") / "watch",
                  start_unix_s=START)
    with SerialPort(watch) as simulated:
        yield simulated
    watch.close()


def mpremote(port, *arguments, code=0) -> str:
    """What it prints."""
    run = subprocess.run([sys.executable, "-m", "mpremote", "connect", port.path, *map(str, arguments)],
                         capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == code, run.stdout + run.stderr
    return run.stdout + run.stderr


@pytest.fixture
def typed(port):
    """Types at the REPL of a person, and gives what comes back."""
    with serial.Serial(port.path, 115200, timeout=20, exclusive=True) as line:
        line.write(b"\r\x03\x02print('rea' + 'dy')\r")
        line.read_until(b"ready\r\n>>> ")

        def type_in(data: bytes, until: bytes = b">>> ") -> bytes:
            line.write(data)
            return line.read_until(until)

        yield type_in
        line.write(b"\x03")


def test_mpremote_evaluates_executes_and_keeps_names_until_a_soft_reset(port):
    assert mpremote(port, "eval", "1 + 2") == "3\n"
    assert mpremote(port, "exec", "x = 5", "exec", "print(x)", "eval", "x", "soft-reset", "resume", "exec",
                    "print('x' in globals())") == "5\n5\nFalse\n"


def test_mpremote_runs_a_file_longer_than_a_window_and_one_that_fails(port, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\n" + "# a comment of forty characters, more or less\n" * 200
                      + "print(sys.implementation._machine, __name__)\n")
    assert mpremote(port, "run", script) == "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3 __main__\n"
    script.write_text("def f():\n    raise ValueError('no such fix')\nf()\n")
    assert mpremote(port, "run", script, code=1) == (
        'Traceback (most recent call last):\n  File "<stdin>", line 3, in <module>\n  File "<stdin>", line 2, in f\n'
        "ValueError: no such fix\n")


def test_mpremote_copies_lists_hashes_and_removes_files(port, tmp_path):
    data = bytes(range(256)) * 60
    (tmp_path / "one.bin").write_bytes(data)
    mpremote(port, "mkdir", ":folder", "+", "cp", tmp_path / "one.bin", ":folder/", "+",
             "cp", ":folder/one.bin", tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == data
    assert mpremote(port, "sha256sum", ":folder/one.bin").split()[-1] == hashlib.sha256(data).hexdigest()
    assert mpremote(port, "ls", ":folder") == "ls :folder\n       15360 one.bin\n"
    mpremote(port, "rm", "-r", ":folder")
    assert "folder" not in mpremote(port, "ls")
    assert mpremote(port, "cat", ":folder/one.bin", code=1) == (
        "mpremote: cat: folder/one.bin: No such file or directory.\n")


def test_mpremote_mounts_a_folder_to_import_from(port, tmp_path):
    (tmp_path / "fresh.py").write_text("print('imported', __file__)\n")
    assert mpremote(port, "mount", tmp_path, "exec", "import fresh").endswith("imported fresh.py\n")
    mpremote(port, "mount", tmp_path, "exec", "open('/remote/said', 'w').write('by the watch')")
    assert (tmp_path / "said").read_text() == "by the watch"


@pytest.mark.parametrize("body", ["import time\nwhile 1: time.sleep(1)", "while 1: pass",
                                  "while 1: 2 ** 20000 % 12345"], ids=["asleep", "computing", "in long sums"])
def test_ctrl_c_stops_what_runs(port, body):
    with serial.Serial(port.path, 115200, timeout=20, exclusive=True) as line:
        line.write(b"\r\x03\x01")
        line.read_until(BANNER)
        line.write(b"print('begun')\n" + body.encode() + b"\x04")
        assert line.read_until(b"begun\r\n") == b"OKbegun\r\n"
        time.sleep(0.2)
        line.write(b"\x03")
        assert line.read_until(b"\x04>").endswith(b"KeyboardInterrupt: \r\n\x04>")
    assert mpremote(port, "eval", "7 * 6") == "42\n"


def test_a_program_may_take_ctrl_c_as_a_byte(port):
    assert mpremote(port, "exec", "import micropython; micropython.kbd_intr(-1); micropython.kbd_intr(3)") == ""
    with serial.Serial(port.path, 115200, timeout=20, exclusive=True) as line:
        line.write(b"\r\x03\x01")
        line.read_until(BANNER)
        line.write(b"import sys, micropython\nmicropython.kbd_intr(-1)\nprint(sys.stdin.buffer.read(3))\x04")
        time.sleep(0.2)
        line.write(b"a\x03b")
        assert line.read_until(b"\x04>") == b"OKb'a\\x03b'\r\n\x04\x04>"


def test_the_raw_mode_of_old_tools_and_its_soft_reset_skip_main(port):
    with serial.Serial(port.path, 115200, timeout=20, exclusive=True) as line:
        line.write(b"\r\x03\x01")
        line.read_until(BANNER)
        line.write(b"print(1)\n1/0\x04")
        assert line.read_until(b"\x04>") == (b'OK1\r\n\x04Traceback (most recent call last):\r\n  File "<stdin>", '
                                             b"line 2, in <module>\r\nZeroDivisionError: divide by zero\r\n\x04>")
        line.write(b"half a command\x03print(2)\x04")
        assert line.read_until(b"\x04>") == b"OK2\r\n\x04\x04>"
        line.write(b"\x04")
        assert line.read_until(BANNER) == b"OK\r\nMPY: soft reboot\r\nboot\r\n" + BANNER
        line.write(b"\x05B\x01")
        assert line.read_until(b">") == b"R\x00>"
        line.write(b"\x05A\x01")
        assert line.read(5) == b"R\x01\x00\x08\x01"
        line.write(b"print(3)\x04")
        assert line.read_until(b"\x04>") == b"\x043\r\n\x04\x04>"


def test_a_persons_lines_are_echoed_edited_and_answered(typed):
    assert typed(b"6 * 8\x087\r") == b"6 * 8\x08 \x087\r\n42\r\n>>> "
    assert typed(b"None\r") == b"None\r\n>>> "
    assert typed(b"for i in range(2):\r    print(i)\r\r").endswith(b"\r\n... \r\n0\r\n1\r\n>>> ")
    assert typed(b"len([1,\r2])\r").endswith(b"\r\n... 2])\r\n2\r\n>>> ")
    assert typed(b"'(' # [\r") == b"'(' # [\r\n'('\r\n>>> "
    assert typed(b"x y\r").endswith(b"SyntaxError: invalid syntax\r\n>>> ")
    assert typed(b"abc\x03") == b"abc\r\n>>> "
    assert typed(b"\x05a = 3\rprint(a)\x04").endswith(b"=== print(a)\r\n3\r\n>>> ")


def test_a_persons_soft_reset_starts_main_again_and_ctrl_c_ends_it(typed):
    assert typed(b"\x04", b"main\r\n") == b"\r\nMPY: soft reboot\r\nboot\r\nmain\r\n"
    assert b"KeyboardInterrupt" in typed(b"\x03")


def test_a_port_in_use_is_refused(port):
    with serial.Serial(port.path, 115200, exclusive=True):
        assert mpremote(port, "eval", "1", code=1) == (
            f"mpremote: failed to access {port.path} (it may be in use by another program)\n")


def test_a_cable_that_comes_off_ends_the_connection_and_the_power(tmp_path):
    watch = Watch({"main.py": MAIN}, tmp_path / "watch", start_unix_s=START)
    with SerialPort(watch, unplug_after=40) as simulated:
        with serial.Serial(simulated.path, 115200, timeout=20) as line:
            assert line.read_until(b"main\r\n") == b"main\r\n"
            with pytest.raises((OSError, serial.SerialException)):
                line.write(b"\r" * 50)
                while True:
                    line.read(1)
        assert simulated.received == 40 and not watch.is_on
    watch.power.on()
    with SerialPort(watch) as again:
        assert mpremote(again, "eval", "2") == "2\n"
    watch.close()


def test_a_watch_that_computes_for_ever_is_left_all_the_same(tmp_path):
    watch = Watch({"main.py": b"while True: pass"}, tmp_path / "watch", start_unix_s=START)
    with SerialPort(watch, speed=100):
        time.sleep(0.3)
    assert not watch.is_on
    watch.close()


def test_the_command_puts_a_watch_on_a_port_until_ctrl_c():
    """Blank: mpremote finds no file on it."""
    with subprocess.Popen([sys.executable, "-m", "simulator", "serial", "--blank"], stdout=subprocess.PIPE, text=True,
                          cwd=ROOT) as run:
        try:
            name, path = run.stdout.readline().split()
            assert name == "port"
            listing = subprocess.run([sys.executable, "-m", "mpremote", "connect", path, "ls"], capture_output=True,
                                     text=True, timeout=60, check=True)
            assert listing.stdout == "ls :\n"
            run.send_signal(signal.SIGINT)
            assert run.wait(60) == 0
        finally:
            run.kill()
