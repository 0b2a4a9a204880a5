"""Segments: records encrypted as they are written, closed under a signature, chained, kept until they are receipted.

The segment key lives in RAM only; after a reboot the cut segment is signed as it is and a new one begins. Bytes:
docs/SPEC.md.
"""

from micropython import const

from muster.cose import aes_ccm, cbor, cose, p256
from muster.journal import SECTOR, JournalFull

OPEN, DATA, CLOSE, ACK = 1, 2, 3, 4  # kinds of journal frames
RESERVE = const(16)  # sectors that track records leave to the others

_IAT, _UEID, _BOOT_COUNT, _VERSION, _NUMBER, _PREVIOUS = 6, 256, 267, 271, -70001, -70002
_LIMIT = const(49152)  # bytes of a segment's payload from which on it is closed
_SHARE = const(4)  # a segment takes up to a fourth of the journal, so that there is room beside the newest
_SIGNATURE = const(66)  # bytes of it in CBOR
_SPARE = const(1)  # a sector that is left to CLOSE: what is open can always be closed, and so be sent


class Identity:
    """ueid (17 bytes), sign_key (32), software version, the receiver's encryption key (65 bytes)."""

    def __init__(self, ueid, sign_key, version, receiver_key):
        self.ueid = ueid
        self.sign_key = sign_key
        self.version = version
        self.receiver_key = receiver_key
        self.kid = cose.key_id(p256.public_key(sign_key))


class Closed:
    """A signed segment that waits for its receipt."""

    def __init__(self, number, position, length, digest):
        self.number = number
        self.position = position  # of its OPEN frame
        self.length = length  # of the payload
        self.digest = digest  # SHA-256 of its Sig_structure


class Segments:
    """`random(n)` gives bytes fit for keys, `uptime_ms()` counts from boot. Raises OSError when the flash does.

    The journal is needed from the oldest segment without a receipt on, and always from the newest OPEN frame on: the
    number, the chain, the boot count and the last mark follow from what is there.
    """

    def __init__(self, journal, identity, random, uptime_ms):
        self._journal = journal
        self._identity = identity
        self._random = random
        self._uptime_ms = uptime_ms
        self._limit = min(_LIMIT, journal.sectors * SECTOR // _SHARE)
        self.closed = []  # oldest first
        self.boot_count = 1
        self.mark = b""  # the last mark in the journal
        self.written = 0  # records since boot
        self._number = 0  # of the newest segment
        self._digest = bytes(32)  # of the newest closed one
        self._position = 0  # of the newest OPEN frame
        self._is_open = False
        self._key = None  # of the open segment; None: nothing more can be written to it
        self._frames = 0
        self._length = 0
        self._opened_ms = 0
        self._recover()

    @property
    def waiting(self) -> int:
        """Segments that are not receipted, the open one among them."""
        return len(self.closed) + self._is_open

    @property
    def free_sectors(self) -> int:
        return self._journal.free_sectors

    def append(self, record, now_s: int, quality: int, mark: bytes = b"", reserve: int = 0):
        """Encrypt and keep one record: (type, body...). Raises JournalFull: then neither it nor its mark is kept.

        `now_s`: UTC, 0 when unknown, `quality`: the clock's byte; `mark` is kept in the clear in the same frame;
        `reserve`: sectors that must be left free.
        """
        self._prepare(now_s, reserve)
        dt_s = (self._uptime_ms() - self._opened_ms) // 1000
        plain = cbor.dumps([record[0], dt_s, quality] + list(record[1:]))
        nonce = self._frames.to_bytes(13, "big")
        aad = cbor.dumps(["Muster", self._number, self._frames])
        body = cbor.dumps(aes_ccm.encrypt(self._key, nonce, aad, plain))
        try:
            self._journal.append(DATA, body, mark, _SPARE + reserve)
        except OSError:
            self._key = None  # the flash may hold this nonce's ciphertext: what follows goes under another key
            raise
        self._frames += 1
        self._length += len(body)
        self.written += 1
        self.mark = mark or self.mark

    def keep(self, mark: bytes, now_s: int):
        """Keep a mark without a record. Raises JournalFull."""
        self._prepare(now_s, 0)
        self._journal.append(DATA, b"", mark, _SPARE)
        self.mark = mark

    def close(self):
        """Sign the open segment, if there is one."""
        if not self._is_open:
            return
        self._key = None  # whatever becomes of the CLOSE frame, no record may follow it
        length = sum([len(body) for body in self._payload(self._position)])
        signer = cose.Sign1(self._identity.kid, length)
        for body in self._payload(self._position):
            signer.update(body)
        digest = signer.digest()
        tail = signer.tail(self._identity.sign_key)
        self._journal.append(CLOSE, cbor.dumps([self._number, length, digest, tail]))
        self.closed.append(Closed(self._number, self._position, length, digest))
        self._digest = digest
        self._is_open = False

    def message(self, closed):
        """Yield the segment's COSE_Sign1, frame by frame."""
        yield cose.Sign1(self._identity.kid, closed.length).head()
        for _, kind, _, body in self._journal.frames(closed.position):
            if kind == CLOSE:
                yield cbor.loads(body)[3]
                return
            if kind != ACK:
                yield body

    def message_length(self, closed) -> int:
        return len(cose.Sign1(self._identity.kid, closed.length).head()) + closed.length + _SIGNATURE

    def receipted(self, number: int):
        """The receiver has all segments up to `number`: their space may be used again."""
        if not self.closed or self.closed[0].number > number:
            return
        while self.closed and self.closed[0].number <= number:
            self.closed.pop(0)
        self._release()
        try:
            self._journal.append(ACK, cbor.dumps(number), b"", _SPARE)
        except JournalFull:
            pass  # a note that saves a second upload after a reboot; the receiver takes that one as well

    def _release(self):
        self._journal.release(self.closed[0].position if self.closed else self._position)

    def _prepare(self, now_s, reserve):
        """See to it that a segment is open and takes records."""
        if self._key is None or self._length >= self._limit:
            self.close()
            self._open(now_s, reserve)

    def _open(self, now_s, reserve):
        """Begin a segment: its header, and a fresh key wrapped to the receiver's."""
        identity = self._identity
        key = self._random(16)
        header = cbor.dumps({_IAT: now_s, _UEID: identity.ueid, _BOOT_COUNT: self.boot_count,
                             _VERSION: identity.version, _NUMBER: self._number + 1, _PREVIOUS: self._digest})
        body = header + cose.wrap_key(key, identity.receiver_key, self._scalar(), self._random(13))
        self._position = self._journal.append(OPEN, body, self.mark, _SPARE + reserve)
        self._is_open = True
        self._number += 1
        self._length = len(body)
        self._key = key
        self._frames = 0
        self._opened_ms = self._uptime_ms()

    def _scalar(self):
        """A private key: 1 to n - 1, and n is within 2**-32 of 2**256."""
        while True:
            scalar = self._random(32)
            if scalar[:4] != b"\xff\xff\xff\xff" and scalar != bytes(32):
                return scalar

    def _payload(self, position):
        for _, kind, _, body in self._journal.frames(position):
            if kind in (OPEN, DATA):
                yield body

    def _recover(self):
        """Find out from the journal what is open, closed and receipted. It may begin inside a segment, or with what is
        left of sectors whose erasing was cut: those segments are receipted, and not whole any more."""
        length = 0
        for position, kind, mark, body in self._journal.frames(self._journal.start):
            self.mark = mark or self.mark
            if kind == OPEN:
                header = cbor.load_prefix(body, 0)[0]
                self._number, self._digest = header[_NUMBER], header[_PREVIOUS]
                self.boot_count = header[_BOOT_COUNT] + 1
                self._position, self._is_open, length = position, True, len(body)
            elif kind == DATA:
                length += len(body)
            elif kind == CLOSE and self._is_open:
                number, total, digest, _ = cbor.loads(body)
                self._is_open = False
                if (number, total) == (self._number, length):
                    self.closed.append(Closed(number, self._position, length, digest))
                    self._digest = digest
            elif kind == ACK:
                number = cbor.loads(body)
                self.closed = [closed for closed in self.closed if closed.number > number]
        if self._number:
            self._release()
