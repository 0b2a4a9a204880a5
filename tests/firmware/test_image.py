"""Miniature and upright face in fixed point, against numpy and OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

TEMPLATE112 = np.float64([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]])
TEMPLATE = (TEMPLATE112 - [3.83, 4.76]) * 64 / 105.2


def to_rgb565(rgb: np.ndarray) -> bytes:
    """As the camera driver gives it: high byte first."""
    red, green, blue = (rgb[..., i].astype(np.uint16) for i in range(3))
    return ((red >> 3 << 11) | (green >> 2 << 5) | blue >> 3).astype(">u2").tobytes()


def seen(rgb: np.ndarray) -> np.ndarray:
    """What RGB565 leaves of a picture, widened to eight bits by repeating the top bits."""
    red, green, blue = rgb[..., 0] & 0xF8, rgb[..., 1] & 0xFC, rgb[..., 2] & 0xF8
    return np.stack([red | red >> 5, green | green >> 6, blue | blue >> 5], -1)


def picture(seed: int, width: int, height: int) -> np.ndarray:
    """Smooth colours with some noise, uint8 RGB."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(float)
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def shrunk(vm: Any, rgb: np.ndarray, size: int) -> np.ndarray:
    script = """
from muster.vision import image
target = bytearray(data["size"] ** 2)
place = image.shrink(target, bytes.fromhex(data["frame"]), data["width"], data["height"], data["size"])
result = [target.hex(), place, image.mean(target, data["size"], 0, 0, data["size"], data["size"])]
"""
    height, width = rgb.shape[:2]
    data = {"frame": to_rgb565(rgb).hex(), "width": width, "height": height, "size": size}
    answer, place, mean = vm(script, data)
    grey = (np.frombuffer(bytes.fromhex(answer), np.int8).astype(int) + 128).reshape(size, size)
    assert mean == grey.sum() // size**2
    return grey, place


@pytest.mark.parametrize(
    "width, height, place", [(240, 240, [3, 0, 0]), (320, 240, [3, 40, 0]), (100, 170, [1, 10, 45])]
)
def test_miniature_is_the_rounded_mean_of_grey_cells(vm, width, height, place):
    rgb = picture(1, width, height)
    grey, where = shrunk(vm, rgb, 80)
    cell, left, top = place
    part = seen(rgb)[top : top + 80 * cell, left : left + 80 * cell].astype(int)
    pixels = (77 * part[..., 0] + 150 * part[..., 1] + 29 * part[..., 2]) // 256
    sums = pixels.reshape(80, cell, 80, cell).sum((1, 3))
    assert where == place
    np.testing.assert_array_equal(grey, np.floor(sums / cell**2 + 0.5))


def face_points(rng: np.random.Generator, angle_deg: float, scale: float, centre: tuple[float, float]) -> np.ndarray:
    """The template turned and enlarged about `centre`, its points moved by up to a 20th of the eye distance."""
    angle = np.deg2rad(angle_deg)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (TEMPLATE - TEMPLATE.mean(0)) @ turn.T + centre + rng.uniform(-1, 1, (5, 2)) * scale


def least_squares(points: np.ndarray) -> np.ndarray:
    """2x3 matrix [[a, -b, c], [b, a, d]] that brings the points nearest to the template, by numpy's solver."""
    rows = []
    for x, y in points:
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
    a, b, c, d = np.linalg.lstsq(np.array(rows), TEMPLATE.ravel(), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


CROP = """
from muster.vision import face, image
result = []
frame = bytes.fromhex(data["frame"])
for points in data["points"]:
    target = bytearray(64 * 64 * 3)
    turn = image.similarity(points, face.TEMPLATE)
    image.crop(target, frame, data["width"], data["height"], turn, 64)
    result.append([turn, target.hex()])
"""

POSES = [(0, 1, (120, 120)), (0, 1.3, (60, 60)), (17, 1.9, (110, 130)), (-25, 2.7, (120, 115)), (3, 3.4, (119, 121)),
         (170, 1.2, (130, 100)), (5, 2, (20, 235)), (-8, 1.6, (225, 15)), (0, 6, (120, 120))]


def crops(vm: Any, rgb: np.ndarray, points: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    height, width = rgb.shape[:2]
    sixteenths = [np.round(p * 16).astype(int).tolist() for p in points]
    answers = vm(CROP, {"frame": to_rgb565(rgb).hex(), "width": width, "height": height, "points": sixteenths})
    return [(np.array(turn) / 65536, (np.frombuffer(bytes.fromhex(got), np.int8).astype(int) + 128).reshape(64, 64, 3))
            for turn, got in answers]


def test_upright_face_is_where_least_squares_puts_it(vm):
    """The four corners within 1/100 pixel of the frame."""
    rng = np.random.default_rng(5)
    points = [np.round(face_points(rng, *pose) * 16) / 16 for pose in POSES]
    for wanted, ((a, b, x0, y0), _) in zip(points, crops(vm, picture(2, 240, 240), points), strict=True):
        back = cv2.invertAffineTransform(least_squares(wanted))
        for u, v in [(0, 0), (63, 0), (0, 63), (63, 63)]:
            found = np.array([a * u - b * v + x0, b * u + a * v + y0])
            assert np.abs(found - back @ [u, v, 1]).max() < 1 / 100


def test_upright_face_equals_opencv_s_warp(vm):
    """OpenCV warps to the samples, then averages them. Largest difference below 2 of 255, mean below 0.4."""
    rng = np.random.default_rng(6)
    rgb = picture(3, 240, 240)
    points = [np.round(face_points(rng, *pose) * 16) / 16 for pose in POSES]
    for wanted, ((a, b, _, _), got) in zip(points, crops(vm, rgb, points), strict=True):
        n = min(4, max(1, round(max(abs(a), abs(b)))))
        finer = np.array([[n, 0, (n - 1) / 2], [0, n, (n - 1) / 2]])
        matrix = finer @ np.vstack([least_squares(wanted), [0, 0, 1]])
        warped = cv2.warpAffine(seen(rgb).astype(np.float32), matrix, (64 * n, 64 * n), flags=cv2.INTER_LINEAR,
                                borderMode=cv2.BORDER_REPLICATE)
        expected = warped.reshape(64, n, 64, n, 3).mean((1, 3))
        difference = np.abs(got - expected)
        assert difference.max() < 2 and difference.mean() < 0.4


def test_a_grey_face_is_the_grey_of_the_rgb_one(vm):
    script = """
from muster.vision import image
frame, turn, answers = bytes.fromhex(data), (90000, 20000, 4000000, 3000000), []
for channels in (3, 1):
    target = bytearray(64 * 64 * channels)
    image.crop(target, frame, 240, 240, turn, 64)
    answers.append(target.hex())
result = answers
"""
    rgb, grey = (np.frombuffer(bytes.fromhex(answer), np.int8).astype(int) + 128
                 for answer in vm(script, to_rgb565(picture(4, 240, 240)).hex()))
    np.testing.assert_array_equal(grey, rgb.reshape(-1, 3) @ [77, 150, 29] >> 8)


@pytest.mark.parametrize(
    "call, message",
    [
        ("image.shrink(bytearray(6400), bytes(99), 240, 240, 80)", "frame of 240x240: 99 bytes, not 115200"),
        ("image.shrink(bytearray(6400), bytes(9600), 80, 60, 80)", "frame of 80x60: at least 80x80 are needed"),
        ("image.similarity([(5, 5)] * 5, face.TEMPLATE)", "the landmarks coincide"),
        ("image.crop(bytearray(12288), bytes(115200), 240, 240, (1 << 30, 0, 0, 0), 64)",
         "the face is too far off the frame"),
    ],
)
def test_a_frame_that_cannot_be_read_is_refused(vm, call, message):
    script = f"""
from muster.vision import face, image
try:
    {call}
except image.FrameError as error:
    result = str(error)
"""
    assert vm(script) == message


def test_what_a_network_sees_is_shown_in_the_screens_bytes(vm):
    """Every value of a channel, beside two others: the top five, six and five bits of pixel = int8 + 128."""
    ramp = np.arange(256, dtype=np.uint8)
    rgb = np.stack([ramp, ramp[::-1], np.roll(ramp, 77)], axis=-1)
    given = (rgb ^ 0x80).tobytes()
    shown = vm("from muster.vision import image\nresult = image.rgb565(bytes.fromhex(data)).hex()", given.hex())
    red, green, blue = (rgb[:, n].astype(np.uint16) for n in range(3))
    assert bytes.fromhex(shown) == ((red >> 3) << 11 | (green >> 2) << 5 | blue >> 3).astype(">u2").tobytes()
