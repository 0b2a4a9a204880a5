"""`make flash`, `erase` and `backup`, end to end on the simulated serial port through mpremote, unplugged anywhere."""

import dataclasses
import hashlib
import os
import struct
import sys

import pytest
import serial

from simulator.bench import on_bench
from simulator.devices.chip import Chip
from simulator.devices.flash import SIZE, table
from simulator.serial_port import SerialPort
from simulator.watch import Watch
from tests.conftest import ROOT
from tools import backup, erase, flash, image, update
from tools.board import Board
from tools.firmware import CompileError, build, compiled
from tools.port import BoardError, Unplugged

START = 1_780_000_000
BOARD = "esp32_s3_eye"
BOOT = (ROOT / "firmware" / "boot.py").read_bytes()
# A firmware of three files that must be of one version, with a console that flash can wait for
TINY = """
import sys
from muster import one, two
print("version", {version}, one.VERSION, two.VERSION)
sys.stdout.write("muster> ")
while True:
    if sys.stdin.buffer.read(1) == b"\\r":
        sys.stdout.write("crypto   ok\\nmuster> ")
"""


def tiny(version: int, *extra: str) -> dict[str, bytes]:
    module = compiled("module.py", f"VERSION = {version}\n".encode(), "x64")
    return {"boot.py": BOOT, "main.py": TINY.format(version=version).encode(), "muster/one.mpy": module,
            "muster/two.mpy": module, "models/network": bytes(range(256)) * 30 + bytes((version,)),
            **dict.fromkeys(extra, b"")}


# what is written


def entries(data: bytes) -> list[tuple]:
    """The rows of a binary table, ESP-IDF's esp_partition_info_t: type, subtype, offset, size, label, flags."""
    rows = []
    while data[32 * len(rows):][:2] == b"\xaa\x50":
        kind, subtype, offset, size, label, flags = struct.unpack_from("<2xBBII16sI", data, 32 * len(rows))
        rows.append((kind, subtype, offset, size, label.rstrip(b"\0").decode(), flags))
    return rows


def test_the_partition_table_is_what_the_bootloader_reads():
    data = flash.partition_table()
    rows = entries(data)
    assert len(data) == 0xC00
    assert rows == [(1, 0x02, 0x9000, 0x6000, "nvs", 0), (0, 0x00, 0x10000, 0x280000, "factory", 0),
                    (1, 0x81, 0x290000, 0x2D0000, "vfs", 0), (1, 0x40, 0x560000, 0x100000, "journal", 0),
                    (1, 0x8F, 0x660000, 0x1A0000, "romfs", 0)]
    end = 32 * len(rows)
    assert data[end:end + 16] == b"\xeb\xeb" + b"\xff" * 14
    assert data[end + 16:end + 32] == hashlib.md5(data[:end]).digest()
    assert set(data[end + 32:]) == {0xff}


def test_no_partition_overlaps_another_or_leaves_the_flash():
    rows = sorted(entries(flash.partition_table()), key=lambda row: row[2])
    assert rows[0][2] >= 0x9000
    for row, after in zip(rows, [*rows[1:], (0, 0, SIZE)], strict=True):
        assert row[2] + row[3] <= after[2]
        assert row[2] % (0x10000 if row[0] == 0 else 0x1000) == row[3] % 0x1000 == 0


def test_what_is_built_is_the_firmware_for_one_board_compiled_and_what_micropython_starts_as_source():
    files = build(BOARD, "xtensawin")
    sources = {str(path.relative_to(ROOT / "firmware")) for path in (ROOT / "firmware").rglob("*.py")}
    ours = {path.removesuffix(".mpy") + ".py" for path in files if path.endswith(".mpy")} | {"boot.py", "main.py"}
    others = {path for path in sources if path.startswith("boards/") and path.count("/") == 1} - ours
    assert sources - others <= ours
    assert others.isdisjoint({"boards/__init__.py", f"boards/{BOARD}.py"})
    assert files["main.py"] == (ROOT / "firmware" / "main.py").read_bytes()
    assert files["models/finder.tflite"] == (ROOT / "models" / "finder.tflite").read_bytes()
    for name in ("kernels_plain", "kernels_vector"):
        kernels = files[f"muster/vision/{name}.mpy"]
        assert kernels[:2] == b"M\x06" and kernels[2] >> 2 & 0x1F == 10  # xtensawin
    assert "muster/vision/kernels_vector.mpy" not in build(BOARD, "x64")


def test_a_file_that_does_not_compile_is_named():
    with pytest.raises(CompileError, match=r"^muster/app\.py: SyntaxError: invalid syntax$"):
        compiled("muster/app.py", b"a b\n", "xtensawin")


# the whole way


@pytest.fixture
def plugged(tmp_path):
    """Switches a watch on whose serial port leads here: `files`, chip, bytes after which it is unplugged."""
    watches = []

    def plug(files=None, watch=None, unplug_after=None, **settings):
        if watch is None:
            watch = Watch(files or {}, tmp_path / f"watch{len(watches)}", start_unix_s=START, **settings)
            watches.append(watch)
        elif not watch.is_on:
            watch.power.on()
        return SerialPort(watch, speed=5, unplug_after=unplug_after)

    yield plug
    for watch in watches:
        watch.close()


def on_board(port: SerialPort) -> dict[str, str]:
    with Board(port.path) as board:
        return board.ask(update.HASHES)


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}


def test_a_provisioned_board_becomes_a_watch_that_passes_its_selftest_and_is_left_alone_by_a_second_flash(
        tmp_path, capsys):
    with on_bench({"main.py": ""}, tmp_path, settings={}) as watch, SerialPort(watch, speed=5) as port:
        provisioned, keys = on_board(port), dict(watch.nvs["muster"])
        del provisioned["main.py"]
        flash.flash(port.path, BOARD)
        first = capsys.readouterr().out.splitlines()
        flash.flash(port.path, BOARD)
        second = capsys.readouterr().out.splitlines()
        files = build(BOARD, "x64")
        assert on_board(port) == digests(files) | provisioned
        assert provisioned.keys() == {"ca.der", "client.der", "settings.json"}
        assert watch.nvs["muster"] == keys
    count = len(files)
    assert first[0] == ("board     Generic ESP32S3 module with Octal-SPIRAM with ESP32S3, MicroPython 1.25.0, camera "
                        "module, 8 MB of PSRAM, 8 MB of flash")
    assert first[1].startswith(f"firmware  {count} files for {BOARD}, .mpy for x64, ")
    assert first[2] == f"changed   {count} of {count} files, 0 to delete"
    assert [int(line.split()[0]) for line in first[3:3 + count]][-1] == 100
    assert first[3 + count:5 + count] == [f"verified  {count} files by SHA-256", "restart"]
    assert first[5 + count].startswith("selftest  crypto ok, flash ok, networks ok, clock ")
    assert first[5 + count].endswith(", gnss ok, board ok, battery ok")
    assert second[2:4] == [f"changed   0 of {count} files, 0 to delete", "restart"]
    assert second[4].startswith("selftest  crypto ok")


@pytest.fixture
def firmware(monkeypatch):
    """Sets what flash builds."""
    def build_instead(files):
        monkeypatch.setattr(flash, "build", lambda board, architecture: files)
    return build_instead


def test_only_what_changed_is_written_and_what_is_gone_is_deleted(plugged, firmware, capsys):
    old = tiny(1, "muster/gone.py", "muster/sub/gone.mpy") | {"settings.json": b"{}", "muster/two.py": b"1/0"}
    new = tiny(1) | {"models/network": b"other"}
    with plugged(old) as port:
        firmware(new)
        flash.flash(port.path, BOARD)
        lines = capsys.readouterr().out.splitlines()
        assert on_board(port) == digests(new | {"settings.json": b"{}"})
        with Board(port.path) as board:
            assert board.run("import os\nprint(os.listdir('muster'))") == "['one.mpy', 'two.mpy']\r\n"
    assert lines[2:5] == ["changed   1 of 5 files, 3 to delete", "  100 %   models/network, 5 bytes",
                          "verified  5 files by SHA-256"]


def test_a_watch_that_cannot_start_says_why(plugged, firmware, capsys):
    firmware(tiny(1) | {"main.py": b"print('muster: settings.json: missing')"})
    with plugged() as port:
        flash.flash(port.path, BOARD)
        assert capsys.readouterr().out.splitlines()[-1] == "it does not start yet: settings.json: missing"
        firmware(tiny(1) | {"main.py": b"1/0"})
        with pytest.raises(BoardError, match="written and verified, but it does not start: make console shows why$"):
            flash.flash(port.path, BOARD)


def test_a_selftest_that_fails_names_the_part(plugged, firmware, monkeypatch):
    monkeypatch.setattr(flash, "SELFTEST_S", 1)
    files = tiny(1)
    firmware(files | {"main.py": files["main.py"].replace(b"crypto   ok", b"crypto   ok\\ngnss     FAILED")})
    with plugged() as port, pytest.raises(BoardError, match="written and verified, but its self-test fails: gnss$"):
        flash.flash(port.path, BOARD)


# ROMFS


def test_an_image_with_romfs_keeps_the_networks_there_and_the_watch_finds_them(tmp_path, capsys):
    with (on_bench({"main.py": "", "models/old": "1"}, tmp_path, settings={}, chip=Chip(has_romfs=True)) as watch,
          SerialPort(watch, speed=5) as port):
        flash.flash(port.path, BOARD)
        first = capsys.readouterr().out
        flash.flash(port.path, BOARD)
        second = capsys.readouterr().out
        assert not any(path.startswith("models/") for path in on_board(port))
        with Board(port.path) as board:
            assert board.run("import os\nprint(sorted(os.listdir('/rom/models')))").strip() == (
                "['embedder.tflite', 'finder.tflite', 'landmarks.tflite', 'networks.json']")
    assert "romfs     4 files, 1,47" in first and " bytes, verified by SHA-256\n" in first
    assert "selftest  crypto ok, flash ok, networks ok" in first
    assert " bytes, as they were\n" in second and "changed   0 of " in second


def test_networks_that_do_not_fit_into_romfs_stay_in_the_file_system(plugged, firmware, monkeypatch, capsys):
    monkeypatch.setattr(flash, "examine", lambda board: dataclasses.replace(image.examine(board), rom=4096))
    firmware(tiny(1))
    with plugged() as port:
        flash.flash(port.path, BOARD)
        assert "models/network" in on_board(port)
    assert "romfs" not in capsys.readouterr().out


def test_a_board_that_is_unplugged_while_romfs_is_written_says_what_it_will_be_and_is_made_whole(plugged, firmware):
    firmware(tiny(1) | {"models/network": os.urandom(40_000)})
    with plugged(unplug_after=40_000, chip=Chip(has_romfs=True)) as port, pytest.raises(Unplugged) as raised:
        flash.flash(port.path, BOARD)
    assert str(raised.value) == (f"{port.path}: the board went away while its ROMFS was written; it starts and finds "
                                 "no networks: plug it in and flash again")
    with plugged(watch=port._watch) as again:
        flash.flash(again.path, BOARD)


# one-line errors


@pytest.fixture
def said(monkeypatch, capsys):
    """What the command line prints as its one line of error."""
    def say(*arguments, command=flash):
        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        assert command.main() == 1
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1
        return printed.err.strip()
    return say


def test_wrong_arguments_are_one_line_before_anything_is_written(said):
    assert said() == "flash: port: missing: say PORT=/dev/ttyACM0"
    assert said("/dev/none") == "flash: port: /dev/none is not there: is the board plugged in?"
    assert said("/dev/null") == "flash: port: /dev/null is no serial port"
    assert said("/dev/none", "--board", "../main") == "flash: board: no firmware/boards/../main.py"


def test_a_port_that_another_program_has_is_busy(plugged, said):
    with plugged(tiny(1)) as port, serial.Serial(port.path, exclusive=True):
        assert said(port.path) == f"flash: port: {port.path} is in use by another program"


def test_a_port_that_may_not_be_opened(monkeypatch):
    def refuse(*arguments, **settings):
        raise serial.SerialException(13, "could not open port")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(BoardError, match="^port: /dev/tty may not be opened: is this user in the group dialout?"):
        flash.flash("/dev/tty", BOARD)


def test_a_port_where_nobody_answers(monkeypatch):
    monkeypatch.setattr("tools.board.ANSWER_S", 0.5)
    ours, theirs = os.openpty()
    try:
        with pytest.raises(BoardError, match="^/dev/pts/[0-9]+: no MicroPython answers: write an image with the cam"):
            flash.flash(os.ttyname(theirs), BOARD)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(("chip", "error"), [
    (Chip(machine="Generic ESP32 module with ESP32"),
     "wrong chip: Generic ESP32 module with ESP32; the watch is an ESP32-S3"),
    (Chip(has_camera=False), "no camera module in its MicroPython: write an image with the camera module, for"),
    (Chip(psram_bytes=2 << 20), "2.0 MB of PSRAM, 4 MB are needed: a module with octal PSRAM"),
    (Chip(psram_bytes=0), "0.0 MB of PSRAM, 4 MB are needed: a module with octal PSRAM"),
    (Chip(flash_bytes=4 << 20), "4 MB of flash, 8 MB are needed: a module with more"),
], ids=["wrong chip", "no camera", "little PSRAM", "no PSRAM", "little flash"])
def test_what_the_board_lacks_is_named_before_anything_is_written(plugged, chip, error):
    files = tiny(1)
    with plugged(files, chip=chip) as port:
        with pytest.raises(BoardError) as raised:
            flash.flash(port.path, BOARD)
        assert str(raised.value).startswith(f"{port.path}: {error}")
        assert on_board(port) == digests(files)


GOOD = {"machine": "ESP32S3", "version": [1, 26, 1], "mpy": 10 << 10 | 3 << 8 | 6, "camera": True, "psram": 8 << 20,
        "flash": 16 << 20, "labels": ["nvs", "vfs", "journal"], "rom": 0, "free": 1 << 20}


class Says:
    """A board that says this of itself."""

    port = "/dev/board"

    def __init__(self, values):
        self.values = values

    def ask(self, code):
        return self.values


def test_an_image_of_the_chip_and_what_is_wrong_with_others():
    good = image.examine(Says(GOOD))
    assert good.architecture == "xtensawin" and good.version == (1, 26, 1)
    for change, error in (
            ({"version": [1, 24, 1]}, "MicroPython 1.24.1 is too old, 1.25 is needed: write an image"),
            ({"mpy": 10 << 10 | 2 << 8 | 6}, "its MicroPython loads .mpy files of version 6.2, this mpy-cross writes "),
            ({"mpy": 0}, "its MicroPython loads .mpy files of version 0.0"),
            ({"mpy": 63 << 10 | 3 << 8 | 6}, "its MicroPython loads .mpy files of version 6.3")):
        with pytest.raises(BoardError) as raised:
            image.examine(Says(GOOD | change))
        assert str(raised.value).startswith(f"/dev/board: {error}")


@pytest.mark.parametrize("values", [None, [], {}, "x", GOOD | {"extra": 1}, GOOD | {"version": 3},
                                    GOOD | {"machine": 5}, GOOD | {"mpy": "x"}, GOOD | {"psram": None}])
def test_an_answer_that_is_none_is_one_line(values):
    with pytest.raises(BoardError, match="^/dev/board: what it says of itself is not understood: "):
        image.examine(Says(values))


def test_a_board_without_a_journal_gets_the_table_and_blank_blocks_for_its_files(plugged, firmware, monkeypatch):
    """esptool is recorded: a pseudo-terminal has no ROM loader."""
    calls = []
    monkeypatch.setattr(flash, "esptool", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(flash, "examine", lambda board: dataclasses.replace(image.examine(board), labels=("vfs",)))
    firmware(tiny(1))
    with plugged({"other.py": b"1"}) as port:
        flash.flash(port.path, BOARD)
        assert on_board(port) == digests(tiny(1) | {"other.py": b"1"})
    assert calls == [("--port", port.path, "erase-region", "0x290000", "0x2000"),
                     ("--port", port.path, "write-flash", "0x8000", str(ROOT / "build" / "flash" / "partitions.bin"))]
    assert (ROOT / "build" / "flash" / "partitions.bin").read_bytes() == flash.partition_table()


@pytest.mark.parametrize(("file", "reason"), [
    ("none", r"^esptool: Invalid value for .*No such file or directory: 'none'$"),
    ("README.md", "^esptool: .*Could not open /dev/null, the port is busy or doesn't exist")])
def test_esptools_reason_is_one_line(file, reason):
    with pytest.raises(flash.FlashError, match=reason):
        flash.esptool("--port", "/dev/null", "write-flash", "0x8000", file)


def test_a_file_system_that_is_too_full_is_said_before_anything_is_written(plugged, firmware):
    firmware(tiny(1) | {"models/large": bytes(3 << 20)})
    with plugged() as port:
        with pytest.raises(BoardError, match="KB free in its file system, 31[0-9][0-9] KB are to be written: make er"):
            flash.flash(port.path, BOARD)
        assert on_board(port) == {}


# unplugged


def lives(watch: Watch, seconds: float = 3) -> str:
    """The versions of main, one and two that the watch starts with."""
    watch.has_repl = False
    start = len(watch.console_output)
    watch.power.on()
    watch.run(until_s=watch.world.now_us / 1e6 + seconds)
    watch.power.off()
    printed = watch.console_output[start:].decode()
    assert "Traceback" not in printed, printed
    return printed.split("version ")[1].splitlines()[0]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    """How many bytes an update from version 1 to 2 sends to the board, restart and self-test included."""
    watch = Watch(tiny(1), tmp_path_factory.mktemp("exchange") / "watch", start_unix_s=START)
    with pytest.MonkeyPatch.context() as patch, SerialPort(watch, speed=5) as port:
        patch.setattr(flash, "build", lambda board, architecture: tiny(2))
        flash.flash(port.path, BOARD)
        sent = port.received
    watch.close()
    return sent


@pytest.mark.parametrize("part", range(12))
def test_unplugged_anywhere_the_old_firmware_or_the_new_starts_whole_and_a_second_flash_completes_it(
        part, exchange, plugged, firmware):
    firmware(tiny(2))
    cut = exchange * (2 * part + 1) // 24 + part  # spread over the whole exchange
    port = plugged(tiny(1), unplug_after=cut)
    watch = port._watch
    with port, pytest.raises(BoardError) as raised:
        flash.flash(port.path, BOARD)
    assert str(raised.value).startswith((f"{port.path}: the board went away while ", f"port: {port.path} is not there"))
    assert "\n" not in str(raised.value)
    assert lives(watch) in ("1 1 1", "2 2 2")
    with plugged(watch=watch) as again:
        flash.flash(again.path, BOARD)
        assert on_board(again) == digests(tiny(2))
    watch.power.off()
    assert lives(watch) == "2 2 2"


def test_the_state_of_an_unplugged_board_is_said_and_what_was_written_is_kept(plugged, firmware, capsys):
    firmware(tiny(2))
    with plugged(unplug_after=9000) as port, pytest.raises(Unplugged) as raised:
        flash.flash(port.path, BOARD)
    assert str(raised.value) == (f"{port.path}: the board went away while models/network was written; there is no "
                                 "firmware on it yet: plug it in and flash again")
    capsys.readouterr()
    with plugged(watch=port._watch) as again:
        flash.flash(again.path, BOARD)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "changed   5 of 5 files, 0 to delete"
    assert [line.split()[2] for line in lines[3:6]] == ["models/network,", "muster/one.mpy,", "muster/two.mpy,"]


def test_a_power_cut_in_any_flash_operation_of_the_start_after_a_commit_is_made_good_by_the_next(plugged, firmware):
    """boot.py puts the files in place; it is cut in the first operation, the second..., until a start has fewer."""
    firmware(tiny(2))
    port = plugged(tiny(1, "muster/gone.mpy"))
    watch = port._watch
    with port, Board(port.path) as board:
        unfinished = update.Update(board, tiny(2), image.examine(board).free)
        unfinished._verify = lambda: None
        unfinished._run()
    watch.power.off()
    committed, cut = watch.image.read_bytes(), 0
    while True:
        cut += 1
        watch.image.write_bytes(committed)
        watch.power.cut(after_flash_ops=cut)
        boots = len(watch.boots)
        assert lives(watch) == "2 2 2"
        if len(watch.boots) == boots + 1:  # it had fewer operations
            break
    assert cut > 10


# erase and backup


def test_erase_leaves_nothing_of_firmware_records_and_keys_but_the_image_of_micropython(plugged, capsys):
    files = tiny(1) | {"secret.txt": b"a secret that must go" * 500}
    with plugged(files, nvs={"muster": {"sign_key": "ab" * 32}}) as port:
        watch = port._watch
        before = watch.image.read_bytes()
        assert b"secret that must" in before
        erase.erase(port.path)
        after = watch.image.read_bytes()
        assert on_board(port) == {}
    assert watch.nvs == {"muster": {}} and b"secret that must" not in after
    assert capsys.readouterr().out.splitlines() == ["erased    journal, 1024 KB", "erased    vfs, 2880 KB",
                                                    "erased    nvs, 24 KB"]
    rows = {label: slice(offset, offset + size) for _, _, offset, size, label, _ in table()}
    assert after[rows["factory"]] == before[rows["factory"]] and set(after[rows["journal"]]) == {0xff}


def test_erase_asks_first(said, monkeypatch):
    assert said("/dev/none", "--yes", command=erase) == "erase: port: /dev/none is not there: is the board plugged in?"
    assert said("/dev/none", command=backup) == "backup: port: /dev/none is not there: is the board plugged in?"
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert said("/dev/none", command=erase) == "erase: nothing was erased"


def test_a_backup_is_what_the_chip_holds_and_for_its_owner_only(plugged, tmp_path, capsys):
    out = tmp_path / "backup"
    with plugged(tiny(1)) as port:
        backup.backup(port.path, out)
        held = port._watch.image.read_bytes()
    lines = capsys.readouterr().out.splitlines()
    places = []
    for _, _, offset, size, label, _ in table():
        if label not in ("factory", "romfs"):  # which hold nothing of the watch's own
            file = out / f"{label}.bin"
            assert file.read_bytes() == held[offset:offset + size] and file.stat().st_mode & 0o777 == 0o600
            places.append(f"{offset:#x} {file}")
    assert lines[-1] == f"restore   esptool --chip esp32s3 --port {port.path} write-flash {' '.join(places)}"


def test_a_backup_that_is_unplugged_leaves_no_half_file(plugged, tmp_path):
    with plugged(tiny(1), unplug_after=4000) as port, pytest.raises(Unplugged, match="while vfs was read$"):
        backup.backup(port.path, tmp_path / "backup")
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["nvs.bin"]


