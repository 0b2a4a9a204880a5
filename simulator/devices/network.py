"""The emulated Wi-Fi link and the relay that carries the watch's real sockets to the receiver on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from random import Random

STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP, STAT_NO_AP_FOUND = 1000, 1001, 1010, 201
JOIN_US = 1_500_000  # scan, join and DHCP
SLOW_US = 12_000_000  # what a slow network adds to a look-up and the handshake after it
LOSSY_BYTES = (500, 5000)  # fewest, most that a lossy network carries up before it drops a connection
PORTAL = b"HTTP/1.1 302 Found\r\nLocation: http://login.invalid/\r\nContent-Length: 0\r\n\r\n"
LOOKUP_US = 40_000
HANDSHAKE_US = 900_000  # TCP and mutual TLS on the chip: five P-256 operations in mbedTLS


class Network:
    """`is_up` is whether the access point is there; `hangs` keeps the link but loses every packet; `captive`: a portal
    answers in the server's place."""

    def __init__(self, server: tuple[str, int] | None, now_us: Callable[[], int]):
        self.is_up = True
        self.hangs = False
        self.slow = self.lossy = self.captive = False
        self.cut_after: int | None = None  # bytes up of the next connection after which it drops, once
        self.bytes_sent = 0
        self.server = server
        self._now_us = now_us
        self._active = False
        self._joined_us: int | None = None
        self._relay = Relay(self) if server else None

    def up(self) -> None:
        """The access point is there."""
        self.is_up = True

    def down(self) -> None:
        """The access point is gone."""
        self.is_up = False

    def active(self, on: bool) -> None:
        self._active = on
        if not on:
            self._joined_us = None

    def connect(self) -> None:
        self._joined_us = self._now_us() + JOIN_US

    def disconnect(self) -> None:
        self._joined_us = None

    def status(self) -> int:
        """STAT_* of the station, as `WLAN.status()` gives it."""
        if not self._active or self._joined_us is None:
            return STAT_IDLE
        if not self.is_up:
            return STAT_NO_AP_FOUND
        return STAT_GOT_IP if self._now_us() >= self._joined_us else STAT_CONNECTING

    def resolve(self) -> tuple[str, int] | None:
        """Where a name leads: the relay, or None without a network."""
        if self._relay is None or self.status() != STAT_GOT_IP or self.hangs:
            return None
        return "127.0.0.1", self._relay.port

    def close(self) -> None:
        if self._relay:
            self._relay.close()


class Relay:
    """Carries bytes both ways between the watch's connection and the server, and drops it where it is told to."""

    def __init__(self, network: Network):
        self._network = network
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        random = Random("lossy")  # the same in every run
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._network.captive:
                with client, contextlib.suppress(OSError):
                    client.recv(4096)
                    client.sendall(PORTAL)
                continue
            assert self._network.server  # there is a relay only where it leads somewhere
            try:
                server = socket.create_connection(self._network.server, timeout=10)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            left = random.randint(*LOSSY_BYTES) if self._network.lossy else self._network.cut_after
            self._network.cut_after = None
            for pair in ((client, server, True, left), (server, client, False, None)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_up: bool, left: int | None) -> None:
        try:
            while data := source.recv(65536):
                if left is not None:
                    data = data[:left]
                    left -= len(data)
                if is_up:
                    self._network.bytes_sent += len(data)
                target.sendall(data)
                if left == 0:
                    break
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
