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


@pytest.fixture
def small_net():
    """A small network of all the embedder's kinds of layers, without batch norms."""
    torch = pytest.importorskip("torch")
    import nets

    layers = [
        ("conv", 16, 3, 2, "prelu"),
        *nets.gated(24, 16),
        *nets.plus_input(nets.gated(32, 16)),
        ("conv", 24, 1, 1, "prelu"),
        ("global", None, 8, 1, False),
        ("fc", 10, 1, 1, False),
    ]
    torch.manual_seed(5)
    made = nets.Net({"name": "part", "input": (16, 16, 3), "norm": False, "layers": layers})
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made
