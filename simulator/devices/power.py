"""The watch's power as a hand, a scenario or a test switches it."""

from __future__ import annotations

from collections.abc import Callable


class Power:
    """`start` and `stop` are what switching does to the watch; `plan_cut(n)` tells the one that runs to fail."""

    def __init__(self, start: Callable[[], None], stop: Callable[[], None], plan_cut: Callable[[int], bool]):
        self._start, self._stop, self._plan_cut = start, stop, plan_cut
        self._cut_in = 0

    def on(self) -> None:
        """Power is back: the watch boots, and its RTC has lost its time."""
        self._start()

    def off(self) -> None:
        """Cut the power now, whatever the watch is doing, until `on`."""
        self._stop()

    def cut(self, after_flash_ops: int = 0) -> None:
        """Cut the power and restore it: now, or in the middle of a program or erase of the flash.

        `after_flash_ops` is 1 for the next operation of the boot that runs, or of the next boot while the watch is off;
        a boot that does fewer is not cut.
        """
        if not after_flash_ops:
            self.off()
            self.on()
        elif not self._plan_cut(after_flash_ops):
            self._cut_in = after_flash_ops

    def take_cut(self) -> int:
        """The cut that was planned for the boot that begins, 0 for none."""
        planned, self._cut_in = self._cut_in, 0
        return planned
