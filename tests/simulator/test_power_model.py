"""What the parts draw, to the microampere-microsecond, and a chip that sleeps: what wakes it, what it does not hear."""

import re
import struct

from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.currents import CURRENTS, microamperes
from simulator.devices.meter import HOUR_US, MAH, Meter
from simulator.devices.parts import AT_REST
from simulator.devices.ublox import ACQUISITION, FIX_US, STANDBY, TRACKING, Ublox, checksum
from simulator.wiring import BOARDS
from tests.conftest import ROOT

FIX = b"$GNRMC,060000.00,A,4603.00000,N,01430.00000,E,0.00,0.00,100626,,,A*00\r\n"
STEPS = st.lists(st.tuples(st.integers(0, 3 * HOUR_US), st.sampled_from("ab"), st.integers(0, 10**6),
                           st.sampled_from(["x", "y"])), max_size=20)


def pmreq(duration_ms: int = 0, flags: int = 6, sources: int = 8, version: int = 0) -> bytes:
    body = b"\x02\x41\x10\x00" + struct.pack("<IIII", version, duration_ms, flags, sources)
    return b"\xb5\x62" + body + checksum(body)


def test_an_hour_at_a_milliampere_is_a_milliampere_hour_in_its_hour():
    meter = Meter()
    meter.set("lamp", 1000, "light", HOUR_US // 2)
    assert meter.settle(3 * HOUR_US // 2) == MAH
    assert meter.drawn == {(0, "lamp", "light"): MAH // 2, (1, "lamp", "light"): MAH // 2}


@given(STEPS, st.lists(st.integers(0, 4 * HOUR_US)))
def test_the_meter_is_exact_however_often_it_is_read(steps, looks):
    """Against a sum over all pairs of changes; each charge is in one hour, part and service."""
    steps.sort(key=lambda step: step[0])
    read, unread = Meter(), Meter()
    times = sorted(set(looks))
    for at_us, part, current, service in steps:
        while times and times[0] <= at_us:
            read.settle(times.pop(0))
        for meter in (read, unread):
            meter.set(part, current, service, at_us)
    end_us = 4 * HOUR_US
    expected = 0
    for n, (at_us, part, current, _) in enumerate(steps):
        until_us = next((later[0] for later in steps[n + 1:] if later[1] == part), end_us)
        expected += current * (until_us - at_us)
    assert read.settle(end_us) == unread.settle(end_us) == expected == sum(read.drawn.values())
    assert +read.drawn == +unread.drawn


def test_every_current_has_a_source_and_every_part_of_every_board_its_states():
    for states in CURRENTS.values():
        assert all(current == 0 or source for current, source in states.values())
    for wiring in BOARDS.values():
        assert {"active", "standby"} <= set(CURRENTS[wiring.sensor])
        assert {ACQUISITION, TRACKING, STANDBY} <= set(CURRENTS[wiring.receiver])
    assert {part for part in AT_REST} <= {*CURRENTS, "camera", "panel", "lamp"}


def test_the_documents_table_is_the_models():
    rows = re.findall(r"^\| (.+?) \| (.+?) \| ([\d.,]+) \| .+ \|$", (ROOT / "docs" / "POWER.md").read_text(), re.M)
    told = {(part, state): round(float(ma.replace(",", "")) * 1000) for part, state, ma in rows}
    assert told == {(part, state): current for part, states in CURRENTS.items()
                    for state, (current, _) in states.items() if current}


def drawn(watch, part: str, service: str) -> int:
    watch.meter.settle(watch.world.now_us)
    return sum(charge for (_, *key), charge in watch.meter.drawn.items() if key == [part, service])


def test_each_state_of_the_chip_draws_its_own_for_its_time(boot_watch):
    watch = boot_watch({"main.py": "import machine, time\ntime.sleep(10)\nmachine.freq(80000000)\ntime.sleep(20)\n"
                                   "machine.lightsleep(30000)\nmachine.deepsleep(40000)"}, sentences=lambda ms: b"")
    watch.run(until_s=100.4)
    watch.power.off()
    chip = {state: microamperes("ESP32-S3", state) for state in CURRENTS["ESP32-S3"]}
    assert drawn(watch, "chip", "positions") == (
        400_000 * chip["running at 240 MHz"] + 10_000_000 * chip["waiting at 240 MHz"]
        + 20_000_000 * chip["waiting at 80 MHz"])
    assert drawn(watch, "chip", "sleep") == 30_000_000 * chip["light sleep"] + 40_000_000 * chip["deep sleep"]
    assert drawn(watch, "PSRAM", "sleep") == 60_400_000 * microamperes("PSRAM", "on")
    assert drawn(watch, "GNSS", "positions") == 100_400_000 * microamperes("SAM-M8Q", ACQUISITION)
    watch.run(until_s=200)
    assert watch.meter.total == sum(watch.meter.drawn.values())  # off is off


SLEEPER = """
import esp32, machine, time
from machine import Pin, UART
uart = UART(1, 9600, tx=Pin(38), rx=Pin(39), rxbuf=512)
esp32.wake_on_ext0(Pin(0, Pin.IN), esp32.WAKEUP_ALL_LOW)
esp32.wake_on_gpio((Pin(40, Pin.IN),), esp32.WAKEUP_ANY_HIGH)
while True:
    machine.lightsleep(10000)
    print(time.ticks_ms(), machine.wake_reason(), uart.any())
    time.sleep(1)
"""


def test_the_timer_a_press_and_the_cable_end_a_light_sleep_at_once_and_uart_bytes_are_lost_in_it(boot_watch):
    watch = boot_watch({"main.py": SLEEPER}, sentences=lambda ms: b"x" * 100)
    watch.world.at(15_000_000, watch.press)
    watch.world.at(20_000_000, lambda: watch.plug(True))
    watch.run(until_s=21.2)
    # awake for a second each time it hears one burst; the cable that stays in lets no sleep begin
    assert watch.printed() == ["10000 4 0", "14600 2 100", "19600 7 200", "20600 7 300"]


def test_bytes_that_cross_while_the_chip_wakes_are_lost_to_the_microsecond(boot_watch):
    watch = boot_watch({"main.py": SLEEPER.replace("lightsleep(10000)", "lightsleep(9690)").replace(
        "sleep(1)", "sleep_ms(100)\n    print(uart.any())\n    time.sleep(9)")}, sentences=lambda ms: b"x" * 100)
    watch.run(until_s=11)
    # it wakes at 10.09 s; byte n of the second begins at 10.05 s + n * 1.042 ms: 39 began before
    assert watch.printed() == ["9690 4 0", "61"]


def test_a_pin_that_cannot_wake_and_a_rate_that_is_none_are_refused_as_on_the_chip(boot_watch):
    watch = boot_watch({"main.py": """
import esp32, machine, time
for attempt in (lambda: esp32.wake_on_ext0(machine.Pin(40), True), lambda: esp32.wake_on_ext1((machine.Pin(22),), True),
                lambda: machine.freq(100000000)):
    try:
        attempt()
    except ValueError as error:
        print(error)
print(machine.freq())
time.sleep(99)
"""})
    watch.run(until_s=1)
    assert watch.printed() == ["invalid pin", "invalid pin", "frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz",
                               "240000000"]


DEEP = """
import esp32, machine
from machine import Pin
print(machine.reset_cause(), machine.wake_reason())
esp32.wake_on_ext0(Pin(0, Pin.IN), esp32.WAKEUP_ALL_LOW)
machine.deepsleep(60000)
"""


def test_a_press_ends_a_deep_sleep_and_a_power_cut_ends_it_for_good(boot_watch):
    watch = boot_watch({"main.py": DEEP})
    watch.run(until_s=10)
    watch.press(hold_ms=50)  # and is over before the boot looks
    watch.run(until_s=80)
    assert watch.printed() == ["1 0", "4 2", "4 4"]
    assert [us for us, _ in watch.boots] == [400_000, 10_400_000, 70_800_000]
    watch.power.off()
    watch.run(until_s=300)
    assert len(watch.boots) == 3 and not watch.is_on
    watch.power.on()
    watch.run(until_s=301)
    assert watch.printed()[-1] == "1 0"


def test_a_receiver_rests_as_long_as_it_is_told_and_any_byte_wakes_it():
    receiver = Ublox(lambda unix_ms: FIX)
    assert (receiver.says(0, 0), receiver.state) == (FIX, TRACKING)
    receiver.hear(pmreq(5000), 0)
    assert (receiver.says(1000, 1_000_000), receiver.state) == (b"", STANDBY)
    assert receiver.is_resting(4_999_999) and not receiver.is_resting(5_000_000)
    assert receiver.says(0, 5_499_999) == b""  # it starts
    assert receiver.says(0, 5_500_000) != FIX and receiver.state == ACQUISITION
    assert receiver.says(0, 5_500_000 + FIX_US) == FIX
    receiver.hear(pmreq(0), 7_000_000)
    assert receiver.is_resting(10**12)
    receiver.hear(b"\xff", 10**12)
    assert receiver.state == ACQUISITION and receiver.says(0, 10**12 + 2_000_000) != FIX  # after days: not a hot start


def test_a_command_that_wakes_the_receiver_is_lost_and_one_without_wake_up_source_is_for_its_time():
    receiver = Ublox(lambda unix_ms: FIX)
    receiver.hear(pmreq(0), 0)
    receiver.hear(pmreq(0), 1_000_000)
    assert receiver.state == ACQUISITION
    receiver.hear(pmreq(9000, sources=0), 2_000_000)
    receiver.hear(b"\xff", 3_000_000)
    assert receiver.state == STANDBY


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(pmreq(1000)), st.just(b"\xb5\x62"),
                          st.just(pmreq(1000)[:-1] + b"\x00")), max_size=12))
def test_whatever_bytes_come_only_a_whole_command_puts_it_to_rest(chunks):
    receiver = Ublox(lambda unix_ms: FIX)
    data = b"".join(chunks)
    for at in range(0, len(data), 7):
        receiver.hear(data[at:at + 7], 0)
    assert len(receiver._buffer) <= 520
    if pmreq(1000) not in data and b"\x02\x41\x10\x00" not in data:
        assert receiver.state != STANDBY
    if data.startswith(pmreq(1000)):
        assert receiver.state == STANDBY or len(data) > len(pmreq(1000))  # a byte after it wakes it again
