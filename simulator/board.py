"""The board around the chip: what each pin drives and what it reads, as the wiring has it and not as the firmware does.

A pin that the firmware has wrong drives and reads nothing, as on a desk.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from simulator.devices.charger import ADDRESS, Charger
from simulator.devices.display import Display
from simulator.devices.parts import Parts
from simulator.modules import protocol as p
from simulator.wiring import Line, Wiring

NONE = 255  # in place of a pin
DIVIDER = 2  # of the cell's voltage
LED = (255, 255, 255)


class Board:
    """`microvolts()` is the cell's voltage; `lit()` is called when what the wearer sees lights up, `changed()` when it
    lights up or goes dark."""

    def __init__(self, wiring: Wiring, display: Display, parts: Parts, microvolts: Callable[[], int],
                 lit: Callable[[], None], changed: Callable[[], None]):
        self.wiring = wiring
        self._display, self._parts, self._lit, self._changed = display, parts, lit, changed
        self._microvolts = microvolts
        self.charger = Charger(microvolts)
        self.inputs = dict.fromkeys(wiring.buttons.values(), 1)
        if wiring.usb is not None:
            self.inputs[wiring.usb] = 0
        self.ladder_uv = wiring.ladder.idle_uv if wiring.ladder else 0
        self.reset()

    def reset(self) -> None:
        """The chip lets go of its pins."""
        self._outputs: dict[int, int] = {}
        self._buses: dict[tuple[int, int], tuple[int, int]] = {}  # (kind, unit) to two pins
        self._display.on = self._display.lit = False
        self._display.asleep = True

    @property
    def light(self) -> bool:
        """Whether the camera's light is on."""
        return self._is_on(self.wiring.light)

    @property
    def hears_gnss(self) -> bool:
        """Whether the chip's UART is on the GNSS module's pins."""
        tx, rx = self.wiring.gnss
        return self._buses.get((p.UART_PINS, self.wiring.gnss_uart)) == (NONE if tx is None else tx, rx)

    def has_camera(self, pins: bytes) -> bool:
        """Whether these are the camera's pins."""
        return self.wiring.camera.fits(json.loads(pins))

    def posted(self, kind: int, unit: int, flags: int, payload: bytes) -> None:
        """What the chip does to its pins."""
        if kind in (p.PIN, p.PWM):
            self._outputs[unit] = flags
            self._show(unit)
        elif kind in (p.UART_PINS, p.SPI_PINS):
            self._buses[kind, unit] = payload[0], payload[1]
        elif kind == p.SPI and self._has_panel(unit):
            assert self.wiring.panel
            self._display.write(payload, bool(self._outputs.get(self.wiring.panel.dc)))
            self._parts.put("panel", "asleep" if self._display.asleep else "on")
        elif kind == p.BITSTREAM and unit == self.wiring.pixel and len(payload) == 3:
            green, red, blue = payload
            self._glow((red, green, blue))

    def read_adc(self, pin: int) -> int:
        """Microvolts."""
        if self.wiring.ladder and pin == self.wiring.ladder.pin:
            return self.ladder_uv
        return self._microvolts() // DIVIDER if pin == self.wiring.cell else 0

    def i2c(self, address: int, register: int, payload: bytes) -> tuple[int, bytes]:
        """(1 where no device answers, the register's byte); `payload`: SDA, SCL, and the byte to write, if any."""
        bus = self.wiring.charger
        if not bus or address != ADDRESS or (payload[0], payload[1]) != (bus.sda, bus.scl):
            return 1, b""
        if payload[2:]:
            self.charger.write(register, payload[2])
        return 0, bytes((self.charger.read(register),))

    def _is_on(self, line: Line) -> bool:
        return self._outputs.get(line.pin) == line.on

    def _has_panel(self, bus: int) -> bool:
        panel = self.wiring.panel
        return (panel is not None and bus == panel.bus and self._outputs.get(panel.cs) == 0
                and self._buses.get((p.SPI_PINS, bus)) == (panel.sck, panel.mosi))

    def _show(self, pin: int) -> None:
        """A pin has changed: the panel's backlight, or the lamp?"""
        panel, lamp = self.wiring.panel, self.wiring.lamp
        if pin == self.wiring.light.pin:
            self._parts.put("camera light", "on" if self.light else "off")
        if panel and pin == panel.backlight.pin:
            self._light_up(self._is_on(panel.backlight))
        elif lamp and pin == lamp.pin:
            self._glow(LED if self._is_on(lamp) else (0, 0, 0))

    def _glow(self, rgb: tuple[int, int, int]) -> None:
        """A lamp is shown as a panel that is full of its colour."""
        if any(rgb):
            self._display.fill(rgb)
        self._light_up(any(rgb))

    def _light_up(self, is_lit: bool) -> None:
        was_lit, self._display.lit = self._display.lit, is_lit
        self._parts.put("backlight" if self.wiring.panel else "lamp", "on" if is_lit else "off")
        self._changed()
        if is_lit and not was_lit:
            self._lit()
