"""A lamp for boards without a screen: one LED, or one addressable colour LED."""

from machine import Pin, bitstream

# ns high and low of a 0, high and low of a 1: Worldsemi WS2812B datasheet, data transfer time
_WS2812_NS = (400, 850, 800, 450)
_DIM = 4  # a fourth of full brightness, which dazzles


class Led:
    """One LED; every colour lights it. `signal` is a machine.Signal."""

    colours = False

    def __init__(self, signal):
        self._signal = signal
        signal.off()

    def light(self, red: int, green: int, blue: int):
        """0..255 each; all 0: dark."""
        self._signal.value(red or green or blue)


class Ws2812:
    """One WS2812, whose bytes come green first."""

    colours = True

    def __init__(self, pin: int):
        self._pin = Pin(pin, Pin.OUT)
        self.light(0, 0, 0)

    def light(self, red: int, green: int, blue: int):
        """0..255 each; all 0: dark."""
        bitstream(self._pin, 0, _WS2812_NS, bytes((green // _DIM, red // _DIM, blue // _DIM)))
