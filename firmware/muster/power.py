"""The battery: charge from voltage, and when to warn."""

# open-circuit millivolts of a lithium-polymer cell to percent, at rest and 25 degC (typical cell datasheet)
_CURVE = ((3200, 0), (3550, 5), (3680, 20), (3750, 40), (3850, 60), (3980, 80), (4180, 100))

LOW_PERCENT = 15


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
