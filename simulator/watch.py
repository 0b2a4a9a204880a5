"""One simulated watch: the firmware on the real VM, its emulated devices, and the hands that hold it.

    watch = Watch(files, folder, start_unix_s=...)
    watch.run(until_s=3600); watch.press(); watch.console("status")
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from simulator.board import Board
from simulator.devices import flash
from simulator.devices.battery import Battery
from simulator.devices.camera import Camera, CameraError
from simulator.devices.chip import Chip
from simulator.devices.crystal import Crystal
from simulator.devices.display import Display, Screens
from simulator.devices.network import HANDSHAKE_US, LOOKUP_US, SLOW_US, Network
from simulator.devices.power import Power
from simulator.modules import protocol as p
from simulator.vm import Vm, VmStopped
from simulator.wiring import BOARDS, Wiring
from simulator.world import World

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
BOOT_US = 400_000  # ROM, bootloader and MicroPython's own start on the chip
FRAME_US = 66_667  # 15 frames a second
NMEA_US = 120_000  # from the start of a second to the end of its sentences on the wire
SETTLE_US = 200_000


class WatchError(Exception):
    """The firmware ended or the VM died; the message holds what it printed."""


class Watch:
    """A watch with `files` (path to content) on its flash; `folder` keeps the flash image and the screens.

    `nvs` is what provisioning wrote: {namespace: {key: int, or hex of a blob}}. `sentences(unix_ms)` is the GNSS
    receiver's output of each second, `server` where the relay leads, `network_used` is called at each look-up.
    """

    def __init__(self, files: dict[str, bytes], folder: Path, *, start_unix_s: int, seed: int = 1, bits: int = 64,
                 nvs: dict | None = None, sentences: Callable[[int], bytes] | None = None,
                 server: tuple[str, int] | None = None, network_used: Callable[[], None] = lambda: None,
                 wiring: Wiring = BOARDS["esp32_s3_eye"], chip: Chip = Chip()):  # noqa: B008
        self.world = World(start_unix_s)
        self.seed, self.bits, self.wiring, self.chip = seed, bits, wiring, chip
        self.image = folder / "flash.img"
        flash.install(self.image, files, folder.parent / "images")
        self.nvs: dict[str, dict] = {name: dict(values) for name, values in (nvs or {}).items()}
        self.camera = Camera(seed)
        self.display = Display()
        self.screens = Screens(self.display, folder / "screens", lambda: self.world.now_us)
        self.display.finished = self.screens.keep
        self.lit: Callable[[], None] = lambda: None  # called when the screen lights up
        self.shown_us: list[tuple[int, bool]] = []  # when what the wearer sees lit up (True) or went dark
        self.battery = Battery()
        self.brown_out_below = 0.0  # charge of the battery under which camera or radio reset the chip
        self.crystal = Crystal()
        self.network = Network(server, lambda: self.world.now_us)
        self.sentences = sentences
        self.gnss_interval_s = 1
        self.network_used = network_used
        self.power = Power(self._power_on, self._power_off, self._plan_cut)
        self.boots: list[tuple[int, int]] = []  # (time_us, reset cause)
        self.presses: list[int] = []  # times in µs
        self.camera_opened: list[tuple[int, bool]] = []  # (time_us, whether its light was on) of each frame taken
        self.console_output = bytearray()
        self.printed_more: Callable[[], None] = lambda: None  # called when it grows
        self.has_repl = False  # a firmware that ends leaves the chip's REPL, and is no WatchError
        self._is_raw = False  # the REPL was a program's before the soft reset
        self._vm: Vm | None = None
        self._waiting_us: int | None = None
        self._events: list[tuple[int, int, int, int, bytes]] = []
        self._stuck: set[int] = set()  # pins whose button is
        self.board = Board(wiring, self.display, lambda: self.battery.microvolts(self.world.now_us),
                           lambda: self.lit(), self._changed)
        self._rtc_offset_us = 0
        if sentences:
            self.world.at(NMEA_US, self._second)
        self.power.on()

    # power

    def _power_on(self, cause: int = PWRON_RESET) -> None:
        """Boot; after a power cut the RTC has lost its time."""
        if cause == PWRON_RESET:
            self._rtc_offset_us = -self.crystal.chip_us(self.world.now_us)
        self.world.after(BOOT_US, lambda: self._boot(cause))

    def _power_off(self) -> None:
        if self._vm:
            self._vm.kill()
        self._vm = self._waiting_us = None
        self._events.clear()
        self.board.reset()
        self.network.active(False)

    def _plan_cut(self, after_flash_ops: int) -> bool:
        """Tell the watch that runs; False where none does."""
        self._deliver(p.FLASH_CUT, payload=b"%d" % after_flash_ops)
        return self.is_on

    def reset(self) -> None:
        """Pull the reset pin."""
        self._power_off()
        self._power_on(HARD_RESET)

    def _boot(self, cause: int) -> None:
        self._power_off()
        self.boots.append((self.world.now_us, cause))
        self._vm = Vm(self.image, self.bits, self.crystal)

    # the world

    def run(self, *, until_s: float) -> None:
        """Live until `until_s` seconds after the scenario's start. Raises WatchError when the firmware ends."""
        target_us = round(until_s * 1_000_000)
        try:
            while self.world.now_us < target_us:
                self._advance(target_us)
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
        """Bytes into the serial console."""
        self._deliver(p.CONSOLE_RX, payload=data)

    def interrupt(self) -> None:
        """Ctrl-C for a firmware that computes and does not look at its console."""
        if self._vm:
            self._vm.interrupt()

    @property
    def messages(self) -> int:
        """Of this boot's VM; one that computes sends none."""
        return self._vm.messages if self._vm else 0

    @property
    def is_on(self) -> bool:
        """Whether the VM runs; a watch that is off or starting hears nothing."""
        return self._vm is not None

    @property
    def light(self) -> bool:
        """Whether the camera's light is on."""
        return self.board.light

    def set_hang(self, hangs: bool) -> None:
        """The network keeps its link and loses every packet, or recovers."""
        self.network.hangs = hangs
        self._deliver(p.STALLED, flags=int(hangs))

    def close(self) -> None:
        self._power_off()
        self.network.close()

    def _advance(self, target_us: int) -> None:
        if self._vm and self._waiting_us is None:
            self._serve(self._vm)
            return
        limit_us = target_us if self._waiting_us is None else min(self._waiting_us, target_us)
        while not self._events and self.world.next_us is not None and self.world.next_us <= limit_us:
            before = self._vm
            self.world.step()
            if self._vm is not before:
                return
        if not self._events:
            self.world.now_us = max(self.world.now_us, limit_us)
            if self._vm is None or self.world.now_us < (self._waiting_us or 0):
                return
        assert self._vm
        self._waiting_us = None
        now_us = self.world.now_us
        self._vm.send([*self._events, (p.WAIT, 0, 0, now_us, b"")])
        self._events.clear()

    def _serve(self, vm: Vm) -> None:
        """Handle the VM's messages until it waits."""
        while self._vm is vm:
            kind, unit, flags, time_us, payload = vm.receive()
            if kind == p.WAIT:
                self._waiting_us = time_us
                return
            self.world.now_us = max(self.world.now_us, time_us)
            if kind < p.HELLO:
                self._posted(kind, unit, flags, payload)
                continue
            answer = self._called(kind, unit, flags, payload)
            if self._vm is vm:
                vm.send([(kind, unit, answer[0], self.world.now_us, answer[1])])

    def _posted(self, kind: int, unit: int, flags: int, payload: bytes) -> None:
        if kind == p.CONSOLE_TX:
            self.console_output += payload
            self.printed_more()
        else:
            self.board.posted(kind, unit, flags, payload)

    def _changed(self) -> None:
        self.shown_us.append((self.world.now_us, self.display.lit))
        self.screens.keep()

    def _called(self, kind: int, unit: int, flags: int, payload: bytes) -> tuple[int, bytes]:
        """Answer a call: (flags, payload)."""
        if kind == p.HELLO:
            return 0, self._greeting()
        if kind == p.PIN_GET:
            return self.board.read_pin(unit), b""
        if kind == p.ADC:
            return 0, self.board.read_adc(unit).to_bytes(4, "little")
        if kind == p.I2C:
            return self.board.i2c(unit, flags, payload)
        if self._loads(kind, unit, flags) and self.battery.charge(self.world.now_us) < self.brown_out_below:
            self.power.cut()
            return 0, b""
        if kind == p.CAMERA_INIT:
            return self._camera_init(unit, flags, payload), b""
        if kind == p.CAMERA_CAPTURE:
            self.world.now_us += FRAME_US
            self.camera_opened.append((self.world.now_us, self.light))
            return 0, self.camera.capture(self.world.now_us) or b""
        if kind == p.WIFI:
            return self._wifi(unit, flags), b""
        if kind == p.RESOLVE:
            return self._resolve()
        if kind == p.NVS:
            namespace, values = json.loads(payload)
            self.nvs[namespace] = values
        elif kind == p.RTC_SET:
            self._rtc_offset_us = int(payload)
        elif kind in (p.EXIT, p.POWER_CUT):
            self._exit(kind, unit, flags, payload)
        return 0, b""

    def _exit(self, kind: int, unit: int, flags: int, payload: bytes) -> None:
        if kind == p.EXIT and unit == p.STOPPED:
            if self.has_repl:
                return
            self._power_off()
            text = self._last_console().strip()
            raise WatchError(f"the firmware ended: {text if 'Traceback' in text else (text.splitlines() or [''])[-1]}")
        self._power_off()
        if kind == p.POWER_CUT:
            self._power_on()
        elif unit == p.DEEP_SLEEP:
            if payload:
                self.world.after(int(payload) * 1000 + BOOT_US, lambda: self._boot(DEEPSLEEP_RESET))
        else:
            self._power_on(SOFT_RESET)
            self._is_raw = bool(flags)

    def _greeting(self) -> bytes:
        boot_seed = hashlib.sha256(f"{self.seed}/{len(self.boots)}".encode()).hexdigest()
        return json.dumps({"seed": boot_seed, "rtc_offset_us": self._rtc_offset_us, "reset_cause": self.boots[-1][1],
                           "unique_id": hashlib.sha256(f"id/{self.seed}".encode()).hexdigest()[:12],
                           "partitions": flash.table(), "nvs": self.nvs,
                           "raw_repl": self._take_raw(),
                           "cut_in": self.power.take_cut()} | self.chip.greeting()).encode()

    def _take_raw(self) -> bool:
        is_raw, self._is_raw = self._is_raw, False
        return is_raw

    @staticmethod
    def _loads(kind: int, unit: int, flags: int) -> bool:
        """Whether a call switches on what draws a lot: the camera or the radio."""
        return kind == p.CAMERA_INIT or (kind == p.WIFI and unit == p.WIFI_ACTIVE and bool(flags))

    def _camera_init(self, pixel_format: int, frame_size: int, pins: bytes) -> int:
        self.world.now_us += SETTLE_US
        if not self.board.has_camera(pins):
            return errno.ENODEV
        try:
            self.camera.init(pixel_format, frame_size)
        except CameraError as error:
            return error.code
        return 0

    def _wifi(self, unit: int, flags: int) -> int:
        if unit == p.WIFI_ACTIVE:
            self.network.active(bool(flags))
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
        self.world.now_us += HANDSHAKE_US
        self.network_used()
        return 0, f"{address[0]} {address[1]}".encode()

    def _button(self, name: str) -> int:
        """Its pin."""
        return self.wiring.buttons[name or next(iter(self.wiring.buttons))]

    def _input(self, pin: int, level: int) -> None:
        if self.board.inputs[pin] != level and pin not in self._stuck:
            self.board.inputs[pin] = level
            self._deliver(p.PIN_EDGE, pin, level)

    def _second(self) -> None:
        assert self.sentences
        unix_ms = self.world.unix_ms - NMEA_US // 1000
        self.world.after(self.gnss_interval_s * 1_000_000, self._second)
        if self._vm and self.board.hears_gnss:
            data = self.sentences(unix_ms)
            if data:
                self._deliver(p.UART_RX, self.wiring.gnss_uart, payload=data)

    def _deliver(self, kind: int, unit: int = 0, flags: int = 0, payload: bytes = b"") -> None:
        if self._vm:
            self._events.append((kind, unit, flags, self.world.now_us, payload))

    def _last_console(self) -> str:
        return self.console_output[-2000:].decode(errors="replace")
