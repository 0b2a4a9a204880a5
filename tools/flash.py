"""Puts the firmware on a board: `python -m tools.flash PORT [--board NAME]`.

The board already runs a MicroPython image with the `camera` module: image.py says what it must have, firmware.py what
is compiled for it, update.py how that gets there whole. What is the watch's own, provision.py gives it.
"""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

from simulator.devices.flash import table
from tools import command, rom
from tools.board import Board
from tools.firmware import CompileError, boards, build
from tools.image import JOURNAL, Image, examine
from tools.port import COMES_BACK_S, BoardError, Line
from tools.session import PROMPT, REPL
from tools.update import Update

ROOT = Path(__file__).resolve().parent.parent
TABLE_OFFSET, TABLE_BYTES, FIRST_BLOCKS_BYTES = 0x8000, 0xC00, 0x2000
SELFTEST_S, BOOT_S = 40, 20
VERDICT = re.compile(r"(\w+) +(ok|FAILED|not yet)")
class FlashError(Exception):
    """One line: what could not be done and why."""


def partition_table() -> bytes:
    """The binary partition table, as ESP-IDF's bootloader reads it: entries of 32 bytes, then their MD5."""
    entries = b"".join(
        struct.pack("<HBBII16sI", 0x50AA, kind, subtype, offset, size, label.encode(), int(encrypted))
        for kind, subtype, offset, size, label, encrypted in table())
    data = entries + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries).digest()
    return data.ljust(TABLE_BYTES, b"\xff")


def flash(port: str, name: str) -> None:
    """Check, write, verify, restart and wait for the self-test. Raises FlashError, BoardError, CompileError."""
    if name not in boards():
        raise FlashError(f"board: no firmware/boards/{name}.py")
    image = _examined(port)
    print(f"board     {image}", flush=True)
    if JOURNAL not in image.labels:
        _lay_out(port)
        image = _examined(port)
    files = build(name, image.architecture)
    size = sum(len(data) for data in files.values())
    print(f"firmware  {len(files)} files for {name}, .mpy for {image.architecture}, {size:,} bytes", flush=True)
    files = _move_networks(port, image, files)
    with Board(port) as board:
        Update(board, files, image.free).run()
        board.doing = "it was restarted"
        board.restart()
    print("restart", flush=True)
    _await_selftest(port)


def _move_networks(port: str, image: Image, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files without the networks, where ROMFS holds those."""
    networks = {path: data for path, data in files.items() if path.startswith("models/")}
    data = rom.image(networks)
    if not image.rom or len(data) > image.rom:
        return files
    how = "verified by SHA-256" if rom.deploy(port, data) else "as they were"
    print(f"romfs     {len(networks)} files, {len(data):,} bytes, {how}", flush=True)
    return {path: content for path, content in files.items() if path not in networks}


def _examined(port: str) -> Image:
    with Board(port) as board:
        return examine(board)


def _lay_out(port: str) -> None:
    """Give the journal its partition. MicroPython makes a file system where the first blocks are blank; among the
    remains of another it would stop at each start, so they go first."""
    print("layout    no journal partition: writing the partition table; the file system is made anew", flush=True)
    work = ROOT / "build" / "flash" / "partitions.bin"
    work.parent.mkdir(parents=True, exist_ok=True)
    work.write_bytes(partition_table())
    vfs = next(offset for _, _, offset, _, label, _ in table() if label == "vfs")
    esptool("--port", port, "erase-region", hex(vfs), hex(FIRST_BLOCKS_BYTES))
    esptool("--port", port, "write-flash", hex(TABLE_OFFSET), str(work))
    Line(port, "it was restarted", COMES_BACK_S).close()


def esptool(*arguments: str) -> None:
    """Raises FlashError with esptool's reason."""
    run = subprocess.run([sys.executable, "-m", "esptool", "--chip", "esp32s3", *arguments], capture_output=True,
                         text=True, check=False)
    if run.returncode:
        lines = run.stderr.strip().splitlines() or ["no reason"]
        boxed = " ".join(line.strip("│ ") for line in lines if line.startswith("│"))  # what is wrong with an argument
        raise FlashError(f"esptool: {boxed or next((line for line in lines if 'error' in line), lines[-1])}")


def _await_selftest(port: str) -> None:
    """Raises BoardError for a part that does not work in SELFTEST_S."""
    with Line(port, "it started", COMES_BACK_S) as line:
        seen = line.read_until((PROMPT, REPL), BOOT_S, poke=b"\r")
        if seen.endswith(REPL):
            why = [text for text in seen.decode(errors="replace").splitlines() if text.startswith("muster: ")]
            if not why:
                raise BoardError(f"{port}: written and verified, but it does not start: make console shows why")
            print(f"it does not start yet: {why[-1].removeprefix('muster: ')}", flush=True)
            return
        line.doing = "it tested itself"
        given_up_s = time.monotonic() + SELFTEST_S
        while True:
            line.write(b"selftest\r")
            verdicts = dict(VERDICT.findall(line.read_until((PROMPT,), SELFTEST_S).decode(errors="replace")))
            waits = [part for part, verdict in verdicts.items() if verdict != "ok" and part != "clock"]
            if verdicts and not waits:
                break
            if time.monotonic() > given_up_s:
                raise BoardError(f"{port}: written and verified, but its self-test fails: {', '.join(waits)}")
            time.sleep(0.5)
    print("selftest  " + ", ".join(f"{part} {verdict}" for part, verdict in verdicts.items()), flush=True)


def main() -> int:
    parser = command.parser("flash", __doc__)
    parser.add_argument("--board", default="esp32_s3_eye", help=", ".join(boards()))
    options = parser.parse_args()
    return command.run("flash", lambda: flash(options.port, options.board), FlashError, CompileError)


if __name__ == "__main__":
    sys.exit(main())
