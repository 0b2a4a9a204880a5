"""`time` as on the ESP32, on virtual time: epoch 2000, ticks that wrap at 2**30, sleeps that cost no real time."""

import _link
import micropython
import utime as _real

_PERIOD = 1 << 30
_EPOCH_S = 946684800  # 2000-01-01 on the VM's 1970 epoch

_rtc_offset_us = 0  # what the RTC shows at virtual time 0; machine.RTC sets it


@micropython.native
def ticks_ms():
    return _link.look_us() // 1000 % _PERIOD


def ticks_us():
    return _link.look_us() % _PERIOD


ticks_cpu = ticks_us


@micropython.native
def ticks_add(ticks, delta):
    return (ticks + delta) % _PERIOD


@micropython.native
def ticks_diff(end, start):
    return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2


def sleep_us(us):
    _link.wait_until(_link.now_us + max(0, us))


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(s):
    sleep_us(int(s * 1000000))


def time():
    return (_link.look_us() + _link.boot_us + _rtc_offset_us) // 1000000


def time_ns():
    return (_link.look_us() + _link.boot_us + _rtc_offset_us) * 1000


def gmtime(s=None):
    return _real.gmtime((time() if s is None else s) + _EPOCH_S)[:8]  # the chip's has no isdst


localtime = gmtime


def mktime(parts):
    days = _days(parts[0] + (parts[1] - 1) // 12, (parts[1] - 1) % 12 + 1, parts[2])
    return ((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5]


def _days(year, month, day):
    """Days since 2000-01-01, by a calendar whose year begins in March."""
    year -= month < 3
    month = (month + 9) % 12
    return year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day - 1 - 730425
