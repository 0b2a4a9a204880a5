"""The uplink: joins a known Wi-Fi network, opens a mutual-TLS connection, and switches the radio off after use."""

import asyncio
import gc

import network
import tls

_JOIN_MS = 15000
_POLL_MS = 250
_CONNECT_MS = 20000
_AHEAD = 512


def uplink(settings, client_key: bytes):
    """The uplink that the settings name, with the certificates that provisioning left beside them."""
    with open("ca.der", "rb") as ca, open("client.der", "rb") as certificate:
        return Wifi(settings.wifi, settings.receiver_host, settings.receiver_port, ca.read(), certificate.read(),
                    client_key)


class Wifi:
    """`networks`: rows of {"ssid", "key"}, tried in order. Certificates and key are DER."""

    def __init__(self, networks, host, port, ca, certificate, key):
        self._networks = networks
        self._host = host
        self._port = port
        self._context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        self._context.verify_mode = tls.CERT_REQUIRED
        self._context.load_verify_locations(ca)
        self._context.load_cert_chain(certificate, key)
        self._station = network.WLAN(network.STA_IF)

    def connect(self):
        """An async context manager that gives (reader, writer). Raises OSError when there is no way out."""
        return _Connection(self)

    async def _join(self):
        self._station.active(True)
        for known in self._networks:
            self._station.connect(known["ssid"], known["key"])
            for _ in range(_JOIN_MS // _POLL_MS):
                if self._station.isconnected():
                    return
                if self._station.status() in (network.STAT_NO_AP_FOUND, network.STAT_WRONG_PASSWORD):
                    break
                await asyncio.sleep_ms(_POLL_MS)
            self._station.disconnect()
        raise OSError("no known Wi-Fi network answers")


class _Reader:
    """Reads ahead: asyncio's stream looks at the socket at each call, which takes a millisecond a byte."""

    def __init__(self, stream):
        self._stream = stream
        self._ahead = b""

    async def readexactly(self, n: int) -> bytes:
        """Raises EOFError, OSError."""
        while len(self._ahead) < n:
            more = await self._stream.read(_AHEAD)
            if not more:
                raise EOFError
            self._ahead += more
        data, self._ahead = self._ahead[:n], self._ahead[n:]
        return data


class _Connection:
    def __init__(self, wifi):
        self._wifi = wifi
        self._writer = None

    async def __aenter__(self):
        wifi = self._wifi
        try:
            await wifi._join()
            gc.collect()  # TLS takes some 20 KB of the heap beside Python's
            opening = asyncio.open_connection(wifi._host, wifi._port, ssl=wifi._context, server_hostname=wifi._host)
            reader, self._writer = await asyncio.wait_for_ms(opening, _CONNECT_MS)
            return _Reader(reader), self._writer
        except BaseException:
            wifi._station.active(False)
            raise

    async def __aexit__(self, kind, error, trace):
        try:
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            pass  # the peer was faster
        finally:
            self._wifi._station.active(False)
