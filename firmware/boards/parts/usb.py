"""Whether USB's cable is in: its 5 V through two equal resistors on a pin, which also wakes the chip."""

import esp32
from machine import Pin


class Usb:
    def __init__(self, pin: int):
        self._pin = Pin(pin, Pin.IN)
        if hasattr(esp32, "wake_on_gpio"):  # elsewhere the cable is noticed at the next waking
            esp32.wake_on_gpio((self._pin,), esp32.WAKEUP_ANY_HIGH)

    def is_plugged(self) -> bool:
        return bool(self._pin.value())
