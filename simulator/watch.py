"""One simulated watch: its chip with the firmware, its emulated devices, and the hands that hold it.

    watch = Watch(files, folder, start_unix_s=...)
    watch.run(until_s=3600); watch.press(); watch.console("status")
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from simulator.board import Board
from simulator.devices import flash
from simulator.devices.battery import Battery
from simulator.devices.camera import Camera, CameraError
from simulator.devices.chip import Chip
from simulator.devices.crystal import Crystal
from simulator.devices.display import Display, Screens
from simulator.devices.meter import Meter
from simulator.devices.network import HANDSHAKE_US, LOOKUP_US, SLOW_US, Network
from simulator.devices.parts import Parts
from simulator.devices.power import Power
from simulator.devices.ublox import BYTE_US, Line, Ublox
from simulator.modules import protocol as p
from simulator.processor import Processor
from simulator.vm import Vm, VmStopped
from simulator.wiring import BOARDS, Wiring
from simulator.world import World

FRAME_US = 66_667  # 15 frames a second
SETTLE_US = 200_000
ENUMERATED_US = 300_000  # from the cable to the first byte, where that woke the watch
CABLE_US = 10_000_000  # how long who typed leaves the cable in


class WatchError(Exception):
    """The firmware ended or the VM died; the message holds what it printed."""


class Watch:
    """A watch with `files` (path to content) on its flash, and on them `own_files`, which no other watch has.

    `folder` keeps the flash image and the screens, `images` those of `files` alone, to be copied by other watches.

    `nvs` is what provisioning wrote: {namespace: {key: int, or hex of a blob}}. `sentences(unix_ms)` is the GNSS
    receiver's output of each second, `server` where the relay leads, `network_used` is called at each look-up.
    """

    def __init__(self, files: dict[str, bytes], folder: Path, *, start_unix_s: int, seed: int = 1, bits: int = 64,
                 own_files: Mapping[str, bytes] | None = None, images: Path | None = None,
                 nvs: dict | None = None, sentences: Callable[[int], bytes] | None = None,
                 server: tuple[str, int] | None = None, network_used: Callable[[], None] = lambda: None,
                 wiring: Wiring = BOARDS["esp32_s3_eye"], chip: Chip = Chip()):  # noqa: B008
        self.world = World(start_unix_s)
        self.seed, self.bits, self.wiring, self.chip = seed, bits, wiring, chip
        self.image = folder / "flash.img"
        flash.install(self.image, files, images or folder.parent / "images", own_files or {})
        self.nvs: dict[str, dict] = {name: dict(values) for name, values in (nvs or {}).items()}
        self.camera = Camera(seed)
        self.display = Display()
        self.screens = Screens(self.display, folder / "screens", lambda: self.world.now_us)
        self.display.finished = self.screens.keep
        self.lit: Callable[[], None] = lambda: None  # called when the screen lights up
        self.shown_us: list[tuple[int, bool]] = []  # when what the wearer sees lit up (True) or went dark
        self.meter = Meter()
        self.parts = Parts(self.meter, wiring, lambda: self.world.now_us)
        self.battery = Battery(self.meter)
        self.brown_out_below = 0.0  # charge of the battery under which camera or radio reset the chip
        self.crystal = Crystal()
        self.network = Network(server, lambda: self.world.now_us)
        self.sentences = sentences
        self.network_used = network_used
        self.power = Power(self._power_on, self._power_off, self._plan_cut)
        self.presses: list[int] = []  # times in µs
        self.camera_opened: list[tuple[int, bool]] = []  # (time_us, whether its light was on) of each frame taken
        self.console_output = bytearray()
        self.printed_more: Callable[[], None] = lambda: None  # called when it grows
        self.has_repl = False  # a firmware that ends leaves the chip's REPL, and is no WatchError
        self._stuck: set[int] = set()  # pins whose button is
        self._unplug_us = 0  # when who typed takes the cable out; 0: it stays as it is
        self.board = Board(wiring, self.display, self.parts, lambda: self.battery.microvolts(self.world.now_us),
                           lambda: self.lit(), self._changed)
        self.processor = Processor(self.world, self.crystal, self.board, self.parts, self.network,
                                   start=lambda: Vm(self.image, self.bits, self.crystal), found=self._found,
                                   posted=self._posted, called=self._called)
        self.boots = self.processor.boots
        self.receiver = Ublox(lambda unix_ms: self.sentences(unix_ms) if self.sentences else b"")
        self.gnss_line = Line(self.world, self.receiver, self._hear_gnss, self._tell_gnss) if sentences else None
        self.power.on()

    # power

    def _power_on(self) -> None:
        self.parts.rest()
        if self.gnss_line:
            self.gnss_line.power_on()
        self.processor.power_on()

    def _power_off(self) -> None:
        self.processor.halt()
        self.parts.off()

    def _plan_cut(self, after_flash_ops: int) -> bool:
        """Tell the watch that runs; False where none does."""
        self.processor.deliver(p.FLASH_CUT, payload=b"%d" % after_flash_ops)
        return self.is_on

    def reset(self) -> None:
        """Pull the reset pin."""
        self.processor.reset()

    # the world

    def run(self, *, until_s: float) -> None:
        """Live until `until_s` seconds after the scenario's start. Raises WatchError when the firmware ends."""
        target_us = round(until_s * 1_000_000)
        with self._failing():
            while self.world.now_us < target_us:
                self.processor.advance(target_us)

    def settle(self) -> None:
        """Let the VM come to its next wait: what is done to the watch then does not depend on how far it had come.

        Raises WatchError.
        """
        with self._failing():
            self.processor.settle()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except VmStopped as error:
            raise WatchError(f"{error}\n{self._last_console()}") from None

    def press(self, button: str = "", hold_ms: int = 150) -> None:
        """Press a button, the wearer's unless another is named, and let it go after `hold_ms`."""
        self.presses.append(self.world.now_us)
        ladder = self.wiring.ladder
        if ladder and button in ladder.pressed_uv:
            self.board.ladder_uv = ladder.pressed_uv[button]
            self.world.after(hold_ms * 1000, lambda: setattr(self.board, "ladder_uv", ladder.idle_uv))
            return
        pin = self._button(button)
        self._input(pin, 0)
        self.world.after(hold_ms * 1000, lambda: self._input(pin, 1))

    def stick(self, is_stuck: bool, button: str = "") -> None:
        """A button stays down whatever the hand does, or comes free."""
        pin = self._button(button)
        self._stuck.discard(pin)
        self._input(pin, 0 if is_stuck else 1)
        if is_stuck:
            self._stuck.add(pin)

    def console(self, line: str, wait_s: float = 2) -> str:
        """Type a line at the serial console, and return what the watch prints within `wait_s` virtual seconds."""
        start = len(self.console_output)
        self.type(line.encode() + b"\r")
        self.run(until_s=self.world.now_us / 1e6 + wait_s)
        return self.console_output[start:].decode(errors="replace")

    def type(self, data: bytes) -> None:
        """Bytes into the serial console, through a USB cable that is plugged in for it where none is."""
        delay_us = ENUMERATED_US if self.processor.is_asleep else 0
        if not self.is_plugged:
            self.plug(True)
            self._unplug_us = self.world.now_us + CABLE_US
            self.world.at(self._unplug_us, self._unplug)
        elif self._unplug_us:
            self._unplug_us = self.world.now_us + CABLE_US
        if delay_us:
            self.world.after(delay_us, lambda: self.processor.deliver(p.CONSOLE_RX, payload=data))
        else:
            self.processor.deliver(p.CONSOLE_RX, payload=data)

    def plug(self, is_plugged: bool) -> None:
        """USB's cable comes, with power and the console, or goes."""
        self._unplug_us = 0
        self.battery.plug(is_plugged, self.world.now_us)
        self.parts.plug(is_plugged)
        self.board.charger.is_plugged = is_plugged
        if self.wiring.usb is not None:
            self._input(self.wiring.usb, int(is_plugged))

    @property
    def is_plugged(self) -> bool:
        return self.parts.is_plugged

    def _unplug(self) -> None:
        """Who typed takes the cable out, when nothing was typed for a while."""
        if self._unplug_us > self.world.now_us:
            self.world.at(self._unplug_us, self._unplug)
        elif self._unplug_us:
            self.plug(False)

    @property
    def is_on(self) -> bool:
        """Whether the VM runs; a watch that is off or starting hears nothing."""
        return self.processor.is_on

    @property
    def is_stuck(self) -> bool:
        """Whether a button is."""
        return bool(self._stuck)

    @property
    def light(self) -> bool:
        """Whether the camera's light is on."""
        return self.board.light

    def set_hang(self, hangs: bool) -> None:
        """The network keeps its link and loses every packet, or recovers."""
        self.network.hangs = hangs
        self.processor.deliver(p.STALLED, flags=int(hangs))

    def close(self) -> None:
        self._power_off()
        self.network.close()

    def _posted(self, kind: int, unit: int, flags: int, payload: bytes) -> None:
        if kind == p.CONSOLE_TX:
            self.console_output += payload
            self.printed_more()
        elif kind == p.UART_TX:
            if unit == self.wiring.gnss_uart and self.board.hears_gnss and self.wiring.gnss[0] is not None:
                self.world.after(len(payload) * 100_000 // flags, lambda: self._send_gnss(payload))
        else:
            self.board.posted(kind, unit, flags, payload)

    def _changed(self) -> None:
        self.shown_us.append((self.world.now_us, self.display.lit))
        self.screens.keep()

    def _called(self, kind: int, unit: int, flags: int, payload: bytes) -> tuple[int, bytes]:
        """Answer a call: (flags, payload)."""
        if kind == p.ADC:
            return 0, self.board.read_adc(unit).to_bytes(4, "little")
        if kind == p.I2C:
            return self.board.i2c(unit, flags, payload)
        if self._loads(kind, unit, flags) and self.battery.charge(self.world.now_us) < self.brown_out_below:
            self.power.cut()
            return 0, b""
        if kind == p.CAMERA_INIT:
            return self._camera_init(unit, flags, payload), b""
        if kind == p.CAMERA_DEINIT:
            self.parts.put("camera", "standby")
        if kind == p.CAMERA_CAPTURE:
            self.processor.compute(FRAME_US)
            self.camera_opened.append((self.world.now_us, self.light))
            return 0, self.camera.capture(self.world.now_us) or b""
        if kind == p.WIFI:
            return self._wifi(unit, flags), b""
        if kind == p.RESOLVE:
            return self._resolve()
        if kind == p.NVS:
            namespace, values = json.loads(payload)
            self.nvs[namespace] = values
        elif kind == p.POWER_CUT:
            self.power.cut()
        elif kind == p.EXIT:
            self._end()
        return 0, b""

    def _end(self) -> None:
        """The firmware has."""
        if not self.has_repl:
            self._power_off()
            text = self._last_console().strip()
            raise WatchError(f"the firmware ended: {text if 'Traceback' in text else (text.splitlines() or [''])[-1]}")

    def _found(self, boot: int) -> dict:
        """By the boot of that number."""
        boot_seed = hashlib.sha256(f"{self.seed}/{boot}".encode()).hexdigest()
        return {"seed": boot_seed, "unique_id": hashlib.sha256(f"id/{self.seed}".encode()).hexdigest()[:12],
                "partitions": flash.table(), "nvs": self.nvs, "cut_in": self.power.take_cut()} | self.chip.greeting()

    @staticmethod
    def _loads(kind: int, unit: int, flags: int) -> bool:
        """Whether a call switches on what draws a lot: the camera or the radio."""
        return kind == p.CAMERA_INIT or (kind == p.WIFI and unit == p.WIFI_ACTIVE and bool(flags))

    def _camera_init(self, pixel_format: int, frame_size: int, pins: bytes) -> int:
        self.parts.put("camera", "active")
        self.processor.compute(SETTLE_US)
        try:
            if not self.board.has_camera(pins):
                raise CameraError(errno.ENODEV)
            self.camera.init(pixel_format, frame_size)
        except CameraError as error:
            self.parts.put("camera", "standby")
            return error.code
        return 0

    def _wifi(self, unit: int, flags: int) -> int:
        if unit == p.WIFI_ACTIVE:
            self.network.active(bool(flags))
            self.parts.put("Wi-Fi", "receiving" if flags else "off")
        elif unit == p.WIFI_CONNECT:
            self.network.connect()
        elif unit == p.WIFI_DISCONNECT:
            self.network.disconnect()
        return self.network.status()

    def _resolve(self) -> tuple[int, bytes]:
        self.world.now_us += LOOKUP_US + (SLOW_US if self.network.slow else 0)
        address = self.network.resolve()
        if address is None:
            return 1, b""
        self.parts.put("Wi-Fi", "transmitting")
        self.processor.compute(HANDSHAKE_US)
        self.parts.put("Wi-Fi", "receiving")
        self.network_used()
        return 0, f"{address[0]} {address[1]}".encode()

    def _button(self, name: str) -> int:
        """Its pin."""
        return self.wiring.buttons[name or next(iter(self.wiring.buttons))]

    def _input(self, pin: int, level: int) -> None:
        if self.board.inputs[pin] != level and pin not in self._stuck:
            self.board.inputs[pin] = level
            self.processor.pin_changed(pin, level)

    def _send_gnss(self, data: bytes) -> None:
        """The chip's bytes are over, unless it sleeps: then they go when it wakes."""
        line = self.gnss_line
        if line:
            self.processor.when_awake(lambda: line.hear(data))

    def _hear_gnss(self, data: bytes, began_us: int) -> None:
        """The receiver's bytes are over; those are lost that began while the chip slept."""
        if self.board.hears_gnss:
            lost = max(0, -(-(self.processor.woke_us - began_us) // BYTE_US))
            self.processor.deliver(p.UART_RX, self.wiring.gnss_uart, payload=data[lost:])

    def _tell_gnss(self, state: str) -> None:
        if self.parts.is_on:
            self.parts.put("GNSS", state)

    def _last_console(self) -> str:
        return self.console_output[-2000:].decode(errors="replace")
