"""Results of scenarios, fleets and replays for a CI: JUnit's XML and plain JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from simulator.runs import NOT_RUN, Result

STATUS = ("met", "not met", "could not run")
Case = tuple[str, str, str]  # name; "failure" or "error"; its message, "" for none


def write(path: Path, results: Sequence[Result]) -> None:
    """A suite a scenario; a case each expectation, and one for what must be so in every day."""
    _write(path, "scenarios", [(result.name, result.wall_s, _cases(result)) for result in results])


def write_flaws(path: Path, name: str, wall_s: float, flaws: dict[str, str]) -> None:
    """One suite; a case each thing that must be so, and how it is not, "" where it is."""
    _write(path, name, [(name, wall_s, [(case, "failure", flaw) for case, flaw in flaws.items()])])


def _cases(result: Result) -> list[Case]:
    if result.status == NOT_RUN:
        return [("runs", "error", result.error)]
    return [*((f"line {v.line}: {v.wanted}", "failure", "" if v.is_met else f"found {v.found}")
              for v in result.verdicts),
            ("every record is received once and verified", "failure", "; ".join(result.flaws))]


def write_json(path: Path, results: Sequence[Result]) -> None:
    """A list of the scenarios: status, expectations, flaws and the whole summary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([_plain(result) for result in results], indent=2) + "\n")


def _plain(result: Result) -> dict[str, Any]:
    return {"scenario": result.name, "file": result.file, "status": STATUS[result.status], "error": result.error,
            "wall_s": round(result.wall_s, 1), "expectations": [verdict._asdict() for verdict in result.verdicts],
            "flaws": result.flaws, "summary": result.values}


def _write(path: Path, name: str, suites: Sequence[tuple[str, float, Sequence[Case]]]) -> None:
    """`suites`: name, seconds and cases of each."""
    top = ElementTree.Element("testsuites", name=name)
    for suite_name, wall_s, cases in suites:
        suite = ElementTree.SubElement(top, "testsuite", name=suite_name, time=f"{wall_s:.1f}")
        for case_name, kind, message in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=f"{name}.{suite_name}", name=_clean(case_name))
            if message:
                ElementTree.SubElement(case, kind, message=_clean(message))
        _count(suite)
    _count(top)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.indent(top)
    ElementTree.ElementTree(top).write(path, encoding="utf-8", xml_declaration=True)


def _count(element: ElementTree.Element) -> None:
    element.set("tests", str(len(element.findall(".//testcase"))))
    element.set("failures", str(len(element.findall(".//failure"))))
    element.set("errors", str(len(element.findall(".//error"))))


def _clean(text: str) -> str:
    """XML 1.0 has no control characters."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", text)
