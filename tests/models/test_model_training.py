"""The scripts' errors, and the int8 file against its simulation in float."""

import subprocess
import sys

import numpy as np
import pytest
from data import ROOT


@pytest.mark.parametrize("script", ["train_embedder.py", "train_finder.py", "train_landmarks.py", "evaluate.py"])
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


@pytest.mark.parametrize("name, layers", [("FINDER", 7), ("LANDMARKS", 7), ("EMBEDDER", 10)])
def test_file_answers_as_the_simulation(name, layers, tmp_path):
    """The first layers of each network: convolutions, ReLU, PReLU, a residual sum."""
    torch = pytest.importorskip("torch")
    import nets
    from oracle import Oracle
    from quantise import calibrate, to_tflite

    torch.manual_seed(3)
    spec = getattr(nets, name)
    size, _, channels = spec["input"]
    pixels = torch.randint(0, 256, (4, channels, size, size))
    inputs = (pixels.float() - 128) / 128
    net = nets.Net({**spec, "name": "part", "layers": spec["layers"][:layers]}).train()
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
        assert np.abs(found - np.rint(expected)).max() <= layers  # a rounding each
        assert found.std() > 2 * layers
