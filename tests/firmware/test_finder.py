"""Finding faces, with networks whose answers are known and with the committed ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.devices.camera import Camera, FrameSize, PixelFormat, Scene
from tests.firmware.test_image import to_rgb565
from tests.firmware.tflite_builder import Operator, Tensor, build

ROOT = Path(__file__).resolve().parents[2]
FIND = """
from muster.vision import finder, tflite
models = [tflite.load(path) for path in data["models"]]
try:
    found = finder.Finder(*models, data["thresholds"])
    seen = found.find(bytes.fromhex(data["frame"]), data["width"], data["height"])
    result = [found.brightness, found.faces, seen and [seen.score, seen.landmarks, seen.eye_distance_px]]
except tflite.ModelError as error:
    result = str(error)
"""
# The quality gate's template: an upright face in 64x64, the middle of its landmarks in the crop's, eyes 22 px apart.
TEMPLATE112 = np.float64([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]])
TEMPLATE = (TEMPLATE112 - TEMPLATE112.mean(0)) * 22 / 35.24 + 31.5


def constant(path: Path, side: int, answer: np.ndarray, scale: float, zero: int) -> Path:
    """A network that answers int8 `answer` whatever it sees, `side` pixels a side: a dense layer of noughts, biased."""
    inner, size = side // 8, answer.size
    x, flat = Tensor("x", (1, side, side, 1), 1 / 128), Tensor("flat", (1, size), scale, zero)
    mean, y = Tensor("mean", (1, inner, inner, 1), 1 / 128), Tensor("y", answer.shape, scale, zero)
    pool = Tensor("pool", (1, 8, 8, 1), 0.01, 0, 3, np.zeros((1, 8, 8, 1), np.int8))
    none = Tensor("none", (1,), 0.01, data=np.zeros(1, np.int32), type="int32")
    weights = Tensor("w", (size, inner * inner), 1.0, data=np.zeros((size, inner * inner), np.int8))
    bias = Tensor("b", (size,), 1 / 128, type="int32",
                  data=np.int32(np.round((answer.astype(float).ravel() - zero) * scale * 128)))
    options = {"StrideW": 8, "StrideH": 8, "DepthMultiplier": 1}
    path.write_bytes(build([Operator("DEPTHWISE_CONV_2D", [x, pool, none], mean, options),
                            Operator("FULLY_CONNECTED", [mean, weights, bias], flat),
                            Operator("RESHAPE", [flat], y)], [x], [y]))
    return path


def find(vm: Any, folder: Path, grid: np.ndarray, close: list[int], *, thresholds: tuple[int, int] = (0, 0),
         frame: np.ndarray | None = None) -> Any:
    """What the finder says where the first network gives `grid`, in 1/16 cell, and the second `close`, in 1/64."""
    frame = np.zeros((240, 240, 3), np.uint8) if frame is None else frame
    models = [constant(folder / "finder.tflite", 120, grid[None], 1 / 16, 0),
              constant(folder / "landmarks.tflite", 64, np.int8([close]), 1 / 64, 0)]
    return vm(FIND, {"models": [str(path) for path in models], "thresholds": thresholds,
                     "frame": to_rgb565(frame).hex(), "width": frame.shape[1], "height": frame.shape[0]})


def nothing() -> np.ndarray:
    return np.full((15, 15, 5), -100, np.int8)


def test_landmarks_are_where_the_close_look_has_them(vm, tmp_path):
    """Row 4, column 6: half the axis is (-0.5, 1.5) cells of 8 pixels, of 2 pixels of the middle 240x240 of 320x240.

    The close look moves the nose by 16 / 64 of 16 pixels of the crop to the right, and down by half of that.
    """
    grid = nothing()
    grid[4, 6] = [90, 4, -8, -8, 24]
    frame = np.full((240, 320, 3), 96, np.uint8)
    close = [64, 0, 0, 0, 0, 16, 8, 0, 0, 0, 0]
    brightness, faces, (score, landmarks, eyes) = find(vm, tmp_path, grid, close, frame=frame, thresholds=(89, 63))
    middle = np.array([6 * 8 + 3.5 + 2, 4 * 8 + 3.5 - 4]) * 2 + [40.5, 0.5]
    down = np.array([-8, 24])  # half the axis in pixels of the frame
    template = TEMPLATE + [[0, 0], [0, 0], [4, 2], [0, 0], [0, 0]]
    ends = np.stack([TEMPLATE[:2].mean(0), TEMPLATE[3:].mean(0)])
    turn = complex(*(2 * down)) / complex(*(ends[1] - ends[0]))
    off = [turn * complex(*(point - ends.mean(0))) for point in template]
    np.testing.assert_allclose(np.array(landmarks) / 16, [[z.real, z.imag] + middle for z in off], atol=0.15)
    assert (score, faces) == (64, 1)
    assert eyes == round(abs(off[1] - off[0]))
    assert brightness == (77 * 99 + 150 * 97 + 29 * 99) // 256  # RGB565 makes (99, 97, 99) of 96


def test_each_face_counts_once_and_three_at_most(vm, tmp_path):
    """A second cell that means the same face is left out; of faces apart, the cell with the best score comes first."""
    grid, close = nothing(), [1] + [0] * 10
    grid[4, 4] = [50, 0, 0, 0, 16]
    grid[4, 5] = [49, -16, 0, 0, 16]  # the same place
    assert find(vm, tmp_path, grid, close)[1] == 1
    grid[10, 10] = [60, 0, 0, 0, 16]
    _, faces, (_, landmarks, _) = find(vm, tmp_path, grid, close)
    assert faces == 2
    assert np.mean(landmarks, 0) / 16 == pytest.approx([167.5, 167.5], abs=4)
    grid[4, 10], grid[10, 4] = grid[4, 4], grid[4, 4]
    assert find(vm, tmp_path, grid, close)[1] == 3


def test_scores_at_the_thresholds_are_no_face(vm, tmp_path):
    grid = nothing()
    grid[7, 7] = [-30, 0, 0, 0, 16]
    close = [-5] + [0] * 10
    assert find(vm, tmp_path, grid, close, thresholds=(-30, -6)) == [0, 0, None]
    assert find(vm, tmp_path, grid, close, thresholds=(-31, -5)) == [0, 0, None]
    _, faces, (score, _, _) = find(vm, tmp_path, grid, close, thresholds=(-31, -6))
    assert (faces, score) == (1, -5)


def test_a_face_without_an_axis_is_none(vm, tmp_path):
    grid = nothing()
    grid[7, 7] = [50, 0, 0, 0, 0]
    assert find(vm, tmp_path, grid, [1] + [0] * 10) == [0, 0, None]


@pytest.mark.parametrize("bad", [0, 1])
def test_the_wrong_network_is_refused(vm, tmp_path, bad):
    models = [ROOT / "models" / name for name in ("finder.tflite", "landmarks.tflite")]
    models[bad] = constant(tmp_path / "odd.tflite", 64, np.zeros((1, 5), np.int8), 1 / 64, 0)
    frame = {"thresholds": [0, 0], "frame": "", "width": 0, "height": 0}
    wanted = ["(1, 120, 120, 1) and (1, 15, 15, 5)", "(1, 64, 64, 1) and (1, 11)"][bad]
    assert vm(FIND, {"models": [str(path) for path in models], **frame}) == (
        f"the network takes (1, 64, 64, 1) and gives (1, 5), not {wanted}")


LOOK = """
import os
os.chdir(data["folder"])
from muster.networks import Networks
seen = Networks().load()
result = []
for frame in data["frames"]:
    face, quality = seen.look(bytes.fromhex(frame), 240, 240)
    result.append([face and [face.score, face.landmarks], quality.faces])
"""


def test_faces_are_those_of_the_host_s_reference(vm, monkeypatch):
    """Drawn people, one and two, off-centre: the committed networks in the watch and in models/locate.py."""
    monkeypatch.syspath_prepend(ROOT / "models")
    import augment
    import locate
    from oracle import Oracle

    values = json.loads((ROOT / "models" / "networks.json").read_text())
    looks = [values[name] for name in ("finder", "landmarks")]
    reference = locate.Finder(*(Oracle(ROOT / "models" / look["file"]) for look in looks),
                              *(look["score_threshold"] for look in looks))
    frames, pictures = [], []
    for scene in (Scene(3), Scene(4, offset=(0.2, -0.1), distance=1.4), Scene(5, company=6), Scene(None)):
        camera = Camera(1)
        camera.show(scene)
        camera.init(PixelFormat.RGB565, FrameSize.R240X240)
        frames.append([camera.capture(1_000_000 + 66_000 * n) for n in range(5)][-1].hex())
        pictures.append(augment.rgb565(camera.frames[-1][1]))
    answers = vm(LOOK, {"folder": str(ROOT), "frames": frames})
    for (face, count), expected in zip(answers, map(reference, pictures), strict=True):
        assert count == len(expected)
        assert (face is None) == (not expected)
        if face:
            assert abs(face[0] - expected[0][1]) <= 4  # the crops differ in the last bit here and there
            np.testing.assert_allclose(np.array(face[1]) / 16, expected[0][2], atol=1)
    assert [count for _, count in answers] == [1, 1, 2, 0]
