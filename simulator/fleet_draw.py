"""Draws a day for each watch of a fleet: who wears it, where they go, how they answer, what befalls it; all by seed.

The figures are made up to vary: they are no statistics of anybody. What they lead to is measured.
"""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from simulator.day import route_of
from simulator.scenario import Action, Answer, Period, Scenario

DAY_S, HOUR_S = 86_400, 3600
ENROL_S = 6.5 * HOUR_S
READY_S = 60  # from the start
LAST_UPLOAD_S = 600  # before the end
LAST_OUTAGE_S = 2 * HOUR_S  # before the end there is none
METRES_PER_DEGREE = 111_195


def draw(base: Scenario, seed: int, index: int, end_s: float) -> Scenario:
    """Watch `index`'s time up to `end_s` after the base's start. Zone, board, settings are the base's, its first place
    is what they live about."""
    random = Random(f"fleet/{seed}/{index}")
    first_s = -((base.start_unix_s + base.utc_offset_s) % DAY_S)  # the midnight before the start
    midnights = [first_s + day * DAY_S for day in range(math.ceil((end_s - first_s) / DAY_S))]
    centre = route_of(base).position(base.start_unix_s)
    prompts = len(midnights) * base.settings.get("prompts_per_day", 5)
    return replace(
        base, name=f"watch {index}", seed=random.getrandbits(32), hours=end_s / HOUR_S,
        wearer=random.getrandbits(32), stranger=random.getrandbits(32), answers=_answers(random, prompts),
        otherwise=Answer("ignore"), presses_per_hour=random.choice((0, 0, 0.1, 0.5)), light=(),
        gpx=None, route=_route(random, centre[:2], midnights), sky=_sky(random, midnights),
        network=_network(random, midnights, end_s),
        faults=_faults(random, midnights), spoof=(), drift_ppm=round(random.gauss(0, 12)),
        actions=(Action(max(first_s + ENROL_S, READY_S), "enrol"), *_mishaps(random, midnights),
                 Action(end_s - LAST_UPLOAD_S, "console", "upload")), expect=())


def _answers(random: Random, count: int) -> tuple[Answer, ...]:
    """Of a wearer who is more or less diligent and steady; seldom another answers, or nobody is before the lens."""
    diligence, haste_s = random.betavariate(12, 1), random.uniform(8, 60)
    unsteady = random.uniform(2, 9)

    def answer() -> Answer:
        if random.random() > diligence:
            return Answer("ignore")
        return Answer(random.choices(("wearer", "stranger", "nobody"), (97, 2, 1))[0],
                      after_s=round(min(800.0, random.lognormvariate(math.log(haste_s), 0.6)), 1),
                      yaw=_within(random.gauss(0, unsteady), 30), pitch=_within(random.gauss(-3, unsteady), 20),
                      roll=_within(random.gauss(0, unsteady), 25), light=_within(random.lognormvariate(-0.2, 0.3), 3),
                      distance=_within(random.lognormvariate(0, 0.1), 1.5), smile=_within(random.random() ** 3, 1))

    return tuple(answer() for _ in range(count))


def _within(value: float, limit: float) -> float:
    return round(max(-limit, min(limit, value)), 3)


def _route(random: Random, centre: tuple[float, float], midnights: list[int]) -> tuple[dict[str, float], ...]:
    """Home and work some kilometres apart, the way to and fro with bends, and an evening out now and then."""
    home, work = _away(random, centre, 12_000), _away(random, centre, 8000)
    outing = _away(random, home, 3000)
    bends = _bends(random, home, work)
    points = [{"at_s": midnights[0], "lat": home[0], "lon": home[1]}]

    def travel(start_s: float, way: list[tuple[float, float]], mps: float) -> None:
        at_s = start_s
        for before, after in zip([(points[-1]["lat"], points[-1]["lon"]), *way], way, strict=False):
            points.append({"at_s": at_s, "lat": before[0], "lon": before[1]})
            at_s += max(10, math.dist(before, after) * METRES_PER_DEGREE / mps)
        points.append({"at_s": at_s, "lat": way[-1][0], "lon": way[-1][1]})

    for midnight_s in midnights:
        travel(midnight_s + random.uniform(7, 9) * HOUR_S, [*bends, work], random.uniform(5, 12))
        travel(midnight_s + random.uniform(15.5, 18) * HOUR_S, [*bends[::-1], home], random.uniform(5, 12))
        if random.random() < 0.4:
            travel(midnight_s + random.uniform(19.5, 20) * HOUR_S, [outing], random.uniform(1.1, 1.6))
            travel(midnight_s + random.uniform(22, 22.5) * HOUR_S, [home], random.uniform(1.1, 1.6))
    return tuple(points)


def _away(random: Random, place: tuple[float, float], most_m: float) -> tuple[float, float]:
    far, way = random.uniform(0.1, 1) * most_m / METRES_PER_DEGREE, random.uniform(0, 2 * math.pi)
    lat = max(-89.0, min(89.0, place[0] + far * math.cos(way)))
    lon = place[1] + far * math.sin(way) / math.cos(math.radians(lat))
    return round(lat, 6), round((lon + 180) % 360 - 180, 6)


def _bends(random: Random, start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    """Places on the way, at random beside the straight line."""
    shares = [n / 5 for n in range(1, 5)]
    return [_away(random, (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share), 600)
            for share in shares]


def _sky(random: Random, midnights: list[int]) -> tuple[Period, ...]:
    """Cold at first; at home and at work as the windows are; seldom a tunnel or a jammer on the way."""
    night, work = random.choice(("open", "indoors", "canyon")), random.choice(("open", "indoors", "canyon", "canyon"))
    periods = [Period(midnights[0], midnights[0] + random.uniform(20, 90), "cold")]
    for midnight_s in midnights:
        periods += [Period(midnight_s + 120, midnight_s + 6.5 * HOUR_S, night),
                    Period(midnight_s + 10 * HOUR_S, midnight_s + 15.5 * HOUR_S, work)]
        for kind, chance, most_s in (("tunnel", 0.3, 900), ("jammed", 0.02, 3600)):
            if random.random() < chance:
                periods.append(_period(random, midnight_s + 16 * HOUR_S, midnight_s + 20 * HOUR_S, most_s, kind))
    return tuple(periods)


def _network(random: Random, midnights: list[int], end_s: float) -> tuple[Period, ...]:
    """An outage now and then, and seldom one that is harder to see; none at the end."""
    periods = []
    for midnight_s in midnights:
        for kind, chance, most_s in (("down", 0.3, 6 * HOUR_S), ("slow", 0.1, 4 * HOUR_S), ("lossy", 0.1, 2 * HOUR_S),
                                     ("hangs", 0.05, 2 * HOUR_S), ("captive", 0.05, 2 * HOUR_S)):
            last_s = min(midnight_s + DAY_S, end_s - LAST_OUTAGE_S)
            if random.random() < chance and last_s > midnight_s:
                periods.append(_period(random, midnight_s, last_s, most_s, kind))
    return tuple(periods)


def _faults(random: Random, midnights: list[int]) -> tuple[Period, ...]:
    kinds = ("camera-none", "camera-missing", "camera-stuck", "button-stuck")
    return tuple(_period(random, midnight_s + 8 * HOUR_S, midnight_s + 22 * HOUR_S, 3 * HOUR_S, kind)
                 for midnight_s in midnights for kind in kinds if random.random() < 0.01)


def _mishaps(random: Random, midnights: list[int]) -> list[Action]:
    """A watch loses its power for a while, or is reset."""
    return [Action(midnight_s + random.uniform(8, 21) * HOUR_S, do, for_s=random.uniform(1, HOUR_S) * (do != "reset"))
            for midnight_s in midnights for do in ("power-cut", "reset") if random.random() < 0.05]


def _period(random: Random, start_s: float, end_s: float, most_s: float, kind: str) -> Period:
    """Of 60 s to `most_s`, between the two times."""
    length_s = random.uniform(60, most_s)
    begin_s = random.uniform(start_s, max(start_s, end_s - length_s))
    return Period(begin_s, min(begin_s + length_s, end_s), kind)
