"""The receiver's clock: the machine's own, or in a simulation that of each watch, told by whoever simulates it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from socketserver import BaseRequestHandler, ThreadingTCPServer

Clock = Callable[[bytes], int]  # UEID of the watch that sends (b"": the receiver's own) to UTC in ms since 1970
_TIME = struct.Struct(">17sQ")  # UEID, UTC in ms
_TAKEN = b"\x01"
TELL_TIMEOUT_S = 30


class ClockError(Exception):
    """The receiver does not take a time; one line."""


def real(_ueid: bytes = b"") -> int:
    """The machine's own time, UTC in ms since 1970."""
    return time.time_ns() // 1_000_000


class VirtualClock:
    """Watches that live at different speeds each have their own time; who has told none has the last that was told.

    A watch lives once: a cluster that begins its task again, having lost a machine, is not told to go on.
    """

    def __init__(self, unix_ms: int):
        self._last_ms = unix_ms
        self._times: dict[bytes, int] = {}  # of the connections that are open
        self._lived: set[bytes] = set()  # whose connections have ended

    def __call__(self, ueid: bytes) -> int:
        return self._times.get(ueid, self._last_ms)

    def listen(self, host: str) -> int:
        """Take times from a `Teller` each, from now on; the port."""
        clock = self

        class Listener(BaseRequestHandler):
            def handle(self) -> None:
                clock._take(self.request)

        server = ThreadingTCPServer((host, 0), Listener)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_address[1])

    def _take(self, connection: socket.socket) -> None:
        ueids = set()
        with contextlib.suppress(OSError):
            while len(data := connection.recv(_TIME.size, socket.MSG_WAITALL)) == _TIME.size:
                ueid, unix_ms = _TIME.unpack(data)
                if ueid in self._lived:
                    break
                ueids.add(ueid)
                self._times[ueid] = self._last_ms = unix_ms
                connection.sendall(_TAKEN)
        self._lived |= ueids
        for ueid in ueids:
            del self._times[ueid]


class Teller:
    """Tells a receiver with a VirtualClock what time it is for one watch. Raises ClockError."""

    def __init__(self, address: tuple[str, int], ueid: bytes):
        self._ueid = ueid
        try:
            self._connection = socket.create_connection(address, TELL_TIMEOUT_S)
        except OSError as error:
            raise ClockError(f"receiver {address[0]} port {address[1]}: {error.strerror or error}") from None
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def tell(self, unix_ms: int) -> None:
        """Returns when the receiver has taken it."""
        try:
            self._connection.sendall(_TIME.pack(self._ueid, unix_ms))
            taken = self._connection.recv(1)
        except OSError:
            taken = b""
        if taken != _TAKEN:
            raise ClockError("the receiver has ended, or the watch has lived before")

    def close(self) -> None:
        self._connection.close()
