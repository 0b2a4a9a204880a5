"""A fleet: each watch its own day, one receiver, no record lost, whatever is killed, here or on a Dask cluster."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import scenario
from simulator.day import ROOT, route_of
from simulator.devices.gnss import Gnss, Window
from simulator.fleet_draw import draw
from simulator.fleet_ledger import COUNTS, Ledger, LedgerError, Tally

# Three quarters of an hour: start-up, enrolment, a check-in, uploads
MORNING = ("--until", "00:45", "--set", 'start="2026-06-10T09:00:00+02:00"', "--set", "settings.upload_s=900",
           "--set", "settings.prompts_per_day=10", "--set", "settings.waking=[545, 845]",
           "--set", "settings.spacing_s=600")
BASE = scenario.load("day")


def fleet(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "simulator", "fleet", "--out", str(folder), "--json", str(folder / "fleet.json"),
            *MORNING, *words]


def lived(folder: Path, *words: str) -> dict:
    """The table of a fleet that must be without flaw."""
    run = subprocess.run(fleet(folder, *words), capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return json.loads((folder / "fleet.json").read_text())


def rows(folder: Path) -> dict[int, dict]:
    """What came of each watch, but for how long it took and how many bytes its TLS signatures had, 8 to 72 each."""
    lines = [json.loads(line) for line in (folder / "watches.jsonl").read_text().splitlines()[1:]]
    for line in lines:
        del line["cpu_s"], line["sent_bytes"]
    return {line["watch"]: line for line in lines}


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    table = lived(folder, "--watches", "2", "--junit", str(folder / "junit.xml"))
    assert table["watches"] == 2 and table["written"] == table["received"] + table["missing"] > 12
    assert [table[name] for name in ("lost", "twice", "ended", "incidents", "dropped")] == [0] * 5
    return folder


def test_each_watch_has_a_history_of_its_own(two):
    assert sorted(rows(two)) == [0, 1]
    assert len({row["image"] for row in rows(two).values()}) == 2
    assert 'tests="6" failures="0" errors="0"' in (two / "junit.xml").read_text()


def test_a_fleet_killed_at_any_point_goes_on_and_is_the_same_to_the_byte(two, tmp_path):
    def children(pid: int) -> set[int]:
        lists = Path(f"/proc/{pid}/task").glob("*/children")
        ours = {int(child) for path in lists for child in path.read_text().split()}
        return ours.union(*map(children, ours))

    def killed_when(is_time) -> None:
        process = subprocess.Popen(fleet(tmp_path, "--watches", "2", "--jobs", "1"), cwd=ROOT)
        while not is_time():
            assert process.poll() is None
            time.sleep(0.02)
        left = children(process.pid)
        process.kill()
        process.wait()
        end = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in left):
            assert time.monotonic() < end, "its processes live on"
            time.sleep(0.05)

    ledger = tmp_path / "watches.jsonl"
    killed_when(ledger.exists)
    killed_when(lambda: len(ledger.read_bytes().split(b"\n")) > 2)
    ledger.write_bytes(ledger.read_bytes()[:-30])  # the last line was cut short
    lived(tmp_path, "--watches", "2", "--jobs", "1")
    assert rows(tmp_path) == rows(two)


def test_the_same_watches_live_on_a_dask_cluster(two, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1",
                                  local_directory=str(tmp_path)) as cluster:
        lived(tmp_path, "--watches", "2", "--dask", cluster.scheduler_address)
    assert rows(tmp_path) == rows(two)


def test_what_cannot_be_is_one_line(two, tmp_path):
    for words, reason in (
            (("--seed", "2"), f"{two}/watches.jsonl: line 1: of another fleet (its seed is 1); give another --out"),
            (("--dask", "tcp://127.0.0.1:1"), "--dask tcp://127.0.0.1:1: Timed out trying to connect to")):
        run = subprocess.run(fleet(two, *words), capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
        assert run.returncode == 2
        assert run.stderr.splitlines()[-1].startswith(f"simulator: {reason}")


def test_it_can_be_stopped_at_once(tmp_path):
    process = subprocess.Popen(fleet(tmp_path, "--watches", "2", "--jobs", "1"), stderr=subprocess.PIPE, text=True,
                               cwd=ROOT)
    while not (tmp_path / "provisioned").exists():
        time.sleep(0.05)
    process.terminate()
    _, printed = process.communicate(timeout=60)
    assert printed.splitlines()[-1] == "simulator: stopped; the same command goes on from here"
    assert process.returncode == 130


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1 << 31), index=st.integers(0, 100_000), hours=st.floats(1, 1440))
def test_any_watch_that_is_drawn_can_live(seed, index, hours):
    drawn = draw(BASE, seed, index, hours * 3600)
    assert drawn == draw(BASE, seed, index, hours * 3600)
    route = route_of(drawn)  # times in order, places on the earth
    Gnss(route, drawn.seed, [Window(p.start_s, p.end_s, p.kind) for p in drawn.sky])
    for period in (*drawn.network, *drawn.faults):
        assert period.start_s < period.end_s
    assert all(period.end_s <= hours * 3600 - 7200 for period in drawn.network)
    assert all(0 <= answer.after_s <= 900 and 0.3 <= answer.distance <= 4 for answer in drawn.answers)


ROW = {"watch": 0, "outcomes": {"matched": 1}, "answered_after_s": [20], "received_after_s": [30, 40],
       "image": "0" * 64, "cpu_s": 1.0, "error": ""} | dict.fromkeys(COUNTS, 1)


@pytest.mark.parametrize("line, reason", [
    (b"{", "not JSON"), (b"[" * 9999, "not JSON"), (b"\xff", "not JSON"), (b"[]", "file: must be a mapping, not '[]'"),
    (b"{}", "watch: missing"), (json.dumps(ROW | {"lost": -1}).encode(), "lost: must be a whole number from 0 to "),
    (json.dumps(ROW).encode(), "watch 0 is there twice"), (b" " * (1 << 20), "longer than 1048576 bytes")])
def test_a_ledger_that_is_spoilt_is_named(tmp_path, line, reason):
    path = tmp_path / "ledger"
    path.write_bytes(b'{"fleet": {"seed": 1}}\n' + json.dumps(ROW).encode() + b"\n" + line + b"\n")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="^[^\n]*$") as caught:
        Ledger(path, {"seed": 1})
    assert str(caught.value).startswith(f"{path}: line 3: {reason}")
    assert path.read_bytes() == before


@given(data=st.binary(max_size=300))
def test_any_end_of_a_ledger_is_read_or_named(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger"
    path.write_bytes(b'{"fleet": {}}\n' + data)
    try:
        Ledger(path, {}).close()
    except LedgerError as error:
        assert "\n" not in str(error)


def test_a_ledger_is_of_one_process_at_a_time(tmp_path):
    ledger = Ledger(tmp_path / "ledger", {})
    with pytest.raises(LedgerError, match="under way in another process"):
        Ledger(tmp_path / "ledger", {})
    ledger.close()


def test_the_sums_of_many_rows_are_exact_and_take_no_more_room():
    tally = Tally()
    for n in range(10_000):
        tally.add(ROW | {"watch": n, "answered_after_s": [n % 100], "error": "cut" if n < 20 else ""})
    values = tally.values()
    assert (values["lost"], values["outcomes"]["matched"], values["ended"], len(values["errors"])) == (
        10_000, 10_000, 20, 10)
    assert values["answered_after_s"] == {"p50": 49, "p95": 94, "max": 99}
    assert len(tally.answered_after_s) == 100
