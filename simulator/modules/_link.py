"""The VM's end of the link to the host, and the virtual clock.

`now_us` is the virtual time since the scenario began. Only the host's answers, and a microsecond for each look at the
clock, move it: a busy-wait ends, and everything else takes no time.
"""

import struct

import micropython
from protocol import (
    AWAKE,
    CONSOLE_RX,
    FLASH_CUT,
    FOREVER_US,
    HEADER,
    HEADER_BYTES,
    HELLO,
    PIN_LEVEL,
    STALLED,
    UART_RX,
    WAIT,
)

now_us = 0
boot_us = 0  # when this boot began
stalled = False  # the link to the network hangs: sockets are not waited for
cut_in = 0  # the power is cut in this operation of the flash, counted down; below 1: never
uarts = {}  # id to emulated machine.UART
pins = {}  # number to emulated machine.Pin with a handler
levels = {}  # of the pins that the board drives, by number
console = None  # emulated sys.stdin
interrupt_char = 3  # the byte on the console that interrupts what runs; below 0: none does
interrupted = False
is_raw = False  # a program has the REPL, not a person

_to_host = _from_host = None
_head = bytearray(HEADER_BYTES)


def connect(write_fd, read_fd):
    """Open the pipes and return the host's greeting (bytes of JSON)."""
    global _to_host, _from_host, now_us, boot_us
    _to_host = open("/dev/fd/%d" % write_fd, "wb")
    _from_host = open("/dev/fd/%d" % read_fd, "rb")
    greeting = call(HELLO)
    boot_us = now_us
    return greeting[1]


def post(kind, unit=0, flags=0, payload=b""):
    struct.pack_into(HEADER, _head, 0, kind, unit, flags, len(payload), now_us)
    _to_host.write(_head)
    if payload:
        _write(payload)


def call(kind, unit=0, flags=0, payload=b""):
    """Post, and return (flags, payload) of the answer, which also sets the time."""
    global now_us
    post(kind, unit, flags, payload)
    _from_host.readinto(_head)
    _, _, flags, length, time_us = struct.unpack(HEADER, _head)
    now_us = max(now_us, time_us)
    return flags, _from_host.read(length) if length else b""


@micropython.native
def wait(until_us=FOREVER_US, how=AWAKE):
    """Let the world run to `until_us` or the next event, whichever is first, and hand the events on.

    Returns what ended a sleep: 0 unless `how` is ASLEEP.
    """
    global now_us, stalled, cut_in, interrupted
    struct.pack_into(HEADER, _head, 0, WAIT, how, 0, 0, until_us)
    _to_host.write(_head)
    edges = []
    while True:
        _from_host.readinto(_head)
        kind, unit, flags, length, time_us = struct.unpack(HEADER, _head)
        payload = _from_host.read(length) if length else b""
        if time_us > now_us:
            now_us = time_us
        if kind == WAIT:
            break
        if kind == UART_RX:
            if unit in uarts:
                uarts[unit]._received(payload)
        elif kind == PIN_LEVEL:
            levels[unit] = flags
            if how == AWAKE:
                edges.append((unit, flags))
        elif kind == CONSOLE_RX:
            console.received(payload)
        elif kind == STALLED:
            stalled = bool(flags)
        elif kind == FLASH_CUT:
            cut_in = int(payload)
    for unit, value in edges:
        if unit in pins:
            pins[unit]._edge(value)
    if interrupted:
        interrupted = False
        raise KeyboardInterrupt
    return flags


def wait_until(until_us):
    """Block to `until_us`; events are handled meanwhile, as interrupts are on the chip."""
    while now_us < until_us:
        wait(until_us)


@micropython.native
def look_us():
    """Microseconds since boot; looking costs one."""
    global now_us
    now_us += 1
    return now_us - boot_us


def _write(payload):
    view = memoryview(payload)
    while view:
        written = _to_host.write(view)
        view = view[written:]
