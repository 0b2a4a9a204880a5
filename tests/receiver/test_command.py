"""The receiver's command line: what it prints, and one line for each thing that is wrong."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from simulator.provision import provision
from tests.conftest import ROOT
from tests.receiver.conftest import NOW_S

RECORDS = [[1, 0, 31, "power"], [4, 60, 96, [1, 2, 3]]]


def run(*arguments, **environment):
    return subprocess.run([sys.executable, "-m", "simulator.receiver", *map(str, arguments)], cwd=ROOT, timeout=60,
                          capture_output=True, text=True, check=False, env=os.environ | environment)


def failure(*arguments, **environment):
    """The one line that a failing command prints."""
    done = run(*arguments, **environment)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    return line


def test_help_names_every_command():
    done = run("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("serve", "records", "disclose", "forget", "incidents", "purge"))


def test_incidents_are_printed_as_lines_of_json(receiver, state, author):
    receiver.accept([author.segment(RECORDS)])
    author.number = 1
    receiver.accept([author.segment(RECORDS)])
    done = run("incidents", state.folder)
    assert json.loads(done.stdout) == {"device": author.ueid.hex(), "segment": 1, "seen_s": NOW_S,
                                       "reason": "segment 1: another one has this number (a fork)"}


def test_what_is_disclosed_and_erased_is_in_the_wearers_own_copy(receiver, state, author, provisioned):
    receiver.accept([author.segment(RECORDS)])
    device = author.ueid.hex()
    basis = "--why", "a request", "--basis", "Art. 6(1)(c) GDPR", "--virtual", f"{NOW_S}000"
    given = run("disclose", state.folder, device, "--who", "a court", *basis)
    assert [json.loads(line)["segment"] for line in given.stdout.splitlines()] == [1, 1]
    copy = run("records", state.folder, "--device", device).stdout.splitlines()
    act = {"device": device, "wearer": provisioned.bundle.wearer, "type": "disclosed", "at_s": NOW_S, "segments": 1,
           "who": "a court", "why": "a request", "basis": "Art. 6(1)(c) GDPR"}
    assert copy[:-1] == given.stdout.splitlines()
    assert json.loads(copy[-1]) == act
    assert run("forget", state.folder, device, "--who", "the operator", *basis).stdout == "1 segments deleted\n"
    copy = [json.loads(line) for line in run("records", state.folder, "--device", device).stdout.splitlines()]
    assert copy == [act, act | {"type": "erased", "who": "the operator"}]


def test_purge_deletes_and_says_how_many(receiver, store, state, author):
    receiver.accept([author.segment(RECORDS), author.segment(RECORDS)])
    now_s = NOW_S + 90 * 86_400
    assert run("purge", state.folder, "--virtual", f"{now_s}000").stdout == "0 segments deleted\n"
    assert store.counts()["segments"] == 2
    assert run("purge", state.folder, "--virtual", f"{now_s + 1}000").stdout == "2 segments deleted\n"
    assert store.counts()["segments"] == 0


def test_a_file_of_the_state_that_is_missing_or_wrong_is_named(provisioned, tmp_path):
    other = provision(tmp_path / "other", seed=99).state
    reasons = {
        "signing.key": "No such file or directory",
        "encryption.key": "its permissions are 0644, a private key's must be 0600",
        "server.key": "no unencrypted private key in PEM", "server.pem": "no certificate in PEM", "ca.pem": None}
    for name, reason in reasons.items():
        state = tmp_path / name
        shutil.copytree(provisioned.state, state)
        if name == "signing.key":
            (state / name).unlink()
        elif name == "encryption.key":
            (state / name).chmod(0o644)
        elif name == "ca.pem":
            shutil.copy(other / name, state / name)
            name, reason = "server.pem", f"not issued by {state}/ca.pem"
        else:
            (state / name).write_text("-----BEGIN NOTHING-----")
        assert failure("serve", state, "--port", "0") == f"receiver: {state}/{name}: {reason}"


def test_a_key_that_is_not_the_certificates_or_not_p256_is_named(provisioned, tmp_path):
    state = provisioned.state
    shutil.copy(state / "signing.key", state / "server.key")
    assert failure("serve", state) == f"receiver: {state}/server.pem: its public key is not that of server.key"
    (state / "server.key").write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    assert failure("serve", state) == f"receiver: {state}/server.key: not a P-256 key"


def test_a_certificate_out_of_its_dates_is_named(provisioned, tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.provision.VALID_TO", datetime(2021, 1, 1, tzinfo=UTC))
    state = provision(tmp_path / "old", seed=1).state
    assert failure("serve", state) == f"receiver: {state}/server.pem: valid from 2020-01-01 to 2021-01-01 only"


def test_a_wrong_folder_database_or_port_is_named(provisioned, served, tmp_path):
    state = provisioned.state
    assert failure("records", tmp_path / "none") == f"receiver: {tmp_path}/none: no such folder"
    assert failure("records", state, "--database", "nothing").startswith("receiver: database URL: ")
    assert failure("records", state, MUSTER_DATABASE="nothing").startswith("receiver: database URL: ")
    port = served.port
    line = failure("serve", state, "--port", port)
    assert line.startswith(f"receiver: host 127.0.0.1 port {port}: Address already in use")


@pytest.mark.parametrize(("arguments", "reason"), [
    (("serve", "x", "--port", "65536"), "--port: not 0 to 65535: 65536"), (("serve", "x", "--port", "-1"), "--port"),
    (("serve", "x", "--timeout", "0"), "--timeout: not 0.1 to 600 seconds: 0"),
    (("serve", "x", "--timeout", "nan"), "--timeout"),
    (("purge", "x", "--retention-days", "0"), "not 1 to 2190 days: 0"),
    (("purge", "x", "--retention-days", "2191"), "not 1 to 2190 days"),
    (("records", "x", "--device", "xy"), "not hex"), (("serve", "x", "--virtual", "-1"), "not a time in ms: -1"),
    ((), "COMMAND"),
])
def test_a_wrong_argument_is_named(arguments, reason):
    done = run(*arguments)
    assert done.returncode == 2
    assert reason in done.stderr.splitlines()[-1]


def test_the_receiver_listens_within_a_second_of_processor_time(served):
    with open(f"/proc/{served.process.pid}/stat") as file:
        user, system = map(int, file.read().rsplit(")", 1)[1].split()[11:13])
    assert (user + system) / os.sysconf("SC_CLK_TCK") < 1.0
