"""`machine` as the ESP32-S3 port has it: pins, UART, ADC, PWM, SPI, RTC, resets and sleep, emulated."""

import io
import time as _time

import _link
import _system
import micropython
from protocol import ADC as _ADC
from protocol import (
    ASLEEP,
    BITSTREAM,
    DEEP_SLEEP,
    EXIT,
    FOREVER_US,
    FREQ,
    PIN,
    RESET,
    RTC_SET,
    SPI_PINS,
    UART_PINS,
    UART_TX,
)
from protocol import I2C as _I2C
from protocol import PWM as _PWM
from protocol import SOFT_RESET as _SOFT_RESET
from protocol import SPI as _SPI

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
PIN_WAKE = EXT0_WAKE = 2
EXT1_WAKE, TIMER_WAKE = 3, 4
_POLL, _READ, _WRITE = 3, 1, 4

_ENODEV = 19

_FREQUENCIES_HZ = (20000000, 40000000, 80000000, 160000000, 240000000)

_cause = PWRON_RESET
_wake_reason = 0
_freq_hz = 240000000
_unique_id = b"\x00" * 6
_driven = {}  # levels that the chip puts on its pins, by number


class Pin:
    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_DOWN, PULL_UP = 1, 2
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=2, hold=False):
        if not isinstance(id, int) or not 0 <= id <= 48:
            raise ValueError("invalid pin")
        self._id = id
        self._handler = None
        self._trigger = 0
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=2, hold=False):
        if value is not None:
            self.value(value)

    def value(self, x=None):
        if x is None:
            return _link.levels.get(self._id, _driven.get(self._id, 1))
        _driven[self._id] = level = 1 if x else 0
        _link.post(PIN, self._id, level)
        return None

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3, *, wake=None, hard=False):
        self._handler = handler
        self._trigger = trigger
        if handler:
            _link.pins[self._id] = self
        else:
            _link.pins.pop(self._id, None)

    def _edge(self, value):
        if self._trigger & (Pin.IRQ_RISING if value else Pin.IRQ_FALLING):
            self._handler(self)

    def __repr__(self):
        return "Pin(%d)" % self._id


class Signal:
    def __init__(self, pin, invert=False):
        self._pin = pin
        self._invert = invert

    def value(self, x=None):
        if x is None:
            return self._pin.value() ^ self._invert
        return self._pin.value(bool(x) ^ self._invert)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


class UART(io.IOBase):
    def __init__(self, id, baudrate=115200, **settings):
        if not 0 <= id <= 2:
            raise ValueError("UART(%d) doesn't exist" % id)
        self._id = id
        self._buffer = bytearray()
        self._size = 256
        self._sent_us = 0  # when all that was written is on the wire
        self.init(baudrate, **settings)
        _link.uarts[id] = self

    def init(self, baudrate=115200, bits=8, parity=None, stop=1, *, tx=-1, rx=-1, rts=-1, cts=-1, txbuf=256, rxbuf=256,
             timeout=0, timeout_char=0, invert=0, flow=0):
        if rxbuf < 129:
            raise ValueError("rxbuf too small")
        self._size = rxbuf
        self._baud = baudrate
        _link.post(UART_PINS, self._id, 0, _numbers(tx, rx))

    def deinit(self):
        _link.uarts.pop(self._id, None)

    @micropython.native
    def _received(self, data):
        """From the host; what does not fit is lost, as in the chip's ring buffer."""
        self._buffer.extend(data[:self._size - len(self._buffer)])

    def any(self):
        return len(self._buffer)

    @micropython.native
    def read(self, n=-1):
        if not self._buffer:
            return None
        if n < 0 or n >= len(self._buffer):
            data = bytes(self._buffer)
            self._buffer = bytearray()
            return data
        data = bytes(memoryview(self._buffer)[:n])
        self._buffer = self._buffer[n:]
        return data

    def readinto(self, buf, n=-1):
        data = self.read(len(buf) if n < 0 else n)
        if data is None:
            return None
        buf[:len(data)] = data
        return len(data)

    def readline(self):
        end = self._buffer.find(b"\n")
        return self.read(end + 1 if end >= 0 else -1)

    def write(self, buf):
        self._sent_us = max(self._sent_us, _link.now_us) + len(buf) * 10000000 // self._baud
        _link.post(UART_TX, self._id, self._baud // 100, buf)
        return len(buf)

    def txdone(self):
        return _link.look_us() + _link.boot_us >= self._sent_us

    def flush(self):
        _link.wait_until(self._sent_us)

    @micropython.native
    def ioctl(self, request, flags):
        if request == _POLL:
            return (flags & _WRITE) | (flags & _READ if self._buffer else 0)
        return -22


class ADC:
    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3
    _FULL_UV = (950000, 1250000, 1750000, 3100000)  # ESP32-S3 datasheet, table of ADC calibration ranges

    def __init__(self, id, *, atten=ATTN_0DB):
        self._pin = id._id if isinstance(id, Pin) else id
        self._atten = atten

    def atten(self, atten):
        self._atten = atten

    def read_uv(self):
        microvolts = int.from_bytes(_link.call(_ADC, self._pin)[1], "little")
        return min(microvolts, self._FULL_UV[self._atten])

    def read_u16(self):
        return self.read_uv() * 65535 // self._FULL_UV[self._atten]


class PWM:
    def __init__(self, pin, *, freq=5000, duty_u16=0):
        self._pin = pin
        self._freq = freq
        self.duty_u16(duty_u16)

    def freq(self, hz=None):
        if hz is None:
            return self._freq
        self._freq = hz

    def duty_u16(self, duty=None):
        if duty is None:
            return self._duty
        self._duty = duty
        _link.post(_PWM, self._pin._id, duty >> 8)

    def deinit(self):
        self.duty_u16(0)


class SPI:
    def __init__(self, id, baudrate=500000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None):
        if id not in (1, 2):
            raise ValueError("SPI(%d) doesn't exist" % id)
        self._id = id
        _link.post(SPI_PINS, id, 0, _numbers(sck, mosi))

    def write(self, buf):
        _link.post(_SPI, self._id, 0, buf)

    def deinit(self):
        pass


class I2C:
    """Registers of one byte each, of the devices that the host has on these pins."""

    def __init__(self, id, *, scl, sda, freq=400000):
        if id not in (0, 1):
            raise ValueError("I2C(%d) doesn't exist" % id)
        self._pins = _numbers(sda, scl)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        return bytes([self._register(addr, memaddr + n) for n in range(nbytes)])

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        for n, value in enumerate(buf):
            self._register(addr, memaddr + n, value)

    def _register(self, address, register, value=None):
        write = b"" if value is None else bytes((value,))
        missing, data = _link.call(_I2C, address, register, self._pins + write)
        if missing:
            raise OSError(_ENODEV)
        return data[0]


def bitstream(pin, encoding, timing, data):
    _link.post(BITSTREAM, pin._id, 0, bytes(data))


def _numbers(*pins):
    """A byte a pin, 255 for none."""
    return bytes([255 if pin is None else (pin._id if isinstance(pin, Pin) else pin) & 255 for pin in pins])


class RTC:
    """Kept through resets and deep sleep, lost with power; epoch 2000."""

    def datetime(self, datetimetuple=None):
        if datetimetuple is None:
            t = _time.gmtime()
            return t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0
        year, month, day, _, hour, minute, second, _ = datetimetuple
        seconds = _time.mktime((year, month, day, hour, minute, second, 0, 0))
        _time._rtc_offset_us = seconds * 1000000 - _link.now_us
        _link.call(RTC_SET, 0, 0, b"%d" % _time._rtc_offset_us)


def reset_cause():
    return _cause


def unique_id():
    return _unique_id


def freq(hz=None):
    global _freq_hz
    if hz is None:
        return _freq_hz
    if hz not in _FREQUENCIES_HZ:
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    if hz != _freq_hz:
        _freq_hz = hz
        _link.post(FREQ, 0, hz // 1000000)
    return None


def reset():
    _link.call(EXIT, RESET)


def soft_reset():
    _system.stdout.write("MPY: soft reboot\n")
    _link.call(EXIT, _SOFT_RESET, int(_link.is_raw))


def deepsleep(time_ms=None):
    _link.call(EXIT, DEEP_SLEEP, 0, b"" if time_ms is None else b"%d" % time_ms)


def lightsleep(time_ms=None):
    """Until the timer or a wake source; UARTs, pins and the console are deaf meanwhile."""
    global _wake_reason
    _wake_reason = _link.wait(FOREVER_US if time_ms is None else _link.now_us + time_ms * 1000, ASLEEP)


def wake_reason():
    """What ended the last sleep: EXT0_WAKE, EXT1_WAKE, TIMER_WAKE, 7 for a pin of esp32.wake_on_gpio; 0 before any."""
    return _wake_reason


def idle():
    _link.wait(_link.now_us + 1000)


def disable_irq():
    return 0


def enable_irq(state):
    pass
