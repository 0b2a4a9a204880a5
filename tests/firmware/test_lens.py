"""The camera of a board against a driver that fails at each call: its light is on while it is open, and no longer."""

import pytest

# The driver plays `script`, one entry a call of Camera() or capture(): "ok", "none", "short" (a frame of another size),
# or the number of an OSError; the last one for ever.
SCRIPT = """
import sys, time

class Driver:
    pass

driver = Driver()
sys.modules["camera"] = driver
time_ms = 0

class Time:
    @staticmethod
    def sleep_ms(ms):
        global time_ms
        time_ms += ms

sys.modules["time"] = Time
log, script = [], []

def step(name):
    log.append(name + (" lit" if light.is_on else " in the dark"))
    what = script[0]
    if len(script) > 1:
        del script[0]
    if isinstance(what, int):
        raise OSError(what)
    return what

class Camera:
    def __init__(self, **settings):
        self.settings = settings
        step("init")

    def capture(self):
        return {"ok": bytes(240 * 240 * 2), "short": bytes(100), "none": None}[step("capture")]

    def deinit(self):
        log.append("deinit" + (" lit" if light.is_on else " in the dark"))

class PixelFormat:
    RGB565 = 0

class FrameSize:
    R240X240 = 5

class GrabMode:
    LATEST = 1

for cls in (Camera, PixelFormat, FrameSize, GrabMode):
    setattr(driver, cls.__name__, cls)

class Light:
    is_on = False

    def on(self):
        self.is_on = True

    def off(self):
        self.is_on = False

light = Light()
from boards.parts.lens import CameraFault, Lens

def played(plan, frames):
    global time_ms
    time_ms = 0
    log.clear()
    script[:] = plan
    lens, answer, lit = Lens(light, data_pins=[1]), [], None
    try:
        lens.open()
        lit = light.is_on
        for _ in range(frames):
            answer.append(len(lens.frame()))
    except CameraFault as error:
        answer.append(str(error))
    lens.close()
    lens.close()
    return [answer, list(log), lit, light.is_on, time_ms]

result = [played(*one) for one in data]
"""
SIZE = 240 * 240 * 2
OPENED = ["init lit"] + 4 * ["capture lit"]


@pytest.fixture
def play(vm):
    """What the lens gives, what the driver saw, the light once open and after the end, and the time it took."""
    return lambda *plans: vm(SCRIPT, plans)


def test_the_light_is_on_from_before_the_first_call_to_after_the_last(play):
    assert play([["ok"], 2]) == [[[SIZE, SIZE], OPENED + 2 * ["capture lit"] + ["deinit lit"], True, False, 0]]


def test_a_sensor_that_is_found_late_is_found_and_one_that_is_not_is_a_fault(play):
    late, never = play([[261, 261, "ok"], 1], [[19], 1])
    assert late == [[SIZE], 2 * ["init lit"] + OPENED + ["capture lit", "deinit lit"], True, False, 200]
    assert never == [["camera not found, error 19"], 3 * ["init lit"], None, False, 200]


def test_some_frames_may_be_missing_but_not_five_in_a_row(play):
    some, all_missing, short = play([5 * ["ok"] + 4 * ["none"] + ["ok"], 1], [5 * ["ok"] + ["none"], 1],
                                    [5 * ["ok"] + ["short"], 1])
    assert (some[0], some[4]) == ([SIZE], 400)
    assert all_missing[0] == short[0] == ["camera gives no frames"]
    assert all_missing[1] == OPENED + 5 * ["capture lit"] + ["deinit lit"]
    assert not all_missing[3]


def test_a_driver_that_lets_go_at_any_call_is_a_fault_and_the_light_goes_out(play):
    for answer, log, _, lit_after, _ in play(*[[n * ["ok"] + [2], 3] for n in range(1, 8)]):
        assert answer[-1] == "camera lost, error 2"
        assert log[-1] == "deinit lit" and not lit_after
        assert not [entry for entry in log if entry.endswith("in the dark")]
