"""Lives of a watch's journal: records, marks, receipts and reboots on flash whose power may fail. Runs on the VM.

A life keeps book of what append() promised; tools/journal_check.py compares that with what a receiver got.
"""

import random
from hashlib import sha256

from muster import segments as firmware
from muster.cose import aes_ccm
from muster.journal import Journal, JournalFull
from muster.segments import Identity, Segments
from nor_flash import MODES, Flash, PowerCut

UEID = b"\x01" + bytes(range(16))
VERSION = "0.1.0"
FAULT = 5  # the type of the records: [FAULT, dt, quality, id, filling]


class Nonces:
    """Stands for aes_ccm in the firmware and sees to it that the flash never gets two texts of one key and nonce."""

    CcmError = aes_ccm.CcmError

    def __init__(self):
        self.used = {}
        self.made = None

    def encrypt(self, key, nonce, aad, plaintext):
        self.made = key + nonce, sha256(aad + plaintext).digest()
        return aes_ccm.encrypt(key, nonce, aad, plaintext)

    def reach_flash(self, start, new):
        if self.made:
            pair, text = self.made
            self.made = None
            if self.used.get(pair, text) != text:
                raise AssertionError(f"nonce {int.from_bytes(pair[16:], 'big')} used again")
            self.used[pair] = text


nonces = firmware.aes_ccm = Nonces()


class Keys:
    """`random(n)` for the firmware: no bytes come twice, in whatever branch of a life."""

    count = 0

    @staticmethod
    def random(n):
        Keys.count += 1
        return sha256(b"keys %d" % Keys.count).digest()[:n]


class Life:
    """One watch and what it was promised. `inbox`: messages the receiver stored, of segment 1, 2, ..."""

    def __init__(self, flash, identity):
        self.flash = flash
        self.identity = identity
        self.inbox = []
        self.kept = []  # ids of records whose append() returned
        self.trying = []  # ids of those in whose append() the power or the flash failed: they may be there
        self.mark = b""  # the last promised
        self.trying_marks = []  # since then: the last may be any of these
        self.count = 0  # ids given
        self.refused = 0
        self.uptime_ms = 0
        self.segments = None

    def branch(self):
        """Another life with the same past."""
        other = Life(Flash(self.flash.sectors, self.flash.data), self.identity)
        other.flash.before = nonces.reach_flash
        other.inbox, other.kept, other.trying = list(self.inbox), list(self.kept), list(self.trying)
        other.mark, other.trying_marks, other.count = self.mark, list(self.trying_marks), self.count
        return other

    def boot(self):
        self.uptime_ms = 0
        self.segments = Segments(Journal(self.flash), self.identity, Keys.random, lambda: self.uptime_ms)
        if self.segments.mark not in [self.mark] + self.trying_marks:
            raise AssertionError(f"mark {self.segments.mark}, not {self.mark} or one of {self.trying_marks}")
        self._promise(self.segments.mark)

    def append(self, size, has_mark=False, reserve=0):
        """A record of `size` bytes and some. JournalFull and OSError are noted."""
        self.count += 1
        self.uptime_ms += 1500
        mark = b"mark %d" % self.count if has_mark else b""
        self.trying.append(self.count)
        self.trying_marks.append(mark or self.mark)
        try:
            self.segments.append((FAULT, self.count, bytes(size)), 1780000000, 66, mark, reserve)
        except JournalFull:
            self.refused += 1
            nonces.made = None
            self.trying_marks.pop()
        except OSError:
            return
        else:
            self.kept.append(self.count)
            self._promise(mark or self.segments.mark)
        self.trying.pop()

    def keep(self):
        self.count += 1
        self.trying_marks.append(b"mark %d" % self.count)
        try:
            self.segments.keep(self.trying_marks[-1], 0)
        except JournalFull:
            self.refused += 1
            self.trying_marks.pop()
        else:
            self._promise(self.trying_marks[-1])

    def _promise(self, mark):
        self.mark, self.trying_marks = mark, []

    def close(self):
        self.segments.close()

    def send(self):
        """The oldest closed segment to the receiver, and its receipt back."""
        if self.segments.closed:
            closed = self.segments.closed[0]
            message = b"".join(self.segments.message(closed))
            if len(message) != self.segments.message_length(closed):
                raise AssertionError("message_length")
            self.deliver(closed.number, message)
            self.segments.receipted(closed.number)

    def deliver(self, number, message):
        if number == len(self.inbox) + 1:
            self.inbox.append(message)
        elif number > len(self.inbox) or self.inbox[number - 1] != message:
            raise AssertionError(f"segment {number} after {len(self.inbox)}: a gap or a fork")

    def all(self):
        while self.segments.waiting:
            if not self.segments.closed:
                self.segments.close()
            self.send()

    def step(self, step):
        """Append a record of so many bytes, with a mark when that is odd, or do what `step` names."""
        if isinstance(step, int):
            self.append(step, step & 1)
        else:
            getattr(self, step)()

    def end(self, cut_in=None, mode=0):
        """After a power cut, and perhaps another one: a record more, all is sent, and a reboot finds nothing to do."""
        self.flash.power_on(cut_in, mode)
        for _ in range(2):
            try:
                self.boot()
                self.append(21, True)
                self.all()
                self.boot()
                if self.segments.waiting:
                    raise AssertionError(f"{self.segments.waiting} segments wait again")
                return
            except PowerCut:
                self.flash.power_on()
        raise AssertionError("cut twice")


class Inboxes:
    """What the receivers of many lives got, each message once."""

    def __init__(self):
        self.messages = []
        self.lives = []
        self._index = {}

    def add(self, life):
        numbers = []
        for message in life.inbox:
            if message not in self._index:
                self._index[message] = len(self.messages)
                self.messages.append(message.hex())
            numbers.append(self._index[message])
        self.lives.append([numbers, life.kept, life.trying])

    def result(self, **more):
        more.update({"messages": self.messages, "lives": self.lives})
        return more


def identity(sign_key, receiver_key):
    return Identity(UEID, bytes.fromhex(sign_key), VERSION, bytes.fromhex(receiver_key))


def cut_everywhere(identity, sectors, steps, modes, shift=0):
    """Live `steps` (see Life.step); at every operation on the flash, branch off a life for each of the next `modes`
    ways in which the power can fail there. Of its next operations one may be cut as well."""
    random.seed(shift)
    inboxes, life = Inboxes(), Life(Flash(sectors), identity)
    turn = shift

    def cut(start, new):
        nonlocal turn
        nonces.reach_flash(start, new)
        for _ in range(modes):
            other = life.branch()
            other.flash.mode = turn % MODES
            other.flash.tear(start, new)
            other.end(turn // MODES % 8 if turn & 1 else None, turn // 2 % MODES)
            inboxes.add(other)
            turn += 1

    life.flash.before = cut
    life.boot()
    for step in steps:
        life.step(step)
    life.flash.before = nonces.reach_flash
    life.end()
    inboxes.add(life)
    return inboxes, life
