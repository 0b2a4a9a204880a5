"""One watch of a fleet: its days on the real VM, in whichever process or machine this runs, and what it wrote."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import connection, parent_process
from pathlib import Path

import cv2

from simulator.accounts import Entry, written
from simulator.cores import one_core
from simulator.day import ROOT, firmware_digest, wear
from simulator.provision import Bundle
from simulator.receiver_process import Address
from simulator.scenario import Scenario
from simulator.watch import WatchError

IMAGES = ROOT / "build" / "images"
GRACE_S = 5


class OtherFirmwareError(Exception):
    """This machine would run other code than the one that asks; one line."""


@dataclass(frozen=True)
class Task:
    """Everything that a machine needs to live with one watch; `firmware` is the digest of what is to run."""

    index: int
    scenario: Scenario
    bundle: Bundle
    receiver: Address
    firmware: str


@dataclass(frozen=True)
class Lived:
    """`entries` are the records that the watch wrote, `image` SHA-256 of its flash; `error`: why its firmware ended.

    `cpu_s` is the time of a core that its VM and its world took.
    """

    entries: list[Entry]
    boots: int
    sent_bytes: int
    image: str
    cpu_s: float
    error: str


def live(task: Task) -> Lived:
    """Raises OtherFirmwareError, ClockError when the receiver has ended, VmError."""
    try:
        return _live(task)
    except SystemExit:  # told to leave: a pool would go on with its next task
        os._exit(0)


def _live(task: Task) -> Lived:
    if task.firmware != firmware_digest():
        raise OtherFirmwareError(f"{os.uname().nodename}: its firmware and networks are not this machine's")
    cv2.setNumThreads(1)  # each core has a watch of its own
    started_s, error = _cpu_s(), ""
    with one_core(), tempfile.TemporaryDirectory(prefix="muster-") as folder:
        with wear(task.scenario, Path(folder), task.bundle, task.receiver, images=IMAGES) as (watch, _):
            try:
                watch.run(until_s=task.scenario.hours * 3600)
            except WatchError as ended:
                error = str(ended).strip().splitlines()[-1]
        return Lived(written(watch.image), len(watch.boots), watch.network.bytes_sent,
                     sha256(watch.image.read_bytes()).hexdigest(), _cpu_s() - started_s, error)


def _cpu_s() -> float:
    """Of this thread, and of the child processes that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.thread_time() + children.ru_utime + children.ru_stime


def follow_parent() -> None:
    """Begins a process of a pool: it ends when its parent does, whatever ended that, and takes its watch with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


def _leave(*_: object) -> None:
    raise SystemExit
