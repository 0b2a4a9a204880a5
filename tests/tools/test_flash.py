"""What `make flash` writes: the partition table as ESP-IDF reads it, the files, and one-line errors before anything."""

import hashlib
import struct
import subprocess
import sys

import pytest

from simulator.devices.flash import SIZE
from simulator.provision import provision
from tests.conftest import ROOT
from tools import flash


def entries(table: bytes) -> list[tuple]:
    """The rows of a binary table, ESP-IDF's esp_partition_info_t: type, subtype, offset, size, label, flags."""
    rows = []
    while table[32 * len(rows):][:2] == b"\xaa\x50":
        kind, subtype, offset, size, label, flags = struct.unpack_from("<2xBBII16sI", table, 32 * len(rows))
        rows.append((kind, subtype, offset, size, label.rstrip(b"\0").decode(), flags))
    return rows


def test_the_partition_table_is_what_the_bootloader_reads():
    table = flash.partition_table()
    rows = entries(table)
    assert len(table) == 0xC00
    assert rows == [(1, 0x02, 0x9000, 0x6000, "nvs", 0), (0, 0x00, 0x10000, 0x280000, "factory", 0),
                    (1, 0x81, 0x290000, 0x300000, "vfs", 0), (1, 0x40, 0x590000, 0x100000, "journal", 0)]
    end = 32 * len(rows)
    assert table[end:end + 16] == b"\xeb\xeb" + b"\xff" * 14
    assert table[end + 16:end + 32] == hashlib.md5(table[:end]).digest()
    assert set(table[end + 32:]) == {0xff}


def test_no_partition_overlaps_another_or_leaves_the_flash():
    rows = sorted(entries(flash.partition_table()), key=lambda row: row[2])
    assert rows[0][2] >= 0x9000
    for row, after in zip(rows, [*rows[1:], (0, 0, SIZE)], strict=True):
        assert row[2] + row[3] <= after[2]
        assert row[2] % (0x10000 if row[0] == 0 else 0x1000) == row[3] % 0x1000 == 0


@pytest.fixture
def device(tmp_path):
    """A watch's folder, as provisioning makes it."""
    made = provision(tmp_path / "provision", seed=1)
    return tmp_path / "provision" / "devices" / made.bundle.ueid.hex()


def test_what_is_staged_is_the_firmware_the_networks_and_the_devices_files_and_no_key(device, tmp_path, monkeypatch):
    monkeypatch.setattr(flash, "STAGE", tmp_path / "stage")
    files = flash.stage(device) / "files"
    staged = {str(path.relative_to(files)): path.read_bytes() for path in files.rglob("*") if path.is_file()}
    for path in (ROOT / "firmware").rglob("*.py"):
        assert staged.pop(str(path.relative_to(ROOT / "firmware"))) == path.read_bytes()
    assert set(staged) == {"models/embedder.tflite", "models/finder.tflite", "models/networks.json", "ca.der",
                           "client.der", "settings.json"}
    secrets = [path.read_bytes() for path in (device / "nvs").iterdir()]
    assert len(secrets) == 3
    assert not any(secret in data for secret in secrets for data in staged.values())
    assert (tmp_path / "stage" / "partitions.bin").read_bytes() == flash.partition_table()


def said(*arguments: str) -> str:
    """The one line of an error."""
    run = subprocess.run([sys.executable, "-m", "tools.flash", *arguments], capture_output=True, text=True, cwd=ROOT,
                         timeout=60, check=False)
    assert run.returncode == 1 and run.stdout == "" and run.stderr.count("\n") == 1
    return run.stderr.strip()


def test_wrong_arguments_are_one_line_before_anything_is_written(tmp_path):
    (tmp_path / "no device").mkdir()
    assert said() == "flash: port: missing: make flash PORT=/dev/ttyACM0"
    assert said("/dev/none") == "flash: port: /dev/none is not there: is the board plugged in?"
    assert said("/dev/none", "--board", "esp33") == "flash: board: no firmware/boards/esp33.py"
    assert said("/dev/none", "--board", "../main") == "flash: board: no firmware/boards/../main.py"
    assert said("/dev/none", "--board", "__init__") == "flash: board: no firmware/boards/__init__.py"
    assert said("/dev/null", "--device", str(tmp_path / "no device")) == (
        f"flash: {tmp_path / 'no device'}: not a device folder of provisioning: it has no files/ and nvs/")


def test_a_step_that_fails_says_which_and_its_last_line(device, tmp_path, monkeypatch):
    """What is there, and is no serial port."""
    monkeypatch.setattr(flash, "STAGE", tmp_path / "stage")
    (tmp_path / "port").touch()
    with pytest.raises(flash.FlashError, match="^checking the chip: .*") as error:
        flash.flash(str(tmp_path / "port"), "esp32_s3_eye", device)
    assert "\n" not in str(error.value)


def test_every_step_in_order_against_recorded_tools(device, tmp_path, monkeypatch):
    """esptool and mpremote are called as they would be; the keys go to NVS and to no file."""
    monkeypatch.setattr(flash, "STAGE", tmp_path / "stage")
    calls = []
    monkeypatch.setattr(flash, "_step", lambda title, command: calls.append(command))
    flash.flash("/dev/null", "esp32_s3_eye", device)
    assert [call[0] for call in calls] == ["esptool"] * 2 + ["mpremote"] * 6
    assert calls[1][5:7] == ["write-flash", "0x8000"]
    assert [call[3] for call in calls[2:]] == ["exec", "exec", "reset", "fs", "exec", "reset"]
    keys = {}

    class Nvs:
        def __init__(self, namespace):
            assert namespace == "muster"

        set_blob = keys.__setitem__

        def commit(self):
            keys["committed"] = b""

    code = calls[6][4].removeprefix("import esp32; ")
    exec(code, {"esp32": type("esp32", (), {"NVS": Nvs})})
    assert keys == {path.name: path.read_bytes() for path in (device / "nvs").iterdir()} | {"committed": b""}
