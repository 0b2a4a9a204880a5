"""The receiver as a process of its own, which a simulation starts and tells the time of each of its watches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOG = "receiver.log"


class ReceiverError(Exception):
    """The receiver's process did not start."""


class Address(NamedTuple):
    """Where a receiver takes segments, and where it takes times (receiver/clock.py)."""

    host: str
    port: int
    clock_port: int

    @property
    def server(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def clock(self) -> tuple[str, int]:
        return self.host, self.clock_port


class ReceiverProcess:
    """Serves the `state` folder on `host`, from `unix_ms` on; ends on `close`, or with this process."""

    def __init__(self, state: Path, unix_ms: int, host: str = "127.0.0.1", database: str | None = None):
        command = [sys.executable, "-m", "simulator.receiver", "serve", state.resolve(), "--host", host, "--port", "0",
                   "--virtual", str(unix_ms), "--until-eof"]
        # a URL may hold a password, and a command line is seen by all
        environment = os.environ | ({"MUSTER_DATABASE": database} if database else {})
        with (state / LOG).open("w") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                             text=True, cwd=ROOT, env=environment)
        assert self._process.stdout
        words = self._process.stdout.readline().split()
        if words[:1] != ["port"]:
            self.close()
            raise ReceiverError((state / LOG).read_text().strip())
        self.address = Address(host, int(words[1]), int(words[3]))

    def close(self) -> None:
        with self._process:
            self._process.terminate()
