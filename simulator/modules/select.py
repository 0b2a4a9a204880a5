"""`select` on virtual time for emulated streams; a real socket is ready when the VM's own says so."""

import _link
from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT  # noqa: F401
from uselect import poll as _real_poll

_POLL = 3  # MP_STREAM_POLL


class poll:
    def __init__(self):
        self._flags = []  # (stream, flags)

    def register(self, obj, eventmask=POLLIN | POLLOUT):
        self.unregister(obj)
        self._flags.append((obj, eventmask))

    def unregister(self, obj):
        self._flags = [entry for entry in self._flags if entry[0] is not obj]

    def modify(self, obj, eventmask):
        self.register(obj, eventmask)

    def poll(self, timeout=-1):
        until_us = _link.FOREVER_US if timeout is None or timeout < 0 else _link.now_us + timeout * 1000
        while True:
            ready = [(obj, flags) for obj, flags in ((o, _ready(o, mask)) for o, mask in self._flags) if flags]
            if ready or _link.now_us >= until_us:
                return ready
            _link.wait(until_us)

    def ipoll(self, timeout=-1, flags=0):
        return iter(self.poll(timeout))


def _ready(stream, mask):
    if hasattr(stream, "ioctl"):
        return stream.ioctl(_POLL, mask)
    real = _real_poll()
    real.register(stream, mask)
    return sum(flags for _, flags in real.poll(0))
