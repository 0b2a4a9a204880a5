"""Example: a GNSS logger that has nothing to do with Muster, with a tunnel and power cuts."""

from pathlib import Path

import pytest

from simulator.bench import BenchWatch, BootWatch


@pytest.fixture
def watch(boot_watch: BootWatch) -> BenchWatch:
    return boot_watch(Path(__file__).parent / "gnss_logger", start="2026-06-10T07:00:00+02:00")


def test_a_position_a_minute_is_logged_but_none_in_a_tunnel(watch: BenchWatch) -> None:
    watch.gnss.at(46.05108, -14.50513)
    watch.run(until="07:02:30")
    watch.gnss.at(46.05108, -14.50513, "tunnel")
    watch.run(until="07:09:30")
    watch.gnss.at(46.06, -14.5)
    watch.run(until="07:10:30")
    hello, *rows = watch.printed()
    assert hello == "kept 0"
    assert [row.split(",")[0] for row in rows] == ["0501", "0502", "0510"]  # UTC
    _, lat, lon = map(float, rows[1].split(","))
    assert (lat, lon) == pytest.approx((46.05108, -14.50513), abs=2e-4)


def test_a_power_cut_in_the_middle_of_a_write_to_the_flash_loses_no_row_before_it(watch: BenchWatch) -> None:
    watch.gnss.at(46.05, 14.5)
    watch.run(until="07:03:30")
    watch.power.cut(after_flash_ops=1)
    watch.run(until="07:06:30")
    assert len(watch.boots) == 2
    assert "kept 3" in watch.printed()  # those of 07:01 to 07:03; the cut was at 07:04
    assert watch.printed()[-1].startswith("0506,")
