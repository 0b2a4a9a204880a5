"""Results of scenarios for a CI: JUnit's XML and plain JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from simulator.runs import NOT_RUN, Result

STATUS = ("met", "not met", "could not run")


def write(path: Path, results: Sequence[Result]) -> None:
    """A suite a scenario; a case each expectation, and one for what must be so in every day."""
    suites = ElementTree.Element("testsuites", name="scenarios")
    for result in results:
        suite = ElementTree.SubElement(suites, "testsuite", name=result.name, time=f"{result.wall_s:.1f}")
        if result.status == NOT_RUN:
            _case(suite, result, "runs", "error", result.error)
        else:
            for verdict in result.verdicts:
                _case(suite, result, f"line {verdict.line}: {verdict.wanted}", "failure",
                      "" if verdict.is_met else f"found {verdict.found}")
            _case(suite, result, "every record is received once and verified", "failure", "; ".join(result.flaws))
        _count(suite)
    _count(suites)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.indent(suites)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def write_json(path: Path, results: Sequence[Result]) -> None:
    """A list of the scenarios: status, expectations, flaws and the whole summary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([_plain(result) for result in results], indent=2) + "\n")


def _plain(result: Result) -> dict[str, Any]:
    return {"scenario": result.name, "file": result.file, "status": STATUS[result.status], "error": result.error,
            "wall_s": round(result.wall_s, 1), "expectations": [verdict._asdict() for verdict in result.verdicts],
            "flaws": result.flaws, "summary": result.values}


def _case(suite: ElementTree.Element, result: Result, name: str, kind: str, message: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=f"scenarios.{result.name}", name=_clean(name))
    if message:
        ElementTree.SubElement(case, kind, message=_clean(message))


def _count(element: ElementTree.Element) -> None:
    element.set("tests", str(len(element.findall(".//testcase"))))
    element.set("failures", str(len(element.findall(".//failure"))))
    element.set("errors", str(len(element.findall(".//error"))))


def _clean(text: str) -> str:
    """XML 1.0 has no control characters."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", text)
