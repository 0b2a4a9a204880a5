"""Sleep and the battery: the chip sleeps when asyncio has nothing to do; charge from voltage, and when it is low."""

from asyncio import core  # type: ignore[attr-defined]  # not in the stubs

from micropython import const

# open-circuit millivolts of a lithium-polymer cell to percent, at rest and 25 degC (typical cell datasheet)
_CURVE = ((3200, 0), (3550, 5), (3680, 20), (3750, 40), (3850, 60), (3980, 80), (4180, 100))

LOW_PERCENT = 15  # the wearer is warned, and positions are fewer
EMPTY_PERCENT = 2  # the watch sleeps deeply until it is charged
AWAKE_PERCENT = 5  # to this

_WORTH_MS = const(20)  # a shorter sleep saves less than going there and back costs
_LONGEST_MS = const(60000)  # the RC oscillator that counts a sleep is right to some parts in a thousand


def percent(millivolts: int) -> int:
    """Charge left, 0..100, by straight lines between the curve's points."""
    below = _CURVE[0]
    if millivolts <= below[0]:
        return 0
    for above in _CURVE:
        if millivolts <= above[0]:
            return below[1] + (above[1] - below[1]) * (millivolts - below[0]) // max(1, above[0] - below[0])
        below = above
    return 100


class Idle:
    """What the chip does while every task waits: it sleeps for as long as it can.

    `sleep(ms)` ends early when the wearer presses; `hurry(is_needed)` chooses the clock rate. `spare_ms()`: how long
    nothing but a task that falls due needs the chip awake; None: something needs it now, and at its full rate.
    """

    def __init__(self, sleep, hurry, spare_ms):
        self._sleep = sleep
        self._hurry = hurry
        self._spare_ms = spare_ms
        self._wait = None

    def install(self):
        """In asyncio's loop, which asks its I/O queue to wait when no task is due; to be called while it runs."""
        queue = core._io_queue
        self._wait = queue.wait_io_event
        queue.wait_io_event = self._idle

    def _idle(self, dt_ms):
        """Wait `dt_ms` (below 0: without end) or until a stream is ready; the loop copes with an early return."""
        if not dt_ms:  # a task is due
            self._wait(0)
            return
        spare_ms = self._spare_ms()
        self._hurry(spare_ms is None)
        if spare_ms is not None:
            spare_ms = min(spare_ms, _LONGEST_MS if dt_ms < 0 else dt_ms)
            if spare_ms >= _WORTH_MS:
                self._wait(0)  # a press since the last look makes a task due
                task = core._task_queue.peek()
                if not task or core.ticks_diff(task.ph_key, core.ticks()) > 0:
                    self._sleep(min(spare_ms, _LONGEST_MS))
                return
        self._wait(dt_ms)
