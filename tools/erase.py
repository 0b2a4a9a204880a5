"""Takes everything of the wearer and of Muster off a board: `python -m tools.erase PORT [--yes]`.

Keys, template, settings, firmware and journal are erased block by block; the MicroPython image stays, for `make flash`.
"""

from __future__ import annotations

import argparse
import sys

from tools.board import Board
from tools.port import BoardError

LABELS = ("journal", "vfs", "nvs")  # the keys last: with them goes what the rest could be read with
STEP = 32  # blocks of one command, for it must answer in time
BEGIN = ("import os, vfs, esp32, json\np = esp32.Partition.find(1, label={label!r})\n"
         "print(json.dumps(len(p) and p[0].ioctl(4, 0)))")


def erase(port: str) -> None:
    """Raises BoardError; done again it goes on where it was interrupted."""
    with Board(port) as board:
        for label in LABELS:
            board.doing = f"{label} was erased"
            blocks = board.ask(BEGIN.format(label=label))
            if label == "vfs":
                board.run("os.umount('/')")
            for start in range(0, blocks, STEP):
                board.run(f"for n in range({start}, {min(blocks, start + STEP)}):\n p[0].ioctl(6, n)")
            print(f"erased    {label}, {blocks * 4} KB", flush=True)
        board.doing = "an empty file system was made"
        board.run("vfs.VfsLfs2.mkfs(esp32.Partition.find(1, label='vfs')[0])")
        board.restart()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.erase", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("port", nargs="?", default="", help="serial port of the board, such as /dev/ttyACM0")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args()
    try:
        if not options.yes and input(f"erase all records, keys and firmware on {options.port}? yes/no ") != "yes":
            print("nothing was erased")
            return 1
        erase(options.port)
    except (BoardError, EOFError) as error:
        print(f"erase: {error or 'say yes, or --yes'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
