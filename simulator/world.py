"""The virtual clock and the queue of what will happen: devices and scenarios put callbacks at virtual times."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class World:
    """Time is whole microseconds since the scenario's start; callbacks of one time run in the order they were put."""

    def __init__(self, start_unix_s: int):
        self.start_unix_s = start_unix_s
        self.now_us = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, time_us: int, callback: Callable[[], None]) -> None:
        """Run `callback` at `time_us`, or now where that has passed."""
        self._count += 1
        heapq.heappush(self._queue, (max(time_us, self.now_us), self._count, callback))

    def after(self, delay_us: int, callback: Callable[[], None]) -> None:
        self.at(self.now_us + delay_us, callback)

    def step(self, limit_us: int) -> bool:
        """Move to the next callback and run it; False: none is due by `limit_us`."""
        if not self._queue or self._queue[0][0] > limit_us:
            return False
        time_us, _, callback = heapq.heappop(self._queue)
        self.now_us = max(self.now_us, time_us)
        callback()
        return True

    @property
    def unix_ms(self) -> int:
        return self.start_unix_s * 1000 + self.now_us // 1000
