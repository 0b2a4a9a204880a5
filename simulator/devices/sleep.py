"""The chip's sleep seen from outside: what wakes it, and since when it hears again."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.modules.protocol import EXT0, EXT1, GPIO


class Sleep:
    """Of one boot. `woken_by` is one of protocol.py's wake sources once a pin has ended the sleep, before that 0."""

    def __init__(self, now_us: int) -> None:
        self._sources: dict[int, tuple[int, bytes]] = {}  # source: (level, pins)
        self.is_asleep = False
        self.is_deep = False
        self.woken_by = 0
        self.woke_us = now_us  # when it last began to hear again

    def wake_on(self, source: int, level: int, pins: bytes) -> None:
        self._sources[source] = (level, pins)

    def begin(self, inputs: Mapping[int, int], is_deep: bool = False) -> None:
        self.is_asleep, self.is_deep, self.woken_by = True, is_deep, 0
        self.look(inputs)

    def look(self, inputs: Mapping[int, int]) -> None:
        """The levels at the pins now; ext0 and ext1 wake from both sleeps, gpio from the light one."""
        if self.is_asleep and not self.woken_by:
            for source in (EXT0, EXT1) if self.is_deep else (EXT0, EXT1, GPIO):
                level, pins = self._sources.get(source, (0, b""))
                for pin in pins:
                    if inputs.get(pin, 1) == level:
                        self.woken_by = source
                        return

    def end(self, now_us: int) -> None:
        self.is_asleep = self.is_deep = False
        self.woke_us = now_us
