"""A gate as JUnit XML, which continuous integration shows check by check.

A failed check is a failure. An inconclusive one is an error, because a pipeline must not take it for passed, unless
`--inconclusive` says how it counts: as passed, skipped (with a warning) or failed. One that was not compared
is skipped. The format has no schema of its own: this is what Jenkins, GitLab and GitHub actions read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter

from harness.compare.release.gate import GateCheck
from harness.compare.release.outcome import Gate
from harness.render.release.gate_report import SENTENCES, TITLES, check_cells
from harness.render.text.escape import plain

_ELEMENTS = {"fail": "failure", "inconclusive": "error", "not compared": "skipped"}
_POLICIES = {"pass": "", "warn": "skipped", "fail": "failure", None: "error"}
"""Element of an inconclusive check by what it counts as; empty: none, as of a passed one."""


def render(gate: Gate) -> str:
    """Write a gate as an XML document, ending in a newline."""
    checks = gate.verdict.checks
    counts = Counter(_element(check, gate) for check in checks)
    attributes = {
        "name": plain(f"{gate.suite} against {gate.baseline}"),
        "tests": str(len(checks)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
    }
    root = ET.Element("testsuites", {name: value for name, value in attributes.items() if name != "skipped"})
    suite = ET.SubElement(root, "testsuite", attributes)
    for check in checks:
        _case(suite, gate, check)
    output = ET.SubElement(suite, "system-out")
    output.text = "\n".join(plain(line) for line in (SENTENCES[gate.verdict.outcome], *gate.notes))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, gate: Gate, check: GateCheck) -> None:
    name, *cells, _ = map(plain, check_cells(check))
    case = ET.SubElement(
        suite, "testcase", {"classname": plain(f"{gate.suite}.{check.task}"), "name": name, "time": "0"}
    )
    tag = _element(check, gate)
    if not tag:
        return
    measured = "; ".join(f"{title}: {value}" for title, value in zip(TITLES[1:], cells, strict=False))
    why = plain("; ".join(filter(None, [check.reason, check.needed])))
    element = ET.SubElement(case, tag, {"message": why or measured})
    if tag != "skipped":
        element.set("type", check.outcome)
        element.text = f"{measured}\n{why}".strip()


def _element(check: GateCheck, gate: Gate) -> str:
    """Name the element of a check; empty where it has none."""
    return _POLICIES[gate.inconclusive] if check.outcome == "inconclusive" else _ELEMENTS.get(check.outcome, "")
