"""Embedding and matching, with the committed network and vectors whose answers are known."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.firmware.test_image import picture, seen, to_rgb565
from tests.firmware.tflite_builder import reference

ROOT = Path(__file__).resolve().parents[2]

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


def test_the_wrong_network_is_refused(vm):
    script = """
from muster.vision import face, tflite
try:
    face.Embedder(tflite.load(data))
except tflite.ModelError as error:
    result = str(error)
"""
    assert vm(script, str(ROOT / "models" / "landmarks.tflite")) == (
        "the network takes (1, 64, 64, 1) and gives (1, 11), not (1, 64, 64, 3) and (1, 256)")


MATCH = """
from muster.vision import face
result = [face.match(bytes.fromhex(a), bytes.fromhex(b)) for a, b in data]
"""
embedding = st.one_of(
    st.lists(st.integers(-128, 127), min_size=256, max_size=256),
    st.lists(st.sampled_from([-128, -1, 0, 1, 127]), min_size=256, max_size=256),
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
    e, f = np.zeros(256, np.int8), np.zeros(256, np.int8)
    e[0], f[:2] = -128, (5, 5)
    nought = np.zeros(256, np.int8)
    pairs = [(e, e), (e, f), (f, f), (e, nought)]
    assert vm(MATCH, [[a.tobytes().hex(), b.tobytes().hex()] for a, b in pairs]) == [10000, -7071, 10000, 0]


TEMPLATE = """
from muster.vision import face
result = face.template([bytes.fromhex(one) for one in data]).hex()
"""


def test_template_is_the_mean_direction(vm):
    rng = np.random.default_rng(4)
    embeddings = [np.int8(np.clip(rng.normal(5, 20, 256) * gain, -128, 127)) for gain in (0.3, 1, 2)]
    got = np.frombuffer(bytes.fromhex(vm(TEMPLATE, [e.tobytes().hex() for e in embeddings])), np.int8)
    mean = sum(e / np.linalg.norm(e.astype(float)) for e in embeddings)
    np.testing.assert_allclose(got, mean * 127 / np.abs(mean).max(), atol=0.51)


@pytest.mark.parametrize(
    "call, message",
    [
        ("match(bytes(256), bytes(255))", "embeddings of 256 and 255 numbers, not 256"),
        ("template([])", "no embeddings, or they cancel out"),
        ("template([bytes(256)])", "an embedding is nought"),
        ("template([b'\\x01' * 256, b'\\xff' * 256])", "no embeddings, or they cancel out"),
        ("template([b'\\x01' * 12])", "an embedding of 12 numbers, not 256"),
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
