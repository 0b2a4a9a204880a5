"""Trusted time: UTC kept on the uptime counter, from the best source heard, and how far it may be off."""

from micropython import const

NONE, RTC, NETWORK, GNSS = 0, 1, 2, 3  # sources, a better one is greater

_DRIFT_PPM = const(20)  # 10 ppm, ESP32-S3 Hardware Design Guidelines, External Main Crystal; the rest for age and cold
_FLOOR_MS = const(2000)  # smaller changes are no jumps
_UNKNOWN_MS = const(0x7FFFFFFF)  # the uncertainty of no time at all, and the greatest
_END_MS = 4102444800000  # 2100-01-01: no time of this watch


class ClockError(Exception):
    """A time that cannot be: the source and the reason."""


class Jump:
    """A change of the time beyond doubt: old_ms (None: there was no time), new_ms, source."""

    __slots__ = ("old_ms", "new_ms", "source")

    def __init__(self, old_ms: "int | None", new_ms: int, source: int):
        self.old_ms = old_ms
        self.new_ms = new_ms
        self.source = source


class Clock:
    """`uptime_ms()` counts ms since boot; `drift_ppm` is how far that counter may be off.

    `not_before_ms` is a unix time that is surely past: the build's, or that of the last record made on GNSS time. (Not
    of a record on poorer time: were that wrong, every right time would be refused from then on.)
    """

    def __init__(self, uptime_ms, not_before_ms: int = 0, drift_ppm: int = _DRIFT_PPM):
        self._uptime_ms = uptime_ms
        self._not_before_ms = not_before_ms
        self._drift_ppm = drift_ppm
        self._source = NONE
        self._uncertainty_ms = _UNKNOWN_MS  # when it was set
        self._set_ms = 0  # uptime when it was set
        self._boot_ms = 0  # unix time of the boot

    def set(self, unix_ms: int, source: int, uncertainty_ms: int) -> "Jump | None":
        """Hears a source say that it is `unix_ms` now, give or take `uncertainty_ms`.

        A better source is followed; the same or a worse one only when it is at least as certain as this clock is by
        now. A Jump is returned when there was no time before, or when the time changes by more than both uncertainties
        together and by more than two seconds. Raises ClockError for a time before `not_before_ms` or after 2099.
        """
        if not RTC <= source <= GNSS or uncertainty_ms < 0:
            raise ClockError("clock: source %d, uncertainty %d ms: not a source" % (source, uncertainty_ms))
        if not self._not_before_ms <= unix_ms < _END_MS:
            raise ClockError("clock: source %d: %d ms is outside %d to %d" % (
                source, unix_ms, self._not_before_ms, _END_MS))
        held, doubt_ms = self.quality()
        if source <= held and uncertainty_ms > doubt_ms:
            return None
        old_ms = self.now_ms()
        self._source = source
        self._uncertainty_ms = uncertainty_ms
        self._set_ms = self._uptime_ms()
        self._boot_ms = unix_ms - self._set_ms
        if old_ms is not None and abs(unix_ms - old_ms) <= max(_FLOOR_MS, doubt_ms + uncertainty_ms):
            return None
        return Jump(old_ms, unix_ms, source)

    def now_ms(self) -> "int | None":
        """UTC in ms since 1970, or None while no source has been heard."""
        if self._source == NONE:
            return None
        return self._boot_ms + self._uptime_ms()

    def now_s(self) -> "int | None":
        """UTC in whole seconds since 1970, or None."""
        now_ms = self.now_ms()
        return None if now_ms is None else now_ms // 1000

    def quality(self):
        """(source, uncertainty in ms by now): it grows with the counter's drift, up to 2**31 - 1."""
        if self._source == NONE:
            return NONE, _UNKNOWN_MS
        drift_ms = (self._uptime_ms() - self._set_ms) * self._drift_ppm // 1000000
        return self._source, min(_UNKNOWN_MS, self._uncertainty_ms + drift_ms)

    def quality_byte(self) -> int:
        """The quality as records carry it: source << 5 | min(31, ceil(log2(uncertainty_ms + 1)))."""
        source, uncertainty_ms = self.quality()
        log2 = 0
        while uncertainty_ms >> log2:
            log2 += 1
        return source << 5 | log2
