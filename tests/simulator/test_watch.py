"""The simulated chip: virtual time, pins, serial ports, flash, sleep and display, seen from firmware."""

import numpy as np
import pytest

from simulator.watch import WatchError

START = 1_781_042_400  # 2026-06-10 00:00 in Ljubljana


IDLE = """
import asyncio
async def _idle():
    while True:
        await asyncio.sleep(3600)
asyncio.run(_idle())
"""


def test_sleeping_takes_the_time_it_says_and_looking_at_the_clock_a_microsecond(boot):
    watch = boot("import time\na = time.ticks_us()\ntime.sleep_ms(1500)\nb = time.ticks_us()\n"
                 "print(b - a)\nwhile time.ticks_us() < 2000000: pass\nprint('done')" + IDLE)
    watch.run(until_s=3)
    assert watch.printed() == ["1500001", "done"]


def test_a_thousand_sleepers_wake_in_order_of_time_then_of_start(boot):
    watch = boot("""
import asyncio, time
order = []
async def sleeper(n, ms):
    await asyncio.sleep_ms(ms)
    order.append((time.ticks_ms(), n))
async def main():
    await asyncio.gather(*(sleeper(n, n % 7 * 100) for n in range(1000)))
    print(order == sorted(order, key=lambda o: (o[1] % 7, o[1])), sorted(set(o[0] for o in order)))
asyncio.run(main())
""" + IDLE)
    watch.run(until_s=3)
    assert watch.printed() == ["True [0, 100, 200, 300, 400, 500, 600]"]


def test_a_timeout_cancels_at_its_exact_time(boot):
    watch = boot("""
import asyncio, time
async def forever():
    try:
        await asyncio.sleep(3600)
    finally:
        print("cancelled", time.ticks_ms())
async def main():
    try:
        await asyncio.wait_for_ms(forever(), 250)
    except asyncio.TimeoutError:
        print("timeout", time.ticks_ms())
asyncio.run(main())
""" + IDLE)
    watch.run(until_s=2)
    assert watch.printed() == ["cancelled 250", "timeout 250"]


def test_a_press_is_an_interrupt_at_its_time_and_a_release_is_none_for_a_falling_edge(boot):
    watch = boot("""
import asyncio, time
from machine import Pin
flag = asyncio.ThreadSafeFlag()
button = Pin(0, Pin.IN, Pin.PULL_UP)
button.irq(lambda pin: flag.set(), Pin.IRQ_FALLING)
async def main():
    while True:
        await flag.wait()
        print(time.ticks_ms(), button.value())
asyncio.run(main())
""")
    watch.run(until_s=10)
    watch.press(hold_ms=100)
    watch.run(until_s=20)
    assert watch.printed() == ["9600 0"]  # the boot took 400 ms


def test_sentences_arrive_each_second_and_what_overflows_the_buffer_is_lost(boot):
    watch = boot("""
import time
from machine import UART
uart = UART(1, 9600, tx=38, rx=39, rxbuf=256)
time.sleep_ms(2000)
print(uart.any(), uart.readline())
time.sleep_ms(60000)
print(uart.any())
""" + IDLE, sentences=lambda unix_ms: f"${unix_ms}\r\n".encode())
    watch.run(until_s=70)
    assert watch.printed() == [f"32 b'${(START + 1) * 1000}\\r\\n'", "256"]


def test_flash_programs_only_clear_bits_and_a_write_without_offset_erases_first(boot):
    watch = boot("""
import esp32
p = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="journal")[0]
print(p.ioctl(4, 0), p.ioctl(5, 0), p.info()[4])
b = bytearray(4)
p.readblocks(3, b, 8); print(bytes(b))
p.writeblocks(3, b"\\xf0\\x0f\\xaa\\x00", 8)
p.writeblocks(3, b"\\x3c\\xff\\xff\\x55", 8)
p.readblocks(3, b, 8); print(bytes(b))
p.writeblocks(3, b"\\x11" * 4096)
p.readblocks(3, b, 8); print(bytes(b))
p.ioctl(6, 3); p.readblocks(3, b, 8); print(bytes(b))
try:
    p.writeblocks(255, b"12", 4095)
except OSError as e:
    print(e)
try:
    esp32.Partition("nowhere")
except OSError as e:
    print(e)
""" + IDLE)
    watch.run(until_s=1)
    assert watch.printed() == ["256 4096 journal", r"b'\xff\xff\xff\xff'", r"b'0\x0f\xaa\x00'", r"b'\x11\x11\x11\x11'",
                              r"b'\xff\xff\xff\xff'", "-260", "-261"]


def test_a_file_is_old_or_new_wherever_the_power_is_cut(boot):
    """littlefs on the emulated flash, cut at every operation of a boot that rewrites a file."""
    main = """
import os
try:
    with open("state") as file:
        print("read", len(file.read()))
except OSError:
    print("read nothing")
with open("state.new", "w") as file:
    file.write("n" * 9000)
os.rename("state.new", "state")
print("written")
""" + IDLE
    for cut in range(1, 100):
        watch = boot(main)
        watch.power.cut(after_flash_ops=cut)
        watch.run(until_s=2)
        lines = watch.printed()
        if len(watch.boots) == 1:
            assert lines == ["read nothing", "written"]
            break
        assert lines[0] == "read nothing"
        assert lines[-2:] in (["read nothing", "written"], ["read 9000", "written"]), cut
    assert 5 < cut < 99


def test_nvs_outlives_a_reset_once_committed(boot):
    watch = boot("""
import esp32, machine
nvs = esp32.NVS("muster")
try:
    print(nvs.get_i32("n"))
except OSError as e:
    print(e)
    nvs.set_i32("n", 5); nvs.set_blob("b", b"\\x00\\x01"); nvs.commit()
    nvs.set_i32("n", 6)
    machine.reset()
b = bytearray(4)
print(nvs.get_blob("b", b), bytes(b), machine.reset_cause() == machine.SOFT_RESET)
""" + IDLE)
    watch.run(until_s=3)
    assert watch.printed() == ["-4354", "5", r"2 b'\x00\x01\x00\x00' True"]


def test_deep_sleep_ends_in_a_boot_at_its_time_and_keeps_the_clock_that_a_power_cut_loses(boot):
    watch = boot("""
import machine, time
print(machine.reset_cause(), time.time())
if machine.reset_cause() == machine.PWRON_RESET:
    machine.RTC().datetime((2026, 6, 10, 2, 12, 0, 0, 0))
    machine.deepsleep(60000)
""" + IDLE)
    watch.run(until_s=100)
    assert [at_us for at_us, _ in watch.boots] == [400_000, 60_800_001]
    assert watch.printed() == ["1 0", "4 834408060"]
    watch.power.cut()
    watch.run(until_s=101)
    assert watch.printed()[2] == "1 0"


def test_random_bytes_follow_from_the_seed_and_differ_from_boot_to_boot(boot):
    main = "import os, machine\nprint(os.urandom(8).hex())\nmachine.deepsleep(1000)"
    one, two, other = boot(main, seed=1), boot(main, seed=1), boot(main, seed=2)
    for watch in (one, two, other):
        watch.run(until_s=10)
    assert one.printed() == two.printed()
    assert len(set(one.printed() + other.printed())) == len(one.printed()) + len(other.printed()) > 8


def test_the_camera_api_and_its_awkward_behaviour(boot):
    watch = boot("""
import camera
pins = dict(data_pins=[11, 9, 8, 10, 12, 18, 17, 16], pclk_pin=13, vsync_pin=6, href_pin=7, sda_pin=4, scl_pin=5,
            xclk_pin=15)
c = camera.Camera(pixel_format=camera.PixelFormat.RGB565, frame_size=camera.FrameSize.QQVGA, **pins)
f = c.capture()
print(len(f))
try:
    f[0] = 1
except TypeError:
    print("read-only")
d = camera.Camera(pixel_format=camera.PixelFormat.GRAYSCALE, frame_size=camera.FrameSize.R96X96, **pins)
print(len(d.capture()))
for act in (c.capture, lambda: camera.Camera(init=False, **pins).capture()):
    try:
        act()
    except OSError as e:
        print(e)
""" + IDLE)
    watch.run(until_s=5)
    assert watch.printed() == ["38400", "read-only", "9216", "[Errno 2] ENOENT", "[Errno 2] ENOENT"]


def test_a_camera_that_is_not_there_and_one_that_gives_nothing(boot):
    watch = boot("""
import camera, time
pins = dict(data_pins=[11, 9, 8, 10, 12, 18, 17, 16], pclk_pin=13, vsync_pin=6, href_pin=7, sda_pin=4, scl_pin=5,
            xclk_pin=15)
c = camera.Camera(**pins)
time.sleep(10)
print(c.capture())
time.sleep(10)
try:
    camera.Camera(**pins)
except OSError as e:
    print("no camera")
""" + IDLE)
    watch.run(until_s=5)
    watch.camera.fault = "none-frames"
    watch.run(until_s=15)
    watch.camera.fault = "not-found"
    watch.run(until_s=30)
    assert watch.printed() == ["None", "no camera"]


def test_what_is_sent_to_the_panel_is_what_the_wearer_sees(boot):
    watch = boot("""
from machine import Pin, SPI
dc, cs, light = Pin(43, Pin.OUT), Pin(44, Pin.OUT, value=0), Pin(48, Pin.OUT)
spi = SPI(2, 40000000, sck=Pin(21), mosi=Pin(47))
def send(command, data=b""):
    dc.off(); spi.write(bytes((command,))); dc.on()
    if data: spi.write(data)
send(0x11); send(0x29); light.off()
send(0x2a, bytes((0, 10, 0, 11))); send(0x2b, bytes((0, 20, 0, 20)))
send(0x2c, b"\\xf8\\x00\\x07\\xe0")
""" + IDLE)
    watch.run(until_s=1)
    rgb = watch.display.rgb()
    assert rgb[20, 10].tolist() == [255, 0, 0] and rgb[20, 11].tolist() == [0, 255, 0]
    assert np.count_nonzero(rgb) == 2


def test_firmware_that_ends_is_an_error_with_what_it_printed(boot):
    watch = boot("def broken():\n    return 1 // 0\nbroken()")
    with pytest.raises(WatchError, match="ZeroDivisionError: divide by zero"):
        watch.run(until_s=1)


def test_two_runs_of_a_busy_day_print_the_same(boot):
    main = """
import asyncio, os, random, time
from machine import UART
uart = UART(1, 9600, tx=38, rx=39, rxbuf=512)
async def main():
    reader = asyncio.StreamReader(uart)
    for n in range(3000):
        line = await reader.readline()
        if n % 500 == 0:
            print(time.ticks_us(), line, os.urandom(2), random.random(), {k: 1 for k in "abc"})
asyncio.run(main())
""" + IDLE
    runs = []
    for _ in range(2):
        watch = boot(main, sentences=lambda unix_ms: b"$GNTXT,%d\r\n" % unix_ms)
        watch.run(until_s=3100)
        runs.append(bytes(watch.console_output))
    assert runs[0] == runs[1] and runs[0].count(b"\n") == 6
