"""POSIX TZ texts on the VM, against Python's zoneinfo for every IANA zone and for rules that no zone has."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tools import zones

YEARS = (2027, 2028)
# Where law has one year's changes on days of their own, the table of the release has them and the rule has not.
OUT_OF_RULE = {"America/Havana", "Cuba"}

OFFSETS = """
from muster.timezone import Zone
result = []
for text, seconds in data:
    zone = Zone(text)
    result.append([zone.offset_s(s) for s in seconds])
"""
UTC_S = """
from muster.timezone import Zone
result = []
for text, times in data:
    zone = Zone(text)
    result.append([zone.utc_s(day, second) for day, second in times])
"""
C_LIBRARY = """
import json, os, sys, time
def offsets(text, seconds):
    os.environ["TZ"] = text
    time.tzset()
    return [time.localtime(s).tm_gmtoff for s in seconds]
print(json.dumps([offsets(*case) for case in json.load(sys.stdin)]))
"""
READ = """
from muster.timezone import Zone, TzError
result = []
for text in data:
    try:
        zone = Zone(text)
        result.append([zone.offset_s(1767225600), zone.offset_s(1782864000), zone.shift_s])
    except TzError as error:
        result.append(str(error))
"""


def unix(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp())


def offset_s(zone, unix_s):
    return int(datetime.fromtimestamp(unix_s, zone).utcoffset().total_seconds())


def changes(zone, first_s, last_s):
    """Each instant at which the offset changes, by bisection between samples six hours apart."""
    found = []
    for low in range(first_s, last_s, 21600):
        high = low + 21600
        if offset_s(zone, low) == offset_s(zone, high):
            continue
        before = offset_s(zone, low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_s(zone, middle) == before else (low, middle)
        found.append(high)
    return found


def first_showing(zone, day, second):
    """The first UTC second at which the zone's clock shows this local time or, where it is left out, has passed it."""
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=second)
    low = int(local.replace(tzinfo=zone, fold=0).timestamp())
    if datetime.fromtimestamp(low, zone).replace(tzinfo=UTC) == local:
        return low
    return max(change for change in changes(zone, low - 14400, low + 14400) if change <= low)


@pytest.fixture(scope="module")
def rules():
    """POSIX text -> names of the zones that have it."""
    found: dict[str, list[str]] = {}
    for name in zones.names():
        found.setdefault(zones.posix(name), []).append(name)
    return found


def test_every_iana_zone_has_the_offsets_of_its_rule(vm, rules):
    first_s, last_s = unix(YEARS[0], 1, 1), unix(YEARS[-1] + 1, 1, 1)
    data = []
    for text in rules:
        seconds = list(range(first_s, last_s, 86400 * 3))
        for change in changes(zones.zone_of(text), first_s, last_s):
            seconds += [change - 3600, change - 1, change, change + 1, change + 3600]
        data.append((text, seconds))
    wrong = set()
    for (text, seconds), got in zip(data, vm(OFFSETS, data), strict=True):
        zone = zones.zone_of(text)
        assert got == [offset_s(zone, s) for s in seconds], text
        for name in rules[text]:
            zone = zones.zone(name)
            if got != [offset_s(zone, s) for s in seconds]:
                wrong.add(name)
    assert len(rules) > 70
    assert wrong == OUT_OF_RULE


def test_local_times_become_the_first_instant_that_shows_them(vm, rules):
    data = []
    for text in rules:
        zone = zones.zone_of(text)
        times = []
        for change in changes(zone, unix(YEARS[0], 1, 1), unix(YEARS[0] + 1, 1, 1)):
            day, second = divmod(change + offset_s(zone, change), 86400)
            times += [(day, s) for s in range(second - 10800, second + 10800, 600)]
            times += [(day, s) for s in (second - 3601, second - 3600, second - 1, second, second + 1, second + 3599)]
        data.append((text, times or [(20454, 3600), (20454, 86400)]))
    for (text, times), got in zip(data, vm(UTC_S, data), strict=True):
        zone = zones.zone_of(text)
        assert got == [first_showing(zone, *time) for time in times], text


def test_a_time_left_out_is_the_change_and_one_that_comes_twice_its_first(vm):
    spring, autumn = date(2026, 3, 29).toordinal() - 719163, date(2026, 10, 25).toordinal() - 719163
    times = [(spring, 7199), (spring, 7200), (spring, 9000), (spring, 10799), (spring, 10800), (autumn, 9000)]

    assert vm(UTC_S, [("CET-1CEST,M3.5.0,M10.5.0/3", times)]) == [[
        unix(2026, 3, 29, 0, 59, 59), unix(2026, 3, 29, 1), unix(2026, 3, 29, 1), unix(2026, 3, 29, 1),
        unix(2026, 3, 29, 1), unix(2026, 10, 25, 0, 30)]]


def test_summer_time_that_ends_as_it_starts_again_never_ends(vm):
    # RFC 8536 section 3.3.1 has this text for a zone that always keeps summer time
    seconds = [unix(2026, 12, 31, 23), unix(2027, 1, 1), unix(2027, 1, 1, 3), unix(2027, 1, 1, 5), unix(2027, 7, 1)]

    assert vm(OFFSETS, [("XXX3EDT4,0/0,J365/23", seconds)]) == [[-14400] * 5]


def test_days_and_dates_agree_from_1970_to_2100(vm):
    dates = [date(1970, 1, 1) + timedelta(days=n) for n in range(47482)]

    assert dates[-1] == date(2099, 12, 31)
    assert vm("""
from hashlib import sha256
from binascii import hexlify
from muster.timezone import iso_date
sums = sha256()
for day in range(data):
    sums.update(iso_date(day).encode())
result = hexlify(sums.digest()).decode()
""", len(dates)) == hashlib.sha256("".join(d.isoformat() for d in dates).encode()).hexdigest()


def test_local_gives_the_day_and_its_second(vm):
    assert vm("""
from muster.timezone import Zone
result = [Zone(text).local(s) for text, s in data]
""", [("UTC0", 86399), ("<+1245>-12:45", 86399), ("EST5", 0)]) == [[0, 86399], [1, 45899], [-1, 68400]]


@pytest.mark.parametrize(("text", "reason"), [
    ("", "TZ: standard name: shorter than three letters"),
    ("CE-1", "TZ: standard name: shorter than three letters"),
    ("<+03-3", "TZ: standard name: no closing >"),
    ("CET", "TZ: standard offset: wants a number of one to three digits"),
    ("CET+-1", "TZ: standard offset: wants a number of one to three digits"),
    ("CET-25", "TZ: standard offset: 25 is not 0 to 24"),
    ("CET-1:60", "TZ: standard offset: 60 is not 0 to 59"),
    ("CET-1:", "TZ: standard offset: wants a number of one to three digits"),
    ("CET-1 ", "TZ: summer name: shorter than three letters"),
    ("CET-1CEST", "TZ: summer offset: wants a number of one to three digits"),
    ("CET-1CEST-2", "TZ: start rule: missing"),
    ("CET-1CEST,M3.5.0", "TZ: end rule: missing"),
    ("CET-1CEST,M13.5.0,M10.5.0", "TZ: start rule: 13 is not 1 to 12"),
    ("CET-1CEST,M3.6.0,M10.5.0", "TZ: start rule: 6 is not 1 to 5"),
    ("CET-1CEST,M3.5,M10.5.0", "TZ: start rule: M wants month.week.weekday"),
    ("CET-1CEST,M3.5.0,M10.5.7", "TZ: end rule: 7 is not 0 to 6"),
    ("CET-1CEST,J0,J365", "TZ: start rule: 0 is not 1 to 365"),
    ("CET-1CEST,0,366", "TZ: end rule: 366 is not 0 to 365"),
    ("CET-1CEST,0/168,1", "TZ: start rule: 168 is not 0 to 167"),
    ("CET-1CEST,0,1/", "TZ: end rule: wants a number of one to three digits"),
    ("CET-1CEST,0,1/2x", "TZ: end rule: followed by more text"),
    ("CET-1CEST,0,1,2", "TZ: end rule: followed by more text"),
    ("C\u00c9T-1", "TZ: standard name: shorter than three letters"),
    ("CET-\u0661", "TZ: standard offset: wants a number of one to three digits"),
    ("CET-1CEST,0000,1", "TZ: start rule: wants a number of one to three digits"),
    ("X" * 81, "TZ: longer than 80 characters"),
])
def test_a_wrong_text_is_refused_with_field_and_reason(vm, text, reason):
    assert vm(READ, [text]) == [reason]


def rule(form, day_of_year, weekday, time):
    """A rule about that day of the year, in one of the three forms."""
    when = date(2026, 1, 1) + timedelta(days=day_of_year - 1)
    week = min(5, (when.day + 6) // 7)
    return {"M": f"M{when.month}.{week}.{weekday}", "J": f"J{day_of_year}", "n": f"{day_of_year - 1}"}[form] + time


MINUTES = st.sampled_from(["", ":30", ":05:59"])
offsets = st.builds("{}{}{}".format, st.sampled_from(["", "+", "-"]), st.integers(0, 22), MINUTES)
times = st.just("") | st.builds("/{}{}{}".format, st.sampled_from(["", "+", "-"]), st.integers(0, 167), MINUTES)


def rules_between(first, last):
    return st.builds(rule, st.sampled_from("MJn"), st.integers(first, last), st.integers(0, 6), times)


# The two changes lie a month apart or more, for the C library takes their order from the year's first one alone.
two_rules = st.tuples(rules_between(30, 170), rules_between(200, 340)).flatmap(st.permutations).map(",".join)
made_up = st.builds("{}{}{}{},{}".format, st.sampled_from(["AAA", "<+03>"]), offsets,
                    st.sampled_from(["BBBB", "<-0430>"]), st.just("") | offsets, two_rules)
FEW = settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate),
               suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.lists(st.tuples(made_up, st.lists(st.integers(0, unix(2100, 1, 1)), min_size=20, max_size=20)),
                min_size=10, max_size=10))
@FEW
def test_made_up_rules_have_the_c_librarys_offsets(vm, cases):
    # not zoneinfo's: in CPython 3.11 its day `n` is a day early, and its J59 is 29 February in leap years
    oracle = subprocess.run([sys.executable, "-c", C_LIBRARY], input=json.dumps(cases), capture_output=True, text=True,
                            timeout=60, check=True)
    for (text, seconds), got, expected in zip(cases, vm(OFFSETS, cases), json.loads(oracle.stdout), strict=True):
        # the C library looks at the changes of one year only; near its ends a rule may mean another year's
        inner = [n for n, s in enumerate(seconds) if 10 < datetime.fromtimestamp(s, UTC).timetuple().tm_yday < 355]
        assert [got[n] for n in inner] == [expected[n] for n in inner], (text, [seconds[n] for n in inner])


@given(st.lists(st.one_of(st.text(max_size=90), st.text("<>+-,./:JM0123456789CEST", max_size=40), made_up.flatmap(
    lambda text: st.builds(lambda at, new: text[:at] + new + text[at + 1:], st.integers(0, len(text)),
                           st.text("<>+-,./:JM09X\u00e9", max_size=2)))), min_size=60, max_size=60))
@FEW
def test_any_text_is_a_zone_or_a_tz_error(vm, texts):
    for answer in vm(READ, texts):
        if isinstance(answer, str):
            assert answer.startswith("TZ: ")
        else:
            low, high, shift_s = answer
            assert abs(low) <= 90060 + 3600 and abs(high) <= 90060 + 3600
            assert abs(high - low) in (0, shift_s)
