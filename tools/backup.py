"""Copies what a board keeps to a folder: `python -m tools.backup PORT [--out FOLDER]`.

A file a partition, each compared by SHA-256 with the board's own, readable by its owner only: the keys are in it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from binascii import Error, a2b_base64
from pathlib import Path

from tools import command
from tools.board import Board
from tools.port import BoardError

BLOCK, STEP = 4096, 16  # bytes; blocks of one command
LABELS = ("nvs", "vfs", "journal")
OUT = Path("build/backup")
BEGIN = """
import esp32, json, hashlib
from binascii import b2a_base64
p = esp32.Partition.find(1, label={label!r})
print(json.dumps(p[0].info()[2:4] if p else None))
b, h = bytearray(4096), hashlib.sha256()
blank = b'\\xff' * 4096
"""
READ = """
for n in range({start}, {end}):
    p[0].readblocks(n, b)
    h.update(b)
    print('-' if b == blank else b2a_base64(b).decode().strip())
"""


def backup(port: str, out: Path) -> None:
    """Raises BoardError; files are there whole or not at all."""
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    places = []
    with Board(port) as board:
        for label in LABELS:
            board.doing = f"{label} was read"
            place = board.ask(BEGIN.format(label=label))
            if place is None:
                raise BoardError(f"{port}: no partition {label}: make flash writes the table")
            data = _read(board, label, place[1] // BLOCK)
            _keep(out / f"{label}.bin", data)
            places.append(f"{place[0]:#x} {out / label}.bin")
            print(f"saved     {out / label}.bin, {len(data):,} bytes", flush=True)
    print(f"restore   esptool --chip esp32s3 --port {port} write-flash {' '.join(places)}")


def _read(board: Board, label: str, blocks: int) -> bytes:
    data = bytearray()
    for start in range(0, blocks, STEP):
        end = min(blocks, start + STEP)
        lines = board.run(READ.format(start=start, end=end)).split()
        try:
            data += b"".join(b"\xff" * BLOCK if line == "-" else a2b_base64(line) for line in lines)
        except Error:
            raise BoardError(f"{board.port}: {label}: what came is no base64") from None
    if hashlib.sha256(data).hexdigest() != board.run("print(h.digest().hex())").strip():
        raise BoardError(f"{board.port}: {label}: not as the board has it: once more")
    return bytes(data)


def _keep(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    new.replace(path)


def main() -> int:
    parser = command.parser("backup", __doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the copies, build/backup unless given")
    options = parser.parse_args()
    return command.run("backup", lambda: backup(options.port, options.out), OSError)


if __name__ == "__main__":
    sys.exit(main())
