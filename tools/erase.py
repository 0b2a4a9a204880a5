"""Takes everything of the wearer and of Muster off a board: `python -m tools.erase PORT [--yes]`.

Keys, template, settings, firmware and journal are erased block by block; the MicroPython image stays, for `make flash`.
"""

from __future__ import annotations

import sys

from tools import command
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
    parser = command.parser("erase", __doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args()
    return command.run("erase", lambda: _erase(options.port, options.yes))


def _erase(port: str, is_sure: bool) -> None:
    try:
        if not is_sure and input(f"erase all records, keys and firmware on {port}? yes/no ") != "yes":
            raise BoardError("nothing was erased")
    except EOFError:
        raise BoardError("say yes, or --yes") from None
    erase(port)


if __name__ == "__main__":
    sys.exit(main())
