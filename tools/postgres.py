"""A PostgreSQL server of one's own for a test or a benchmark, where its programs and `psycopg` are installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"  # the programs refuse to run as root


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, or None when something that is needed is missing."""
    if importlib.util.find_spec("psycopg") is None:
        return None
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found and (found[-1] / "initdb").exists() else None


@contextmanager
def server() -> Iterator[str]:
    """The SQLAlchemy URL of an empty database on a server that listens on a socket file only, stopped afterwards."""
    binaries = programs()
    assert binaries is not None
    user = USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="muster-pg-") as folder:
        if user:
            shutil.chown(folder, user)
        data = f"{folder}/data"

        def run(*command: str) -> None:
            subprocess.run(command, check=True, user=user, cwd=folder, timeout=60,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        run(str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "muster", "--no-sync")
        run(str(binaries / "pg_ctl"), "-D", data, "-o", f"-k {folder} -c listen_addresses=", "-l", f"{folder}/log",
            "-w", "start")
        try:
            yield f"postgresql+psycopg://muster@/postgres?host={folder}"
        finally:
            run(str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")
