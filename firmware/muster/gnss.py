"""NMEA 0183 to Fix: what the receiver's RMC, GGA and GSA sentences say, checked, one Fix an epoch."""

from array import array
from collections import namedtuple

import micropython
from micropython import const

NO_HDOP = const(9999)  # hdop_e2 where the receiver gives none

_LINE = const(120)  # longest sentence kept; the standard says 82, receivers with more decimals send up to about 110
_FIELDS = const(24)  # most fields looked at in a sentence
_NONE = const(0x20000000)  # no position: no angle in 1e-6 degree reaches it

_RMC = const(1)  # kinds of sentence, and bits in Parser._seen
_GGA = const(2)
_GSA = const(4)
_ALL = const(7)

_TIME = const(0)  # ms of the day, -1 for none; places in Parser._values
_VALID = const(1)
_LAT = const(2)
_LON = const(3)
_SPEED = const(4)  # RMC: mm/s, -1 for none
_DATE = const(5)  # RMC: ddmmyy, -1 for none
_SATELLITES = const(4)  # GGA
_HDOP = const(5)  # GGA, -1 for none

_DAY_S = const(86400)
_ROLLOVER_DAYS = const(7168)  # the GPS week counter's 1024 weeks
_MONTH_DAYS = b"\x1f\x1c\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"


Fix = namedtuple("Fix", ("valid", "unix_s", "ms", "lat_e6", "lon_e6", "hdop_e2", "satellites", "fix_type",
                         "speed_mmps"))
# One epoch of the receiver. A tuple, for an object's growing attribute table leaves holes in the heap each second.
# valid: there is a position, by RMC's status and GGA's quality; estimated, manual and simulated ones do not count.
# unix_s, ms: UTC of the epoch, whole seconds and thousandths; unix_s is None unless a valid RMC gave date and time.
#     A leap second 23:59:60 has the number of the second after it, as in POSIX.
# lat_e6, lon_e6: 1e-6 degree, north and east positive; None unless valid.
# hdop_e2: HDOP*100, NO_HDOP when unknown. satellites: used in the fix, 0 when unknown. fix_type: 0 none, 2 or 3.
# speed_mmps: mm/s over ground, 0 when unknown.


class Parser:
    """Bytes of a receiver in, Fix objects out; keeps one line and one epoch, whatever comes.

    Sentences without a right checksum, overlong ones and all other kinds are passed over. not_before_s: a UTC time that
    the firmware knows to be past (its build): a receiver that reports an earlier date has lost rounds of the GPS week
    counter, 1024 weeks each, and they are added. 0 takes dates as they come.

    An epoch is the RMC, GGA and GSA of one time. It ends with the last of the kinds that the two epochs before it had,
    so that its Fix is out with its last sentence; or else, a sentence being lost, when the next time begins.
    """

    def __init__(self, not_before_s: int = 0):
        self._not_before_s = not_before_s
        self._line = bytearray(_LINE)
        self._state = array("i", [0, 0])  # 1 + length of the line so far, 0 before its $; length of the line just ended
        self._starts = bytearray(_FIELDS)  # where each field starts in the line
        self._values = array("i", [0] * 6)
        self._ddmmyy = -1
        self._midnight_s: "int | None" = None
        self._type = 0  # of the epoch's GSA so far, 1 to 3
        self._before = self._seen = _ALL  # kinds of the epoch before, and of this one
        self._begin(-1)
        self._seen = _ALL
        self._open = False

    def feed(self, data: bytes) -> "list[Fix]":
        """Take what came, cut anywhere; return the fixes that it completes."""
        fixes: "list[Fix]" = []
        line = self._line
        state = self._state
        starts = self._starts
        at = 0
        end = len(data)
        while at < end:
            at = _next_line(data, at, end, line, state)
            if state[1]:
                kind = _check(line, state[1], starts)
                if kind:
                    self._take(kind, fixes)
        return fixes

    def _take(self, kind: int, fixes: "list[Fix]") -> None:
        if kind == _GSA:
            mode = self._line[self._starts[2]] - 48
            if self._type < mode <= 3:
                self._type = mode
        else:
            values = self._values
            (_rmc if kind == _RMC else _gga)(self._line, self._starts, values)
            time = values[_TIME]
            if time != self._time or (time < 0 and self._seen & kind):
                if self._open:
                    fixes.append(self._fix())
                self._begin(time)
            if self._open and not self._seen & kind:
                self._merge(kind, values)
        self._seen |= kind
        if self._open and self._seen & self._expected == self._expected:
            fixes.append(self._fix())
            self._open = False

    def _begin(self, time: int) -> None:
        self._expected = self._before | self._seen
        self._before = self._seen
        self._seen = 0
        self._open = True
        self._time = time
        self._valid = True
        self._dated = False
        self._lat_e6 = self._lon_e6 = _NONE
        self._hdop_e2 = NO_HDOP
        self._satellites = self._type = self._speed_mmps = 0

    def _merge(self, kind: int, values: "array[int]") -> None:
        if values[_VALID] and values[_LON] != _NONE and values[_LAT] != _NONE:
            self._lat_e6 = values[_LAT]
            self._lon_e6 = values[_LON]
        else:
            self._valid = False
        if kind == _RMC:
            self._speed_mmps = max(values[_SPEED], 0)
            self._dated = values[_VALID] > 0
            if values[_DATE] != self._ddmmyy:
                self._ddmmyy = values[_DATE]
                self._midnight_s = _midnight(self._ddmmyy, self._not_before_s)
        else:
            self._satellites = max(values[_SATELLITES], 0)
            if values[_HDOP] >= 0:
                self._hdop_e2 = min(values[_HDOP], NO_HDOP)

    def _fix(self) -> Fix:
        unix_s = None
        time = self._time
        if self._dated and time >= 0 and self._midnight_s is not None:
            unix_s = self._midnight_s + time // 1000
        ms = time % 1000 if time >= 0 else 0
        if not self._valid:
            return Fix(False, unix_s, ms, None, None, self._hdop_e2, self._satellites, 0, 0)
        fix_type = self._type if self._type > 1 else 2 if self._satellites < 4 else 3
        return Fix(True, unix_s, ms, self._lat_e6, self._lon_e6, self._hdop_e2, self._satellites, fix_type,
                   self._speed_mmps)


def _midnight(ddmmyy: int, not_before_s: int) -> "int | None":
    """Unix time at which the day began, week rollovers mended; None when there is no such day. Years 1980 to 2079."""
    day = ddmmyy // 10000
    month = ddmmyy // 100 % 100
    year = ddmmyy % 100 + (2000 if ddmmyy % 100 < 80 else 1900)
    leap = year % 4 == 0  # right for 1980 to 2079
    if ddmmyy < 0 or not 1 <= month <= 12 or not 1 <= day <= _MONTH_DAYS[month - 1] + (leap and month == 2):
        return None
    days = (year - 1970) * 365 + (year - 1969) // 4 + sum(_MONTH_DAYS[:month - 1]) + (leap and month > 2) + day - 1
    while (days + 1) * _DAY_S <= not_before_s:
        days += _ROLLOVER_DAYS
    return days * _DAY_S


@micropython.viper
def _next_line(data: ptr8, start: int, end: int, line: ptr8, state: ptr32) -> int:
    """Copy data[start:end] after its $ to line up to a line end; return where to go on, and set state (see Parser)."""
    length = state[0] - 1  # kept one up, for a 64-bit VM loads ptr32 without its sign
    state[1] = 0
    at = start
    while at < end:
        char = data[at]
        at += 1
        if char == 36:  # $: a sentence starts, whatever was before it
            length = 0
        elif length >= 0:
            if char == 13 or char == 10:
                state[1] = length
                length = -1
                break
            if length == _LINE or char < 32 or char > 126:
                length = -1
            else:
                line[length] = char
                length += 1
    state[0] = length + 1
    return at


@micropython.viper
def _check(line: ptr8, length: int, starts: ptr8) -> int:
    """Kind of the sentence, its fields' starts noted; 0 when of no use: other kind, wrong checksum, fields missing.

    Field i is line[starts[i]:starts[i + 1] - 1], one that is not there too. The talker may be any pair but P and
    another, which is proprietary ($PGRMC).
    """
    star = length - 3
    if star < 6 or line[star] != 42 or line[5] != 44 or line[0] == 80:
        return 0
    name = line[2] << 16 | line[3] << 8 | line[4]
    if name == 0x524D43:
        kind = _RMC
        fields = 10
    elif name == 0x474741:
        kind = _GGA
        fields = 9
    elif name == 0x475341:
        kind = _GSA
        fields = 3
    else:
        return 0
    parity = 0
    count = 1
    i = 0
    while i < star:
        char = line[i]
        parity ^= char
        i += 1
        if char == 44 and count < _FIELDS - 1:
            starts[count] = i
            count += 1
    last = count
    while last < _FIELDS:
        starts[last] = star + 1
        last += 1
    while i < length - 1:
        i += 1
        char = line[i]
        if char >= 97:
            char -= 32
        char -= 48
        if char > 9:
            char -= 7
            if char < 10:
                return 0
        if char < 0 or char > 15:
            return 0
        parity ^= char << 4 if i == star + 1 else char
    return kind if parity == 0 and count >= fields else 0


@micropython.viper
def _rmc(line, starts, values: ptr32):
    """RMC: time, status, latitude, N/S, longitude, E/W, knots, course, date, variation, E/W, mode (since NMEA 2.3)."""
    text = ptr8(line)
    start = ptr8(starts)
    values[_TIME] = int(_clock(line, start[1], start[2] - 1))
    values[_LAT] = int(_angle(line, start[3], start[4] - 1, 78, 83, 90))
    values[_LON] = int(_angle(line, start[5], start[6] - 1, 69, 87, 180))
    knots_e2 = int(_decimal(line, start[7], start[8] - 1, 2))
    values[_SPEED] = -1 if knots_e2 < 0 or knots_e2 > 200000 else (knots_e2 * 5144 + 500) // 1000
    values[_DATE] = int(_decimal(line, start[9], start[10] - 1, 0)) if start[10] - start[9] == 7 else -1
    mode = text[start[12]] if start[13] - start[12] == 2 else 65
    guess = mode == 69 or mode == 77 or mode == 78 or mode == 83  # E, M, N, S
    values[_VALID] = 1 if text[start[2]] == 65 and not guess else 0


@micropython.viper
def _gga(line, starts, values: ptr32):
    """GGA: time, latitude, N/S, longitude, E/W, quality (1 to 5 are fixes), satellites, HDOP."""
    text = ptr8(line)
    start = ptr8(starts)
    values[_TIME] = int(_clock(line, start[1], start[2] - 1))
    values[_LAT] = int(_angle(line, start[2], start[3] - 1, 78, 83, 90))
    values[_LON] = int(_angle(line, start[4], start[5] - 1, 69, 87, 180))
    quality = text[start[6]]
    values[_VALID] = 1 if 49 <= quality and quality <= 53 and start[7] - start[6] == 2 else 0
    values[_SATELLITES] = int(_decimal(line, start[7], start[8] - 1, 0))
    values[_HDOP] = int(_decimal(line, start[8], start[9] - 1, 2))


@micropython.viper
def _clock(line, start: int, end: int) -> int:
    """Field hhmmss[.sss] as ms of the day, 86,400,000 and up in a leap second; -1 when there is none."""
    text = ptr8(line)
    if end - start > 6 and text[start + 6] != 46:
        return -1
    whole = int(_decimal(line, start, start + 6, 0)) if end - start >= 6 else -1
    ms = int(_decimal(line, start + 6, end, 3)) if end - start > 7 else 0
    hour = whole // 10000
    minute = whole // 100 % 100
    second = whole % 100
    if whole < 0 or ms < 0 or hour > 23 or minute > 59 or second > (60 if whole // 100 == 2359 else 59):
        return -1
    return ((hour * 60 + minute) * 60 + second) * 1000 + ms


@micropython.viper
def _angle(line, start: int, end: int, positive: int, negative: int, limit: int) -> int:
    """Field [d]ddmm[.mmmm], the hemisphere's letter after it, in 1e-6 degree; _NONE when there is none within limit."""
    text = ptr8(line)
    point = start
    while point < end and text[point] != 46:
        point += 1
    if point - start < 3:
        return _NONE
    degrees = int(_decimal(line, start, point - 2, 0))
    minutes_e6 = int(_decimal(line, point - 2, end, 6))
    hemisphere = text[end + 1] if text[end + 2] == 44 else 0
    if degrees < 0 or degrees > limit or minutes_e6 < 0 or minutes_e6 >= 60000000:
        return _NONE
    if hemisphere != positive and hemisphere != negative:
        return _NONE
    angle = degrees * 1000000 + (minutes_e6 + 30) // 60
    if angle > limit * 1000000:
        return _NONE
    return angle if hemisphere == positive else -angle


@micropython.viper
def _decimal(line, start: int, end: int, places: int) -> int:
    """Decimal line[start:end] times 10**places, further places cut; -1 when empty, malformed, signed or above 1e9."""
    text = ptr8(line)
    value = 0
    digits = 0
    after = -1  # digits taken after the point, -1 before it
    while start < end:
        digit = text[start] - 48
        start += 1
        if digit == -2 and after < 0 and places > 0:
            after = 0
        elif digit < 0 or digit > 9 or value >= 100000000:
            return -1
        else:
            digits += 1
            if after < places:
                value = value * 10 + digit
                if after >= 0:
                    after += 1
    if digits == 0:
        return -1
    while after < places:
        if after >= 0:
            if value >= 100000000:
                return -1
            value *= 10
        after += 1
    return value
