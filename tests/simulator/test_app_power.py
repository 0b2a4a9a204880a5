"""The whole firmware asleep: prompts in their second, presses at once, nothing lost where the power goes meanwhile."""

from __future__ import annotations

import pytest

from simulator.devices.meter import MAH

SCREEN_US = 200_000  # the panel's own start before a picture can be seen
STILL = (46.0569, 14.5058)


@pytest.fixture
def asleep(boot_watch):
    """A watch that lies still, from six in the morning; by half past it has long been asleep."""

    def begin(**settings):
        watch = boot_watch(start="2026-06-10T06:00:00+02:00", settings=settings)
        watch.gnss.at(*STILL)
        watch.run(until="06:30")
        assert watch.receiver.state == "standby"
        return watch

    return begin


def test_a_press_lights_the_screen_at_once_however_deep_the_watch_sleeps(asleep):
    watch = asleep()
    for second in (7, 25.3, 49):
        watch.run(until_s=1800 + second)
        assert not watch.display.lit
        pressed_us = watch.world.now_us
        watch.press()
        watch.run(until_s=1800 + second + 1)
        lit_us = [us for us, is_lit in watch.shown_us if is_lit and us >= pressed_us][0]
        assert lit_us - pressed_us < SCREEN_US
        watch.run(until_s=1800 + second + 8)


def test_each_prompt_is_shown_in_its_second(asleep):
    watch = asleep()
    watch.run(until="12:00")
    watch.console("upload", wait_s=30)
    records = watch.records("check-in")
    assert len(records) == 2
    for record in records:
        due_us = (record["due_s"] - watch.world.start_unix_s) * 1_000_000
        shown = [us for us, is_lit in watch.shown_us if is_lit and due_us <= us < due_us + 1_000_000]
        assert shown


def test_a_stuck_button_and_an_hour_asleep_draw_what_an_hour_asleep_draws(asleep):
    def hour(watch) -> float:
        before = watch.meter.settle(watch.world.now_us)
        watch.run(until_s=watch.world.now_us / 1e6 + 3600)
        return (watch.meter.settle(watch.world.now_us) - before) / MAH

    watch = asleep(upload_s=86400, waking=[720, 1320])
    free = hour(watch)
    assert 2 < free < 6
    watch.stick(True)
    watch.run(until_s=watch.world.now_us / 1e6 + 60)
    assert hour(watch) == pytest.approx(free, rel=0.02)


def test_a_cable_keeps_it_awake_and_its_console_answers(asleep):
    watch = asleep()
    assert "clock" in watch.console("status")  # the cable wakes it
    watch.run(until_s=watch.world.now_us / 1e6 + 12)
    watch.plug(True)
    before = watch.meter.settle(watch.world.now_us)
    watch.run(until_s=watch.world.now_us / 1e6 + 600)
    assert "clock" in watch.console("status")
    assert watch.is_plugged
    assert (watch.meter.settle(watch.world.now_us) - before) / MAH > 32.9 * 600 / 3600


def test_a_power_cut_in_its_sleep_loses_no_record(asleep):
    watch = asleep()
    watch.run(until_s=1830)
    watch.power.off()
    watch.run(until_s=1900)
    watch.power.on()
    watch.run(until_s=2100)
    watch.console("upload", wait_s=30)
    assert [record["reset_cause"] for record in watch.records("boot")] == ["power", "power"]
    assert not watch.records("gap")


def test_the_settings_are_what_it_costs(boot_watch):
    """The same hour still with a fix each four minutes, each minute and each second, and without sleep."""
    cost = []
    for settings in ({"fix_still_s": 240}, {}, {"fix_still_s": 1}, {"fix_still_s": 1, "sleep": False}):
        watch = boot_watch(start="2026-06-10T05:00:00+02:00", settings=settings)
        watch.gnss.at(*STILL)
        watch.run(until="06:00")
        cost.append(watch.meter.settle(watch.world.now_us) / MAH)
    assert cost == sorted(cost)
    assert cost[0] < 6 < 30 < cost[2] < cost[3]
