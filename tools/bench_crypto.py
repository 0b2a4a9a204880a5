"""Benchmark of the watch's cryptography on the VM of this machine: the best of several runs, in milliseconds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tools import vm

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"
SCRIPT = """
import gc, json, sys, time
sys.path.append({firmware!r})
from muster.cose import aes_ccm, p256
secret, digest = bytes(31) + b"\\x07", b"muster" * 5 + b"__"
public = p256.public_key(secret)
signature = p256.sign(secret, digest)

def first_verify():
    p256._combs.clear()
    p256.verify(public, digest, signature)

def best_us(function, runs):
    times = []
    for _ in range(runs):
        gc.collect()
        start = time.ticks_us()
        function()
        times.append(time.ticks_diff(time.ticks_us(), start))
    return min(times)

print(json.dumps({{
    "crypto.sign_ms": best_us(lambda: p256.sign(secret, digest), 50),
    "crypto.first_verify_ms": best_us(first_verify, 20),
    "crypto.verify_ms": best_us(lambda: p256.verify(public, digest, signature), 50),
    "crypto.seal_record_ms": best_us(lambda: aes_ccm.encrypt(bytes(16), bytes(13), bytes(12), bytes(100)), 50),
}}))
"""


def figures() -> list[dict[str, Any]]:
    """One row for each operation: no goal is set, the chip is what counts."""
    run = subprocess.run([vm.find(64), "-X", "heapsize=8M", "-c", SCRIPT.format(firmware=str(FIRMWARE))],
                         capture_output=True, text=True, timeout=60, check=True)
    return [{"name": name, "value": us / 1000, "unit": "ms", "better": "lower", "goal": None, "met": None}
            for name, us in sorted(json.loads(run.stdout).items())]
