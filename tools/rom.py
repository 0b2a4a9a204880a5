"""The networks in a board's ROMFS, where its image has one: read in place, and no room taken from the file system."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from mpremote.romfs import VfsRomWriter

from tools.board import Board
from tools.port import BoardError, Unplugged

IMAGE = Path(__file__).resolve().parent.parent / "build" / "flash" / "models.romfs"
HASH = """
import vfs, hashlib, json
d, h, b = vfs.rom_ioctl(2, 0), hashlib.sha256(), bytearray(4096)
for at in range(0, {size}, 4096):
    if hasattr(d, 'readblocks'):
        d.readblocks(at // 4096, b)
    else:
        b = d[at:at + 4096]
    h.update(memoryview(b)[:min(4096, {size} - at)])
print(json.dumps(h.digest().hex()))
"""


def image(files: dict[str, bytes]) -> bytes:
    """A ROMFS image of `folder/name` to content, one level deep."""
    writer = VfsRomWriter()
    for folder in sorted({path.split("/")[0] for path in files}):
        writer.opendir(folder)
        for path in sorted(path for path in files if path.startswith(folder + "/")):
            writer.mkfile(path.split("/")[1], files[path])
        writer.closedir()
    return writer.finalise()


def deploy(port: str, data: bytes) -> bool:
    """Write the image with mpremote, unless the board has it; whether it was written. Raises BoardError."""
    if _there(port, len(data)) == hashlib.sha256(data).hexdigest():
        return False
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    IMAGE.write_bytes(data)
    run = subprocess.run([sys.executable, "-m", "mpremote", "connect", port, "romfs", "deploy", IMAGE],
                         capture_output=True, text=True, check=False)
    if run.returncode:
        raise Unplugged(f"{port}: the board went away while its ROMFS was written; it starts and finds no networks: "
                        "plug it in and flash again")
    if _there(port, len(data)) != hashlib.sha256(data).hexdigest():
        raise BoardError(f"{port}: its ROMFS is not as it was sent: flash again")
    return True


def _there(port: str, size: int) -> str:
    with Board(port) as board:
        board.doing = "its ROMFS was read"
        return board.ask(HASH.format(size=size))
