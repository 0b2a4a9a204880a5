"""Puts the firmware on a board: `python -m tools.flash PORT [--board NAME] [--device FOLDER]`.

The board already runs a MicroPython image with the `camera` module. esptool checks the chip and writes the partition
table that gives the journal its place; mpremote copies the files and, from a provisioning folder, keys and settings.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from simulator.day import firmware_files
from simulator.devices.flash import table

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "build" / "flash"
TABLE_OFFSET, TABLE_BYTES = 0x8000, 0xC00
PROBE = "import sys, camera, esp32; print(sys.implementation._machine)"
FORMAT = "import os, vfs, esp32; p = esp32.Partition.find(1, label='vfs')[0]; os.umount('/'); vfs.VfsLfs2.mkfs(p)"


class FlashError(Exception):
    """One line: what could not be done and why."""


def partition_table() -> bytes:
    """The binary partition table, as ESP-IDF's bootloader reads it: entries of 32 bytes, then their MD5."""
    entries = b"".join(
        struct.pack("<HBBII16sI", 0x50AA, kind, subtype, offset, size, label.encode(), int(encrypted))
        for kind, subtype, offset, size, label, encrypted in table())
    data = entries + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries).digest()
    return data.ljust(TABLE_BYTES, b"\xff")


def stage(device: Path | None) -> Path:
    """The files as they will lie on the watch, below build/flash. Raises FlashError."""
    shutil.rmtree(STAGE, ignore_errors=True)
    files = firmware_files()
    if device:
        if not (device / "files").is_dir() or not (device / "nvs").is_dir():
            raise FlashError(f"{device}: not a device folder of provisioning: it has no files/ and nvs/")
        files |= {path.name: path.read_bytes() for path in (device / "files").iterdir()}
    for name, data in files.items():
        target = STAGE / "files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (STAGE / "partitions.bin").write_bytes(partition_table())
    return STAGE


def flash(port: str, board: str, device: Path | None) -> None:
    """Raises FlashError."""
    if board not in {path.stem for path in (ROOT / "firmware" / "boards").glob("[a-z]*.py")}:
        raise FlashError(f"board: no firmware/boards/{board}.py")
    if not Path(port).exists():
        raise FlashError(f"port: {port} is not there: is the board plugged in?")
    staged = stage(device)
    _step("checking the chip", ["esptool", "--chip", "esp32s3", "--port", port, "flash-id"])
    _step("writing the partition table", ["esptool", "--chip", "esp32s3", "--port", port, "write-flash",
                                          hex(TABLE_OFFSET), str(staged / "partitions.bin")])
    remote = ["mpremote", "connect", port]
    _step("checking MicroPython and its camera module", [*remote, "exec", PROBE])
    _step("making the file system", [*remote, "exec", FORMAT])
    _step("restarting", [*remote, "reset"])
    names = sorted(str(path) for path in (staged / "files").iterdir())
    _step("copying the files", [*remote, "fs", "cp", "-r", *names, ":"])
    if device:
        blobs = {path.name: path.read_bytes() for path in sorted((device / "nvs").iterdir())}
        code = "import esp32; n = esp32.NVS('muster')\n" + "".join(
            f"n.set_blob({name!r}, {data!r})\n" for name, data in blobs.items()) + "n.commit()"
        _step("writing the keys", [*remote, "exec", code])
    _step("starting the watch", [*remote, "reset"])


def _step(title: str, command: list[str]) -> None:
    print(title, flush=True)
    run = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    if run.returncode:
        lines = (run.stderr or run.stdout).strip().splitlines() or ["no output"]
        raise FlashError(f"{title}: {lines[-1]}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.flash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("port", nargs="?", help="serial port of the board, such as /dev/ttyACM0")
    parser.add_argument("--board", default="esp32_s3_eye")
    parser.add_argument("--device", type=Path, help="a device's folder, made by provisioning")
    options = parser.parse_args()
    try:
        if not options.port:
            raise FlashError("port: missing: make flash PORT=/dev/ttyACM0")
        flash(options.port, options.board, options.device)
    except FlashError as error:
        print(f"flash: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
