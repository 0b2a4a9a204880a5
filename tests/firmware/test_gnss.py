"""muster.gnss against pynmeagps on what real receivers said, and against whatever else may come down the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pynmeagps
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCRIPT = """
from muster.gnss import Parser

def fixes(chunks, not_before_s=0):
    parser = Parser(not_before_s)
    return [list(fix) for chunk in chunks for fix in parser.feed(bytes.fromhex(chunk))]

result = [fixes(*case) for case in data]
"""
FIELDS = ("valid", "unix_s", "ms", "lat_e6", "lon_e6", "hdop_e2", "satellites", "fix_type", "speed_mmps")
NO_HDOP = 9999
NO_FIX = {"valid": False, "unix_s": None, "ms": 0, "lat_e6": None, "lon_e6": None, "hdop_e2": NO_HDOP, "satellites": 0,
          "fix_type": 0, "speed_mmps": 0}
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sentence(text: str) -> bytes:
    checksum = 0
    for byte in text.encode():
        checksum ^= byte
    return b"$%s*%02X\r\n" % (text.encode(), checksum)


def rmc(time: str = "120000.00", date: str = "010726", status: str = "A", talker: str = "GN", knots: str = "2.00",
        where: str = "4603.00000,N,01430.00000,E", mode: str = ",A") -> bytes:
    return sentence(f"{talker}RMC,{time},{status},{where},{knots},,{date},,{mode}")


def gga(time: str = "120000.00", quality: str = "1", satellites: str = "09", hdop: str = "0.90", talker: str = "GN",
        where: str = "4603.00000,N,01430.00000,E") -> bytes:
    return sentence(f"{talker}GGA,{time},{where},{quality},{satellites},{hdop},300.0,M,46.0,M,,")


def gsa(mode: str = "3", talker: str = "GN") -> bytes:
    return sentence(f"{talker}GSA,A,{mode},03,19,27,13,,,,,,,,,2.75,2.56,1.00")


def parse_all(vm: Any, cases: list[tuple]) -> list[list[dict]]:
    """Fixes of each case, a case being ([chunk, ...], not_before_s)."""
    prepared = [([chunk.hex() for chunk in chunks], *rest) for chunks, *rest in cases]
    return [[dict(zip(FIELDS, fix, strict=True)) for fix in fixes] for fixes in vm(SCRIPT, prepared)]


def parse(vm: Any, *chunks: bytes, not_before_s: int = 0) -> list[dict]:
    return parse_all(vm, [(list(chunks), not_before_s)])[0]


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_one_second_of_sentences_is_one_fix_at_its_last_sentence(vm):
    fixes = parse_all(vm, [([rmc(), gga(), gsa()],), ([rmc(), gga()],)])
    assert fixes == [[{"valid": True, "unix_s": unix("2026-07-01T12:00:00"), "ms": 0, "lat_e6": 46_050_000,
                       "lon_e6": 14_500_000, "hdop_e2": 90, "satellites": 9, "fix_type": 3, "speed_mmps": 1029}], []]


@pytest.mark.parametrize("talker", ["GP", "GN", "GL", "GA", "BD", "GB", "QZ"])
def test_any_talker_is_understood(vm, talker):
    (fix,) = parse(vm, rmc(talker=talker), gga(talker=talker), gsa(talker=talker))
    assert fix["valid"] and fix["satellites"] == 9


def test_a_proprietary_sentence_with_a_known_ending_is_not_taken(vm):
    assert parse(vm, rmc(talker="PG"), gga(talker="PG"), gsa(), rmc("120001.00", talker="PG")) == []


def test_hemispheres_and_decimals(vm):
    cases = {"4404.14063,N,12118.85478,W": (44_069_011, -121_314_246),
             "3340.8472,S,15117.3205,E": (-33_680_787, 151_288_675), "0000.0000,S,00000.0000,W": (0, 0),
             "9000.0,N,18000.000000,W": (90_000_000, -180_000_000),
             "4603,N,01430,E": (46_050_000, 14_500_000), "0000.00003,N,00000.00004,E": (1, 1)}
    fixes = parse_all(vm, [([rmc(where=where), gga(where=where), gsa()],) for where in cases])
    assert [(fix["lat_e6"], fix["lon_e6"]) for (fix,) in fixes] == list(cases.values())


@pytest.mark.parametrize("where", [
    "9000.0001,N,01430.0,E", "4603.0,N,18000.0001,E", "4660.0,N,01430.0,E", "4603.0,E,01430.0,E", "4603.0,N,01430.0,",
    ",,,", "-603.0,N,01430.0,E", "46.03,N,01430.0,E", "4603..1,N,01430.0,E", "4603.0,NN,01430.0,E",
    "36000.0000,N,72000.0000,E"])
def test_an_impossible_position_makes_no_valid_fix(vm, where):
    (fix,) = parse(vm, rmc(where=where), gga(where=where), gsa())
    assert (fix["valid"], fix["lat_e6"], fix["lon_e6"], fix["fix_type"]) == (False, None, None, 0)


@pytest.mark.parametrize("sentences", [[rmc(status="V"), gga()], [rmc(), gga(quality="0")], [rmc(), gga(quality="6")],
                                       [rmc(mode=",E"), gga()], [rmc(mode=",N"), gga()], [rmc(), gga(quality="8")]])
def test_no_fix_and_guesses_are_not_valid_even_with_coordinates(vm, sentences):
    (fix,) = parse(vm, *sentences, gsa())
    assert (fix["valid"], fix["lat_e6"], fix["satellites"]) == (False, None, 9)


def test_time_is_taken_from_a_valid_rmc_only(vm):
    dates = ["", "310426", "290227", "001226", "011326", "1726"]
    cases = [([sentence, gga(), gsa()],) for sentence in [rmc(status="V"), *(rmc(date=date) for date in dates)]]
    assert [fix["unix_s"] for (fix,) in parse_all(vm, cases)] == [None] * 7


def test_an_impossible_time_is_no_time(vm):
    times = ["240000.00", "126000.00", "120060.00", "12000.00", "12.456", "1200000.0", "x20000", "120000.0x"]
    fixes = parse_all(vm, [([rmc(time), gga(time), gsa()],) for time in times])
    assert [(fix["unix_s"], fix["ms"], fix["valid"]) for (fix,) in fixes] == [(None, 0, True)] * len(times)


def test_dates_follow_the_calendar(vm):
    days = [datetime(1980, 1, 6) + timedelta(days=37 * n) for n in range(970)]
    days += [datetime(2024, 2, 29), datetime(2079, 12, 31)]
    stream = [rmc(date=day.strftime("%d%m%y"), time=f"1200{n % 60:02}.00") + gga(f"1200{n % 60:02}.00") + gsa()
              for n, day in enumerate(days)]
    expected = [int(day.replace(tzinfo=UTC).timestamp()) + 43200 + n % 60 for n, day in enumerate(days)]
    assert [fix["unix_s"] for fix in parse(vm, *stream)] == expected


def test_a_leap_second_has_the_number_of_the_second_after_it(vm):
    times = [("311216", "235959.00"), ("311216", "235960.00"), ("010117", "000000.00")]
    fixes = parse(vm, *(part for date, time in times for part in (rmc(time, date), gga(time), gsa())))
    midnight = unix("2017-01-01T00:00:00")
    assert [fix["unix_s"] for fix in fixes] == [midnight - 1, midnight, midnight]


def test_thousandths_of_the_epoch_are_kept(vm):
    assert [fix["ms"] for fix in parse(vm, rmc("120000.952"), gga("120000.952"), gsa(), rmc("120001.03"),
                                       gga("120001.03"), gsa())] == [952, 30]


def test_lost_rounds_of_the_week_counter_are_added(vm):
    built = unix("2026-03-01T00:00:00")
    true = [unix("2026-07-01T12:00:00"), unix("2026-03-01T12:00:00"), unix("2041-02-03T12:00:00")]
    cases = []
    for moment in true:
        for rounds in (0, 1, 2):
            date = datetime.fromtimestamp(moment, UTC) - timedelta(weeks=1024 * rounds)
            cases.append(([rmc(date=date.strftime("%d%m%y")), gga(), gsa()], built))
    assert [fix["unix_s"] for (fix,) in parse_all(vm, cases)] == [moment for moment in true for _ in range(3)]
    (fix,) = parse(vm, rmc(date="150506"), gga(), gsa())
    assert fix["unix_s"] == unix("2006-05-15T12:00:00")


def test_a_cold_start_says_no_fix_each_second(vm):
    cold = b"".join(map(sentence, ("GNRMC,,V,,,,,,,,,,N", "GNGGA,,,,,,0,00,99.99,,,,,,",
                                   "GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99")))
    assert parse(vm, cold, cold, cold) == [NO_FIX] * 3


def test_fix_type_is_the_best_of_several_gsa_or_follows_from_the_satellites(vm):
    cases = [[rmc(), gga(), gsa("2")], [gsa("1"), rmc(), gga(), gsa("3")], [gga(), gsa("1"), gsa("3"), rmc()],
             [gga(), gsa("3"), gsa("1"), rmc()], [rmc(), gga(satellites="04"), gsa("1")],
             [rmc(), gga(satellites="03"), gsa("x")]]
    assert [fix["fix_type"] for (fix,) in parse_all(vm, [(case,) for case in cases])] == [2, 3, 3, 3, 3, 2]


def test_a_receiver_without_gsa_is_followed_without_delay_from_the_third_second(vm):
    seconds = [rmc(f"12000{n}.00") + gga(f"12000{n}.00") for n in range(6)]
    fixes = parse_all(vm, [(seconds[:n],) for n in range(1, 7)])
    assert [len(found) for found in fixes] == [0, 1, 3, 4, 5, 6]


def test_a_lost_sentence_costs_its_own_epoch_only(vm):
    seconds = [[rmc(f"12000{n}.00"), gga(f"12000{n}.00"), gsa()] for n in range(5)]
    seconds[2].pop(1)
    fixes = parse(vm, *(part for second in seconds for part in second))
    assert [(fix["unix_s"] % 60, fix["satellites"], fix["hdop_e2"]) for fix in fixes] == [
        (0, 9, 90), (1, 9, 90), (2, 0, NO_HDOP), (3, 9, 90), (4, 9, 90)]


def test_a_spoilt_sentence_is_passed_over(vm):
    good = gga()
    spoilt = [good[:-4] + b"00\r\n", good[:-4] + b"\r\n", good.replace(b"*", b"+"), good[:20] + b"\r\n",
              good.replace(b"0.90", b"0.\x8090"), good[:-4] + b"G0\r\n", b"$\r\n", b"*00\r\n", b"$GNGGA\r\n",
              sentence("GNGGA,120000.00"), sentence(good[1:-5].decode() + "0" * 60)]
    cases = parse_all(vm, [([rmc(), sentence, gsa(), rmc("120001.00")],) for sentence in spoilt])
    for fixes in cases:
        assert [(fix["satellites"], fix["hdop_e2"], fix["valid"]) for fix in fixes] == [(0, NO_HDOP, True)]


def test_a_sentence_that_starts_in_another_is_read(vm):
    (fix,) = parse(vm, rmc()[:25], rmc(), b"\x00\xff$GNG", gga(), gsa()[:-2] + b"\n")
    assert fix["valid"] and fix["satellites"] == 9


def test_lower_case_checksums_count(vm):
    (fix,) = parse(vm, rmc(), gga(), gsa()[:-4] + gsa()[-4:].lower())
    assert fix["valid"]


def test_memory_stays_bounded_whatever_comes(vm):
    used = vm("""
import gc
from muster.gnss import Parser
parser = Parser()
noise = bytes((i * 73 + i // 7) & 255 for i in range(4096))
endless = b"$GNRMC," + b"1" * 4096
def used():
    for i in range(200):
        parser.feed(noise)
        parser.feed(endless)
        parser.feed(b"$" * 1000)
    gc.collect()
    return gc.mem_alloc()

result = -used() + used()
""")
    assert used <= 64


def test_an_hour_of_sentences_takes_well_under_a_second(vm):
    minute = [(rmc(f"1200{n:02}.00") + gga(f"1200{n:02}.00") + gsa()).hex() for n in range(60)]
    count, took_ms = vm("""
import gc, time
from muster.gnss import Parser
gc.threshold(65536)
parser = Parser()
chunks = [bytes.fromhex(chunk) for chunk in data]
started = time.ticks_ms()
count = 0
for _ in range(60):
    for chunk in chunks:
        count += len(parser.feed(chunk))
result = [count, time.ticks_diff(time.ticks_ms(), started)]
""", minute)
    assert count == 3600
    assert took_ms < 1000


def reference(log: bytes) -> list[dict]:
    """Epochs of a log by pynmeagps: the sentences of one time that follow each other."""
    epochs: list[dict] = []
    for line in re.split(rb"[\r\n]+|(?=\$)", log):
        try:
            message = pynmeagps.NMEAReader.parse(line + b"\r\n", validate=pynmeagps.VALCKSUM)
        except (pynmeagps.NMEAParseError, pynmeagps.NMEAMessageError, pynmeagps.NMEATypeError):
            continue
        kind = message and message.msgID
        if kind == "GSA" and epochs:
            epochs[-1].setdefault("GSA", message)
        elif kind in ("RMC", "GGA") and len(line) <= 121:
            if not epochs or message.time != epochs[-1]["time"] or (message.time == "" and kind in epochs[-1]):
                epochs.append({"time": message.time})
            epochs[-1].setdefault(kind, message)
    return epochs


def expected_fix(epoch: dict) -> dict:
    """What a Fix says of an epoch that has RMC and GGA."""
    rmc, gga = epoch["RMC"], epoch["GGA"]
    valid = rmc.status == "A" and 1 <= gga.quality <= 5
    moment = rmc.status == "A" and datetime.combine(rmc.date, rmc.time, UTC)
    hdop = gga.HDOP if gga.HDOP != "" else 99.99
    return {"valid": valid, "unix_s": int(moment.timestamp()) if moment else None,
            "ms": epoch["time"].microsecond // 1000 if epoch["time"] else 0,
            "lat_e6": gga.lat * 1e6 if valid else None, "lon_e6": gga.lon * 1e6 if valid else None,
            "hdop_e2": min(round(hdop * 100), NO_HDOP), "satellites": gga.numSV or 0,
            "fix_type": epoch["GSA"].navMode if valid and "GSA" in epoch else None,
            "speed_mmps": (rmc.spd or 0) * 514.444 if valid else 0}


LOGS = ["bu353-glonass", "bu353s4", "garmin-10x", "gp-320fw-2019-04-07-coldboot", "gpslim236", "magellan-ec10",
        "mt3339", "neo-m8n", "nl402u", "rgm3800", "sl869", "telit-he910", "tn200-all", "venus634lp"]


@pytest.mark.parametrize("name", LOGS)
def test_real_receivers_are_read_as_pynmeagps_reads_them(vm, shared: Path, name: str):
    log = (shared / "nmea" / f"{name}.log").read_bytes()
    epochs = reference(log)
    fixes = [fix for fix in parse(vm, log + rmc("235959.123")) if fix["ms"] != 123]
    assert len(fixes) == len(epochs)
    for fix, epoch in zip(fixes, epochs, strict=True):
        if "RMC" not in epoch or "GGA" not in epoch:
            continue
        expected = expected_fix(epoch)
        for field in ("lat_e6", "lon_e6", "speed_mmps"):
            assert fix.pop(field) == pytest.approx(expected.pop(field), abs=5.2 if field == "speed_mmps" else 1.01)
        if expected["fix_type"] is None:
            expected["fix_type"] = fix["fix_type"]
        assert fix == expected


STREAM = st.lists(st.one_of(
    st.builds(lambda n, w: rmc(f"1200{n:02}.00", where=w), st.integers(0, 9),
              st.sampled_from(["4603.1,N,01430.2,E", ",,,"])),
    st.builds(lambda n, q: gga(f"1200{n:02}.00", quality=q), st.integers(0, 9), st.sampled_from("0126")),
    st.builds(gsa, st.sampled_from("123")),
    st.builds(lambda whole, cut: whole[:cut], st.sampled_from([rmc(), gga(), gsa()]), st.integers(0, 80)),
    st.binary(max_size=40), st.text("$GNRMCA,*.0123456789\r\n", max_size=60).map(str.encode),
    st.text("0123456789.,-ANSEWV", max_size=70).map(lambda fields: sentence("GNRMC," + fields)),
    st.text("0123456789.,-ANSEW", max_size=70).map(lambda fields: sentence("GPGGA," + fields)),
), max_size=12).map(b"".join)


@FEW
@given(cases=st.lists(st.tuples(STREAM, st.lists(st.integers(0, 400), max_size=6)), min_size=10, max_size=20))
def test_any_bytes_cut_anywhere_give_the_same_sane_fixes(vm, cases):
    cut = [([stream[a:b] for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), None], strict=True)],)
           for stream, cuts in cases]
    bytewise = [([bytes([byte]) for byte in stream],) for stream, _ in cases]
    fixes = parse_all(vm, cut + bytewise + [([stream],) for stream, _ in cases])
    whole = fixes[2 * len(cases):]
    assert fixes[:2 * len(cases)] == whole + whole
    for fix in (fix for fixes in whole for fix in fixes):
        assert fix["fix_type"] in ((2, 3) if fix["valid"] else (0,))
        assert 0 <= fix["hdop_e2"] <= NO_HDOP and 0 <= fix["ms"] < 1000 and fix["satellites"] >= 0
        if fix["valid"]:
            assert abs(fix["lat_e6"]) <= 90_000_000 and abs(fix["lon_e6"]) <= 180_000_000
