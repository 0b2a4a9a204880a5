"""Serves the application over mutual TLS with uvicorn, and drops clients that take too long."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable
from ssl import SSLContext
from typing import Any

import h11
from starlette.applications import Starlette
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 256
MAX_HEADERS_BYTES = 16 * 1024


class ListenError(Exception):
    """The address cannot be listened on; one line."""


class TimedProtocol(H11Protocol):
    """HTTP/1.1 whose client must send each request whole within a time, idle time included."""

    request_timeout_s: float
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._disarm_when_whole()

    def on_response_complete(self) -> None:
        self._arm()
        super().on_response_complete()  # this may begin the next request
        self._disarm_when_whole()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(self.request_timeout_s, self.transport.abort)

    def _disarm_when_whole(self) -> None:
        if self.conn.their_state is h11.DONE:
            self._disarm()

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def listen(host: str, port: int) -> socket.socket:
    """A TCP socket bound to `host` and `port`, 0 for any. Raises ListenError."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ListenError(f"host {host} port {port}: {error.strerror}") from None


def serve(app: Starlette, tls: SSLContext, listener: socket.socket, started: Callable[[int], None],
          request_timeout_s: float) -> None:
    """Serves until SIGINT or SIGTERM; calls `started` with the port once connections are accepted."""
    protocol = type("Protocol", (TimedProtocol,), {"request_timeout_s": request_timeout_s})
    config = Config(app, http=protocol, ws="none", loop="asyncio", lifespan="on", log_config=None, access_log=False,
                    server_header=False, date_header=False, ssl_context_factory=lambda *_: tls,
                    h11_max_incomplete_event_size=MAX_HEADERS_BYTES, limit_concurrency=MAX_CONNECTIONS,
                    timeout_keep_alive=math.ceil(request_timeout_s), timeout_graceful_shutdown=2)
    _Announcing(config, lambda: started(listener.getsockname()[1])).run([listener])


class _Announcing(Server):
    def __init__(self, config: Config, announce: Callable[[], None]):
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()
