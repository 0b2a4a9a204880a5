"""The rules by which segments are taken in: whose, signed, in sequence, chained, stored, opened, and then a receipt."""

from __future__ import annotations

import logging
from typing import NamedTuple

from simulator.receiver import cbor
from simulator.receiver.cbor import CborError
from simulator.receiver.clock import Clock
from simulator.receiver.opening import Frames, OpeningError, record_of, unwrap
from simulator.receiver.receipt import DUPLICATE, STORED, Receipt, Signer
from simulator.receiver.segment import NUMBER, Segment, SegmentError, parse, verify
from simulator.receiver.state import State
from simulator.receiver.store import Device, Ingest, Store

ERROR = -70005
logger = logging.getLogger(__name__)


class Answer(NamedTuple):
    """The HTTP status and CBOR body a watch is answered with."""

    status: int
    body: bytes


def refusal(status: int, reason: str) -> Answer:
    """An error's answer: a map that holds the reason."""
    return Answer(status, cbor.dumps({ERROR: reason}))


class Receiver:
    """Takes segments into `store`. One thread at a time."""

    def __init__(self, state: State, store: Store, clock: Clock):
        self._private, self._kid = state.encryption_key, state.encryption_kid
        self._signer = Signer(state.signing_key)
        self._store = store
        self._clock = clock

    def accept(self, messages: list[bytes]) -> list[Answer]:
        """Stores what can be stored, in one transaction, and answers each in order. Raises StoreError."""
        parsed = [_parse(message) for message in messages]
        with self._store.ingest() as ingest:
            ingest.load_devices({each.kid for each in parsed if isinstance(each, Segment)})
            return [self._judge(ingest, each, message) if isinstance(each, Segment) else each
                    for each, message in zip(parsed, messages, strict=True)]

    def _judge(self, ingest: Ingest, segment: Segment, message: bytes) -> Answer:
        device = ingest.device(segment.kid)
        if device is None or device.ueid != segment.header.ueid:
            return _refuse(403, segment, "device: not registered with this key")
        try:
            verify(segment, device.public)
        except SegmentError as error:
            return _refuse(400, segment, str(error))
        now_s = self._clock(device.ueid) // 1000
        number = segment.header.number
        if number < device.next_number and (stored := ingest.find(device, number)) is not None:
            digest, received_s = stored
            if digest == segment.digest:
                return self._receipt(segment, received_s, DUPLICATE)
            return _incident(ingest, device, segment, f"segment {number}: another one has this number (a fork)", now_s)
        if number != device.next_number:
            logger.warning("device %s: segment %d came, %d is next", segment.kid.hex(), number, device.next_number)
            return Answer(409, cbor.dumps({NUMBER: device.next_number}))
        if segment.header.previous != device.head:
            return _incident(ingest, device, segment, f"segment {number}: does not follow the one before it", now_s)
        flaw, frames = self._open(segment)
        ingest.add(device, segment.digest, message, now_s, flaw, frames)
        return self._receipt(segment, now_s, STORED)

    def _open(self, segment: Segment) -> tuple[str | None, list[tuple[int | None, bytes | None, str | None]]]:
        """Why the segment's key did not open, if so, and (type, plaintext, flaw) of each frame."""
        try:
            opener = Frames(unwrap(segment.key_frame, self._private, self._kid), segment.header.number)
        except OpeningError as error:
            logger.warning("device %s: segment %d: %s", segment.kid.hex(), segment.header.number, error)
            return str(error), [(None, None, "no key")] * len(segment.frames)
        return None, [_open_frame(opener, index, frame) for index, frame in enumerate(segment.frames)]

    def _receipt(self, segment: Segment, received_s: int, status: int) -> Answer:
        header = segment.header
        return Answer(200, self._signer.sign(Receipt(received_s, header.ueid, header.number, segment.digest, status)))


def _parse(message: bytes) -> Segment | Answer:
    try:
        return parse(message)
    except SegmentError as error:
        return refusal(400, str(error))


def _open_frame(opener: Frames, index: int, frame: bytes) -> tuple[int | None, bytes | None, str | None]:
    try:
        plaintext = opener.open(index, frame)
    except OpeningError as error:
        return None, None, str(error)
    try:
        return record_of(plaintext)[0], plaintext, None
    except CborError as error:
        return None, plaintext, f"record: {error}"


def _refuse(status: int, segment: Segment, reason: str) -> Answer:
    logger.warning("device %s: segment %d refused: %s", segment.kid.hex(), segment.header.number, reason)
    return refusal(status, reason)


def _incident(ingest: Ingest, device: Device, segment: Segment, reason: str, now_s: int) -> Answer:
    """Refuses what the device did sign: its history was written twice, or a part of it was taken away."""
    ingest.add_incident(device, segment.digest, segment.header.number, reason, now_s)
    return _refuse(400, segment, reason)
