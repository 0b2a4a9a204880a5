"""Puts models/ on the path, as its scripts have it when they run."""

import json
import sys
from pathlib import Path

import pytest

MODELS = Path(__file__).resolve().parents[2] / "models"
sys.path.insert(0, str(MODELS))


@pytest.fixture(scope="session")
def networks():
    return json.loads((MODELS / "networks.json").read_text())


@pytest.fixture(scope="session")
def embedder(networks):
    from oracle import Oracle

    return Oracle(MODELS / networks["embedder"]["file"])


@pytest.fixture(scope="session")
def finder(networks):
    from locate import Finder
    from oracle import Oracle

    looks = [networks[name] for name in ("finder", "landmarks")]
    return Finder(*(Oracle(MODELS / look["file"]) for look in looks), *(look["score_threshold"] for look in looks))
