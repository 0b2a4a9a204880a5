"""The chip of a simulated watch as it lives: a VM process for each boot, its resets and sleeps, their messages."""

from __future__ import annotations

import json
from collections.abc import Callable

from simulator.board import Board
from simulator.devices.crystal import Crystal
from simulator.devices.network import Network
from simulator.devices.parts import Parts
from simulator.devices.sleep import Sleep
from simulator.modules import protocol as p
from simulator.vm import Vm
from simulator.world import World

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
BOOT_US = 400_000  # ROM, bootloader and MicroPython's own start on the chip


class Processor:
    """`start()` makes a boot's VM, `found(boot)` is what the boot of that number, from 1, finds around it.

    What the firmware does to the rest of the watch goes to `posted(kind, unit, flags, payload)`, and to `called`, whose
    (flags, payload) is the answer: protocol.py's messages but those of the chip itself.
    """

    def __init__(self, world: World, crystal: Crystal, board: Board, parts: Parts, network: Network, *,
                 start: Callable[[], Vm], found: Callable[[int], dict],
                 posted: Callable[[int, int, int, bytes], None],
                 called: Callable[[int, int, int, bytes], tuple[int, bytes]]):
        self._world, self._crystal, self._board, self._parts, self._network = world, crystal, board, parts, network
        self._start, self._found, self._posted, self._called = start, found, posted, called
        self.boots: list[tuple[int, int]] = []  # (time_us, reset cause)
        self._vm: Vm | None = None
        self._waiting_us: int | None = None
        self._events: list[tuple[int, int, int, int, bytes]] = []
        self._sleep = Sleep(0)
        self._woken_by = 0  # what ended the deep sleep before this boot
        self._when_awake: list[Callable[[], None]] = []
        self._life = 0  # counts switchings of the power: what one life has planned is not for the next
        self._is_raw = False  # the REPL was a program's before the soft reset
        self._rtc_offset_us = 0

    # its lives

    def power_on(self) -> None:
        """Boot; after a power cut the RTC has lost its time."""
        self._rtc_offset_us = -self._crystal.chip_us(self._world.now_us)
        self._plan_boot(PWRON_RESET)

    def halt(self) -> None:
        """The chip stops, and with it what it drives."""
        self._life += 1
        if self._vm:
            self._vm.kill()
        self._vm = self._waiting_us = None
        self._events.clear()
        self._when_awake.clear()
        self._sleep.end(self._world.now_us)
        self._board.reset()
        self._network.active(False)
        self._parts.rest()

    def reset(self, cause: int = HARD_RESET) -> None:
        """As its reset pin does."""
        self.halt()
        self._plan_boot(cause)

    def _plan_boot(self, cause: int, after_us: int = 0) -> None:
        """The chip begins to boot, later if it sleeps deeply, unless the power is switched before."""
        life = self._life

        def boot() -> None:
            if self._life == life:
                self._boot(cause)

        def begin() -> None:
            if self._life == life:
                self._parts.put("chip", "running")
                self._world.after(BOOT_US, boot)

        if after_us:
            self._world.after(after_us, begin)
        else:
            begin()

    def _boot(self, cause: int) -> None:
        self._woken_by = (self._sleep.woken_by or p.TIMER) if cause == DEEPSLEEP_RESET else 0
        self.halt()
        self._sleep = Sleep(self._world.now_us)
        self.boots.append((self._world.now_us, cause))
        self._vm = self._start()

    def _sleep_deeply(self, for_us: int | None) -> None:
        """Until then, or until a pin wakes it; None: until a pin does."""
        self.halt()
        self._parts.put("chip", "deep sleep")
        self._parts.put("PSRAM", "off")
        self._sleep.begin(self._board.inputs, is_deep=True)
        if self._sleep.woken_by or for_us is not None:
            self._plan_boot(DEEPSLEEP_RESET, 0 if self._sleep.woken_by else for_us or 0)

    # what others see of it and do to it

    @property
    def is_on(self) -> bool:
        """Whether the VM runs; a chip that is off or starting hears nothing."""
        return self._vm is not None

    @property
    def is_asleep(self) -> bool:
        return self._sleep.is_asleep

    @property
    def woke_us(self) -> int:
        """When it last began to hear again."""
        return self._sleep.woke_us

    @property
    def messages(self) -> int:
        """Of this boot's VM; one that computes sends none."""
        return self._vm.messages if self._vm else 0

    def signal(self, number: int) -> None:
        """SIGINT raises KeyboardInterrupt in what computes; SIGKILL ends it."""
        if self._vm:
            self._vm.signal(number)

    def deliver(self, kind: int, unit: int = 0, flags: int = 0, payload: bytes = b"") -> None:
        """One of protocol.py's events."""
        if self._sleep.is_asleep and kind in (p.UART_RX, p.CONSOLE_RX):
            return  # a sleeping chip is deaf
        if self._vm:
            self._events.append((kind, unit, flags, self._world.now_us, payload))

    def pin_changed(self, pin: int, level: int) -> None:
        """It sees the edge, or wakes."""
        self.deliver(p.PIN_LEVEL, pin, level)
        was_woken = self._sleep.woken_by
        self._sleep.look(self._board.inputs)
        if self._sleep.is_deep and self._sleep.woken_by and not was_woken:
            self._life += 1  # the timer's boot is not to be
            self._plan_boot(DEEPSLEEP_RESET)

    def when_awake(self, callback: Callable[[], None]) -> None:
        """Call it now or at the end of the sleep, never if the chip halts before."""
        if self._sleep.is_asleep:
            self._when_awake.append(callback)
        else:
            callback()

    def compute(self, for_us: int) -> None:
        """The chip is busy for so long."""
        self._parts.put("chip", "running")
        self._world.now_us += for_us
        self._parts.put("chip", "waiting")

    # its time, and the VM's messages

    def settle(self) -> None:
        """Let the VM come to its next wait. Raises VmStopped."""
        if self._vm and self._waiting_us is None:
            self._serve(self._vm)

    def advance(self, target_us: int) -> None:
        """Live on, to `target_us` at most, to the next time that the VM waits or the chip is switched.

        Raises VmStopped.
        """
        if self._vm and self._waiting_us is None:
            self._serve(self._vm)
            return
        world = self._world
        limit_us = target_us if self._waiting_us is None else min(self._waiting_us, target_us)
        vm = self._vm
        while not self._is_called:
            if not world.step(limit_us):
                world.now_us = max(world.now_us, limit_us)
                if vm is None or world.now_us < (self._waiting_us or 0):
                    return
                break
            if self._vm is not vm:
                return
        assert vm
        self._waiting_us = None
        now_us = world.now_us
        self._events.append((p.WAIT, 0, self._wake(), now_us, b""))
        vm.send(self._events)
        self._events.clear()

    @property
    def _is_called(self) -> bool:
        """Whether something ends the chip's waiting."""
        return bool(self._vm and (self._sleep.woken_by if self._sleep.is_asleep else self._events))

    def _serve(self, vm: Vm) -> None:
        """Handle the VM's messages until it waits."""
        while self._vm is vm:
            kind, unit, flags, time_us, payload = vm.receive()
            if kind == p.WAIT:
                self._wait(unit, time_us)
                return
            self._world.now_us = max(self._world.now_us, time_us)
            if kind < p.HELLO:
                self._do(kind, unit, flags, payload)
                continue
            answer = self._answer(kind, unit, flags, payload)
            if self._vm is vm:
                vm.send([(kind, unit, answer[0], self._world.now_us, answer[1])])

    def _wait(self, how: int, until_us: int) -> None:
        self._waiting_us = until_us
        if how == p.ASLEEP:
            self._parts.put("chip", "light sleep")
            self._sleep.begin(self._board.inputs)
            self._network.disconnect()  # the radio does not run in it
        else:
            self._parts.put("chip", "waiting")

    def _wake(self) -> int:
        """End of a sleep, if it was one: what ended it."""
        if not self._sleep.is_asleep:
            return 0
        self._sleep.end(self._world.now_us)
        self._parts.put("chip", "waiting")
        for callback in self._when_awake:
            callback()
        self._when_awake.clear()
        return self._sleep.woken_by or p.TIMER

    def _do(self, kind: int, unit: int, flags: int, payload: bytes) -> None:
        if kind == p.FREQ:
            self._parts.frequency(flags)
        elif kind == p.WAKE_ON:
            self._sleep.wake_on(unit, flags, payload)
        else:
            self._posted(kind, unit, flags, payload)

    def _answer(self, kind: int, unit: int, flags: int, payload: bytes) -> tuple[int, bytes]:
        if kind == p.HELLO:
            return 0, self._greeting()
        if kind == p.RTC_SET:
            self._rtc_offset_us = int(payload)
        elif kind == p.EXIT and unit == p.DEEP_SLEEP:
            self._sleep_deeply(int(payload) * 1000 if payload else None)
        elif kind == p.EXIT and unit != p.STOPPED:
            self.reset(SOFT_RESET)
            self._is_raw = bool(flags)
        else:
            return self._called(kind, unit, flags, payload)
        return 0, b""

    def _greeting(self) -> bytes:
        is_raw, self._is_raw = self._is_raw, False
        return json.dumps({"rtc_offset_us": self._rtc_offset_us, "reset_cause": self.boots[-1][1], "raw_repl": is_raw,
                           "wake_reason": self._woken_by, "levels": list(self._board.inputs.items())
                           } | self._found(len(self.boots))).encode()
