"""When the GNSS receiver rests: between fixes that would tell nothing new, and from a search that finds nothing."""

from micropython import const

_FIXES = const(3)  # good ones in a row before it rests: as many as end a no-fix
_FIRST_SEARCH_S = const(300)  # without a good fix: a cold start, or a house that is soon left
_SEARCH_S = const(60)  # and again, after a rest
_SEARCH_REST_S = const(60)
_SAVING_S = const(240)  # between fixes while still and the battery is low


class Duty:
    """`moving_s`, `still_s`: between fixes; 1 is without a rest. Times are whole seconds that never jump."""

    def __init__(self, moving_s: int, still_s: int):
        self._moving_s = moving_s
        self._still_s = still_s
        self.is_saving = False
        self._search_s = _FIRST_SEARCH_S
        self._on_s = self._good_s = 0
        self._good = 0

    def begin(self, now_s: int):
        """The receiver wakes."""
        self._on_s = self._good_s = now_s
        self._good = 0

    def rest_s(self, now_s: int, is_good: bool, is_settled: bool) -> int:
        """How long it may rest from now, 0: it stays on; to be asked each second with its fix, or without one.

        is_good: the track took a fix of this second. is_settled: the wearer stays, and nothing hints that they leave.
        An interval is from one waking to the next; one that the search has eaten up leaves half of it.
        """
        if not is_good:
            self._good = 0
            if now_s - self._good_s < self._search_s:
                return 0
            self._search_s = _SEARCH_S
            return _SEARCH_REST_S
        self._good += 1
        self._good_s = now_s
        self._search_s = _FIRST_SEARCH_S
        interval_s = self._moving_s
        if is_settled:
            interval_s = max(self._still_s, _SAVING_S) if self.is_saving else self._still_s
        if interval_s == 1 or self._good < _FIXES:
            return 0
        return max(interval_s - (now_s - self._on_s), interval_s // 2)
