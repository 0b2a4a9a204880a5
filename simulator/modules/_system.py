"""`sys` as firmware sees it: the chip's platform, and a console that leads to the host."""

import io
import sys as _real
from collections import namedtuple

import _link
from protocol import CONSOLE_TX

_POLL, _READ, _WRITE = 3, 1, 4

platform = "esp32"
version = _real.version
version_info = _real.version_info
implementation = namedtuple("implementation", ("name", "version", "_machine", "_mpy", "_build"))(
    *_real.implementation[:2], "", _real.implementation._mpy, "")
byteorder = _real.byteorder
maxsize = _real.maxsize
argv = []
path = _real.path
modules = _real.modules
exit = _real.exit


class _Bytes(io.IOBase):
    def __init__(self):
        self._data = b""
        _link.console = self

    def received(self, data):
        if _link.interrupt_char >= 0:
            interrupt = bytes((_link.interrupt_char,))
            if interrupt in data:
                _link.interrupted = True
                data = data.replace(interrupt, b"")
        self._data += data

    def read(self, n=-1):
        n = len(self._data) if n < 0 else n
        while len(self._data) < n:
            _link.wait()
        data, self._data = self._data[:n], self._data[n:]
        return data

    def until(self, stops, limit):
        """What is there, at least a byte and at most `limit`, to the first that is in `stops`."""
        while not self._data:
            _link.wait()
        end = min(limit, len(self._data))
        for stop in stops:
            found = self._data.find(bytes((stop,)), 0, end)
            end = end if found < 0 else found + 1
        return self.read(end)

    def readinto(self, buf, n=-1):
        n = len(buf) if n < 0 else n
        data, self._data = self._data[:n], self._data[n:]
        buf[:len(data)] = data
        return len(data)

    def ioctl(self, request, flags):
        if request == _POLL:
            return (flags & _WRITE) | (flags & _READ if self._data else 0)
        return -22


class _Input(io.IOBase):
    """Text; `buffer` is the bytes below it."""

    def __init__(self):
        self.buffer = _Bytes()
        self.readinto = self.buffer.readinto
        self.ioctl = self.buffer.ioctl

    def read(self, n=-1):
        return self.buffer.read(n).decode()


class _RawOutput(io.IOBase):
    def write(self, data, n=-1):
        _link.post(CONSOLE_TX, 0, 0, data if n < 0 else data[:n])
        return len(data) if n < 0 else n

    def ioctl(self, request, flags):
        return flags & _WRITE if request == _POLL else -22


class _Output(io.IOBase):
    """Text, with a carriage return before each line feed that has none; `buffer` is the bytes below it."""

    def __init__(self):
        self.buffer = _RawOutput()
        self.ioctl = self.buffer.ioctl

    def write(self, data):
        text = data.encode() if isinstance(data, str) else bytes(data)
        self.buffer.write(text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        return len(data)


stdin = _Input()
stdout = stderr = _Output()


def print(*values, sep=" ", end="\n", file=None):
    """The built-in `print`, to the console."""
    (file or stdout).write(sep.join(str(value) for value in values) + end)


def print_exception(error, file=stdout):
    text = io.StringIO()
    _real.print_exception(error, text)
    file.write(text.getvalue())
