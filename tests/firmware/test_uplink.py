"""muster.uplink against a receiver that drops, lies, stammers and is silent; receipts are the real receiver's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cbor2
import h11
from cryptography.hazmat.primitives.asymmetric import ec
from cwt import COSE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.receiver.receipt import DUPLICATE, STORED, Receipt, Signer
from tests.conftest import Vm
from tools.journal_check import IDENTITY, RECEIVER, cose_key, opened, public

UEID = b"\x01" + bytes(range(16))
NOW_S = 1_790_000_000
SETUP = f"""
sys.path.append({str(Path(__file__).parents[2] / "tools")!r})
import asyncio
import journal_lives
from journal_lives import Flash, Journal, Keys, Segments, UEID, identity
from muster import uplink
from muster.cose import p256
who = identity(*{IDENTITY!r})

class Receiver:
    "Answers whole requests; the connection breaks after so many bytes there or back."
    def __init__(self, answers, break_there=None, break_back=None):
        self.answers, self.break_there, self.break_back = answers, break_there, break_back
        self.inbox, self.connections, self.read = [], 0, 0

    async def __aenter__(self):
        self.connections += 1
        self.there, self.back = b"", b""
        return self, self

    async def __aexit__(self, kind, error, trace):
        pass

    def write(self, data):
        if self.break_there is not None:
            data, rest = data[:self.break_there], data[self.break_there:]
            self.break_there -= len(data)
            if rest:
                raise OSError(104)
        self.there += data

    async def drain(self):
        pass

    async def readexactly(self, n):
        if self.there:
            request, self.there = self.there, b""
            self.inbox.append(request)
            self.back += self.answers(request)
        if self.break_back is not None and n > self.break_back - self.read:
            raise EOFError
        data, self.back = self.back[:n], self.back[n:]
        if len(data) < n:
            raise EOFError
        self.read += n
        return data

def sender(receiver, image=None):
    segments = Segments(Journal(Flash(8, image)), who, Keys.random, lambda: 0)
    return segments, uplink.Uplink(segments, lambda: receiver, "receiver.test", UEID, who.receiver_key)

known = {{}}
verify = p256.verify
def verify_once(*arguments):
    if arguments not in known:
        known[arguments] = verify(*arguments)
    return known[arguments]
p256.verify = verify_once
"""


class Waiting:
    """A flash on which `count` closed segments wait, and what a receiver answers to each."""

    def __init__(self, vm: Vm, count: int):
        image, messages = vm(SETUP + """
segments, _ = sender(None)
flash = segments._journal._flash
for number in range(data):
    segments.append((5, "part", "what %d" % number), 1780000000, 66)
    segments.close()
result = flash.data.hex(), [b"".join(segments.message(closed)).hex() for closed in segments.closed]
""", count)
        self.image = image
        self.messages = [bytes.fromhex(message) for message in messages]
        self.digests = [opened(message)[1] for message in self.messages]
        self.stored = [http(self.receipt(number)) for number in range(1, count + 1)]
        self.again = [http(self.receipt(number, status=DUPLICATE)) for number in range(1, count + 1)]

    def receipt(self, number: int = 1, received_s: int = NOW_S, ueid: bytes = UEID, status: int = STORED,
                digest: bytes | None = None, key: ec.EllipticCurvePrivateKey = RECEIVER) -> bytes:
        return Signer(key).sign(Receipt(received_s, ueid, number, digest or self.digests[number - 1], status))


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    return (f"HTTP/1.1 {status}\r\ndate: today\r\ncontent-length: {len(body) if length is None else length}\r\n"
            "content-type: application/cose\r\n\r\n").encode() + body


def hexed(*answers: bytes) -> list[str]:
    return [answer.hex() for answer in answers]


ATTEMPTS = """
result = []
for answer in data["answers"]:
    receiver = Receiver(lambda request: bytes.fromhex(answer))
    segments, up = sender(receiver, bytes.fromhex(data["image"]))
    report = asyncio.run(up.upload())
    result.append([report.error, report.sent, len(segments.closed), up.failures, receiver.read])
"""


def attempts(vm: Vm, waiting: Waiting, answers: list[bytes]) -> list[Any]:
    """[error, segments sent, segments still waiting, failures, bytes read] for each answer to the first segment."""
    return vm(SETUP + ATTEMPTS, {"image": waiting.image, "answers": hexed(*answers)})


def test_segments_are_posted_in_order_over_one_connection_and_freed(vm: Vm) -> None:
    waiting = Waiting(vm, 3)
    requests, connections, sent, error, left, after = vm(SETUP + """
answers = [bytes.fromhex(answer) for answer in data["answers"]]
receiver = Receiver(lambda request: answers.pop(0))
segments, up = sender(receiver, bytes.fromhex(data["image"]))
flash = segments._journal._flash
report = asyncio.run(up.upload())
again = Segments(Journal(Flash(8, flash.data)), who, Keys.random, lambda: 0)
result = ([request.hex() for request in receiver.inbox], receiver.connections, report.sent, report.error,
          segments.waiting, again.waiting)
""", {"image": waiting.image, "answers": hexed(*waiting.stored)})
    assert [bytes.fromhex(request) for request in requests] == [
        b"POST /v1/segments HTTP/1.1\r\nHost: receiver.test\r\nContent-Type: application/cose\r\nContent-Length: %d"
        b"\r\n\r\n%s" % (len(message), message) for message in waiting.messages]
    assert (connections, sent, error, left, after) == (1, 3, "", 0, 0)


def test_a_connection_that_breaks_at_any_byte_loses_and_doubles_nothing(vm: Vm) -> None:
    """Two segments; the link breaks at each byte of both requests and both answers, then works again."""
    waiting = Waiting(vm, 2)
    wrong, cases, repeated = vm(SETUP + """
image = bytes.fromhex(data["image"])
stored, again = [[bytes.fromhex(answer) for answer in data[name]] for name in ("stored", "again")]
messages = [bytes.fromhex(message) for message in data["messages"]]
wrong, cases, repeated = [], 0, 0

def case(there, back):
    global cases, repeated
    seen = []
    def answer(request):
        message = request[request.index(b"\\r\\n\\r\\n") + 4:]
        number = messages.index(message)
        if number in seen:
            return again[number]
        seen.append(number)
        return stored[number]
    receiver = Receiver(answer, there, back)
    segments, up = sender(receiver, image)
    first = asyncio.run(up.upload())
    failures = up.failures
    left = len(segments.closed)
    if cases % 2:  # the watch reboots
        segments, up = sender(receiver, segments._journal._flash.data)
    receiver.break_there = receiver.break_back = None
    second = asyncio.run(up.upload())
    cases += 1
    repeated += len(receiver.inbox) - 2
    good = (first.error and failures == 1 and first.sent + left == 2 and not second.error and second.sent == left
            and seen == [0, 1] and not segments.closed and up.failures == 0
            and bool(second.receiver_s) == (len(receiver.inbox) == 2 and left > 0 or left == 2))
    if not good:
        wrong.append([there, back, first.error, failures, first.sent, left, second.error, second.sent, seen])

head = len("POST /v1/segments HTTP/1.1\\r\\nHost: receiver.test\\r\\nContent-Type: application/cose\\r\\n"
           "Content-Length: 555\\r\\n\\r\\n")
for there in range(0, 2 * head + len(messages[0]) + len(messages[1]), 3):
    case(there, None)
for back in range(len(stored[0]) + len(stored[1])):
    case(None, back)
result = wrong, cases, repeated
""", {"image": waiting.image, "stored": hexed(*waiting.stored), "again": hexed(*waiting.again),
      "messages": hexed(*waiting.messages)})
    assert wrong == [] and cases > 700
    assert repeated == sum(len(answer) for answer in waiting.stored)  # each answer that broke off: its segment again


def test_only_this_receivers_receipt_for_this_segment_frees_it(vm: Vm) -> None:
    waiting = Waiting(vm, 2)
    other = ec.derive_private_key(12345, ec.SECP256R1())
    good = waiting.receipt()
    protected, _, payload, signature = cbor2.loads(good).value

    def signed(payload: Any, key: ec.EllipticCurvePrivateKey = RECEIVER) -> bytes:
        body = payload if isinstance(payload, bytes) else cbor2.dumps(payload, canonical=True)
        kid = hashlib.sha256(public(key)).digest()[:8]
        return COSE.new().encode(body, cose_key(key, -7), protected={1: -7, 4: kid}, unprotected={})

    claims = cbor2.loads(payload)
    wrong = {
        "CoseError: COSE_Sign1: by another key": [waiting.receipt(key=other)],
        "CoseError: COSE_Sign1: the signature is wrong": [
            good[:-1] + bytes([good[-1] ^ 1]), cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, bytes(64)])),
            cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload.replace(UEID, UEID[::-1]), signature]))],
        "UplinkError: receipt: for another segment": [
            waiting.receipt(ueid=b"\x01" + bytes(16)), waiting.receipt(number=2),
            waiting.receipt(digest=waiting.digests[1]), waiting.receipt(digest=bytes(32)),
            signed({6: NOW_S}), signed(claims | {-70001: -1})],
        "UplinkError: receipt: not a map with a time": [
            signed([NOW_S]), signed({key: claims[key] for key in claims if key != 6}), signed(claims | {6: "now"})],
        "CborError: byte 0: ends early": [signed(b"")],
    }
    table = [(reason, body) for reason, bodies in wrong.items() for body in bodies]
    for (reason, _), answer in zip(table, attempts(vm, waiting, [http(body) for _, body in table]), strict=True):
        assert answer[:4] == [reason, 0, 2, 1]
    ends = attempts(vm, waiting, [http(body) for body in (b"", good[:-1], good + b"\0", b"\xff" * 300)])
    assert [(error.split(":")[0], sent, left) for error, sent, left, _, _ in ends] == [("CoseError", 0, 2)] * 4


def test_any_other_status_keeps_all_there_is(vm: Vm) -> None:
    waiting = Waiting(vm, 1)
    statuses = ["400 Bad Request", "403 Forbidden", "404 Not Found", "409 Conflict", "413 Content Too Large",
                "500 Internal Server Error", "503 Service Unavailable", "301 Moved Permanently", "204 No Content"]
    bodies = [cbor2.dumps({-70005: "no"}), cbor2.dumps({-70001: 9}), waiting.receipt()]
    answers = attempts(vm, waiting, [http(body, status) for status in statuses for body in bodies])
    assert [answer[:4] for answer in answers] == [
        [f"UplinkError: segment 1 refused with status {status[:3]}", 0, 1, 1] for status in statuses for _ in bodies]


def test_answers_that_are_no_http_are_refused_within_bounds(vm: Vm) -> None:
    waiting = Waiting(vm, 1)
    no_status = "UplinkError: response: no HTTP status line"
    no_length = "UplinkError: response: no Content-Length, or over 2048"
    no_number = "UplinkError: response: Content-Length is no number"
    receipt = waiting.receipt()
    table = [
        (b"", "EOFError: "), (b"HTTP/1.1 200 OK\r\n", "EOFError: "), (b"\r\n" * 50, no_status),
        (b"SSH-2.0-OpenSSH\r\n\r\n", no_status), (b"HTTP/2 200 OK\r\n\r\n", no_status),
        (b"HTTP/1.1 abc OK\r\n\r\n", no_status), (b"HTTP/1.1 20 OK\r\n\r\n", no_status),
        (b"HTTP/1.1 2000 OK\r\n\r\n", no_status), (b"HTTP/1.1\r\n\r\n", no_status),
        (b"HTTP/1.1 200 OK\r\n\r\n" + receipt, no_length),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", no_length),
        (http(receipt, length=2049), no_length), (http(receipt, length=len(receipt) + 1), "EOFError: "),
        *[(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n", no_number)
          for length in (b"", b"-1", b"1.0", b"0x10", b"+5", b"1000000", b"9" * 400, b"1 2")],
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 5000, "UplinkError: response: too many header lines"),
        (b"x" * 100000, "UplinkError: response: a header line over 512 bytes"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 100000, "UplinkError: response: a header line over 512 bytes"),
        (b"HTTP/1.1 200 OK\n\n" * 5000, "UplinkError: response: a header line over 512 bytes"),
    ]
    for (answer, reason), got in zip(table, attempts(vm, waiting, [answer for answer, _ in table]), strict=True):
        assert got[:4] == [reason, 0, 1, 1], answer[:60]
        assert got[4] <= 513 + 32 * 512
    head = f"HTTP/1.1 200 \r\nCONTENT-length:{len(receipt)} \r\n\r\n".encode()
    assert attempts(vm, waiting, [head + receipt, head.replace(b"1.1", b"1.0") + receipt]) == [
        ["", 1, 0, 0, len(head) + len(receipt)]] * 2


def mutated(good: bytes) -> st.SearchStrategy[bytes]:
    edits = st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 3), st.binary(max_size=3)), min_size=1,
                     max_size=3)

    def edit(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = good
        for at, cut, new in edits:
            data = data[:at] + new + data[at + cut:]
        return data
    return edits.map(edit) | st.binary(max_size=300) | st.integers(0, len(good)).map(lambda end: good[:end])


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                                HealthCheck.too_slow])
@given(draw=st.data())
def test_whatever_is_answered_a_segment_is_freed_by_its_receipt_only(vm: Vm, draw: st.DataObject) -> None:
    waiting = Waiting(vm, 1)
    answers = draw.draw(st.lists(mutated(waiting.stored[0]), min_size=40, max_size=60))
    for answer, (error, sent, left, failures, _) in zip(answers, attempts(vm, waiting, answers), strict=True):
        assert (bool(error), left, failures) == ((False, 0, 0) if sent else (True, 1, 1))
        if sent:
            assert received(answer) == (200, waiting.receipt())


def received(answer: bytes) -> tuple[int, bytes]:
    """Status and body of an answer, by h11; what it is too strict for, such as odd header names, is left out first."""
    head, _, body = answer.partition(b"\r\n\r\n")
    length = [line for line in head.split(b"\r\n")[1:] if line.partition(b":")[0].lower() == b"content-length"]
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(b"HTTP/1.1 " + head.split(b" ")[1][:3] + b" OK\r\nContent-Length: "
                        + length[-1].partition(b":")[2].strip() + b"\r\n\r\n" + body)
    event, data = client.next_event(), b""
    assert isinstance(event, h11.Response)
    while isinstance(part := client.next_event(), h11.Data):
        data += bytes(part.data)
    return event.status_code, data


def test_a_large_segment_goes_out_in_writes_of_many_frames(vm: Vm) -> None:
    sizes, length, same = vm(SETUP + """
class Counting(Receiver):
    def write(self, data):
        sizes.append(len(data))
        super().write(data)

sizes = []
receiver = Counting(lambda request: b"")
segments, up = sender(receiver)
for number in range(40):
    segments.append((5, number, bytes(30 + 3000 * (number == 20))), 1780000000, 66)
segments.close()
message = b"".join(segments.message(segments.closed[0]))
asyncio.run(up.upload())
result = sizes, len(message), receiver.inbox[0].endswith(b"\\r\\n\\r\\n" + message)
""")
    assert length > 5000 and same
    assert len(sizes) == 3 and 3000 < max(sizes) < 3100  # the large frame alone


def test_a_receiver_that_is_silent_is_left_after_a_minute(vm: Vm) -> None:
    waiting = Waiting(vm, 1)
    assert vm(SETUP + """
class Silent(Receiver):
    async def readexactly(self, n):
        await asyncio.sleep(100)

class Hurried:
    "asyncio in which a minute takes 60 ms"
    TimeoutError = asyncio.TimeoutError
    waits = []
    @staticmethod
    async def wait_for_ms(task, ms):
        Hurried.waits.append(ms)
        return await asyncio.wait_for_ms(task, ms // 1000)

uplink.asyncio = Hurried
segments, up = sender(Silent(None), bytes.fromhex(data))
report = asyncio.run(up.upload())
result = report.error, report.sent, len(segments.closed), up.failures, Hurried.waits
""", waiting.image) == ["TimeoutError: ", 0, 1, 1, [60000]]


def test_no_way_out_and_a_wrong_certificate_are_failures_that_end_with_the_first_receipt(vm: Vm) -> None:
    waiting = Waiting(vm, 2)
    assert vm(SETUP + """
class Nowhere:
    async def __aenter__(self):
        raise self.error
    async def __aexit__(self, *about):
        pass

stored = bytes.fromhex(data["stored"])
way = Nowhere()
segments, up = sender(None, bytes.fromhex(data["image"]))
up._connect = lambda: way
result = []
for error in (OSError("no network"), ValueError("certificate"), OSError(113)):
    way.error = error
    report = asyncio.run(up.upload())
    result.append([report.error, up.failures, report.receiver_s])
way = Receiver(lambda request: stored)
report = asyncio.run(up.upload())
result.append([report.error, up.failures, report.sent])
""", {"image": waiting.image, "stored": waiting.stored[0].hex()}) == [
        ["OSError: no network", 1, 0], ["ValueError: certificate", 2, 0], ["OSError: [Errno 113] EHOSTUNREACH", 3, 0],
        ["UplinkError: receipt: for another segment", 1, 1]]


def test_retries_double_from_a_minute_to_an_hour_less_up_to_a_quarter(vm: Vm) -> None:
    values = vm(SETUP + """
_, up = sender(None)
result = []
for failures in (0, 1, 2, 3, 4, 5, 6, 7, 8, 100000):
    up.failures = failures
    result.append([up.retry_s(0), up.retry_s(128), up.retry_s(255)])
""")
    assert values == [[60, 53, 46], [60, 53, 46], [120, 105, 91], [240, 210, 181], [480, 420, 361], [960, 840, 721],
                      [1920, 1680, 1442], [3600, 3150, 2704], [3600, 3150, 2704], [3600, 3150, 2704]]


def test_the_receivers_time_is_taken_from_a_prompt_first_receipt_only(vm: Vm) -> None:
    """It goes on from when it was heard; a late one, or one that tells when a segment came first, is no time."""
    waiting = Waiting(vm, 1)
    assert vm(SETUP + """
result = []
for name, late_ms in (("stored", 0), ("stored", 1000), ("stored", 1001), ("again", 0)):
    now_ms = (1 << 30) - 500  # the ticks wrap
    def answer(request):
        global now_ms
        now_ms += late_ms
        return bytes.fromhex(data[name][0])
    uplink.ticks_ms = lambda: now_ms % (1 << 30)
    uplink.ticks_diff = lambda end, start: (end - start + (1 << 29)) % (1 << 30) - (1 << 29)
    segments, up = sender(Receiver(answer), bytes.fromhex(data["image"]))
    report = asyncio.run(up.upload())
    times = [report.sent, report.receiver_s]
    now_ms += 2999
    result.append(times + [report.receiver_s])
""", {"image": waiting.image, "stored": hexed(*waiting.stored), "again": hexed(*waiting.again)}) == [
        [1, NOW_S, NOW_S + 2], [1, NOW_S, NOW_S + 2], [1, 0, 0], [1, 0, 0]]
