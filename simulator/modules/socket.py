"""`socket`: real sockets, but names are looked up by the host, which leads them to its relay on loopback."""

import _link
import usocket as _real
from protocol import RESOLVE
from usocket import AF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, socket  # noqa: F401

IPPROTO_TCP = 6


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    error, answer = _link.call(RESOLVE, 0, 0, ("%s %d" % (host, port)).encode())
    if error:
        raise OSError(-202)  # EAI_FAIL, as lwIP reports a name that cannot be resolved
    address, relay_port = answer.decode().split()
    return _real.getaddrinfo(address, int(relay_port), AF_INET, SOCK_STREAM)
