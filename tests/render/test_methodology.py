"""docs/methodology.md says how every figure is obtained that a report can show."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = " ".join((ROOT / "docs" / "methodology.md").read_text(encoding="utf-8").split())
RENDER = ROOT / "harness" / "render" / "report"


def titles():
    """Titles of columns as they are written in the code; those that name a metric or a task are made there."""
    tree = ast.parse((RENDER / "columns.py").read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    firsts = (call.args[0] for call in calls if call.func.id == "Column" and call.args)
    return sorted({first.value for first in firsts if isinstance(first, ast.Constant)})


def fields():
    """Names of the JSON report's fields."""
    tree = ast.parse((RENDER / "json.py").read_text(encoding="utf-8"))
    keys = (key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys)
    field_names = {key.value for key in keys if isinstance(key, ast.Constant)}
    return sorted(field_names - {"value", "low", "high", "n", "labels", "reused", "tokens_in", "tokens_out", "flips"})


def test_titles_and_fields_are_found_in_the_code():
    assert {"peak memory", "vs zero_shot", "total s"} <= set(titles())
    assert {"tied_for_best", "spans", "verdict"} <= set(fields())


@pytest.mark.parametrize("name", [*titles(), *fields()])
def test_every_figure_of_a_report_is_explained(name):
    assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", PAGE), f"docs/methodology.md does not say what {name!r} is"
