"""The scripts' errors, and the int8 file against its simulation in float."""

import subprocess
import sys

import numpy as np
import pytest
from data import ROOT


@pytest.mark.parametrize(
    "script", ["train_embedder.py", "quantise_embedder.py", "train_finder.py", "train_landmarks.py", "evaluate.py"]
)
def test_absent_data_is_one_line(script, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    absent = tmp_path / "nowhere"
    done = subprocess.run(
        [sys.executable, ROOT / script, "--data", absent],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr == f"{script}: {absent}: no such folder; --data names the one that holds faces/ and models/\n"


@pytest.mark.parametrize(
    "name, size, part",
    [
        ("FINDER", 120, slice(7)),
        ("LANDMARKS", 64, slice(7)),
        ("LANDMARKS", 8, slice(-2, None)),
        ("EMBEDDER", 64, slice(10)),
        ("EMBEDDER", 8, slice(-3, None)),
    ],
)
def test_file_answers_as_the_simulation(name, size, part, tmp_path):
    """The first layers of each network and the last of two: each kind of layer, ReLU, PReLU, gate, residual sum."""
    torch = pytest.importorskip("torch")
    import nets
    from oracle import Oracle
    from quantise import calibrate, to_tflite

    torch.manual_seed(3)
    spec = getattr(nets, name)
    channels, layers = spec["input"][2], spec["layers"][part]
    pixels = torch.randint(0, 256, (4, channels, size, size))
    inputs = (pixels.float() - 128) / 128
    net = nets.Net({"name": "part", "input": (size, size, channels), "layers": layers}).train()
    net(inputs)
    net.eval().fold()
    calibrate(net, [inputs])
    net.quantised = True
    path = tmp_path / "part.tflite"
    path.write_bytes(to_tflite(net))
    oracle = Oracle(path)
    scale, zero = oracle.output["quantization"]
    with torch.no_grad():
        wanted = net(inputs).numpy() / scale + zero
    for picture, expected in zip(pixels.permute(0, 2, 3, 1).numpy(), wanted, strict=True):
        found = oracle(picture)
        assert np.abs(found - np.rint(expected)).max() <= len(layers)  # a rounding each
        assert found.std() > 2 * len(layers)


@pytest.mark.parametrize("low, high", [(-8, 9), (-8, 2), (-1, 9), (-1, 2)])
def test_range_learns_how_much_to_cut_off(low, high):
    """Of many numbers the loss is least with both ends near the best there are, wherever they began."""
    torch = pytest.importorskip("torch")
    from fakequant import ActivationRange

    x = torch.randn(100_000, generator=torch.Generator().manual_seed(4)) + 1
    learned = ActivationRange()
    learned.low.fill_(low)
    learned.high.fill_(high)

    def loss():
        return (learned(x, True) - x).square().mean()

    optimizer = torch.optim.Adam([end.requires_grad_() for end in learned.buffers()], lr=0.2, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 200)
    for _ in range(200):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        found = loss().item()
        ends = learned.low.item(), learned.high.item()
        for width in np.linspace(2.5, 6, 36):
            learned.low.fill_(1 - width)
            learned.high.fill_(1 + width)
            assert found < 1.05 * loss().item(), (ends, width)
