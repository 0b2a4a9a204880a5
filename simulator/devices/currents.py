"""What each part draws in each of its states: the one table that the power model goes by.

Microamperes of the cell's current, all supplied through the board's linear regulator, so that a part's 3.3 V current is
the cell's. Typical figures at 25 degC. docs/POWER.md has the table for readers, with what it leaves out.
"""

from __future__ import annotations

_CHIP = "Espressif, ESP32-S3 Series Datasheet, section Current Consumption"
_SENSOR = "OmniVision, OV2640 Preliminary Datasheet, Power Requirements"
_GNSS = "u-blox, SAM-M8Q Data Sheet UBX-16012619 R04, table 8"

# part: {state: (microamperes, source)}
CURRENTS: dict[str, dict[str, tuple[int, str]]] = {
    "ESP32-S3": {
        "waiting at 80 MHz": (22_000, f"{_CHIP}: modem-sleep, both cores in WAITI, peripheral clocks off"),
        "waiting at 160 MHz": (27_600, f"{_CHIP}: the same"),
        "waiting at 240 MHz": (32_900, f"{_CHIP}: the same"),
        "running at 80 MHz": (28_400, f"{_CHIP}: modem-sleep, one core on 32-bit data, peripheral clocks off"),
        "running at 160 MHz": (39_900, f"{_CHIP}: the same"),
        "running at 240 MHz": (51_200, f"{_CHIP}: the same"),
        "light sleep": (1_400, "measured, esp32.com t=41048: flash stays powered, as PSRAM needs it "
                               "(datasheet, flash and PSRAM off: 240)"),
        "deep sleep": (8, f"{_CHIP}: RTC memory and RTC peripherals on"),
    },
    "PSRAM": {
        "on": (140, f"{_CHIP}: note on 8 MB octal PSRAM of 3.3 V"),
        "off": (0, "in deep sleep"),
    },
    "Wi-Fi": {
        "receiving": (88_000, f"{_CHIP}: RX 802.11b/g/n HT20, taken for all the time that the radio is on"),
        "transmitting": (340_000, f"{_CHIP}: TX 802.11b 1 Mbit/s at 21 dBm, taken for the whole TLS handshake"),
        "off": (0, "stopped by WLAN.active(False)"),
    },
    "OV2640": {
        "active": (42_500, f"{_SENSOR}: 140 mW at 15 fps UXGA, at 3.3 V"),
        "standby": (600, f"{_SENSOR}: standby; the board cannot cut its power"),
    },
    "camera light": {
        "on": (2_000, "an indicator LED of 3.0 V behind 150 ohm at 3.3 V"),
        "off": (0, ""),
    },
    "ST7789": {
        "on": (7_500, "Sitronix, ST7789V Datasheet, DC characteristics: VDD in normal mode, 7.5 mA"),
        "asleep": (30, "Sitronix, ST7789V Datasheet, DC characteristics: sleep-in mode, 30 uA"),
    },
    "backlight": {
        "on": (20_000, "one white LED at 20 mA, the smallest current that 1.3-inch panels of this kind are rated for"),
        "off": (0, ""),
    },
    "LED": {
        "on": (2_000, "as the camera's light"),
        "off": (0, ""),
    },
    "WS2812": {
        "on": (12_600, "Worldsemi, WS2812B Datasheet: 12 mA for one colour at full, and 0.6 at rest; ours are dimmer"),
        "off": (600, "the same, all colours at 0"),
    },
    "SAM-M8Q": {
        "acquisition": (32_000, f"{_GNSS}: GPS and GLONASS, average from start to the first fix"),
        "tracking": (29_000, f"{_GNSS}: GPS and GLONASS, continuous mode"),
        "standby": (160, "measured in backup, community.sparkfun.com t=38416 (data sheet: 15 to 20)"),
    },
    "board": {
        "on": (102, "two linear regulators of 50 uA each; 4 V over the two 1 Mohm resistors of the battery's divider"),
        "off": (0, "no power"),
    },
}


def microamperes(part: str, state: str) -> int:
    return CURRENTS[part][state][0]
