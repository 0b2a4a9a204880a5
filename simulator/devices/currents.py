"""What each part draws in each of its states: the one table that the power model goes by.

Microamperes of the cell's current, all supplied through the board's linear regulator, so that a part's 3.3 V current is
the cell's. Typical figures at 25 degC. docs/POWER.md has the table for readers, with what it leaves out.
"""

from __future__ import annotations

_CHIP = "Espressif, ESP32-S3 Series Datasheet v2.2"
_SENSOR = "OmniVision, OV2640 Preliminary Datasheet v1.6, table 6"
_PANEL = "Sitronix, ST7789V Datasheet, DC characteristics, by done.land's table of that chip's datasheets"
_GNSS = "u-blox, SAM-M8Q Data Sheet UBX-16012619 R04, table 8"

# part: {state: (microamperes, source)}; a source that begins with "assumed" is nobody's figure
CURRENTS: dict[str, dict[str, tuple[int, str]]] = {
    "ESP32-S3": {
        "waiting at 80 MHz": (22_000, f"{_CHIP}, table 5-9: modem-sleep, WAITI, all peripheral clocks off"),
        "waiting at 160 MHz": (27_600, f"{_CHIP}, table 5-9: the same"),
        "waiting at 240 MHz": (32_900, f"{_CHIP}, table 5-9: the same"),
        "running at 80 MHz": (28_400, f"{_CHIP}, table 5-9: one core on 32-bit data, all peripheral clocks off"),
        "running at 160 MHz": (39_900, f"{_CHIP}, table 5-9: the same"),
        "running at 240 MHz": (51_200, f"{_CHIP}, table 5-9: the same"),
        "light sleep": (1_400, "measured, esp32.com t=41048: flash stays powered, as PSRAM needs it "
                               "(datasheet, table 5-10, flash off: 240)"),
        "deep sleep": (8, f"{_CHIP}, table 5-10: RTC memory and RTC peripherals on"),
    },
    "PSRAM": {
        "on": (140, f"{_CHIP}, table 5-10, note 1: 8 MB, octal, 3.3 V"),
        "off": (0, "in deep sleep"),
    },
    "Wi-Fi": {
        "receiving": (88_000, f"{_CHIP}, table 5-7: RX 802.11b/g/n HT20, taken for all the time that the radio is on"),
        "transmitting": (340_000, f"{_CHIP}, table 5-7: TX 802.11b 1 Mbit/s at 21 dBm, taken for the whole handshake"),
        "off": (0, "stopped by WLAN.active(False)"),
    },
    "OV2640": {
        "active": (61_000, f"{_SENSOR}: 30 + 25 + 6 mA of its three supplies, YUV; from linear regulators they add up"),
        "standby": (1_000, f"{_SENSOR}: by SCCB (by the power-down pin, which one of four boards has: 600)"),
    },
    "camera light": {
        "on": (2_000, "assumed: an indicator LED of 3.0 V behind 150 ohm at 3.3 V"),
        "off": (0, ""),
    },
    "ST7789": {
        "on": (7_500, f"{_PANEL}: VDD in normal mode"),
        "asleep": (30, f"{_PANEL}: sleep-in mode"),
    },
    "backlight": {
        "on": (20_000, "assumed: one white LED at 20 mA"),
        "off": (0, ""),
    },
    "LED": {
        "on": (2_000, "assumed: as the camera's light"),
        "off": (0, ""),
    },
    "WS2812": {
        "on": (12_600, "assumed: 12 mA for one colour at full; lowpowerlab.com measured 28.8 for three at 3.3 V"),
        "off": (600, "assumed: the driver alone; the datasheet gives no supply current"),
    },
    "SAM-M8Q": {
        "acquisition": (32_000, f"{_GNSS}: GPS and GLONASS, average from start to the first fix"),
        "tracking": (29_000, f"{_GNSS}: GPS and GLONASS, continuous mode"),
        "standby": (160, "measured in backup, community.sparkfun.com t=38416 (data sheet: 15 to 20)"),
    },
    "board": {
        "on": (102, "assumed: two linear regulators of 50 uA each; 4 V over the two 1 Mohm of the battery's divider"),
        "off": (0, "no power"),
    },
}


def microamperes(part: str, state: str) -> int:
    return CURRENTS[part][state][0]
