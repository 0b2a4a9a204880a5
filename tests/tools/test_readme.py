"""The commands of the README are there to be copied: each is read from it, and does what the text says."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS = [line.strip().partition("#")[0].strip() for line in re.findall(r"^    .+$", README, re.MULTILINE)]


def section(title: str) -> list[str]:
    """The commands under a heading."""
    text = re.search(rf"^## {title}\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)[1]
    return [line.strip() for line in re.findall(r"^    .+$", text, re.MULTILINE)]


@pytest.mark.parametrize("command", sorted({*COMMANDS, *re.findall(r"`(make [a-z]+)`", README)}))
def test_each_command_is_one(command):
    """`make` knows the target; the simulator takes the arguments; other programs are there, but for the browser's."""
    words = shlex.split(command)
    if words[0] == "make":
        assert subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, check=False).returncode == 0
    elif words[0].endswith("muster-sim"):
        done = subprocess.run([ROOT / words[0], *words[1:], "--help"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        options = {word for word in words if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z]+", done.stdout))
    else:
        assert words[0] == "xdg-open" or shutil.which(words[0])


def test_a_newcomer_changes_a_line_and_sees_the_difference(tmp_path):
    make, browse, change, again = section("The first minutes")
    assert make == "make run"
    assert browse.split()[1] == "build/day/report.html"
    for name in ("simulator", "build"):
        (tmp_path / name).mkdir()
    (tmp_path / "simulator" / "scenarios").symlink_to(ROOT / "simulator" / "scenarios")
    (tmp_path / "build" / "venv").symlink_to(ROOT / "build" / "venv")
    subprocess.run(change, shell=True, cwd=tmp_path, check=True)
    done = subprocess.run(again, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    row = next(line for line in done.stdout.splitlines() if line.startswith("18:18:"))
    assert row.split()[2] == "matched"
    assert re.search(r"simulator: my-day.yaml: line 4\d: expected prompts .*missed, matched; found .*matched\n",
                     done.stderr)
    assert "<img" in (tmp_path / "build" / "my-day" / "report.html").read_text()


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert Path(ROOT / target).exists(), target
