"""Whether USB's cable is in: its 5 V through two equal resistors on a pin."""

import esp32
from machine import Pin


class Usb:
    def __init__(self, pin: int):
        self._pin = Pin(pin, Pin.IN)

    def is_plugged(self) -> bool:
        return bool(self._pin.value())

    def arm(self):
        """Let the cable wake the chip, where MicroPython can; elsewhere it is noticed at the next waking."""
        if hasattr(esp32, "wake_on_gpio"):
            esp32.wake_on_gpio((self._pin,), esp32.WAKEUP_ANY_HIGH)
