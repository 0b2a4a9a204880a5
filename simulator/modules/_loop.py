"""asyncio on virtual time: its clock, its tasks and its wait for streams.

Emulated streams (Python objects with `ioctl`) become ready by events of the host. Real sockets are answered on
loopback, so waiting for them takes no virtual time: the loop blocks until one is ready, and a run is the same each
time. Only while the host says that the network hangs are they left alone, so that time passes and time-outs fire.
"""

import sys

import _link
import _tasks
import micropython
import uselect as select
from micropython import const

_POLL, _READ, _WRITE = const(3), const(1), const(4)  # MP_STREAM_POLL and its flags
_REAL_LIMIT_MS = const(30000)  # a real peer on loopback that is silent for so long is a fault of the simulation


class IOQueue:
    """`map` holds [reader, writer, stream, what an emulated stream is asked for] of each stream that is waited for."""

    def __init__(self):
        self.map = []
        self.poller = select.poll()
        self.sockets = 0

    def queue_read(self, stream):
        self._enqueue(stream, 0)

    def queue_write(self, stream):
        self._enqueue(stream, 1)

    def remove(self, task):
        for entry in list(self.map):
            for side in (0, 1):
                if entry[side] is task:
                    entry[side] = None
            self._update(entry)

    @micropython.native
    def wait_io_event(self, dt_ms):
        """Make ready what can be; with nothing ready let `dt_ms` pass (below 0: until something is)."""
        until_us = _link.FOREVER_US if dt_ms < 0 else (_link.now_us // 1000 + dt_ms) * 1000
        while not (self.sockets and self._sockets_ready() or self._streams_ready()):
            if dt_ms >= 0 and _link.now_us >= until_us:
                return
            _link.wait(until_us)

    @micropython.native
    def _enqueue(self, stream, side):
        entry = self._entry(stream)
        if entry is None:
            entry = [None, None, stream, 0]
            self.map.append(entry)
            if not hasattr(stream, "ioctl"):
                self.sockets += 1
        assert entry[side] is None
        entry[side] = _tasks.core.cur_task
        _tasks.core.cur_task.data = self
        self._update(entry)

    @micropython.native
    def _entry(self, stream):
        for entry in self.map:
            if entry[2] is stream:
                return entry
        return None

    @micropython.native
    def _update(self, entry):
        reader, writer, stream, _ = entry
        flags = (_READ if reader else 0) | (_WRITE if writer else 0)
        if hasattr(stream, "ioctl"):
            entry[3] = flags
        elif flags:
            self.poller.register(stream, flags)
        else:
            self.poller.unregister(stream)
            self.sockets -= 1
        if not flags:
            self.map.remove(entry)

    @micropython.native
    def _wake(self, entry, flags):
        for side, mask in ((0, ~_WRITE), (1, ~_READ)):
            if entry[side] and flags & mask:
                _tasks.core._task_queue.push(entry[side])
                entry[side] = None
        self._update(entry)

    def _sockets_ready(self):
        if _link.stalled:
            return False
        ready = self.poller.poll(_REAL_LIMIT_MS)
        if not ready:
            raise RuntimeError("simulator: a real socket was silent for %d s" % (_REAL_LIMIT_MS // 1000))
        for stream, flags in ready:
            self._wake(self._entry(stream), flags)
        return True

    @micropython.native
    def _streams_ready(self):
        ready = []
        for entry in self.map:
            if entry[3]:
                flags = entry[2].ioctl(_POLL, entry[3])
                if flags:
                    ready.append((entry, flags))
        for entry, flags in ready:
            self._wake(entry, flags)
        return bool(ready)


def install():
    """Put the tasks in place, import asyncio over them, and give it virtual time."""
    sys.modules["_asyncio"] = _tasks
    import asyncio.core as core
    import time

    _tasks.core = core
    core.ticks = lambda: (_link.now_us - _link.boot_us) // 1000 % (1 << 30)  # free: the loop looks very often
    core.ticks_add = time.ticks_add
    core.ticks_diff = time.ticks_diff
    core._io_queue = IOQueue()
    new_event_loop = core.new_event_loop

    def renewed():
        loop = new_event_loop()
        core._io_queue = IOQueue()
        return loop

    core.new_event_loop = renewed
