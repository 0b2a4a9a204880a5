"""The quality gate: what it measures against numpy, its limits, and what it says of the simulator's camera."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from simulator.devices.camera import Camera, FrameSize, PixelFormat, Scene
from simulator.people import Light
from tests.conftest import ROOT
from tests.firmware.test_image import picture, to_rgb565

TEMPLATE112 = np.float64([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]])
NO_FACE, DARK, BRIGHT, BLURRED, FAR, NEAR, TURNED, SEVERAL = 3, 4, 13, 14, 15, 16, 17, 18

TEXTURE = """
from array import array
from muster.vision import image, quality
sums = array("i", [7] * 6)
part = [quality.LEFT, quality.TOP, quality.RIGHT, quality.BOTTOM, quality.GLARE]
image.texture(bytes.fromhex(data), quality.SIZE, array("i", part), sums)
result = [part, list(sums)]
"""


def test_texture_is_numpy_s(vm: Any) -> None:
    for grey in (np.random.default_rng(3).integers(0, 256, (64, 64)), np.indices((64, 64)).sum(0) % 2 * 255):
        (left, top, right, bottom, glare), sums = vm(TEXTURE, (grey - 128).astype(np.int8).tobytes().hex())
        part = grey[top:bottom, left:right]

        def step(across: int, down: int) -> int:
            moved = grey[top + down : bottom + down, left + across : right + across]  # noqa: B023
            return int(((moved - part) ** 2).sum())  # noqa: B023

        assert sums == [part.sum(), (part >= glare).sum(), step(2, 0), step(6, 0), step(0, 2), step(0, 6)]


ATTITUDE = """
from muster.vision import image, quality
result = [quality.attitude(points, image.similarity(points, quality.TEMPLATE)) for points in data]
"""


def test_attitude_is_the_same_at_any_size_and_roll(vm: Any) -> None:
    """The nose moved by a fifth of the eye distance, and down to two thirds of the way to the mouth."""
    face = TEMPLATE112 - TEMPLATE112.mean(0)
    turned = face.copy()
    turned[2, 0] += 0.2 * 35.24
    turned[2, 1] = (2 * face[3:, 1].mean() + face[:2, 1].mean()) / 3
    rows = []
    for points in (face, turned):
        for angle_deg, scale in ((0, 1), (20, 2), (-25, 0.6)):
            c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
            rows.append(np.round((points @ [[c, s], [-s, c]] * scale + 120) * 16).astype(int).tolist())
    answers = vm(ATTITUDE, rows)
    np.testing.assert_allclose(answers[:3], [[0, 49.5]] * 3, atol=1)
    np.testing.assert_allclose(answers[3:], [[20, 66.7]] * 3, atol=1.5)


FLAW = """
from muster.vision.quality import Quality
result = [Quality(*row).flaw for row in data]
"""


def test_each_limit_has_its_flaw_and_the_gravest_counts(vm: Any) -> None:
    good = {"brightness": 100, "contrast": 40, "glare_pm": 0, "sharpness_pm": 300, "eyes_px": 60, "yaw": 0, "pitch": 55,
            "faces": 1}
    cases = [
        ({}, 0), ({"brightness": 5}, 0), ({"contrast": 9}, 0), ({"contrast": 8}, DARK),
        ({"contrast": 8, "brightness": 128}, BRIGHT), ({"brightness": 225}, 0),
        ({"brightness": 226}, BRIGHT), ({"glare_pm": 400}, 0), ({"glare_pm": 401}, BRIGHT), ({"sharpness_pm": 210}, 0),
        ({"sharpness_pm": 209}, BLURRED), ({"eyes_px": 24}, 0), ({"eyes_px": 23}, FAR), ({"eyes_px": 110}, 0),
        ({"eyes_px": 111}, NEAR), ({"yaw": 30}, 0), ({"yaw": 31}, TURNED), ({"yaw": -31}, TURNED), ({"pitch": 20}, 0),
        ({"pitch": 19}, TURNED), ({"pitch": 95}, 0), ({"pitch": 96}, TURNED), ({"faces": 2}, SEVERAL),
        ({"faces": 2, "eyes_px": 9, "contrast": 1}, SEVERAL), ({"faces": 0, "brightness": 23}, DARK),
        ({"faces": 0, "brightness": 24}, NO_FACE), ({"faces": 0, "brightness": 235}, NO_FACE),
        ({"faces": 0, "brightness": 236}, BRIGHT)]
    rows = [list((good | change).values()) for change, _ in cases]
    assert vm(FLAW, rows) == [flaw for _, flaw in cases]


MEASURE = """
from muster.vision import quality
from muster.vision.face import Face
seen = quality.measure(bytes.fromhex(data["frame"]), 240, 240, Face(0, data["landmarks"]), 1)
result = [seen.brightness, seen.contrast, seen.glare_pm, seen.sharpness_pm, seen.eyes_px]
"""


def test_measures_are_those_of_the_upright_face(vm: Any) -> None:
    """A face of 2.0 pixels a pixel of the crop, upright: the crop is the mean of 2x2 pixels, made grey."""
    template = (TEMPLATE112 - TEMPLATE112.mean(0)) * 22 / 35.24 + 31.5
    rgb = cv2.GaussianBlur(picture(8, 240, 240), (0, 0), 3)
    landmarks = np.round((template * 2 + [50.5, 40.5]) * 16).astype(int).tolist()
    found = vm(MEASURE, {"frame": to_rgb565(rgb).hex(), "landmarks": landmarks})
    crop = rgb[40:168, 50:178].astype(float).reshape(64, 2, 64, 2, 3).mean((1, 3)) @ [77 / 256, 150 / 256, 29 / 256]

    def difference(axis: int, step: int) -> float:
        return float(((np.roll(crop, -step, axis)[12:52, 12:46] - crop[12:52, 12:46]) ** 2).mean())

    assert found[0] == pytest.approx(crop[12:52, 12:46].mean(), abs=4)  # RGB565 and rounding down take some
    assert found[1] == pytest.approx((difference(0, 6) + difference(1, 6)) ** 0.5, abs=1.5)
    assert found[3] == pytest.approx(min(1000 * difference(axis, 2) / difference(axis, 6) for axis in (0, 1)), rel=0.05)
    assert (found[2], found[4]) == (0, 44)


LOOK = """
import os
os.chdir(data["folder"])
from muster.networks import Networks
recogniser = Networks().load()
result = []
for frame in data["frames"]:
    _, seen = recogniser.look(bytes.fromhex(frame), 240, 240)
    result.append(seen.flaw)
"""


def seen_by_camera(scene: Scene | None, seed: int = 5) -> bytes:
    """A frame of the simulator's camera, exposure settled."""
    camera = Camera(seed)
    camera.show(scene)
    camera.init(PixelFormat.RGB565, FrameSize.R240X240)
    frames = [camera.capture(1_000_000 + 66_000 * n) for n in range(5)]
    assert frames[-1] is not None
    return frames[-1]


def flaws(vm: Any, *scenes: Scene | None) -> list[int]:
    return vm(LOOK, {"folder": str(ROOT), "frames": [seen_by_camera(scene).hex() for scene in scenes]})


def test_the_camera_s_good_frames_are_good(vm: Any) -> None:
    people = range(1, 7)
    assert flaws(vm, *(Scene(seed) for seed in people)) == [0] * len(people)


def test_the_camera_s_poor_frames_are_told_apart(vm: Any) -> None:
    found = flaws(vm, None, Scene("dark"), Scene(1, light=Light(level=0.004)), Scene(1, light=Light(level=16)),
                  Scene(1, blur=5), Scene(1, motion=24), Scene(1, distance=2.8))
    assert found == [NO_FACE, DARK, DARK, BRIGHT, BLURRED, BLURRED, FAR]
