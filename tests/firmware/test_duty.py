"""When the receiver rests: the exact seconds of a still, a moving and a lost wearer."""

SCRIPT = """
from muster.duty import Duty

def play(moving_s, still_s, saving, steps):
    duty = Duty(moving_s, still_s)
    duty.is_saving = saving
    now_s, rests = 0, []
    duty.begin(0)
    for count, is_good, is_settled in steps:
        while count > 0:
            count -= 1
            now_s += 1
            rest_s = duty.rest_s(now_s, is_good, is_settled)
            if rest_s:
                rests.append([now_s, rest_s])
                now_s += rest_s
                duty.begin(now_s)
    return rests

result = [play(*case) for case in data]
"""


def play(vm, *steps, moving_s=1, still_s=60, saving=False):
    return vm(SCRIPT, [[moving_s, still_s, saving, steps]])[0]


def test_still_it_is_on_for_three_good_fixes_in_each_minute(vm):
    assert play(vm, (9, True, True)) == [[3, 57], [63, 57], [123, 57]]


def test_a_start_without_a_fix_is_part_of_the_interval(vm):
    assert play(vm, (2, False, True), (3, True, True)) == [[5, 55]]
    assert play(vm, (50, False, True), (3, True, True)) == [[53, 30]]  # half of it, at least


def test_moving_or_about_to_leave_it_stays_on(vm):
    assert play(vm, (1000, True, False)) == []
    assert play(vm, (2, True, True), (5, True, False), (1, True, True)) == [[8, 52]]


def test_an_interval_of_a_second_is_none_at_all(vm):
    assert play(vm, (1000, True, True), still_s=1) == []
    assert play(vm, (6, True, False), moving_s=20) == [[3, 17], [23, 17]]


def test_a_search_is_given_up_after_five_minutes_and_then_each_second_minute(vm):
    assert play(vm, (420, False, False)) == [[300, 60], [420, 60], [540, 60]]


def test_a_fix_in_between_makes_the_next_search_a_long_one_again(vm):
    assert play(vm, (300, False, False), (1, True, False), (300, False, False)) == [[300, 60], [661, 60]]


def test_on_a_low_battery_still_is_looked_at_each_four_minutes_whatever_is_set(vm):
    assert play(vm, (6, True, True), saving=True) == [[3, 237], [243, 237]]
    assert play(vm, (3, True, True), saving=True, still_s=1) == [[3, 237]]
    assert play(vm, (100, True, False), saving=True) == []
