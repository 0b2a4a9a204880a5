"""How many records a second the receiver takes in, over this machine's raw ES256 verifications a second.

Taking in is signature, sequence, chain, decryption, a commit to the database on this disk, and the receipt; what waits
at once shares a transaction, as when many watches upload. Segments are as a watch closes them over a day: the scenario
day.yaml gives 27 with 117 records. The same through the server, over mutual TLS and HTTP, is told beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from simulator.provision import HOST, Bundle, Provision, provision
from simulator.receiver import clock
from simulator.receiver.app import MAX_BATCH
from simulator.receiver.ingest import Receiver
from simulator.receiver.state import State
from simulator.receiver.store import Store
from tools import postgres
from tools.author import Author

ROOT = Path(__file__).resolve().parent.parent
GOAL = 0.5
ROUNDS, SEGMENTS = 5, 6  # each round takes in SEGMENTS of each of MAX_BATCH watches
VERIFICATIONS = 1000
TRACK = [3, 2400, 104, 959, 4605690, 1450579, 11, 600, -1, 3]  # a still watch's: two fixes
COMMUTE = [3, 2400, 104, 620, 4605690, 1450579, 39] + [95, -57, 211] * 7
STATUS = [7, 2400, 104, 4100, 24500000, 255, 0]
CHECKIN = [2, 41, 104, 20614, 1, 1781085137, 1781085178, 0, 0, 1, 9288, 5000, bytes(8), False, [46042478, 14487592, 0]]
DAY: list[list[list[Any]]] = [
    [TRACK, TRACK, TRACK, STATUS], [TRACK, TRACK, TRACK, STATUS], [TRACK, TRACK, TRACK, STATUS], [CHECKIN, TRACK],
    [TRACK, TRACK, COMMUTE, STATUS, TRACK], [COMMUTE, COMMUTE, TRACK, CHECKIN, TRACK, STATUS, TRACK]]


def figures() -> list[dict[str, Any]]:
    """The rows of receiver.*_vs_verify, PostgreSQL's where there is one. Raises RuntimeError when one is refused."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        made = provision(folder / "sqlite", seed=1, devices=MAX_BATCH)
        authors = [_author(bundle) for bundle in made.bundles]
        rows = [_row("receiver.sqlite_vs_verify", _ratio(made, authors, State(made.state).database), GOAL)]
        served = records_a_second_served(made, authors, folder) / verifications_a_second()
        rows.append(_row("receiver.https_vs_verify", served, None))
        if postgres.programs():
            with postgres.server() as url:
                made = provision(folder / "postgres", seed=1, devices=MAX_BATCH, database=url)
                ratio = _ratio(made, [_author(bundle) for bundle in made.bundles], url)
            rows.append(_row("receiver.postgres_vs_verify", ratio, GOAL))
    return rows


def _row(name: str, value: float, goal: float | None) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": "ratio", "better": "higher", "goal": goal,
            "met": None if goal is None else value >= goal}


def verifications_a_second() -> float:
    """ES256 verifications of a 32-byte digest a second, one core."""
    key = ec.generate_private_key(ec.SECP256R1())
    algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    digest = hashlib.sha256(b"segment").digest()
    signature, public = key.sign(digest, algorithm), key.public_key()
    started = time.perf_counter()
    for _ in range(VERIFICATIONS):
        public.verify(signature, digest, algorithm)
    return VERIFICATIONS / (time.perf_counter() - started)


def _ratio(made: Provision, authors: list[Author], database: str) -> float:
    """Records a second over verifications a second, measured before and after for the machine's speed changes."""
    ratios = []
    for _ in range(ROUNDS):
        batches = [[author.segment(DAY[index % len(DAY)]) for author in authors] for index in range(SEGMENTS)]
        before = verifications_a_second()
        ingested = records_a_second(State(made.state), database, batches)
        ratios.append(ingested / statistics.mean((before, verifications_a_second())))
    return statistics.median(ratios)


def records_a_second(state: State, database: str, batches: list[list[bytes]]) -> float:
    """Records stored a second, a transaction a batch. Each batch brings segment `index` of DAY of every watch."""
    store = Store(database)
    receiver = Receiver(state, store, clock.real)
    started = time.perf_counter()
    for batch in batches:
        if any(answer.status != 200 for answer in receiver.accept(batch)):
            raise RuntimeError("a segment was refused")
    seconds = time.perf_counter() - started
    store.close()
    return sum(len(DAY[index % len(DAY)]) * len(batch) for index, batch in enumerate(batches)) / seconds


def records_a_second_served(made: Provision, authors: list[Author], folder: Path) -> float:
    """Records stored a second by a receiver in a process of its own, every watch uploading over its own connection."""
    uploads = [(bundle, [author.segment(DAY[index % len(DAY)]) for index in range(SEGMENTS)])
               for bundle, author in zip(made.bundles, authors, strict=True)]
    command = [sys.executable, "-m", "simulator.receiver", "serve", str(made.state), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline().split()[1])
            connections = [_connect(port, bundle, folder) for bundle, _ in uploads]
            seconds = _upload_all(connections, [messages for _, messages in uploads])
        finally:
            process.terminate()
    return sum(len(DAY[index % len(DAY)]) for index in range(SEGMENTS)) * len(uploads) / seconds


def _upload_all(connections: list[HTTPConnection], messages: list[list[bytes]]) -> float:
    """Seconds until every connection has all its receipts."""
    failures: list[int] = []

    def upload(connection: HTTPConnection, each: list[bytes]) -> None:
        for message in each:
            connection.request("POST", "/v1/segments", message, {"Content-Type": "application/cose"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                failures.append(response.status)

    threads = [threading.Thread(target=upload, args=pair) for pair in zip(connections, messages, strict=True)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"a segment was answered {failures[0]}")
    return time.perf_counter() - started


def _connect(port: int, bundle: Bundle, folder: Path) -> HTTPConnection:
    certificate, key = folder / "client.pem", folder / "client.key"
    certificate.write_text(ssl.DER_cert_to_PEM_cert(bundle.files["client.der"]))
    key.write_text(ssl.DER_cert_to_PEM_cert(bundle.nvs["client_key"]).replace("CERTIFICATE", "EC PRIVATE KEY"))
    context = ssl.create_default_context(cadata=bundle.files["ca.der"])
    context.load_cert_chain(certificate, key)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    connection.sock = context.wrap_socket(connection.sock, server_hostname=HOST)
    return connection


def _author(bundle: Bundle) -> Author:
    recipient = json.loads(bundle.files["settings.json"])["receiver_encryption_key"]
    return Author(bundle.ueid, bundle.nvs["sign_key"], bytes.fromhex(recipient))
