"""A simulated watch's serial console on a pseudo-terminal, so that any serial program can talk to it."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import tty

from simulator.watch import Watch

STEP_S = 0.05


class SerialPort:
    """`path` is the port; `run()` lets the watch live at `speed` times real time and carries bytes both ways."""

    def __init__(self, watch: Watch, speed: float = 1.0):
        self._watch, self._speed = watch, speed
        self._host, port = os.openpty()
        os.set_blocking(self._host, False)
        tty.setraw(port, termios.TCSANOW)
        self.path = os.ttyname(port)
        self._port = port  # kept open, so that the line stays up while nobody is connected
        self._sent = 0
        self.stopping = False

    def run(self) -> None:
        """Until `stopping` is set."""
        while not self.stopping:
            if select.select([self._host], [], [], STEP_S / self._speed)[0]:
                self._watch.type(os.read(self._host, 1024))
            self._watch.run(until_s=self._watch.world.now_us / 1e6 + STEP_S)
            fresh = self._watch.console_output[self._sent:]
            if fresh:
                with contextlib.suppress(BlockingIOError):  # nobody reads: the rest waits
                    self._sent += os.write(self._host, fresh)

    def close(self) -> None:
        os.close(self._host)
        os.close(self._port)
