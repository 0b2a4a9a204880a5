"""Finding, embedding and matching, with networks whose answers are known and with the committed ones."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.firmware.test_image import picture, seen, to_rgb565
from tests.firmware.tflite_builder import Operator, Tensor, build, reference

ROOT = Path(__file__).resolve().parents[2]

FIND = """
from muster.vision import face, tflite
finder = face.Finder(tflite.load(data["model"]), data["threshold"])
found = finder.find(bytes.fromhex(data["frame"]), data["width"], data["height"])
result = [finder.brightness, finder.faces, found and [found.score, found.landmarks, found.eye_distance_px]]
"""


def constant_finder(path: Path, grid: np.ndarray, scale: float, zero: int) -> str:
    """A finder that answers `grid` [10, 10, 11] whatever it sees: a fully connected layer of noughts with biases."""
    x, flat = Tensor("x", (1, 80, 80, 1), 1 / 128), Tensor("flat", (1, 1100), scale, zero)
    mean, y = Tensor("mean", (1, 10, 10, 1), 1 / 128), Tensor("y", (1, 10, 10, 11), scale, zero)
    pool = Tensor("pool", (1, 8, 8, 1), 0.01, 0, 3, np.zeros((1, 8, 8, 1), np.int8))
    none = Tensor("none", (1,), 0.01, data=np.zeros(1, np.int32), type="int32")
    weights = Tensor("w", (1100, 100), 1.0, data=np.zeros((1100, 100), np.int8))
    bias = Tensor("b", (1100,), 1 / 128, type="int32",
                  data=np.int32(np.round((grid.astype(float).ravel() - zero) * scale * 128)))
    options = {"StrideW": 8, "StrideH": 8, "DepthMultiplier": 1}
    path.write_bytes(build([Operator("DEPTHWISE_CONV_2D", [x, pool, none], mean, options),
                            Operator("FULLY_CONNECTED", [mean, weights, bias], flat),
                            Operator("RESHAPE", [flat], y)], [x], [y]))
    return str(path)


def find(vm: Any, model: str, threshold: int, rgb: np.ndarray) -> Any:
    data = {"model": model, "threshold": threshold, "frame": to_rgb565(rgb).hex(),
            "width": rgb.shape[1], "height": rgb.shape[0]}
    return vm(FIND, data)


def test_landmarks_are_read_where_the_best_cell_puts_them(vm, tmp_path):
    """Row 4, column 6 wins; offsets in 1/16 cell; of 320x240 the middle 240x240 is seen, 24 pixels a cell.

    It puts the eyes in columns 5 and 7 and the mouth in row 5; the nose stays.
    """
    grid = np.full((10, 10, 11), 100, np.int8)
    grid[4, 6] = [90, -16, -4, 16, -4, 0, 4, -12, 20, 12, 20]
    grid[4, 5, 1:3] = [2, -3]
    grid[4, 7, 3:5] = [-1, -2]
    grid[5, 5, 7:9] = [3, 5]
    grid[5, 7, 9:11] = [-4, 6]
    grid[..., 0] = 89
    grid[4, 6, 0] = 90
    model = constant_finder(tmp_path / "finder.tflite", grid, 1 / 16, 0)
    rgb = np.full((240, 320, 3), 96, np.uint8)
    brightness, faces, (score, landmarks, eyes) = find(vm, model, 89, rgb)
    cells = np.array([[5, 4], [7, 4], [6, 4], [5, 5], [7, 5]])
    offsets = np.array([[2, -3], [-1, -2], [0, 4], [3, 5], [-4, 6]]) / 16
    expected = ((offsets + cells) * 8 + 3.5) * 3 + 1 + [40, 0]
    assert score == 90
    np.testing.assert_array_equal(np.array(landmarks) / 16, expected)
    assert eyes == 44  # 43.5 pixels
    assert faces == 1
    assert brightness == (77 * 99 + 150 * 97 + 29 * 99) // 256  # RGB565 makes (99, 97, 99) of 96


def test_landmarks_are_those_of_the_host_s_reference(vm, tmp_path, monkeypatch):
    """Any answer, cells outside the grid included; the watch rounds to 1/16 pixel of the miniature, twice at most."""
    monkeypatch.syspath_prepend(ROOT / "models")
    import locate

    grid = np.random.default_rng(6).integers(-128, 128, (10, 10, 11)).astype(np.int8)
    model = constant_finder(tmp_path / "finder.tflite", grid, 0.028, -3)
    _, _, (score, landmarks, _) = find(vm, model, -128, np.zeros((240, 240, 3), np.uint8))
    expected_score, expected = locate.decode(grid, 0.028, -3)
    assert score == expected_score == grid[..., 0].max()
    np.testing.assert_allclose(np.array(landmarks) / 16, locate.to_frame(expected), atol=3 / 16)


def test_a_score_at_the_threshold_is_no_face(vm, tmp_path):
    grid = np.full((10, 10, 11), -30, np.int8)
    model = constant_finder(tmp_path / "finder.tflite", grid, 1 / 16, -5)
    rgb = np.zeros((240, 240, 3), np.uint8)
    assert find(vm, model, -30, rgb) == [0, 0, None]
    assert find(vm, model, -31, rgb)[2][0] == -30


def test_embedding_is_the_network_s_of_the_upright_face(vm, tmp_path):
    """A face of 2.0 pixels a pixel, upright: the crop is then the mean of 2x2 pixels, exactly."""
    template = np.float64([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]]) * 64 / 112
    rgb = cv2.GaussianBlur(picture(8, 240, 240), (0, 0), 3)
    script = """
from muster.vision import face, tflite
embedder = face.Embedder(tflite.load(data["model"]))
found = face.Face(0, data["landmarks"])
result = embedder.embed(bytes.fromhex(data["frame"]), 240, 240, found).hex()
"""
    model = ROOT / "models" / "embedder.tflite"
    landmarks = np.round((template * 2 + [50.5, 40.5]) * 16).astype(int).tolist()
    answer = vm(script, {"model": str(model), "landmarks": landmarks, "frame": to_rgb565(rgb).hex()})
    crop = seen(rgb)[40:168, 50:178].reshape(64, 2, 64, 2, 3).mean((1, 3))
    values = (np.round(crop) - 128).astype(np.int8)[None]
    expected = reference(model.read_bytes(), [values]).astype(float)
    got = np.frombuffer(bytes.fromhex(answer), np.int8).astype(float)
    assert got @ expected / np.linalg.norm(got) / np.linalg.norm(expected) > 0.98


@pytest.mark.parametrize("bad", ["finder", "embedder"])
def test_the_wrong_network_is_refused(vm, bad):
    script = """
from muster.vision import face, tflite
try:
    model = tflite.load(data)
    face.Embedder(model) if "finder" in data else face.Finder(model, 0)
except tflite.ModelError as error:
    result = str(error)
"""
    shapes = {"finder": "(1, 80, 80, 1) and gives (1, 10, 10, 11), not (1, 64, 64, 3) and (1, 192)",
              "embedder": "(1, 64, 64, 3) and gives (1, 192), not (1, 80, 80, 1) and (1, 10, 10, 11)"}
    assert vm(script, str(ROOT / "models" / f"{bad}.tflite")) == f"the network takes {shapes[bad]}"


MATCH = """
from muster.vision import face
result = [face.match(bytes.fromhex(a), bytes.fromhex(b)) for a, b in data]
"""
embedding = st.one_of(
    st.lists(st.integers(-128, 127), min_size=192, max_size=192),
    st.lists(st.sampled_from([-128, -1, 0, 1, 127]), min_size=192, max_size=192),
).map(np.int8)


def exact_score(a: np.ndarray, b: np.ndarray) -> int:
    """10,000 times the cosine, halves away from zero, in exact arithmetic."""
    a, b = [int(v) for v in a], [int(v) for v in b]
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    norms = sum(x * x for x in a) * sum(y * y for y in b)
    if norms == 0:
        return 0
    score = (isqrt(int(Fraction(4 * 10**8 * dot * dot, norms))) + 1) // 2
    return score if dot > 0 else -score


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(embedding, embedding), min_size=1, max_size=20))
def test_match_is_the_rounded_cosine(vm, pairs):
    scores = vm(MATCH, [[a.tobytes().hex(), b.tobytes().hex()] for a, b in pairs])
    assert scores == [exact_score(a, b) for a, b in pairs]


def test_match_of_known_vectors(vm):
    e, f = np.zeros(192, np.int8), np.zeros(192, np.int8)
    e[0], f[:2] = -128, (5, 5)
    nought = np.zeros(192, np.int8)
    pairs = [(e, e), (e, f), (f, f), (e, nought)]
    assert vm(MATCH, [[a.tobytes().hex(), b.tobytes().hex()] for a, b in pairs]) == [10000, -7071, 10000, 0]


TEMPLATE = """
from muster.vision import face
result = face.template([bytes.fromhex(one) for one in data]).hex()
"""


def test_template_is_the_mean_direction(vm):
    rng = np.random.default_rng(4)
    embeddings = [np.int8(np.clip(rng.normal(5, 20, 192) * gain, -128, 127)) for gain in (0.3, 1, 2)]
    got = np.frombuffer(bytes.fromhex(vm(TEMPLATE, [e.tobytes().hex() for e in embeddings])), np.int8)
    mean = sum(e / np.linalg.norm(e.astype(float)) for e in embeddings)
    np.testing.assert_allclose(got, mean * 127 / np.abs(mean).max(), atol=0.51)


@pytest.mark.parametrize(
    "call, message",
    [
        ("match(bytes(192), bytes(191))", "embeddings of 192 and 191 numbers, not 192"),
        ("template([])", "no embeddings, or they cancel out"),
        ("template([bytes(192)])", "an embedding is nought"),
        ("template([b'\\x01' * 192, b'\\xff' * 192])", "no embeddings, or they cancel out"),
        ("template([b'\\x01' * 12])", "an embedding of 12 numbers, not 192"),
    ],
)
def test_what_is_no_embedding_is_refused(vm, call, message):
    script = f"""
from muster.vision import face
try:
    face.{call}
except face.EmbeddingError as error:
    result = str(error)
"""
    assert vm(script) == message
