"""Which positions to keep: a moving track thinned, a heartbeat while still, and no fix with its reason."""

from math import cos

from micropython import const

from muster.gnss import Fix

SILENT = const(1)  # reasons for no fix: the receiver says nothing
SEARCHING = const(2)  # it hears no satellite
WEAK = const(3)  # it hears some, and finds no position
POOR = const(4)  # its HDOP is over 6, or unknown, or it jumps
OFF = const(5)  # it is switched off

ON = const(0)  # the receiver's power, for Track.tick: on
RESTING = const(1)  # in a planned pause, to save power
SWITCHED_OFF = const(2)  # off until further notice

_MAX_HDOP_E2 = const(600)
_METRE = const(9)  # 1e-6 degree of latitude (8.98): the unit of all distances here

_LOST = const(0)
_MOVING = const(1)
_STILL = const(2)

_SILENCE_S = const(5)  # without a Fix, until the receiver counts as silent
_LOST_MOVING_S = const(30)  # without a good fix, until it is no fix: a bridge is not worth a record
_LOST_STILL_S = const(300)  # longer where nothing changes, and longer than a planned pause
_REASON_S = const(60)  # until another reason for no fix is believed
_REPORT_S = const(1800)  # longest no-fix event
_FOUND = const(3)  # good fixes in a row that end no fix
_STILL_S = const(180)  # within the near radius for so long: still
_LEAVE_S = const(10)  # beyond the far radius for so long: moving
_LEG_S = const(240)  # longest time between two kept fixes when moving; one byte would be the next step
_SPEED_MAX = const(1100)  # 1e-6 degree a second, 120 m/s
_JUMPS = const(5)  # fixes in a row that are too far away before one is believed
_WIDE = const(0x1FFFFFFF)  # a slope no fix has


class Track:
    """The fixes of one receiver, thinned, in constant memory.

    Times are whole seconds of any clock that never jumps (the uptime). `add` and `tick` return what is to be recorded,
    in order of time, mostly nothing:

        ("fix", t_s, lat_e5, lon_e5, hdop_e1)   a fix of the receiver's own, not a mean; 1e-5 degree, HDOP*10 (0..60)
        ("nofix", from_s, to_s, reason)         no fix from..to (at most 1800 s), one of the reasons 1..5 above

    Moving: the straight line in space and time between two kept fixes passes every fix between them within 6 m north
    and 6 m east (4 m times the HDOP when that is more); kept fixes are at most 240 s apart (Sklansky and Gonzalez 1980,
    with a box for the circle). Still, after 180 s in one place: each heartbeat_s the fix since the last that is nearest
    to the middle of them all, until 10 s are spent well away.
    No fix: 30 s without a good one, 300 s when still, so that the receiver may pause for up to 4 minutes then.
    """

    def __init__(self, now_s: int, heartbeat_s: int = 600):
        self.last: "tuple | None" = None  # newest good fix: t_s, lat_e6, lon_e6, hdop_e1
        self._heartbeat_s = heartbeat_s
        self._mode = _LOST
        self._heard_s = now_s
        self._good_s = now_s
        self._cause = SEARCHING
        self._jumps = 0
        self._gap_from_s = now_s
        self._gap_reason = SEARCHING
        self._doubt_s: "int | None" = None  # since when the cause differs from the gap's reason
        self._found = 0  # good fixes in a row while lost, the first at:
        self._found_s = now_s
        self._was_still = False  # when the fix was lost
        nowhere = (now_s, 0, 0, 0)  # a point: t_s, lat_e6, lon_e6, hdop_e1
        self._kept = nowhere  # newest recorded
        self._end = nowhere  # newest
        self._centre = nowhere  # where the wearer may be staying, since when
        self._place = nowhere  # the centre when they were found to stay
        self._near = nowhere  # newest within the near radius of the recorded one
        self._gate = nowhere  # newest within the far radius of the centre
        self._middle = nowhere  # since the last heartbeat, the nearest to the centre, and how far it is from there
        self._middle_apart = _WIDE
        self._beat_s = now_s  # when the next heartbeat is due
        self._away_s: "int | None" = None  # since when beyond the far radius of the centre
        self._south = self._west = -_WIDE  # the slopes that a line from the kept point may have
        self._north = self._east = _WIDE

    @property
    def still(self) -> bool:
        """Whether the wearer stays in one place: the receiver may pause."""
        return self._mode == _STILL

    @property
    def settled(self) -> bool:
        """Whether it is still, and the newest fix does not hint that the wearer leaves."""
        return self._mode == _STILL and self._away_s is None

    def tick(self, now_s: int, receiver: int = ON) -> "list[tuple]":
        """Time passes; call it about once a second, with fixes or without. receiver: ON, RESTING or SWITCHED_OFF."""
        if receiver != ON:
            self._heard_s = now_s
            if receiver == SWITCHED_OFF:
                self._cause = OFF
        elif now_s - self._heard_s >= _SILENCE_S:
            self._cause = SILENT
            self._found = 0
        return self._without(now_s)

    def add(self, fix: Fix, now_s: int) -> "list[tuple]":
        """Take what the receiver said at now_s, valid or not; of several fixes in a second the first counts."""
        self._heard_s = now_s
        if not fix.valid:
            self._cause = WEAK if fix.satellites else SEARCHING
        elif fix.hdop_e2 > _MAX_HDOP_E2:
            self._cause = POOR
        else:
            point = (now_s, fix.lat_e6, fix.lon_e6, (fix.hdop_e2 + 5) // 10)
            if self._plausible(point):
                return self._good(point)
            self._cause = POOR
        self._found = 0
        return self._without(now_s)

    def _plausible(self, point: tuple) -> bool:
        last = self.last
        if last and self._jumps < _JUMPS and _apart(point, last) > (point[0] - last[0]) * _SPEED_MAX + 50 * _METRE:
            self._jumps += 1
            return False
        self._jumps = 0
        return True

    def _good(self, point: tuple) -> "list[tuple]":
        events: "list[tuple]" = []
        if self.last and point[0] <= self.last[0]:
            return events
        self.last = point
        self._cause = SEARCHING
        if self._mode == _LOST:
            self._search(point, events)
        else:
            self._good_s = point[0]
            if self._mode == _STILL:
                self._stay(point, events)
            else:
                self._move(point, events)
        return events

    def _search(self, point: tuple, events: "list[tuple]") -> None:
        """A good fix while there was none: the third in a row ends that."""
        if self._found == 0:
            self._found_s = point[0]
        self._found += 1
        if self._found < _FOUND:
            return
        self._no_fix(self._found_s, events)
        self._good_s = point[0]
        self._end = point
        if self._was_still and _apart(point, self._centre) <= 2 * _radius(point):
            self._mode = _STILL
            self._stay(point, events)
        else:
            self._mode = _MOVING
            self._centre = point
            self._keep(point, events)

    def _move(self, point: tuple, events: "list[tuple]") -> None:
        if not self._narrow(point):
            self._keep(self._end, events)
            self._narrow(point)
        elif point[0] - self._kept[0] >= _LEG_S:
            self._keep(point, events)
        self._end = point
        if self._apart_from_centre(point) > _radius(point):
            self._centre = point
        elif point[0] - self._centre[0] >= _STILL_S:
            self._mode = _STILL
            self._away_s = None
            self._near = self._gate = point
            self._place = self._centre
            self._keep(point, events)
            self._beat(point[0])

    def _stay(self, point: tuple, events: "list[tuple]") -> None:
        away = self._apart_from_centre(point)
        radius = _radius(point)
        if _apart(point, self._kept) <= radius:
            self._near = point
        if away <= 2 * radius:
            self._gate = point
            self._away_s = None
            if away <= self._middle_apart:
                self._middle, self._middle_apart = point, away
            if _apart(self._centre, self._place) > radius:  # slow, but moving
                self._leave(point, events)
            elif point[0] >= self._beat_s:
                if self._near is point:
                    self._keep(self._middle, events)
                else:  # not where it was
                    self._keep(self._near, events)
                    self._keep(point, events)
                self._beat(point[0])
        elif self._away_s is None:
            self._away_s = point[0]
        elif point[0] - self._away_s >= _LEAVE_S:
            self._leave(point, events)
        self._end = point

    def _beat(self, now_s: int) -> None:
        self._beat_s = now_s + self._heartbeat_s
        self._middle_apart = _WIDE

    def _leave(self, point: tuple, events: "list[tuple]") -> None:
        self._keep(self._near, events)
        self._keep(self._gate, events)
        self._mode = _MOVING
        self._centre = point
        if point[0] > self._kept[0]:
            self._narrow(point)

    def _apart_from_centre(self, point: tuple) -> int:
        """How far the point is from the place; the centre follows the fixes' mean, far slower than anyone walks.

        The first fix after a rest of the receiver stands for some of the time that it rested.
        """
        since_s, lat_e6, lon_e6, hdop_e1 = centre = self._centre
        away = _apart(point, centre)
        if away <= 2 * _radius(point):
            weight = min(16, max(1, point[0] - self._end[0]))
            lat_e6 += ((point[1] - lat_e6) * weight + 64) >> 7
            lon_e6 += (_turn(point[2] - lon_e6) * weight + 64) >> 7
            self._centre = (since_s, lat_e6, lon_e6, hdop_e1)
        return away

    def _keep(self, point: tuple, events: "list[tuple]") -> None:
        """Record the point, unless it is recorded; the next leg starts there."""
        if point[0] <= self._kept[0]:
            return
        lat_e5 = (point[1] + 5) // 10
        lon_e5 = (point[2] + 5) // 10
        events.append(("fix", point[0], lat_e5, lon_e5, point[3]))
        self._kept = (point[0], lat_e5 * 10, lon_e5 * 10, point[3])
        self._south = self._west = -_WIDE
        self._north = self._east = _WIDE

    def _narrow(self, point: tuple) -> bool:
        """Let the next leg pass the point within the tolerance; False when its own line would miss an earlier one."""
        kept = self._kept
        took_s = point[0] - kept[0]
        north = ((point[1] - kept[1]) << 8) // took_s
        east = (_eastward(kept, point) << 8) // took_s
        if not (self._south <= north <= self._north and self._west <= east <= self._east):
            return False
        margin = (max(6 * _METRE, 4 * _METRE * point[3] // 10) << 8) // took_s
        self._south = max(self._south, north - margin)
        self._north = min(self._north, north + margin)
        self._west = max(self._west, east - margin)
        self._east = min(self._east, east + margin)
        return True

    def _without(self, now_s: int) -> "list[tuple]":
        """No good fix at now_s."""
        events: "list[tuple]" = []
        if self._mode == _LOST:
            self._wait(now_s, events)
        elif self._cause == OFF or now_s - self._good_s >= (_LOST_STILL_S if self._mode == _STILL else _LOST_MOVING_S):
            self._keep(self._end, events)
            self._was_still = self._mode == _STILL
            self._mode = _LOST
            self._found = 0
            self._gap_from_s = self._good_s
            self._gap_reason = self._cause
            self._doubt_s = None
        return events

    def _wait(self, now_s: int, events: "list[tuple]") -> None:
        """Report the gap so far when it grows long, or when its reason has changed."""
        if self._cause == self._gap_reason:
            self._doubt_s = None
        elif self._doubt_s is None:
            self._doubt_s = now_s
        elif now_s - self._doubt_s >= _REASON_S:
            self._no_fix(self._doubt_s, events)
            self._gap_reason = self._cause
            self._doubt_s = None
        if now_s - self._gap_from_s >= _REPORT_S:
            self._no_fix(now_s, events)

    def _no_fix(self, to_s: int, events: "list[tuple]") -> None:
        if to_s > self._gap_from_s:
            events.append(("nofix", self._gap_from_s, to_s, self._gap_reason))
            self._gap_from_s = to_s


def _radius(point: tuple) -> int:
    """Within this of its centre a still wearer's fixes wander."""
    return 5 * _METRE + 6 * _METRE * point[3] // 10


def _turn(east_e6: int) -> int:
    """The shorter way round the earth."""
    return (east_e6 + 180000000) % 360000000 - 180000000


def _eastward(origin: tuple, point: tuple) -> int:
    """Way east from origin to point, in 1e-6 degree of latitude."""
    return _turn(point[2] - origin[2]) * int(cos(origin[1] * 1.7453e-8) * 1024) >> 10


def _apart(point: tuple, origin: tuple) -> int:
    """The larger of the ways north and east between two points."""
    return max(abs(point[1] - origin[1]), abs(_eastward(origin, point)))
