"""A push button to ground: presses, whether it is held, and how it wakes the chip."""

import asyncio

import esp32
from machine import Pin


class Button:
    """`pin`: of the RTC (0 to 21), with a pull-up on the board, for its own is off in sleep."""

    def __init__(self, pin: int):
        self._pressed = asyncio.ThreadSafeFlag()
        self._pin = Pin(pin, Pin.IN, Pin.PULL_UP)
        self._armed: "bool | None" = None  # for which level of is_down() its next change wakes the chip
        self._pin.irq(lambda pin: self._pressed.set(), Pin.IRQ_FALLING)

    async def press(self):
        """Wait for the next press; one from before, or a bounce, is none."""
        self._pressed.clear()
        await self._pressed.wait()

    def is_down(self) -> bool:
        return not self._pin.value()

    def arm(self) -> bool:
        """Let its next change wake the chip, so that one that sticks does not keep it awake; whether it is down now."""
        is_down = self.is_down()
        if is_down is not self._armed:
            self._armed = is_down
            esp32.wake_on_ext0(self._pin, esp32.WAKEUP_ANY_HIGH if is_down else esp32.WAKEUP_ALL_LOW)
        return is_down

    def rejoin(self, is_pressed: bool):
        """After a sleep, for which the RTC took the pin; `is_pressed`: a press ended it."""
        self._pin.init(Pin.IN, Pin.PULL_UP)
        if is_pressed:
            self._pressed.set()
