"""Lives with a fleet of watches, as many at once as there are cores, or on a Dask cluster; one receiver takes it all.

Each watch has keys of its own, uploads by mutual TLS, and is drawn by its number (fleet_draw.py): it lives the same
whichever machine it runs on, and again after a fleet that was killed goes on.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from simulator.accounts import balance
from simulator.day import firmware_digest, settings_of
from simulator.fleet_draw import draw
from simulator.fleet_ledger import Ledger, Tally
from simulator.fleet_watch import Lived, OtherFirmwareError, Task, follow_parent, live
from simulator.provision import provision, provision_again
from simulator.receiver.clock import ClockError
from simulator.receiver.decode import OUTCOMES, decode_segment
from simulator.receiver.state import State
from simulator.receiver.store import Store, Warrant
from simulator.receiver_process import ReceiverProcess
from simulator.scenario import Scenario

ANEW = Warrant("muster-sim fleet", "a life that was cut short is lived anew", "a simulated wearer")
AHEAD = 2  # tasks that wait or run, for each core


class FleetError(Exception):
    """The fleet could not go on; one line."""


@dataclass(frozen=True)
class Fleet:
    """`watches` that live `hours` each as drawn from `seed`, about the `base` scenario; `host` is where the receiver
    listens, `database` its URL where it is not a SQLite file in the folder."""

    base: Scenario
    watches: int
    hours: float
    seed: int
    host: str = "127.0.0.1"
    database: str | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What makes its watches what they are: a ledger of another is not continued."""
        base = sha256(repr(self.base).encode()).hexdigest()[:16]
        return {"seed": self.seed, "hours": self.hours, "scenario": base, "firmware": firmware_digest()[:16]}


def run(fleet: Fleet, folder: Path, pool: Executor, cores: int, done: Callable[[Tally], None]) -> Tally:
    """Live with the watches that have not lived yet; `done` is called after each. Raises FleetError, LedgerError."""
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(Ledger(folder / "watches.jsonl", fleet.identity)))
        operator = _operator(fleet, folder)
        state = State(operator / "receiver")
        store = stack.enter_context(closing(Store(fleet.database or state.database)))
        start_ms = fleet.base.start_unix_s * 1000
        receiver = stack.enter_context(closing(ReceiverProcess(state.folder, start_ms, fleet.host, fleet.database)))
        todo = (index for index in range(fleet.watches) if not ledger.has(index))
        under_way: dict[Future[Lived], Task] = {}
        while True:
            while len(under_way) < AHEAD * cores and (index := next(todo, None)) is not None:
                task = _task(fleet, index, operator, store, receiver)
                under_way[pool.submit(live, task)] = task
            if not under_way:
                ledger.tally.counts["incidents"] = store.counts()["incidents"]
                return ledger.tally
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                ledger.add(_row(under_way.pop(future), _result(future), store))
                done(ledger.tally)


def _operator(fleet: Fleet, folder: Path) -> Path:
    """The folder of authority and receiver, made when there is none or a half one, which no watch has sent to yet."""
    made = folder / "provision"
    if not (folder / "provisioned").exists():
        shutil.rmtree(made, ignore_errors=True)
        provision(made, fleet.seed, settings=settings_of(fleet.base), now_s=fleet.base.start_unix_s)
        (folder / "provisioned").touch()
    return made


def _task(fleet: Fleet, index: int, operator: Path, store: Store, receiver: ReceiverProcess) -> Task:
    """The watch, registered anew: what a life that was cut short has sent is deleted."""
    bundle, public = provision_again(operator, fleet.seed, index, settings_of(fleet.base))
    store.forget(bundle.ueid, ANEW, fleet.base.start_unix_s)
    store.register([(bundle.ueid, public, bundle.wearer)], fleet.base.start_unix_s)
    scenario = draw(fleet.base, fleet.seed, index, fleet.hours * 3600)
    return Task(index, scenario, bundle, receiver.address, firmware_digest())


def _result(future: Future[Lived]) -> Lived:
    try:
        return future.result()
    except (ClockError, OtherFirmwareError) as error:
        raise FleetError(str(error)) from None
    except (BrokenProcessPool, CancelledError):
        raise FleetError("a process of the pool was killed; the same command goes on from here") from None


def _row(task: Task, lived: Lived, store: Store) -> dict[str, Any]:
    """What came of a watch, from its journal and from what the receiver has of it."""
    segments = list(store.stored(task.bundle.ueid))
    records = [record for stored in segments for record in decode_segment(stored)]
    account = balance(lived.entries, (stored.message for stored in segments))
    checkins = [record for record in records if record.get("type") == "check-in"]
    received_s = {stored.number: stored.received_s for stored in segments}
    dropped = {record["boot_count"]: record["lost"] for record in records if record.get("type") == "status"}
    return {
        "watch": task.index, "outcomes": {name: sum(r["outcome"] == name for r in checkins) for name in OUTCOMES},
        "answered_after_s": [r["answered_s"] - r["due_s"] for r in checkins if r["answered_s"]],
        "received_after_s": [received_s[r["segment"]] - r["at_s"] for r in records if r.get("at_s") is not None],
        "written": account.written, "received": account.received, "missing": account.missing, "lost": account.lost,
        "twice": account.twice, "segments": len(segments), "bytes": sum(len(stored.message) for stored in segments),
        "sent_bytes": lived.sent_bytes,
        "boots": lived.boots, "dropped": sum(dropped.values()),
        "firmware_faults": sum(record.get("part") == "services" for record in records),
        "image": lived.image, "cpu_s": round(lived.cpu_s, 2), "error": lived.error}


@contextmanager
def local_pool(processes: int) -> Iterator[Executor]:
    """Processes of this machine. They are spawned, for a forked one would hold its siblings' ends of their pipes."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=follow_parent)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()


@contextmanager
def dask_pool(address: str) -> Iterator[tuple[Executor, int]]:
    """The cluster whose scheduler is at `address`, and the number of its threads. Raises FleetError."""
    try:
        from distributed import Client
    except ImportError:
        raise FleetError("--dask: needs the extra `fleet`: pip install 'muster[fleet]'") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, TimeoutError, ValueError) as error:
        raise FleetError(f"--dask {address}: {str(error).splitlines()[0]}") from None
    with client:
        cores = sum(client.nthreads().values())
        if not cores:
            raise FleetError(f"--dask {address}: no workers")
        yield client.get_executor(pure=False, retries=0), cores


def write_json(path: Path, fleet: Fleet, tally: Tally) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fleet.identity | tally.values(), indent=2) + "\n")
