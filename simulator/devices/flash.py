"""The watch's flash chip: an image with a partition table, and the files of its file system put there by the VM."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools import vm as micropython

# label, type, subtype, size; the layout that tools/flash.py writes to a board of 8 MB; romfs is for images that have it
PARTITIONS = (("nvs", 1, 0x02, 0x6000), ("factory", 0, 0x00, 0x280000), ("vfs", 1, 0x81, 0x2D0000),
              ("journal", 1, 0x40, 0x100000), ("romfs", 1, 0x8F, 0x1A0000))
FIRST_OFFSET = 0x9000
SIZE = 8 << 20

_INSTALL = """
import json, sys, vfs
sys.path[:] = [sys.argv[3]]
import esp32
with open(sys.argv[2]) as file:
    plan = json.load(file)
esp32._table = tuple(tuple(row) for row in plan["partitions"])
esp32._flash = open(sys.argv[1], "r+b")
block_device = esp32.Partition("vfs")
if plan["is_new"]:
    vfs.VfsLfs2.mkfs(block_device)
files = [(name, open(source, "rb").read()) for name, source in plan["files"]]
vfs.mount(vfs.VfsLfs2(block_device, mtime=False), "/flash")
import os
for name, data in files:
    parts = name.split("/")
    for i in range(1, len(parts)):
        folder = "/flash/" + "/".join(parts[:i])
        try:
            os.mkdir(folder)
        except OSError:
            pass
    with open("/flash/" + name, "wb") as file:
        file.write(data)
"""


def table() -> list[tuple[int, int, int, int, str, bool]]:
    """Rows of (type, subtype, offset, size, label, encrypted), as esp32.Partition.info gives them."""
    rows, offset = [], FIRST_OFFSET
    for label, kind, subtype, size in PARTITIONS:
        offset = (offset + 0xFFFF) // 0x10000 * 0x10000 if kind == 0 else offset
        rows.append((kind, subtype, offset, size, label, False))
        offset += size
    return rows


def install(image: Path, files: Mapping[str, bytes], cache: Path, own: Mapping[str, bytes]) -> None:
    """Write a fresh image with files (path on the watch to content) in its littlefs, made by the VM's own littlefs.

    Images of `files` are cached by content: a second watch with the same is a copy. `own` are this watch's alone.
    """
    digest = hashlib.sha256(json.dumps([[name, hashlib.sha256(data).hexdigest()] for name, data in sorted(
        files.items())] + [PARTITIONS, _INSTALL]).encode()).hexdigest()
    ready = cache / f"{digest[:24]}.img"
    if not ready.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:  # another process may be making the same
            blank = Path(work) / "image"
            blank.write_bytes(b"\xff" * SIZE)
            _put(blank, files, is_new=True)
            blank.rename(ready)
    image.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ready, image)
    if own:
        _put(image, own, is_new=False)


def _put(image: Path, files: Mapping[str, bytes], is_new: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        plan: dict[str, Any] = {"partitions": table(), "files": [], "is_new": is_new}
        for number, (path, data) in enumerate(sorted(files.items())):
            source = work / str(number)
            source.write_bytes(data)
            plan["files"].append((path, str(source)))
        (work / "plan.json").write_text(json.dumps(plan))
        (work / "install.py").write_text(_INSTALL)
        modules = Path(__file__).resolve().parent.parent / "modules"
        run = subprocess.run([micropython.find(64), work / "install.py", image, work / "plan.json", modules],
                             capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"flash image: {run.stdout}{run.stderr}")
