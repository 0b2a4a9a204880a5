"""What is soldered to which pin, seen from outside the chip: one entry a board, from the maker's schematic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wiring:
    """GPIO numbers; ladder voltages in µV."""

    buttons: dict[str, int]  # name to pin, low while pressed
    ladder_pin: int  # ADC input that several buttons share
    ladder_uv: dict[str, int]  # name to voltage while pressed
    ladder_idle_uv: int
    display_dc: int
    display_backlight: int
    backlight_on: int  # the level that lights it
    display_bus: int
    led: int
    gnss_uart: int
    battery_pin: int
    battery_divider: int


# Espressif ESP32-S3-EYE schematic V2.2: main board and sub-board. The GNSS module and the battery divider are ours,
# on the pins of the microSD slot and on the free GPIO2 (docs/BOARDS.md).
ESP32_S3_EYE = Wiring(buttons={"boot": 0}, ladder_pin=1, ladder_idle_uv=3_300_000,
                      ladder_uv={"up": 380_000, "down": 820_000, "play": 1_980_000, "menu": 2_410_000},
                      display_dc=43, display_backlight=48, backlight_on=0, display_bus=2, led=3, gnss_uart=1,
                      battery_pin=2, battery_divider=2)

BOARDS = {"esp32_s3_eye": ESP32_S3_EYE}
