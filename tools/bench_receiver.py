"""How many records a second the receiver takes in, over this machine's raw ES256 verifications a second.

The whole way counts: mutual TLS, HTTP, signature, chain, decryption, SQLite on this disk, receipt. Several watches
upload at once, each over one connection, segments as a watch in motion closes them.
"""

from __future__ import annotations

import hashlib
import json
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

from simulator.provision import HOST, Bundle, provision
from tools.author import Author

GOAL = 0.5
WATCHES, SEGMENTS = 8, 40
VERIFICATIONS = 1000
ROOT = Path(__file__).resolve().parent.parent


def figures() -> list[dict[str, Any]]:
    """The row of receiver.sqlite_vs_verify. Raises RuntimeError when a segment is not stored."""
    before = verifications_a_second()
    ingested = records_a_second()
    ratio = ingested / statistics.mean((before, verifications_a_second()))
    return [{"name": "receiver.sqlite_vs_verify", "value": round(ratio, 3), "unit": "ratio", "better": "higher",
             "goal": GOAL, "met": ratio >= GOAL}]


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


def records_a_second() -> float:
    """Records that a receiver in a process of its own stores a second, from WATCHES at once."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        made = provision(Path(folder) / "provision", seed=1, devices=WATCHES)
        uploads = [(bundle, _messages(bundle)) for bundle in made.bundles]
        command = [sys.executable, "-m", "simulator.receiver", "serve", str(made.state), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            try:
                assert process.stdout
                port = int(process.stdout.readline().split()[1])
                seconds = _upload_all(port, uploads, Path(folder))
            finally:
                process.terminate()
        return WATCHES * SEGMENTS * len(day_hour()) / seconds


def _upload_all(port: int, uploads: list[tuple[Bundle, list[bytes]]], folder: Path) -> float:
    """Seconds until every watch has all its receipts, from when every one is connected."""
    failures: list[str] = []
    barrier = threading.Barrier(len(uploads) + 1)

    def upload(connection: HTTPConnection, messages: list[bytes]) -> None:
        barrier.wait()
        for message in messages:
            connection.request("POST", "/v1/segments", message, {"Content-Type": "application/cose"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                failures.append(f"segment answered {response.status}")

    threads = [threading.Thread(target=upload, args=(_connect(port, bundle, folder), messages))
               for bundle, messages in uploads]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(failures[0])
    return time.perf_counter() - started


def _connect(port: int, bundle: Bundle, folder: Path) -> HTTPConnection:
    certificate, key = folder / f"{bundle.ueid.hex()}.pem", folder / f"{bundle.ueid.hex()}.key"
    certificate.write_text(ssl.DER_cert_to_PEM_cert(bundle.files["client.der"]))
    key.write_text(ssl.DER_cert_to_PEM_cert(bundle.nvs["client_key"]).replace("CERTIFICATE", "EC PRIVATE KEY"))
    context = ssl.create_default_context(cadata=bundle.files["ca.der"])
    context.load_cert_chain(certificate, key)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    connection.sock = context.wrap_socket(connection.sock, server_hostname=HOST)
    return connection


def _messages(bundle: Bundle) -> list[bytes]:
    recipient = bytes.fromhex(json.loads(bundle.files["settings.json"])["receiver_encryption_key"])
    author = Author(bundle.ueid, bundle.nvs["sign_key"], recipient)
    return [author.segment(day_hour()) for _ in range(SEGMENTS)]


def day_hour() -> list[list[Any]]:
    """The records of one hour."""
    return [[3, 60 * index, 100, [index * 7 - 50 + j for j in range(36)]] for index in range(20)]


if __name__ == "__main__":
    print(json.dumps(figures(), indent=2))
