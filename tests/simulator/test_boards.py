"""Board files against the makers' wiring: legal pins, a wrong one is noticed, and what a board lacks is said.

The ESP32-S3-EYE's standard day is in test_day.py."""

import ast
from dataclasses import astuple

import pytest

from simulator import scenario
from simulator.day import firmware_files, live
from simulator.summary import Summary
from simulator.wiring import BOARDS, Wiring
from tests.conftest import ROOT

FOLDER = ROOT / "firmware" / "boards"
CELLS = {"t_cameraplus_s3": ["power.capacity_mah=1200"]}  # its receiver never rests
STRAPPING = {0, 3, 45, 46}  # ESP32-S3 datasheet, boot configurations
USB = {19, 20}
FLASH = set(range(26, 33))  # and of octal PSRAM, 33 to 37
ADC1 = set(range(1, 11))  # ADC2 cannot be read while Wi-Fi is on
WAKING = set(range(0, 22))  # RTC GPIOs: others cannot wake the chip from deep sleep
# strapping pins that the maker has put there; each is free of a level that would matter at reset
DOCUMENTED = {"esp32_s3_eye": {0: "boot button", 3: "status LED"}, "xiao_esp32s3_sense": {0: "boot button"},
              "freenove_esp32_s3_wroom": {0: "boot button"},
              "t_cameraplus_s3": {0: "boot button", 3: "camera VSYNC", 45: "panel DC", 46: "backlight"}}

PROBE = """
import asyncio
from boards.{name} import Board
board = Board()
async def main():
    print("cell", board.battery_mv())
    print("usb", board.is_on_usb())
    if board.display:
        board.display.show(b"\\xff" * 115200)
    else:
        board.lamp.light(255, 0, 0)
    try:
        board.lens.open()
        print("frame", len(board.lens.frame()))
    except board.lens.Fault as error:
        print(error)
    board.lens.close()
    await asyncio.sleep(5)
    print("gnss", board.gnss.any() > 0)
    await board.button.press()
    print("pressed", board.button.is_down())
    await asyncio.sleep(99)
asyncio.run(main())
"""


def pins(wiring: Wiring) -> list[int]:
    """All that are soldered to something."""
    found = [*wiring.buttons.values(), *wiring.camera.data_pins, *astuple(wiring.camera)[1:], wiring.light.pin,
             *wiring.gnss, wiring.cell, wiring.usb, wiring.pixel, *wiring.named.values()]
    for part in (wiring.lamp, wiring.panel and wiring.panel.backlight, wiring.ladder):
        found += [part.pin] if part else []
    if wiring.panel:
        found += [wiring.panel.sck, wiring.panel.mosi, wiring.panel.dc, wiring.panel.cs]
    if wiring.charger:
        found += [wiring.charger.sda, wiring.charger.scl]
    return [pin for pin in found if pin not in (None, -1)]


def literals(source: str) -> list[ast.Constant]:
    """The pin numbers in a board's file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            if ast.unparse(node.func) in ("Pin", "Cell", "Usb", "Button", "Ws2812"):
                found.append(node.args[0])
            for keyword in node.keywords:
                if keyword.arg == "data_pins":
                    found += keyword.value.elts
                elif keyword.arg.endswith("_pin"):
                    found.append(keyword.value)
    return found


def test_every_board_has_a_file_and_a_wiring_and_cites_its_maker():
    files = {path.stem for path in FOLDER.glob("[a-z]*.py")}
    assert files == set(BOARDS) == set(scenario.SCHEMA["properties"]["board"]["enum"])
    for name in files:
        assert "Source: " in ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text()))


@pytest.mark.parametrize("name", BOARDS)
def test_no_pin_is_used_twice_and_each_is_one_that_the_chip_has_free(name):
    wiring = BOARDS[name]
    used = pins(wiring)
    assert len(used) == len(set(used))
    taken = USB | FLASH | (set(range(33, 38)) if wiring.psram == "octal" else set())
    assert set(used) <= set(range(49)) - taken - set(range(22, 26))
    assert set(used) & STRAPPING <= set(DOCUMENTED[name])
    assert wiring.cell in ADC1 or wiring.charger
    assert next(iter(wiring.buttons.values())) in WAKING


@pytest.mark.parametrize("name", BOARDS)
def test_the_board_file_uses_only_pins_that_are_soldered_to_what_it_names(name):
    used = [literal.value for literal in literals((FOLDER / f"{name}.py").read_text())]
    assert len(used) == len(set(used))
    assert set(used) <= set(pins(BOARDS[name])) - set(BOARDS[name].named.values())


def probed(boot_watch, name: str, source: str) -> list:
    """What a board's parts do when its file is `source`, and the colour that the wearer sees."""
    files = {path: data for path, data in firmware_files().items() if path.startswith("boards/")}
    watch = boot_watch(files | {f"boards/{name}.py": source, "main.py": PROBE.format(name=name)}, board=name)
    watch.gnss.at(46.05, 14.5)
    watch.run(until_s=10)
    colour = watch.screen()[120, 120].tolist()
    watch.press()
    watch.run(until_s=11)
    watch.close()
    return [watch.printed(), {is_lit for _, is_lit in watch.camera_opened}, colour]


@pytest.mark.parametrize("name", BOARDS)
def test_each_pin_matters(boot_watch, name):
    source = (FOLDER / f"{name}.py").read_text()
    good = probed(boot_watch, name, source)
    assert good[0][1:] == ["usb False", "frame 115200", "gnss True", "pressed True"] and good[1] == {True}
    assert good[2] == ([255, 0, 0] if BOARDS[name].pixel else [255, 255, 255])
    assert 3900 < int(good[0][0].split()[1]) < 4200
    free = next(pin for pin in range(1, 49) if pin not in pins(BOARDS[name]))
    lines = source.splitlines()
    for literal in literals(source):
        row, column = literal.lineno - 1, literal.col_offset
        wrong = lines[row][:column] + str(free) + lines[row][literal.end_col_offset:]
        changed = "\n".join([*lines[:row], wrong, *lines[row + 1:]])
        assert probed(boot_watch, name, changed) != good, wrong


@pytest.mark.parametrize("name", [name for name in BOARDS if name != "esp32_s3_eye"])
def test_the_standard_day_is_as_good_on_each_board(name, tmp_path):
    day = live(scenario.load("day", [f"board={name}", *CELLS.get(name, [])]), tmp_path)
    values, flaws = (summary := Summary(day, wall_s=1)).values, summary.flaws
    assert [prompt["outcome"] for prompt in values["prompts"]] == [
        "matched", "matched", "not matched", "missed", "matched"]
    assert (flaws, values["records_by_type"]["fault"] if "fault" in values["records_by_type"] else 0) == ([], 0)
    assert day.watch.camera_opened and all(lit for _, lit in day.watch.camera_opened)
    assert values["track_error_m"]["p50"] < 5


def lived_through(boot_watch, board: str, name: str = "esp32_s3_eye"):
    """A morning with a board of our own making, `board` the body of its __init__."""
    source = ("from machine import UART, Pin, Signal\nfrom boards.parts.button import Button\n"
              "from boards.parts.cell import Cell\nfrom boards.parts.lamps import Led\n"
              "from boards.parts.lens import Lens\nfrom boards.parts.wearable import Wearable\n"
              "class Board(Wearable):\n    def __init__(self):\n        super().__init__()\n"
              "        self.cell = Cell(1, divider=2)\n" + board)
    watch = boot_watch(firmware_files() | {"boards/own.py": source}, board=name, start="2026-06-10T06:50:00+02:00",
                       settings={"board": "own", "waking": [420, 720]})
    watch.gnss.at(46.05, 14.5)
    return watch


LENS = """        self.lens = Lens(Signal(Pin(21, Pin.OUT, value=1), invert=True), pclk_pin=13,
            data_pins=[15, 17, 18, 16, 14, 12, 11, 48], vsync_pin=38, href_pin=47, sda_pin=40, scl_pin=39, xclk_pin=10)
"""
GNSS = "        self.gnss = UART(1, 9600, tx=Pin(43), rx=Pin(44), rxbuf=2048)\n"
LAMP = "        self.lamp = Led(Signal(Pin(2, Pin.OUT)))\n"
BUTTON = "        self.button = Button(0)\n"


@pytest.mark.parametrize(("parts", "why"), [
    (GNSS + LENS + BUTTON, "no screen or lamp to ask with"), (GNSS + LAMP + LENS, "no button to agree with"),
    (GNSS + LAMP + BUTTON, "no camera with a light")])
def test_a_board_that_cannot_ask_is_unable_by_a_fault_of_its_own_and_opens_no_camera(boot_watch, parts, why):
    watch = lived_through(boot_watch, parts, "xiao_esp32s3_sense")
    watch.run(until="07:10")
    assert why in watch.console("enrol") and why in watch.console("prompt now")
    assert "board    FAILED" in watch.console("selftest")
    watch.run(until="12:20")
    watch.console("upload", wait_s=60)
    checkins = watch.records("check-in")
    assert [(row["outcome"], row["reason"], row["is_device_fault"], row["manual_check"]) for row in checkins] == [
        ("unable", "the board cannot ask", True, True)] * 5
    assert [row["what"] for row in watch.records("fault")] == [f"no check-ins: {why}"]
    assert watch.camera_opened == [] and not watch.light


def test_without_a_gnss_receiver_there_is_no_fix_because_it_is_silent_and_the_time_is_the_receivers(boot_watch):
    watch = lived_through(boot_watch, LAMP + LENS + BUTTON, "xiao_esp32s3_sense")
    watch.run(until="12:20")
    watch.console("upload", wait_s=60)
    first, *later = watch.records("no fix")
    assert first["to_s"] - first["from_s"] <= 300  # to the first look
    assert {row["reason"] for row in later} == {"the receiver is silent"}
    assert [row["source"] for row in watch.records("clock")] == ["network"]
    assert {(row["outcome"], row["reason"]) for row in watch.records("check-in")} == {("missed", "not answered")}


def test_the_template_is_a_board(boot_watch):
    source = (ROOT / "docs" / "board_template.py").read_text()
    watch = boot_watch(firmware_files() | {"boards/own.py": source,
                                           "main.py": "from boards.own import Board\nprint(repr(Board().unfit()))\n"
                                                      "import time\ntime.sleep(99)"})
    watch.run(until_s=2)
    assert watch.printed() == ["''"]
    used = [literal.value for literal in literals(source)]
    assert len(used) == len(set(used)) and not set(used) & (USB | FLASH | set(range(33, 38)) | STRAPPING - {0})
