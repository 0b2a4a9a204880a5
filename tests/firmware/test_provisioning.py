"""A watch's own keys, against `cryptography`: the TLS key's DER, the public halves, the prompts' sealed secret."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simulator.receiver import cbor
from simulator.receiver.opening import unwrap
from simulator.receiver.segment import key_id
from simulator.receiver.state import public_point

SCRIPT = """
import random
from muster.provisioning import make_keys

class Board:
    def __init__(self, draws):
        self.draws, self.blobs = draws, {"template": b"of another wearer"}

    def random(self, n):
        return self.draws.pop(0) if self.draws else bytes([random.getrandbits(8) for _ in range(n)])

    def keep_blob(self, name, data):
        self.blobs[name] = data

    def drop_blob(self, name):
        del self.blobs[name]

random.seed(data["seed"])
board = Board([bytes.fromhex(draw) for draw in data["draws"]])
public = make_keys(board, bytes.fromhex(data["receiver"]))
result = [public, {name: blob.hex() for name, blob in board.blobs.items()}]
"""
RECEIVER = ec.derive_private_key(12345, ec.SECP256R1())


@pytest.fixture
def keys(vm):
    """(what leaves the watch, its NVS), for the first random bytes."""
    def run(*draws: bytes, seed: int = 1):
        point = public_point(RECEIVER.public_key())
        public, blobs = vm(SCRIPT, {"seed": seed, "receiver": point.hex(), "draws": [draw.hex() for draw in draws]})
        return ({name: bytes.fromhex(value) for name, value in public.items()},
                {name: bytes.fromhex(value) for name, value in blobs.items()})
    return run


def test_the_public_halves_are_those_of_the_keys_in_nvs(keys):
    public, blobs = keys()
    signing = ec.derive_private_key(int.from_bytes(blobs["sign_key"], "big"), ec.SECP256R1())
    client = serialization.load_der_private_key(blobs["client_key"], None)
    assert public["sign"] == public_point(signing.public_key())
    assert public["client"] == public_point(client.public_key())
    assert blobs["client_key"] == client.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())


def test_the_prompts_secret_leaves_sealed_and_the_receiver_opens_it(keys):
    public, blobs = keys()
    sealed = cbor.loads(public["prompts"])
    kid = key_id(public_point(RECEIVER.public_key()))
    assert unwrap(sealed, RECEIVER, kid) == blobs["prompt_secret"] and len(blobs["prompt_secret"]) == 16


def test_no_secret_leaves_the_watch_and_no_template_stays(keys):
    public, blobs = keys()
    secrets = (blobs["sign_key"], blobs["client_key"], blobs["client_key"][7:39], blobs["prompt_secret"])
    assert not any(secret in value for secret in secrets for value in public.values())
    assert len(set(secrets)) == 4 and "template" not in blobs


def test_a_number_that_is_no_key_is_drawn_again(keys):
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    _, blobs = keys(bytes(32), order.to_bytes(32, "big"), (order - 1).to_bytes(32, "big"))
    assert int.from_bytes(blobs["sign_key"], "big") == order - 1
