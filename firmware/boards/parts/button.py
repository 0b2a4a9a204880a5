"""A push button to ground: presses, and whether it is held."""

import asyncio

from machine import Pin


class Button:
    def __init__(self, pin: int):
        self._pressed = asyncio.ThreadSafeFlag()
        self._pin = Pin(pin, Pin.IN, Pin.PULL_UP)
        self._pin.irq(lambda pin: self._pressed.set(), Pin.IRQ_FALLING)

    async def press(self):
        """Wait for the next press; one from before, or a bounce, is none."""
        self._pressed.clear()
        await self._pressed.wait()

    def is_down(self) -> bool:
        return not self._pin.value()
