"""A provisioned receiver, in the process and as a server, and the author of a watch's segments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.provision import Bundle, Provision, provision
from simulator.receiver.ingest import Receiver
from simulator.receiver.state import State
from simulator.receiver.store import Store
from tests.conftest import ROOT
from tools.author import Author

NOW_S = 1_790_000_123


@pytest.fixture
def provisioned(tmp_path: Path) -> Provision:
    """A receiver and two watches."""
    return provision(tmp_path / "provision", seed=7, devices=2, now_s=NOW_S)


@pytest.fixture
def state(provisioned: Provision) -> State:
    return State(provisioned.state)


@pytest.fixture
def store(state: State) -> Iterator[Store]:
    store = Store(state.database)
    yield store
    store.close()


@pytest.fixture
def receiver(state: State, store: Store) -> Receiver:
    """A receiver whose clock stands."""
    return Receiver(state, store, lambda _: NOW_S * 1000 + 999)


def author_of(bundle: Bundle) -> Author:
    settings = json.loads(bundle.files["settings.json"])
    return Author(bundle.ueid, bundle.nvs["sign_key"], bytes.fromhex(settings["receiver_encryption_key"]))


@pytest.fixture
def author(provisioned: Provision) -> Author:
    """What the first watch would write."""
    return author_of(provisioned.bundle)


class Served:
    """A receiver in a process of its own, listening on `port`, and for times on the one of `clock_port`, if any."""

    def __init__(self, state: Path, *options: str):
        command = [sys.executable, "-m", "simulator.receiver", "serve", str(state), "--port", "0", *options]
        self.log = state.parent / "receiver.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
                                            env=os.environ | {"PYTHONPATH": str(ROOT)})
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("port "), self.log.read_text()
        self.port, *self.clock_port = map(int, line.split()[1::2])

    def stop(self) -> int:
        """Ends the process as an operator would; its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=10)
        finally:
            self.process.kill()


@pytest.fixture
def served(provisioned: Provision) -> Iterator[Served]:
    served = Served(provisioned.state)
    yield served
    served.stop()
