"""The committed files are what the card and networks.json say, and only what the watch's runtime can run."""

import hashlib

import numpy as np
import pytest
from contents import Contents
from data import ROOT as MODELS

OPERATIONS = {
    "embedder": {"CONV_2D": 63, "DEPTHWISE_CONV_2D": 17, "PRELU": 48, "ADD": 12, "RESHAPE": 1,
                 "MEAN": 15, "LOGISTIC": 15, "MUL": 15},
    "finder": {"CONV_2D": 16, "DEPTHWISE_CONV_2D": 6, "ADD": 6},
    "landmarks": {"CONV_2D": 10, "DEPTHWISE_CONV_2D": 3, "ADD": 3, "RESHAPE": 1, "FULLY_CONNECTED": 1},
}
SHAPES = {
    "embedder": ([1, 64, 64, 3], [1, 256]),
    "finder": ([1, 120, 120, 1], [1, 15, 15, 5]),
    "landmarks": ([1, 64, 64, 1], [1, 11]),
}
EACH = pytest.mark.parametrize("name", list(SHAPES))


@pytest.fixture
def contents(name, networks):
    return Contents(MODELS / networks[name]["file"])


@EACH
def test_file_is_the_one_described(name, networks):
    stated, data = networks[name], (MODELS / networks[name]["file"]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (stated["bytes"], stated["sha256"])


@EACH
def test_card_names_the_file(name, networks):
    stated = networks[name]
    row = next(line for line in (MODELS / "MODEL_CARD.md").read_text().splitlines() if f"| {stated['file']} |" in line)
    assert stated["sha256"][:16] in row
    assert f"{stated['macs'] / 1e6:.2f} M" in row


@EACH
def test_operations_and_macs(name, contents, networks):
    assert dict(contents.operations) == OPERATIONS[name]
    assert contents.macs == networks[name]["macs"]


def test_macs_are_within_the_goals(networks):
    assert networks["embedder"]["macs"] <= 100_000_000
    assert networks["finder"]["macs"] + networks["landmarks"]["macs"] <= 15_000_000


@EACH
def test_shapes_and_input_quantisation(name, contents):
    taken, given = contents.graph.Inputs(0), contents.graph.Outputs(0)
    assert (contents.shape(taken), contents.shape(given)) == SHAPES[name]
    assert contents.quantisation(taken) == (1 / 128, 0)


def test_embedding_is_compared_without_a_zero_point(networks):
    contents = Contents(MODELS / networks["embedder"]["file"])
    assert contents.quantisation(contents.graph.Outputs(0))[1] == 0


@EACH
def test_convolution_weights_are_symmetric_per_channel(name, contents):
    for index in range(contents.graph.OperatorsLength()):
        operator = contents.graph.Operators(index)
        if operator.InputsLength() != 3:
            continue
        weights, bias = (contents.graph.Tensors(operator.Inputs(i)) for i in (1, 2))
        values = contents.model.Buffers(weights.Buffer()).DataAsNumpy().view(np.int8)
        assert values.min() >= -127
        assert not weights.Quantization().ZeroPointAsNumpy().any()
        channels = contents.shape(operator.Outputs(0))[-1]
        fully_connected = len(contents.shape(operator.Inputs(1))) == 2
        assert weights.Quantization().ScaleLength() == (1 if fully_connected else channels)
        assert contents.shape(operator.Inputs(2)) == [channels]
        assert len(contents.model.Buffers(bias.Buffer()).DataAsNumpy()) == 4 * channels


@EACH
def test_constants_are_aligned_for_vector_loads(name, contents):
    for index in range(1, contents.model.BuffersLength()):
        buffer = contents.model.Buffers(index)
        if not buffer.DataIsNone():
            offset = buffer._tab.Vector(buffer._tab.Offset(4))
            assert offset % 16 == 0, index
