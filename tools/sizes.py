"""Sizes of the firmware beside main's: `python -m tools.sizes` prints flash by module, heap at rest and in a check-in.

Flash is bytes of .mpy for the chip. Heap is measured on the 32-bit VM, the nearest to the chip, less what the emulation
takes: live bytes two minutes after the start, and the most that is live when a frame was searched and a face embedded.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from simulator.bench import on_bench
from simulator.day import NETWORKS, firmware_files
from simulator.devices.camera import Scene
from simulator.watch import WatchError
from tools.cross import compile_all

ROOT = Path(__file__).resolve().parent.parent
MAIN = ("origin/main", "main")
EMPTY = """
import asyncio, gc
async def main():
    gc.collect()
    print(gc.mem_alloc(), "used")
    await asyncio.sleep(3600)
asyncio.run(main())
"""
# before the firmware's own main.py: after each of the two steps that hold most, what is live is counted
COUNTING = """
import gc
from muster.vision import face, finder
def counted(step):
    def run(*arguments):
        answer = step(*arguments)
        gc.collect()
        print("live", gc.mem_alloc())
        return answer
    return run
finder.Finder.find, face.Embedder.embed = counted(finder.Finder.find), counted(face.Embedder.embed)
del counted
"""


class SizesError(Exception):
    """What could not be measured; one line."""


def heap(files: dict[str, bytes]) -> tuple[int, int]:
    """(bytes live two minutes after the start, most bytes live in a check-in) of a firmware. Raises SizesError."""
    with tempfile.TemporaryDirectory() as folder, on_bench({"main.py": EMPTY}, Path(folder), bits=32) as watch:
        watch.run(until_s=1)
        emulation = _used(watch.console_output.decode())
    files = files | {"main.py": COUNTING.encode() + files["main.py"]}
    try:
        with tempfile.TemporaryDirectory() as folder, on_bench(files, Path(folder), bits=32, settings={}) as watch:
            template = bytes.fromhex(re.findall(r'"embedder".*?"sha256": "(\w{16})', files["models/networks.json"]
                                                .decode(), re.DOTALL)[0]) + bytes(range(1, 129))
            watch.nvs["muster"]["template"] = template.hex()
            watch.camera.show(Scene(1))
            watch.run(until_s=120)
            at_rest = _used(watch.console("status"))
            watch.console("prompt now")
            watch.press()
            watch.run(until_s=140)
            live = [int(found) for found in re.findall(rb"live (\d+)", bytes(watch.console_output))]
    except WatchError as error:
        raise SizesError(str(error).splitlines()[-1]) from None
    if len(live) < 2:
        raise SizesError("no check-in took place")
    return at_rest - emulation, max(live) - emulation


def flash(files: dict[str, bytes]) -> dict[str, int]:
    """Path of each file of a firmware to its bytes on the chip. Raises SizesError."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        for path, data in files.items():
            if path.endswith(".py"):
                (source / path).parent.mkdir(parents=True, exist_ok=True)
                (source / path).write_bytes(data)
        sizes = compile_all(source, Path(folder) / "mpy")
    broken = [f"{path.name}: {size}" for path, size in sizes.items() if isinstance(size, str)]
    if broken:
        raise SizesError(broken[0])
    return {str(path.relative_to(source)): int(size) for path, size in sizes.items()} | {
        path: len(data) for path, data in files.items() if not path.endswith(".py")}


def firmware_of(revision: str) -> dict[str, bytes]:
    """What a revision flashes: path on the watch to content. Raises SizesError."""
    run = subprocess.run(["git", "archive", revision, "firmware", "models"], cwd=ROOT, capture_output=True, check=False)
    if run.returncode:
        raise SizesError(run.stderr.decode().strip().splitlines()[-1])
    files = {}
    with tarfile.open(fileobj=io.BytesIO(run.stdout)) as archive:
        for member in archive:
            taken = archive.extractfile(member)
            if taken and (member.name.endswith(NETWORKS) or re.match(r"firmware/.*\.py$", member.name)):
                files[member.name.removeprefix("firmware/")] = taken.read()
    return files


def base() -> str:
    """The commit to compare with: main, or on main itself the one before. Raises SizesError."""
    head = _commit("HEAD")
    for name in MAIN:
        commit = _commit(name)
        if commit:
            before = _commit("HEAD~1") if commit == head else commit
            if before:
                return before
    raise SizesError("there is no main to compare with")


def table(now: dict[str, int], before: dict[str, int]) -> Iterable[str]:
    """Lines: each folder's bytes and their change, and below it the files that have changed."""
    folders = sorted({_folder(path) for path in now | before})
    for folder in folders:
        paths = sorted(path for path in now | before if _folder(path) == folder)
        yield _line(folder, sum(now.get(path, 0) for path in paths), sum(before.get(path, 0) for path in paths))
        for path in paths:
            if now.get(path, 0) != before.get(path, 0):
                yield _line(f"  {path}", now.get(path, 0), before.get(path, 0))
    yield _line("flash, all", sum(now.values()), sum(before.values()))


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "."


def _line(name: str, now: int, before: int) -> str:
    return f"{name:44}{now:>10,}{f'{now - before:+,}' if now != before else '=':>10}"


def _commit(name: str) -> str:
    run = subprocess.run(["git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"], cwd=ROOT,
                         capture_output=True, text=True, check=False)
    return run.stdout.strip()


def _used(text: str) -> int:
    found = re.search(r"(\d+) used", text)
    if not found:
        raise SizesError(f"the watch does not say what it uses: {text[-80:]!r}")
    return int(found[1])


def main() -> int:
    files = firmware_files()
    now, (at_rest, in_checkin) = flash(files), heap(files)
    before, rest_before, checkin_before, note = now, at_rest, in_checkin, ""
    try:
        revision = base()
        other = firmware_of(revision)
        note = f"beside main, {revision[:10]}"
        before = flash(other)
        rest_before, checkin_before = (at_rest, in_checkin) if other == files else heap(other)
    except SizesError as error:
        note = f"{note or 'beside nothing'}: {error}"
    print(f"bytes on the 32-bit chip, {note}")
    for line in table(now, before):
        print(line)
    print(_line("heap at rest", at_rest, rest_before))
    print(_line("heap in a check-in, most", in_checkin, checkin_before))
    return 0


if __name__ == "__main__":
    sys.exit(main())
