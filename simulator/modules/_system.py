"""`sys` as firmware sees it: the chip's platform, and a console that leads to the host."""

import io
import sys as _real

import _link
from protocol import CONSOLE_TX

_POLL, _READ, _WRITE = 3, 1, 4

platform = "esp32"
version = _real.version
version_info = _real.version_info
implementation = _real.implementation
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
        self._data += data

    def read(self, n=-1):
        n = len(self._data) if n < 0 else n
        while len(self._data) < n:
            _link.wait()
        data, self._data = self._data[:n], self._data[n:]
        return data

    def readinto(self, buf):
        data, self._data = self._data[:len(buf)], self._data[len(buf):]
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


class _Output(io.IOBase):
    def write(self, data):
        _link.post(CONSOLE_TX, 0, 0, data.encode() if isinstance(data, str) else data)
        return len(data)

    def ioctl(self, request, flags):
        return flags & _WRITE if request == _POLL else -22


stdin = _Input()
stdout = stderr = _Output()


def print(*values, sep=" ", end="\n", file=None):
    """The built-in `print`, to the console."""
    (file or stdout).write(sep.join(str(value) for value in values) + end)


def print_exception(error, file=stdout):
    text = io.StringIO()
    _real.print_exception(error, text)
    file.write(text.getvalue())
