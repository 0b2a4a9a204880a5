"""What contributors and their CI run exists, and is what `make` does."""

import re
import shlex

import yaml
from pre_commit.clientlib import load_config

from tests.conftest import ROOT

TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_pre_commit_hook_is_cis_check():
    repository, = load_config(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["make check"]
    assert "make check" in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_workflow_makes_targets_that_there_are_and_keeps_the_report():
    job, = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"].values()
    make, = [shlex.split(step["run"]) for step in job["steps"] if step.get("run", "").startswith("make ")]
    targets = {word for word in make[1:] if "=" not in word}
    assert {"check", "test"} <= targets <= TARGETS
    kept = job["steps"][-1]
    assert kept["if"] == "always()" and f"REPORT={kept['with']['path']}junit.xml" in make


def test_every_command_that_the_guide_names_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert set(re.findall(r"make ([a-z]+)", text)) <= TARGETS
    for path in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / path).exists(), path
