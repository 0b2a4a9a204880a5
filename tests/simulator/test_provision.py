"""Provisioning: the same bytes from the same seed, certificates as X.509 wants them, one-line errors."""

import hashlib
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from simulator.provision import HOST, Operator, ProvisionError, provision
from simulator.receiver.segment import key_id
from simulator.receiver.state import State, public_point
from simulator.receiver.store import Device, Store


def digests(folder: Path) -> dict[str, str]:
    """The digest of every file but the database's, whose pages hold no promise."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "receiver.db"}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        provision(tmp_path / name, seed=seed, devices=2)
    a, b, c = (digests(tmp_path / name) for name in "abc")
    assert a == b
    assert len(a) == 2 + 5  # authority, receiver
    assert not set(a.values()) & set(c.values())


def test_no_secret_of_an_operator_comes_twice(tmp_path):
    for name in "ab":
        Operator.make(tmp_path / name)
    a, b = (digests(tmp_path / name) for name in "ab")
    assert len(a) == 7 and not set(a.values()) & set(b.values())


def test_a_watch_is_registered_with_the_key_it_signs_with(tmp_path):
    provisioned = provision(tmp_path / "p", seed=1, now_s=1_790_000_000)
    bundle = provisioned.bundle
    private = ec.derive_private_key(int.from_bytes(bundle.nvs["sign_key"], "big"), ec.SECP256R1())
    point = public_point(private.public_key())
    store = Store(State(provisioned.state).database)
    with store.ingest() as ingest:
        ingest.load_devices([key_id(point)])
        assert ingest.device(key_id(point)) == Device(1, key_id(point), bundle.ueid, point, bundle.wearer, 1, bytes(32))
    store.close()


def test_a_bundle_holds_what_the_watch_reads(tmp_path):
    settings = {"zone": "CET-1", "waking": [420, 1320]}
    provisioned = provision(tmp_path / "p", seed=1, host="r.example.test", settings=settings)
    bundle, state = provisioned.bundle, State(provisioned.state)
    assert json.loads(bundle.files["settings.json"]) == {
        "zone": "CET-1", "waking": [420, 1320], "receiver_host": "r.example.test", "ueid": bundle.ueid.hex(),
        "receiver_signing_key": public_point(state.signing_key.public_key()).hex(),
        "receiver_encryption_key": public_point(state.encryption_key.public_key()).hex()}
    assert (len(bundle.ueid), bundle.ueid[0], len(bytes.fromhex(bundle.wearer))) == (17, 1, 16)
    assert {name: len(blob) for name, blob in bundle.nvs.items()} == {
        "sign_key": 32, "prompt_secret": 32, "client_key": 121}
    client = x509.load_der_x509_certificate(bundle.files["client.der"])
    key = serialization.load_der_private_key(bundle.nvs["client_key"], None)
    assert client.public_key() == key.public_key()


@pytest.mark.parametrize("year", [2020, 2026, 2038, 2049])
def test_the_server_certificate_is_valid_for_its_names_in_every_year(tmp_path, year):
    provisioned = provision(tmp_path / "p", seed=1)
    authority = x509.load_der_x509_certificate(provisioned.bundle.files["ca.der"])
    server = x509.load_pem_x509_certificate((provisioned.state / "server.pem").read_bytes())
    builder = verification.PolicyBuilder().store(verification.Store([authority])).time(datetime(year, 6, 1))
    for name in (x509.DNSName(HOST), x509.DNSName("localhost"), server.extensions.get_extension_for_class(
            x509.SubjectAlternativeName).value[2]):
        builder.build_server_verifier(name).verify(server, [])
    with pytest.raises(verification.VerificationError):
        builder.build_server_verifier(x509.DNSName("other.test")).verify(server, [])


def test_a_client_certificate_is_for_clients_and_names_only_the_device(tmp_path):
    bundle = provision(tmp_path / "p", seed=1).bundle
    client = x509.load_der_x509_certificate(bundle.files["client.der"])
    client.verify_directly_issued_by(x509.load_der_x509_certificate(bundle.files["ca.der"]))
    assert client.subject.rfc4514_string() == f"CN={bundle.ueid.hex()}"
    purposes = client.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not client.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (client.not_valid_before_utc, client.not_valid_after_utc) == (
        datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC))


def test_secrets_are_readable_by_their_owner_only(tmp_path):
    provision(tmp_path / "p", seed=1)
    files = list((tmp_path / "p").rglob("*.key"))
    assert len(files) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "p/receiver").stat().st_mode) == 0o700


@pytest.mark.parametrize(("changes", "reason"), [
    ({"devices": 0}, "devices: 0, not 1 to 10000"), ({"devices": 10_001}, "devices: 10001"),
    ({"seed": -1}, "seed: -1 is negative"), ({"host": "übung.test"}, "host 'übung.test': "),
    ({"host": ""}, "host '': "), ({"settings": {"ueid": "x"}}, "settings: ueid: set by provisioning"),
])
def test_a_wrong_value_is_refused_in_one_line_and_nothing_is_made(tmp_path, changes, reason):
    with pytest.raises(ProvisionError) as error:
        provision(tmp_path / "p", **{"seed": 1} | changes)
    assert str(error.value).startswith(reason) and "\n" not in str(error.value)
    assert not (tmp_path / "p").exists()


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path):
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(ProvisionError, match="not an empty folder"):
        provision(tmp_path, seed=1)
    assert digests(tmp_path).keys() == {"mine"}
