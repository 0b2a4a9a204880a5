"""Brings the files on a board to those of a build: it has the old ones or the new ones, wherever it is unplugged.

Changed files are staged in a folder of their own, checked by hash, and committed by one rename; the board's boot.py
then puts them in place. What an interrupted update has staged is found again by the next.
"""

from __future__ import annotations

import hashlib

from tools.board import Board
from tools.firmware import FOLDERS
from tools.port import BoardError, Unplugged

STAGED, COMMIT = "update", "update/commit"  # where firmware/boot.py looks
SPARE_BYTES = 64 << 10  # of the file system, for its own blocks
HASHES = """
import os, hashlib, json
def walk(path, found):
    for name, kind, *_ in os.ilistdir(path or '/'):
        at = path + name
        if kind == 0x4000:
            walk(at + '/', found)
        else:
            h, b = hashlib.sha256(), bytearray(4096)
            with open(at, 'rb') as f:
                while True:
                    n = f.readinto(b)
                    if not n:
                        break
                    h.update(memoryview(b)[:n])
            found[at] = h.digest().hex()
    return found
print(json.dumps(walk('', {})))
"""


class Update:
    """Brings the files on a board to `files`, path to content."""

    def __init__(self, board: Board, files: dict[str, bytes], free_bytes: int):
        self._board, self._files, self._free = board, files, free_bytes
        self._hashes = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
        self._state = ""  # of the firmware on the board, should it go away now

    def run(self) -> None:
        """Raises BoardError; of a board that goes away it says what it will start next time."""
        try:
            self._run()
        except Unplugged as error:
            raise Unplugged(f"{error}; {self._state}: plug it in and flash again") from None

    def _run(self) -> None:
        there = self._look()
        self._state = "the firmware on it is as it was" if "main.py" in there else "there is no firmware on it yet"
        changed = [path for path, digest in self._hashes.items() if there.get(path) != digest]
        stale = [path for path in there if path.split("/")[0] in FOLDERS and path not in self._files]
        print(f"changed   {len(changed)} of {len(self._files)} files, {len(stale)} to delete", flush=True)
        if not changed and not stale:
            return
        self._stage([path for path in changed if there.get(self._staged(path)) != self._hashes[path]])
        self._install_boot(there)
        self._commit([f"{self._staged(path)[len(STAGED) + 1:]} {path}" for path in changed if path != "boot.py"]
                     + [f"- {path}" for path in stale])
        self._verify()

    def _look(self) -> dict[str, str]:
        self._board.doing = "its files were compared"
        there = self._board.ask(HASHES)
        if not isinstance(there, dict):
            raise BoardError(f"{self._board.port}: its list of files is none")
        return there

    def _staged(self, path: str) -> str:
        """Named by path and content, so that what an earlier flash has staged is found again."""
        return f"{STAGED}/{hashlib.sha256(f'{path} {self._hashes[path]}'.encode()).hexdigest()[:16]}"

    def _stage(self, paths: list[str]) -> None:
        total = sum(len(self._files[path]) for path in paths)
        if total + SPARE_BYTES > self._free:
            raise BoardError(f"{self._board.port}: {self._free >> 10} KB free in its file system, "
                             f"{(total + SPARE_BYTES) >> 10} KB are to be written: make erase, and flash again")
        self._board.run(f"import os\ntry:\n os.mkdir({STAGED!r})\nexcept OSError:\n pass")
        done = 0
        for path in sorted(paths):
            self._board.doing = f"{path} was written"
            self._board.write(self._staged(path), self._files[path])
            done += len(self._files[path])
            print(f"  {100 * done // max(1, total):3} %   {path}, {len(self._files[path]):,} bytes", flush=True)
        there = self._look()
        for path in paths:
            if there.get(self._staged(path)) != self._hashes[path]:
                raise BoardError(f"{self._board.port}: {path}: not on the board as it was sent: flash again")

    def _install_boot(self, there: dict[str, str]) -> None:
        """The board's boot.py must know how to end an update before one is committed."""
        if there.get("boot.py") != self._hashes["boot.py"]:
            self._board.doing = "boot.py was renamed"
            self._board.run(f"os.rename({self._staged('boot.py')!r}, 'boot.py')")

    def _commit(self, steps: list[str]) -> None:
        self._board.doing = "the update was committed"
        self._board.write(COMMIT + ".new", "\n".join(steps).encode())
        self._state = "it starts the old firmware or the new one, whole"
        self._board.run(f"os.rename({COMMIT + '.new'!r}, {COMMIT!r})")
        self._state = "it puts the new firmware in place when it starts"

    def _verify(self) -> None:
        self._board.doing = "the new files were put in place"
        self._board.soft_reset()
        there = self._look()
        wrong = [path for path, digest in self._hashes.items() if there.get(path) != digest]
        if wrong:
            raise BoardError(f"{self._board.port}: {wrong[0]}: not on the board as it was sent: flash again")
        print(f"verified  {len(self._hashes)} files by SHA-256", flush=True)
