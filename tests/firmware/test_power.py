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
