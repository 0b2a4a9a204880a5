"""The embedder's own way forward and back on a CPU, against torch's in float."""

import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
if not shutil.which("g++"):
    pytest.skip("needs g++", allow_module_level=True)

import embedder_cpu  # noqa: E402
import nets  # noqa: E402

SPEC = {
    "name": "part",
    "input": (64, 64, 3),
    "layers": [
        ("conv", 16, 3, 2, "prelu"),
        ("dw", None, 3, 1, "prelu"),
        *nets.gated(32, 16, 2),
        *nets.plus_input(nets.gated(48, 16)),
        *nets.gated(32, 32, 2),
        *nets.plus_input(nets.gated(32, 32)),
        ("conv", 48, 1, 1, "prelu"),
        ("global", None, 8, 1, False),
        ("fc", 24, 1, 1, False),
    ],
}


@pytest.fixture
def net():
    """With settled norms and PReLUs of either sign, as training goes on with."""
    torch.manual_seed(7)
    made = nets.Net(SPEC).eval()
    for name, value in made.state_dict().items():
        if "norm" in name or name.endswith(("slope", "bias")):
            value += (0.3 * torch.randn(value.shape)).to(value.dtype)
    return made


def gradients(net, run, pictures):
    found = run(pictures)
    net.zero_grad(set_to_none=True)
    # Each output with a weight of its own, so that a gradient is more than what its parts leave of each other.
    (found * torch.arange(found.shape[-1]).cos()).mean().backward()
    return found, {name: value.grad for name, value in net.named_parameters()}


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_answers_and_gradients_are_torchs_but_for_bfloat16(net, threads):
    pictures = torch.rand(9, 3, 64, 64)
    wanted, of_weights = gradients(net, net, pictures)
    found, own = gradients(net, embedder_cpu.Embedder(net, threads), pictures)
    assert found.shape == wanted.shape
    assert (found - wanted).norm() < 0.02 * wanted.norm()
    for name, gradient in of_weights.items():
        assert (own[name] - gradient).norm() <= 0.25 * gradient.norm(), name  # slopes hang on few inputs
