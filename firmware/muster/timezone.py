"""Civil time: the calendar, and zones as POSIX TZ texts (POSIX.1-2017 section 8.3, hours as in RFC 8536 section 3.3.1).

A `day` is a count of days since 1970-01-01, of whichever calendar the caller means; a `second` is one of the local day.
"""

from micropython import const

DAY_S = const(86400)
_HOUR_S = const(3600)
_LONGEST = const(80)  # characters of a TZ text; IANA's longest has 40
_EPOCH = const(719162)  # days from 0001-01-01 to 1970-01-01
_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)


class TzError(Exception):
    """One line: the field of the TZ text, and what is wrong with it."""


def civil_from_days(days: int):
    """(year, month, day) of a day."""
    year = (days + _EPOCH) * 400 // 146097 + 1  # right, or off by one
    if days < _before_year(year):
        year -= 1
    elif days >= _before_year(year + 1):
        year += 1
    rest = days - _before_year(year)
    month = 12
    while rest < _before_month(year, month):
        month -= 1
    return year, month, rest - _before_month(year, month) + 1


def iso_date(days: int) -> str:
    """A day as YYYY-MM-DD."""
    return "%04d-%02d-%02d" % civil_from_days(days)


def _leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _before_year(year):
    past = year - 1
    return 365 * past + past // 4 - past // 100 + past // 400 - _EPOCH


def _before_month(year, month):
    """Days of the year before a month, 1 to 13."""
    return _BEFORE_MONTH[month - 1] + (month > 2 and _leap(year))


class Zone:
    """A zone from its POSIX TZ text, such as CET-1CEST,M3.5.0,M10.5.0/3. Raises TzError.

    A zone with summer time must give its rule: what POSIX leaves to each system is refused. `shift_s` is by how much
    summer time moves the clock, either way; 0 without one.
    """

    def __init__(self, text: str):
        if len(text) > _LONGEST:
            raise TzError("TZ: longer than %d characters" % _LONGEST)
        scan = _Scanner(text)
        scan.name("standard name")
        self._standard_s = self._summer_s = -scan.time("standard offset", 24)
        self._start = self._end = None
        if not scan.done():
            scan.name("summer name")
            self._summer_s = self._standard_s + _HOUR_S
            if scan.peek() != ",":
                self._summer_s = -scan.time("summer offset", 24)
            self._start = scan.rule("start rule")
            self._end = scan.rule("end rule")
            if not scan.done():
                raise TzError("TZ: end rule: followed by more text")
        self.shift_s = abs(self._summer_s - self._standard_s)
        self._year = 0  # the year self._near is about
        self._near = ()

    def offset_s(self, unix_s: int) -> int:
        """Seconds that local time is ahead of UTC (east of Greenwich is positive)."""
        changes = self._changes(unix_s)
        offset_s = self._standard_s
        if changes and changes[0][2] == self._standard_s:
            offset_s = self._summer_s
        for instant_s, _, after_s in changes:
            if unix_s < instant_s:
                break
            offset_s = after_s
        return offset_s

    def local(self, unix_s: int):
        """(day, second) that the local calendar and clock show."""
        return divmod(unix_s + self.offset_s(unix_s), DAY_S)

    def utc_s(self, day: int, second: int) -> int:
        """The first UTC second at which the local clock shows this time of this day, or, the clock having been put
        forward over it, a later one. So a time that comes twice means its first, and one left out means the instant of
        the change. `second` may be 86400 or more: that counts on into the days after."""
        local_s = day * DAY_S + second
        low_s = min(self._standard_s, self._summer_s)
        high_s = low_s + self.shift_s
        for offset_s in (high_s, low_s):
            if self.offset_s(local_s - offset_s) == offset_s:
                return local_s - offset_s
        for instant_s, _, after_s in self._changes(local_s - high_s):
            if instant_s > local_s - high_s and after_s == high_s:
                return instant_s
        raise TzError("TZ: rules: no instant for a local time")  # the two offsets cannot both be wrong without a change

    def _changes(self, unix_s):
        """(UTC second, whether summer time starts, offset after) of the year's and its neighbours' changes, in order:
        a rule's time may reach a week over the year's end. Where two fall together summer time wins: this is how a
        zone says that it never leaves it (RFC 8536 section 3.3.1)."""
        if self._start is None:
            return ()
        year = civil_from_days(unix_s // DAY_S)[0]
        if year != self._year:
            near = []
            for y in (year - 1, year, year + 1):
                near.append((_rule_s(self._start, y) - self._standard_s, 1, self._summer_s))
                near.append((_rule_s(self._end, y) - self._summer_s, 0, self._standard_s))
            near.sort()
            self._year, self._near = year, near
        return self._near


def _rule_s(rule, year):
    """The second, counted as if local time were UTC, at which a rule of (kind, numbers, time) falls in a year."""
    kind, numbers, time_s = rule
    day = _before_year(year)
    if kind == "M":
        month, week, weekday = numbers
        first = day + _before_month(year, month)
        day = first + (weekday - 4 - first) % 7 + 7 * (week - 1)  # day 0 was a Thursday
        if day >= _before_year(year) + _before_month(year, month + 1):
            day -= 7  # week 5 is the last one, be it the fourth
    else:
        day += numbers[0]
        if kind == "J":
            day += -1 + (numbers[0] > 59 and _leap(year))
    return day * DAY_S + time_s


class _Scanner:
    """Reads the fields of a TZ text from left to right; each names itself in the TzError it raises."""

    def __init__(self, text):
        self._text = text
        self._at = 0

    def peek(self):
        return self._text[self._at:self._at + 1]

    def done(self):
        return self._at >= len(self._text)

    def name(self, field):
        """Three letters or more, or any letters, digits and signs in angle brackets."""
        quoted = self._take("<")
        start = self._at
        while _is_letter(self.peek()) or quoted and self.peek() and self.peek() in "+-0123456789":
            self._at += 1
        if self._at - start < 3:
            raise TzError("TZ: %s: shorter than three letters" % field)
        if quoted and not self._take(">"):
            raise TzError("TZ: %s: no closing >" % field)

    def time(self, field, most_hours):
        """[+-]hours[:minutes[:seconds]] in seconds."""
        sign = -1 if self.peek() == "-" else 1
        self._take("+-")
        seconds = self._number(field, 0, most_hours) * _HOUR_S
        for unit_s in (60, 1):
            if not self._take(":"):
                break
            seconds += self._number(field, 0, 59) * unit_s
        return sign * seconds

    def rule(self, field):
        """,date[/time]: (kind, numbers, seconds after midnight)."""
        if not self._take(","):
            raise TzError("TZ: %s: missing" % field)
        if self._take("M"):
            kind, numbers = "M", [self._number(field, 1, 12)]
            for high, low in ((5, 1), (6, 0)):
                if not self._take("."):
                    raise TzError("TZ: %s: M wants month.week.weekday" % field)
                numbers.append(self._number(field, low, high))
        elif self._take("J"):
            kind, numbers = "J", [self._number(field, 1, 365)]
        else:
            kind, numbers = "n", [self._number(field, 0, 365)]
        return kind, numbers, self.time(field, 167) if self._take("/") else 2 * _HOUR_S

    def _take(self, characters):
        found = not self.done() and self.peek() in characters
        self._at += found
        return found

    def _number(self, field, low, high):
        start = self._at
        while self.peek() and self.peek() in "0123456789":
            self._at += 1
        digits = self._text[start:self._at]
        if not 0 < len(digits) < 4:
            raise TzError("TZ: %s: wants a number of one to three digits" % field)
        if not low <= int(digits) <= high:
            raise TzError("TZ: %s: %s is not %d to %d" % (field, digits, low, high))
        return int(digits)


def _is_letter(character):
    return "a" <= character <= "z" or "A" <= character <= "Z"
