"""The chip's crystal: how its own microseconds run against true ones."""

from __future__ import annotations

MILLION = 1_000_000


class Crystal:
    """Fast by `ppm` parts in a million, slow where that is negative."""

    def __init__(self, ppm: int = 0):
        self.ppm = ppm

    def chip_us(self, world_us: int) -> int:
        """What the chip has counted at a virtual time."""
        return world_us + world_us * self.ppm // MILLION

    def world_us(self, chip_us: int) -> int:
        """The first virtual time at which the chip has counted so far."""
        return -(-chip_us * MILLION // (MILLION + self.ppm)) if self.ppm else chip_us
