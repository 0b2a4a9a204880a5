"""Store and forward: sends closed segments over HTTP/1.1 and mutual TLS, and frees what is receipted."""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

from muster.cose import cbor, cose
from muster.cose.p256 import P256Error

_EXCHANGE_MS = const(60000)  # one segment there and its receipt back
_HEAD_LINES = const(32)
_HEAD_LINE_BYTES = const(512)
_BODY_BYTES = const(2048)
_CHUNK_BYTES = const(2048)  # a write, and so a TLS record, of many frames
_FIRST_RETRY_S, _LAST_RETRY_S = const(60), const(3600)
_FRESH_MS = const(1000)  # from the request's end to the answer, for its time to be believed

_IAT, _UEID, _NUMBER, _DIGEST, _STATUS = 6, 256, -70001, -70003, -70004
_STORED = const(0)


class UplinkError(Exception):
    """The receiver's answer cannot be used, or it refuses a segment."""


class Report:
    """What an upload came to: segments receipted, and the error that ended it or ""."""

    def __init__(self):
        self.sent = 0
        self.error = ""
        self._heard_s = 0
        self._heard_ms = 0  # ticks

    def hear(self, receiver_s: int, heard_ms: int):
        """It was `receiver_s` (UTC) at the ticks `heard_ms`."""
        self._heard_s, self._heard_ms = receiver_s, heard_ms

    @property
    def receiver_s(self) -> int:
        """UTC by the receiver's clock, now, within two seconds; 0: no receipt told it."""
        return self._heard_s and self._heard_s + ticks_diff(ticks_ms(), self._heard_ms) // 1000


class Uplink:
    """`connect()` gives an async context manager of (reader, writer)."""

    def __init__(self, segments, connect, host, ueid, receiver_key):
        self._segments = segments
        self._connect = connect
        self._host = host
        self._ueid = ueid
        self._receiver_key = receiver_key
        self.failures = 0  # in a row, without one receipt

    async def upload(self) -> Report:
        """Send every closed segment, oldest first, over one connection. What fails is kept for the next time.

        One at a time: the caller sees to it.
        """
        report = Report()
        try:
            async with self._connect() as (reader, writer):
                while self._segments.closed:
                    closed = self._segments.closed[0]
                    await asyncio.wait_for_ms(self._exchange(reader, writer, closed, report), _EXCHANGE_MS)
            self.failures = 0
        except (OSError, ValueError, EOFError, asyncio.TimeoutError, UplinkError, cose.CoseError, cbor.CborError,
                P256Error) as error:  # mbedTLS reports a wrong certificate as ValueError
            self.failures = 1 if report.sent else self.failures + 1
            report.error = "%s: %s" % (type(error).__name__, error)
        return report

    def retry_s(self, random_byte: int) -> int:
        """Seconds to the next try after a failure: doubled each time up to an hour, less up to a quarter at random."""
        wait_s = min(_LAST_RETRY_S, _FIRST_RETRY_S << min(10, max(0, self.failures - 1)))
        return wait_s - wait_s * random_byte // 1024

    async def _exchange(self, reader, writer, closed, report):
        """Send one segment and take its receipt."""
        length = self._segments.message_length(closed)
        chunk = ("POST /v1/segments HTTP/1.1\r\nHost: %s\r\nContent-Type: application/cose\r\n"
                 "Content-Length: %d\r\n\r\n" % (self._host, length)).encode()
        for part in self._segments.message(closed):
            if len(chunk) + len(part) > _CHUNK_BYTES:
                writer.write(chunk)
                await writer.drain()
                chunk = b""
            chunk += part
        writer.write(chunk)
        await writer.drain()
        sent_ms = ticks_ms()
        status, body = await _response(reader)
        heard_ms = ticks_ms()
        if status != 200:
            raise UplinkError("segment %d refused with status %d" % (closed.number, status))
        receipt = cbor.loads(cose.verify1(body, self._receiver_key))
        self._check(receipt, closed)
        report.sent += 1
        if receipt.get(_STATUS) == _STORED and ticks_diff(heard_ms, sent_ms) <= _FRESH_MS:
            report.hear(receipt[_IAT], heard_ms)
        self._segments.receipted(closed.number)

    def _check(self, receipt, closed):
        """Raises UplinkError unless the receipt is for this segment of this watch."""
        if not isinstance(receipt, dict) or not isinstance(receipt.get(_IAT), int):
            raise UplinkError("receipt: not a map with a time")
        named = (receipt.get(_UEID), receipt.get(_NUMBER), receipt.get(_DIGEST))
        if named != (self._ueid, closed.number, closed.digest):
            raise UplinkError("receipt: for another segment")


async def _response(reader):
    """(status, body) of an HTTP/1.1 response with Content-Length. Raises UplinkError, EOFError."""
    line = await _line(reader)
    parts = line.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or len(parts[1]) != 3 or not parts[1].isdigit():
        raise UplinkError("response: no HTTP status line")
    length = None
    for _ in range(_HEAD_LINES):
        line = await _line(reader)
        if not line:
            break
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            value = value.strip()
            if not value.isdigit() or len(value) > 6:
                raise UplinkError("response: Content-Length is no number")
            length = int(value)
    else:
        raise UplinkError("response: too many header lines")
    if length is None or length > _BODY_BYTES:
        raise UplinkError("response: no Content-Length, or over %d" % _BODY_BYTES)
    return int(parts[1]), await reader.readexactly(length)


async def _line(reader) -> bytes:
    """One line without its end, read byte by byte so that its length is bounded."""
    line = b""
    while not line.endswith(b"\r\n"):
        byte = await reader.readexactly(1)
        line += byte
        if len(line) > _HEAD_LINE_BYTES:
            raise UplinkError("response: a header line over %d bytes" % _HEAD_LINE_BYTES)
    return line[:-2]
