"""Segments: records encrypted as they are written, closed under a signature, chained, kept until they are receipted.

The segment key lives in RAM only; after a reboot the cut segment is signed as it is and a new one begins. Bytes:
docs/SPEC.md.
"""

from micropython import const

from muster.cose import aes_ccm, cbor, cose, p256
from muster.journal import JournalFull

OPEN, DATA, CLOSE, ACK = 1, 2, 3, 4  # kinds of journal frames

_IAT, _UEID, _BOOT_COUNT, _VERSION, _NUMBER, _PREVIOUS = 6, 256, 267, 271, -70001, -70002
_LIMIT = const(49152)  # bytes of a segment's payload at which it is closed
_TAIL = const(66)  # the signature as a bstr of 64 bytes
RESERVE = const(16)  # sectors that track records leave to the others


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
    """`random(n)` gives bytes fit for keys, `uptime_ms()` counts from boot. Closes what a power cut left open."""

    def __init__(self, journal, identity, random, uptime_ms):
        self._journal = journal
        self._identity = identity
        self._random = random
        self._uptime_ms = uptime_ms
        self.closed = []  # oldest first
        self.boot_count = 1
        self.mark = b""  # the last mark in the journal
        self.written = 0  # records since boot
        self._number = 0  # of the newest segment
        self._digest = bytes(32)  # of the newest closed one
        self._position = None  # of the open segment's OPEN frame
        self._length = 0
        self._key = None
        self._frames = 0
        self._opened_ms = 0
        self._recover()

    @property
    def waiting(self) -> int:
        """Segments that are not receipted, the open one among them."""
        return len(self.closed) + (self._position is not None)

    @property
    def free_sectors(self) -> int:
        return self._journal.free_sectors

    def append(self, record, now_s: int, quality: int, mark: bytes = b"", reserve: int = 0):
        """Encrypt and keep one record: (type, body...). Raises JournalFull: then nothing is kept.

        `now_s`: UTC, 0 when unknown, `quality`: the clock's byte; `mark` is kept in the clear in the same frame;
        `reserve`: sectors that must be left free.
        """
        self._check_room(reserve)
        if self._position is None:
            self._open(now_s)
        dt_s = (self._uptime_ms() - self._opened_ms) // 1000
        plain = cbor.dumps([record[0], dt_s, quality] + list(record[1:]))
        nonce = self._frames.to_bytes(13, "big")
        aad = cbor.dumps(["Muster", self._number, self._frames])
        body = cbor.dumps(aes_ccm.encrypt(self._key, nonce, aad, plain))
        try:
            self._journal.append(DATA, body, mark)
        except OSError:
            self.close()  # its key has seen this nonce: what follows gets another key
            raise
        self._frames += 1
        self._length += len(body)
        self.written += 1
        if mark:
            self.mark = mark
        if self._length > _LIMIT:
            self.close()

    def keep(self, mark: bytes, now_s: int):
        """Keep a mark without a record. Raises JournalFull."""
        self._check_room(0)
        if self._position is None:
            self._open(now_s)
        self._journal.append(DATA, b"", mark)
        self.mark = mark

    def close(self):
        """Sign the open segment, if there is one."""
        if self._position is None:
            return
        signer = cose.Sign1(self._identity.kid, self._length)
        for body in self._bodies(self._position):
            signer.update(body)
        tail = signer.tail(self._identity.sign_key)
        digest = signer.digest()
        self._journal.append(CLOSE, cbor.dumps([self._number, self._length, digest, tail]))
        self.closed.append(Closed(self._number, self._position, self._length, digest))
        self._digest = digest
        self._position = self._key = None

    def message(self, closed):
        """Yield the segment's COSE_Sign1 in chunks of at most a sector."""
        yield cose.Sign1(self._identity.kid, closed.length).head()
        tail = b""
        for _, kind, _, body in self._journal.frames(closed.position):
            if kind == CLOSE:
                tail = cbor.loads(body)[3]
                break
            if kind != ACK:
                yield body
        yield tail

    def message_length(self, closed) -> int:
        return len(cose.Sign1(self._identity.kid, closed.length).head()) + closed.length + _TAIL

    def receipted(self, number: int):
        """The receiver has all segments up to `number`: their space may be used again."""
        digest = self._digest
        while self.closed and self.closed[0].number <= number:
            digest = self.closed.pop(0).digest
        position = self._journal.append(ACK, cbor.dumps([number, digest]), self.mark)
        if self._position is not None:
            position = min(position, self._position)
        if self.closed:
            position = min(position, self.closed[0].position)
        self._journal.release(position)

    def _check_room(self, reserve):
        if self._journal.free_sectors < reserve + 2:  # two: to close what is open, and to note a receipt
            raise JournalFull("journal: full")

    def _open(self, now_s):
        """Begin a segment: its header, and a fresh key wrapped to the receiver's."""
        identity = self._identity
        key = self._random(16)
        header = cbor.dumps({_IAT: now_s, _UEID: identity.ueid, _BOOT_COUNT: self.boot_count,
                             _VERSION: identity.version, _NUMBER: self._number + 1, _PREVIOUS: self._digest})
        body = header + cose.wrap_key(key, identity.receiver_key, self._scalar(), self._random(13))
        self._position = self._journal.append(OPEN, body, self.mark)
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

    def _bodies(self, position):
        for _, kind, _, body in self._journal.frames(position):
            if kind in (OPEN, DATA):
                yield body

    def _recover(self):
        """Find out from the journal what is open, closed and receipted, and sign what a power cut left open."""
        for position, kind, mark, body in self._journal.frames(self._journal.start):
            if mark:
                self.mark = mark
            if kind == OPEN:
                header = cbor.load_prefix(body, 0)[0]
                self._number = header[_NUMBER]
                self.boot_count = header[_BOOT_COUNT] + 1
                self._digest = header[_PREVIOUS]
                self._position, self._length = position, len(body)
            elif kind == DATA:
                self._length += len(body)
            elif kind == CLOSE:
                number, length, digest, _ = cbor.loads(body)
                if self._position is not None:
                    self.closed.append(Closed(number, self._position, length, digest))
                self._number, self._digest, self._position = number, digest, None
            elif kind == ACK:
                number, digest = cbor.loads(body)
                self.closed = [closed for closed in self.closed if closed.number > number]
                if self._number <= number:
                    self._number, self._digest, self._position = number, digest, None
        self.close()


