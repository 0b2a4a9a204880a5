"""`os` with random bytes from the scenario's seed: SHA-256 in counter mode."""

import hashlib

from uos import *  # noqa: F403

_seed = b""
_count = 0


def _start(data):
    """Start the sequence of this boot."""
    global _seed, _count
    _seed, _count = data, 0


def urandom(n):
    global _count
    out = b""
    while len(out) < n:
        _count += 1
        out += hashlib.sha256(_seed + _count.to_bytes(8, "big")).digest()
    return out[:n]


def uname():
    return ("esp32", "esp32", "1.25.0", "simulated", "Generic ESP32S3 module with ESP32S3")
