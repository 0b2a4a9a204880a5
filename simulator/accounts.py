"""Compares what a watch wrote to its journal with what the receiver has stored: is any record lost, or there twice?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cbor2

from simulator import journal_image
from simulator.journal_image import DATA, OPEN, RECEIPT

_NUMBER = -70001  # in the header of a segment (docs/SPEC.md)


class Entry(NamedTuple):
    """A record that a watch wrote: SHA-256 of its data frame, and whether the watch holds a receipt for its segment."""

    digest: bytes
    has_receipt: bool


class Balance(NamedTuple):
    """Counts of records. `missing` are not at the receiver: `lost` have a receipt, the others wait on the watch."""

    written: int
    received: int
    missing: int
    lost: int
    twice: int


def written(image: Path) -> list[Entry]:
    """Every record that is still in the journal of a flash image, oldest first."""
    entries: list[tuple[int, bytes]] = []
    number = receipt = 0
    for frame in journal_image.read(image):
        if frame.kind == OPEN:
            number = cbor2.load(BytesIO(frame.body))[_NUMBER]
        elif frame.kind == RECEIPT:
            receipt = max(receipt, cbor2.loads(frame.body))
        elif frame.kind == DATA and frame.body:
            entries.append((number, sha256(frame.body).digest()))
    return [Entry(digest, of <= receipt) for of, digest in entries]


def balance(entries: Iterable[Entry], messages: Iterable[bytes]) -> Balance:
    """`messages` are the device's segments as the receiver has stored them."""
    received = Counter(digest for message in messages for digest in _digests(message))
    entries = list(entries)
    missing = [entry for entry in entries if not received[entry.digest]]
    return Balance(len(entries), received.total(), len(missing), sum(entry.has_receipt for entry in missing),
                   received.total() - len(+received))


def _digests(message: bytes) -> list[bytes]:
    """Of the data frames of a segment, as `written` has them."""
    payload = cbor2.loads(message).value[2]
    frames, stream = [], BytesIO(payload)
    while stream.tell() < len(payload):
        frames.append(cbor2.load(stream))
    return [sha256(cbor2.dumps(frame)).digest() for frame in frames[2:]]  # header and key frame are first
