"""The scripts' errors, and the int8 file against its simulation in float."""

import subprocess
import sys

import numpy as np
import pytest
from data import ROOT


@pytest.mark.parametrize("script", ["train_embedder.py", "train_finder.py", "evaluate.py"])
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


def test_file_answers_as_the_simulation(tmp_path):
    torch = pytest.importorskip("torch")
    from nets import FINDER, Net
    from oracle import Oracle
    from quantise import calibrate, to_tflite

    torch.manual_seed(3)
    pixels = torch.randint(0, 256, (4, 1, 80, 80))
    inputs = (pixels.float() - 128) / 128
    spec = {**FINDER, "layers": FINDER["layers"][:7]}
    net = Net(spec).train()
    net(inputs)
    net.eval().fold()
    calibrate(net, [inputs])
    net.quantised = True
    path = tmp_path / "finder.tflite"
    path.write_bytes(to_tflite(net))
    oracle = Oracle(path)
    scale, zero = oracle.output["quantization"]
    with torch.no_grad():
        wanted = net(inputs).numpy() / scale + zero
    for picture, expected in zip(pixels.numpy(), wanted, strict=True):
        assert np.abs(oracle(picture[0]) - np.rint(expected)).max() <= 2
