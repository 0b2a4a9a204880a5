"""A simulated watch's serial port on a pseudo-terminal, so that any serial program can talk to it as to a board."""

from __future__ import annotations

import os
import select
import signal
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Callable
from types import TracebackType

from simulator.watch import Watch, WatchError

STEP_S = 0.05
LISTEN_S, LATENCY_S = 0.1, 0.002
BUSY_S = 1.0  # a firmware that lets Ctrl-C wait for so long, and does nothing else, computes
CTRL_C = b"\x03"


class SerialPort:
    """`path` is the port. Inside `with` the watch lives, in a thread, at `speed` times real time, and is that thread's.

    `unplug_after`: bytes from the other side after which the cable comes off, from which the watch has its power too.
    """

    def __init__(self, watch: Watch, speed: float = 1.0, unplug_after: int | None = None):
        self._watch, self.speed, self._unplug_after = watch, speed, unplug_after
        self._hands: deque[Callable[[], None]] = deque()
        watch.has_repl, watch.printed_more = True, self._say
        watch.plug(True)
        self._host, self._port = os.openpty()  # the port is kept open: the line stays up while nobody is connected
        os.set_blocking(self._host, False)
        tty.setraw(self._port, termios.TCSANOW)
        self.path = os.ttyname(self._port)
        self.received = 0  # bytes from the other side
        self._sent = len(watch.console_output)
        self._heard = bytearray()
        self._news = threading.Event()
        self._lock = threading.Lock()
        self._stopping = False
        self._error: WatchError | None = None
        self._life = threading.Thread(target=self._live)
        self._ear = threading.Thread(target=self._listen)

    def __enter__(self) -> SerialPort:
        self._ear.start()
        self._life.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Raises WatchError when the watch has died meanwhile."""
        self._stopping = True
        self._life.join(timeout=5)
        if self._life.is_alive():  # its firmware computes, and may do so for ever
            self._watch.processor.signal(signal.SIGKILL)
            self._life.join()
            self._watch.power.off()
        elif self._error and not error:
            raise self._error

    def hand(self, act: Callable[[], None]) -> None:
        """Do something to the watch, such as a press, between two moments of its life."""
        self._hands.append(act)
        self._news.set()

    def _live(self) -> None:
        seen_s, lived_s = time.monotonic(), self._watch.world.now_us / 1e6
        try:
            while not self._stopping:
                self._news.wait(STEP_S / self.speed)
                self._news.clear()
                while self._hands:
                    self._hands.popleft()()
                self._hand_on()
                now_s = time.monotonic()
                lived_s, seen_s = lived_s + (now_s - seen_s) * self.speed, now_s
                self._watch.run(until_s=max(lived_s, (self._watch.world.now_us + 1) / 1e6))
                self._say(LISTEN_S)
                if self._unplug_after is not None and self.received >= self._unplug_after:
                    self._watch.power.off()
                    break
        except WatchError as problem:
            self._error = problem
        self._watch.printed_more = lambda: None
        self._stopping = True
        self._ear.join()
        os.close(self._host)
        os.close(self._port)

    def _hand_on(self) -> None:
        """What was heard goes to the watch; while it boots, the cable's own chip keeps it."""
        if not self._watch.is_on:
            return
        with self._lock:
            heard = bytes(self._heard)
            self._heard.clear()
        if heard:
            self._watch.type(heard)

    def _say(self, patience_s: float = 0) -> None:
        """What the watch said goes to whoever is connected; the rest waits while nobody reads."""
        fresh = memoryview(bytes(self._watch.console_output[self._sent:]))
        while fresh and select.select([], [self._host], [], patience_s)[1]:
            written = os.write(self._host, fresh)
            self._sent += written
            fresh = fresh[written:]

    def _listen(self) -> None:
        while not self._stopping:
            if not select.select([self._host], [], [], LISTEN_S)[0]:
                continue
            left = 4096 if self._unplug_after is None else self._unplug_after - self.received
            data = os.read(self._host, min(left, 4096))
            with self._lock:
                self._heard += data
            self.received += len(data)
            self._news.set()
            if self.received == self._unplug_after:
                return
            if CTRL_C in data:
                self._interrupt()

    def _interrupt(self) -> None:
        """Ctrl-C reaches a watch that waits as a byte, and one that computes as a signal."""
        messages, given_up_s = self._watch.processor.messages, time.monotonic() + BUSY_S
        while CTRL_C in self._heard and not self._stopping and self._watch.processor.messages == messages:
            if messages and time.monotonic() > given_up_s:
                with self._lock:
                    self._heard[:] = self._heard.replace(CTRL_C, b"", 1)
                self._watch.processor.signal(signal.SIGINT)
                return
            time.sleep(LATENCY_S)
