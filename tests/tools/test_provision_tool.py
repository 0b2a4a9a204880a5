"""`tools/provision` against simulated watches on their serial port: made, enrolled, and at home at the receiver."""

import json
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from simulator.bench import START, on_bench
from simulator.day import firmware_files
from simulator.provision import Operator
from simulator.receiver.clock import Teller
from simulator.receiver.decode import decode_segment
from simulator.receiver.store import Store
from simulator.receiver_process import ReceiverProcess
from simulator.serial_port import SerialPort
from simulator.wearer import Agreeing
from tests.conftest import ROOT
from tools import provision

SPEED = 4  # times real time
SETTINGS = provision.SETTINGS | {"zone": "UTC0"}


@pytest.fixture
def operator(tmp_path):
    return Operator.make(tmp_path / "operator")


@pytest.fixture
def receiver(operator):
    """The operator's, running."""
    with closing(ReceiverProcess(operator.state.folder, round(datetime.fromisoformat(START).timestamp()) * 1000)) as it:
        yield it


@pytest.fixture
def flashed(tmp_path, receiver):
    """A watch with the firmware and nothing else on it."""
    with on_bench(firmware_files(), tmp_path / "watch", start=START, server=receiver.address.server) as watch:
        watch.gnss.at(46.05, 14.5)
        yield watch


def test_a_flashed_watch_becomes_the_operators_and_its_wearer_is_enrolled(
        flashed, operator, receiver, tmp_path, capsys):
    Agreeing(flashed, face=1)
    with SerialPort(flashed, SPEED) as port:
        ueid = provision.provision(port.path, "esp32_s3_eye", operator, SETTINGS)
        provision.enrol(port.path)
    assert capsys.readouterr().out.splitlines()[-1].strip() == "enrolled"
    blobs = {name: bytes.fromhex(blob) for name, blob in flashed.nvs["muster"].items()}
    assert len(blobs["template"]) == 8 + 256
    secrets = [blobs["sign_key"], blobs["client_key"][7:39], blobs["prompt_secret"], blobs["template"][8:]]
    secrets += [secret.hex().encode() for secret in secrets]
    for path in (tmp_path / "operator").rglob("*"):
        assert not path.is_file() or not any(secret in path.read_bytes() for secret in secrets), path
    assert operator.open_prompts(ueid) == blobs["prompt_secret"]
    with closing(Teller(receiver.address.clock, ueid)) as time:
        flashed.network_used = lambda: time.tell(flashed.world.unix_ms)
        assert "sent" in flashed.console("upload", wait_s=30)
    store = Store(operator.state.database)
    assert [record["type"] for segment in store.stored() for record in decode_segment(segment)].count("enrolled") == 1
    store.close()


def test_a_watch_that_is_provisioned_keeps_its_keys_unless_told_otherwise(flashed, operator):
    with SerialPort(flashed, SPEED) as port:
        provision.provision(port.path, "esp32_s3_eye", operator, SETTINGS)
        before = dict(flashed.nvs["muster"])
        with pytest.raises(provision.ProvisioningError, match="provisioned already: --again"):
            provision.provision(port.path, "esp32_s3_eye", operator, SETTINGS)
        assert flashed.nvs["muster"] == before
        flashed.nvs["muster"]["template"] = "00"  # of the wearer before
        provision.provision(port.path, "esp32_s3_eye", operator, SETTINGS, is_new=True)
    assert "template" not in flashed.nvs["muster"]
    assert flashed.nvs["muster"]["sign_key"] != before["sign_key"]


def test_an_operator_is_opened_again_and_certifies_by_the_same_authority(operator, tmp_path):
    opened = Operator.open(tmp_path / "operator")
    ours, theirs = (one.admit("watch", b"\x01" + bytes(16), operator.state.signing_key.public_key(), {})
                    for one in (operator, opened))
    assert ours["ca.der"] == theirs["ca.der"]
    assert json.loads(ours["settings.json"]) == json.loads(theirs["settings.json"])


def said(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "tools.provision", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    return run.stderr.strip()


def test_what_cannot_be_is_one_line(tmp_path):
    (tmp_path / "bad.json").write_text('{"ueid": "mine"}')
    (tmp_path / "cut.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "empty").mkdir()
    assert said("/dev/none", "--board", "toaster") == "provision: board: no firmware/boards/toaster.py"
    assert said("/dev/none", "--settings", tmp_path / "bad.json") == "provision: settings: ueid: set by provisioning"
    for name, reason in (("none", "No such file or directory"), ("cut", "not JSON"), ("list", "not an object")):
        path = tmp_path / f"{name}.json"
        assert said("/dev/none", "--settings", path) == f"provision: {path}: {reason}"
    assert said("/dev/none", "--operator", tmp_path / "new") == (
        "provision: port: /dev/none is not there: is the board plugged in?")
    assert said("/dev/none", "--operator", tmp_path / "empty") == (
        f"provision: {tmp_path / 'empty'}/authority/ca.key: No such file or directory")
