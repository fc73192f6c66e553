"""A gate as JUnit XML, which continuous integration shows check by check.

A failed check is a failure; an inconclusive one is an error, because a pipeline must not take it for passed; one that
was not compared is skipped. The format has no schema of its own: this is what Jenkins, GitLab and GitHub actions read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from harness.compare.release.gate import GateCheck
from harness.compare.release.outcome import Gate
from harness.render.release.gate_report import SENTENCES, TITLES, check_cells
from harness.render.text.escape import plain

_ELEMENTS = {"fail": "failure", "inconclusive": "error", "not compared": "skipped"}


def render(gate: Gate) -> str:
    """Write a gate as an XML document, ending in a newline."""
    checks = gate.verdict.checks
    counts = {element: sum(check.outcome == outcome for check in checks) for outcome, element in _ELEMENTS.items()}
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
    if check.outcome == "pass":
        return
    measured = "; ".join(f"{title}: {value}" for title, value in zip(TITLES[1:], cells, strict=False))
    why = plain("; ".join(filter(None, [check.reason, f"to settle it: {check.needed}" if check.needed else ""])))
    element = ET.SubElement(case, _ELEMENTS[check.outcome], {"message": why or measured})
    if check.outcome != "not compared":
        element.set("type", check.outcome)
        element.text = f"{measured}\n{why}".strip()
