"""Charge from voltage: the curve's own points, straight lines between them, and nothing outside 0 to 100."""

CURVE = {3200: 0, 3550: 5, 3680: 20, 3750: 40, 3850: 60, 3980: 80, 4180: 100}


def percents(vm, millivolts):
    return vm("from muster.power import percent\nresult = [percent(mv) for mv in data]", millivolts)


def test_the_curve_goes_through_its_points_and_straight_between_them(vm):
    assert percents(vm, list(CURVE)) == list(CURVE.values())
    assert percents(vm, [3615, 3715, 4080]) == [12, 30, 90]


def test_charge_never_falls_with_rising_voltage_and_stays_within_its_range(vm):
    charge = percents(vm, list(range(0, 6000, 7)))
    assert charge == sorted(charge)
    assert (charge[0], charge[-1]) == (0, 100)


def test_the_wearer_is_warned_while_there_is_time_to_charge(vm):
    low = vm("from muster.power import LOW_PERCENT, percent\nresult = [percent(mv) < LOW_PERCENT for mv in data]",
             [3300, 3600, 3700, 4100])
    assert low == [True, True, False, False]


IDLE = """
from asyncio import core
from muster.power import Idle

done = []
def play(dt_ms, spare_ms, is_due):
    done.clear()
    idle = Idle(lambda ms: done.append(["sleep", ms]), lambda fast: done.append(["hurry", fast]), lambda: spare_ms)
    idle._wait = lambda ms: done.append(["wait", ms])
    core._task_queue = Queue(is_due)
    idle._idle(dt_ms)
    return list(done)

class Queue:
    def __init__(self, is_due):
        self.ph_key = core.ticks_add(core.ticks(), -1 if is_due else 100000)
    def peek(self):
        return self

result = [play(*case) for case in data]
"""


def test_it_sleeps_until_the_next_task_or_as_long_as_may_be_and_no_longer_than_a_minute(vm):
    cases = [[5000, 700, False], [300, 700, False], [-1, 100000, False], [900000, 100000, False]]
    assert vm(IDLE, cases) == [[["hurry", False], ["wait", 0], ["sleep", ms]] for ms in (700, 300, 60000, 60000)]


def test_it_waits_awake_where_something_needs_it_or_a_sleep_is_not_worth_it(vm):
    cases = [[5000, None, False], [19, 700, False], [5000, 19, False], [0, 700, False]]
    assert vm(IDLE, cases) == [[["hurry", True], ["wait", 5000]], [["hurry", False], ["wait", 19]],
                               [["hurry", False], ["wait", 5000]], [["wait", 0]]]


def test_a_press_just_before_it_would_sleep_is_not_slept_over(vm):
    assert vm(IDLE, [[5000, 700, True]]) == [[["hurry", False], ["wait", 0]]]
