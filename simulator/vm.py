"""Drives the real MicroPython VM: one process a boot, linked by two pipes with framed messages."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

from simulator.devices.crystal import Crystal
from simulator.modules.protocol import HEADER, HEADER_BYTES
from tools import vm as micropython

MODULES = Path(__file__).resolve().parent / "modules"
START = "_start.py"
HEAP = "24M"  # objects take twice the chip's room on a 64-bit VM; the chip has 8 MB
PAYLOAD_LIMIT = 1 << 20
_header = struct.Struct(HEADER)


class VmStopped(Exception):
    """The VM process ended; the message holds what it printed last."""


class Vm:
    """One boot of the watch. `receive()` and `send()` are its link; `kill()` is the power switch.

    Times are virtual ones on this side; on the VM's they are its crystal's.
    """

    def __init__(self, image: Path, bits: int = 64, crystal: Crystal | None = None):
        self._crystal = crystal or Crystal()
        to_host, vm_writes = os.pipe()
        vm_reads, from_host = os.pipe()
        flash = os.open(image, os.O_RDWR)
        ends = (vm_writes, vm_reads, flash)
        # No path and no environment of this machine reaches the VM: they would lie in its heap, whose size is recorded.
        self._process = subprocess.Popen(
            [micropython.find(bits), "-X", f"heapsize={HEAP}", START, *map(str, ends)], pass_fds=ends, cwd=MODULES,
            env={"MICROPYPATH": ".frozen"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for end in ends:
            os.close(end)
        self._reader = os.fdopen(to_host, "rb", buffering=1 << 16)
        self._writer = from_host
        self.messages = 0  # received

    def receive(self) -> tuple[int, int, int, int, bytes]:
        """The next message: (kind, unit, flags, time_us, payload)."""
        head = self._reader.read(HEADER_BYTES)
        self.messages += 1
        if len(head) < HEADER_BYTES:
            raise VmStopped(self._last_words())
        kind, unit, flags, length, time_us = _header.unpack(head)
        if length > PAYLOAD_LIMIT:
            raise VmStopped(f"a message of {length} bytes")
        return kind, unit, flags, self._crystal.world_us(time_us), self._reader.read(length) if length else b""

    def send(self, messages: list[tuple[int, int, int, int, bytes]]) -> None:
        """Messages (kind, unit, flags, time_us, payload) in one write."""
        data = b"".join([_header.pack(kind, unit, flags, len(payload), self._crystal.chip_us(time_us)) + payload
                         for kind, unit, flags, time_us, payload in messages])
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._writer, view):]
        except BrokenPipeError:
            raise VmStopped(self._last_words()) from None

    def signal(self, number: int) -> None:
        """SIGINT raises KeyboardInterrupt in what computes; SIGKILL ends it, and `receive` then raises VmStopped."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the process at once and free what it held."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.close()
        os.close(self._writer)
        assert self._process.stdout
        self._process.stdout.close()

    def _last_words(self) -> str:
        try:
            output, _ = self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            return "the VM closed its link"
        return output.decode(errors="replace").strip() or f"the VM ended with code {self._process.returncode}"
