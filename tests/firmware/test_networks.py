"""networks.json: what it names is loaded, and what is wrong in it is one line of file, field and reason."""

import hashlib
import json
import shutil

import pytest

from tests.conftest import ROOT

LOAD = """
import os
from muster.networks import Networks, NetworksError
from muster.vision.tflite import ModelError
os.chdir(data)
try:
    networks = Networks()
    recogniser = networks.load()
    found, seen = recogniser.look(bytes(2 * 240 * 240), 240, 240)
    result = [networks.threshold_e4, networks.model_hash.hex(), found, seen.flaw]
except (NetworksError, ModelError, OSError) as error:
    result = "%s: %s" % (type(error).__name__, error)
"""


@pytest.fixture
def folder(tmp_path):
    """A watch's file system with the networks on it."""
    models = tmp_path / "fs" / "models"
    models.mkdir(parents=True)
    for name in ("networks.json", "embedder.tflite", "finder.tflite", "landmarks.tflite"):
        shutil.copy(ROOT / "models" / name, models / name)
    return models.parent


def test_the_networks_that_are_flashed_load_and_find_nobody_in_the_dark(vm, folder):
    threshold_e4, model_hash, found, flaw = vm(LOAD, str(folder))
    values = json.loads((folder / "models" / "networks.json").read_text())
    assert model_hash == hashlib.sha256((folder / "models" / "embedder.tflite").read_bytes()).hexdigest()[:16]
    assert threshold_e4 == 10 * values["embedder"]["threshold_milli"]
    assert 0 < threshold_e4 < 10000
    assert (found, flaw) == (None, 4)


@pytest.mark.parametrize("change, message", [
    (lambda v: v.pop("landmarks"), "NetworksError: networks.json: landmarks: missing"),
    (lambda v: v["embedder"].pop("threshold_milli"), "NetworksError: networks.json: threshold_milli: missing"),
    (lambda v: v["embedder"].update(sha256="zz"), "NetworksError: networks.json: not as models/evaluate.py writes it"),
    (lambda v: v.update(embedder=5), "NetworksError: networks.json: not as models/evaluate.py writes it"),
    (lambda v: v["finder"].update(file="none.tflite"), "OSError: [Errno 2] ENOENT"),
    (lambda v: v["finder"].update(file="networks.json"),
     "ModelError: models/networks.json: not a .tflite file: the identifier TFL3 is missing"),
], ids=["a missing part", "a missing field", "no hex", "no object", "no such file", "no network"])
def test_what_is_wrong_is_one_line(vm, folder, change, message):
    path = folder / "models" / "networks.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    assert vm(LOAD, str(folder)) == message


@pytest.mark.parametrize("text, message", [
    (None, "NetworksError: networks.json: missing"),
    ("nonsense", "NetworksError: networks.json: not as models/evaluate.py writes it"),
    ("[]", "NetworksError: networks.json: not as models/evaluate.py writes it"),
])
def test_a_file_that_is_none_is_one_line(vm, folder, text, message):
    path = folder / "models" / "networks.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    assert vm(LOAD, str(folder)) == message


def test_a_truncated_network_is_refused_with_its_name(vm, folder):
    path = folder / "models" / "embedder.tflite"
    path.write_bytes(path.read_bytes()[:5000])
    answer = vm(LOAD, str(folder))
    assert answer.startswith("ModelError: models/embedder.tflite: ") and "\n" not in answer
