"""The lithium cell's voltage through two resistors on an ADC pin. An ADC2 pin cannot be read while Wi-Fi is on."""

from machine import ADC, Pin


class Cell:
    """`divider`: how many times the cell's voltage is that of the pin."""

    def __init__(self, pin: int, divider: int):
        self._adc = ADC(Pin(pin), atten=ADC.ATTN_11DB)
        self._divider = divider

    def millivolts(self) -> int:
        return self._adc.read_uv() * self._divider // 1000
