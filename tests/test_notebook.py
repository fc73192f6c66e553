"""The Python API: light to import, typed and escaped results, a run from a script, and the example notebook."""

import ast
import html
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import harness as h
from harness.render.html.notebook_summary import summary

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
TRIALS = ("zero_shot-s0-cca448f1", "few_shot-s0-9f20c55c", "few_shot-s1-51290fcc", "rag-k-1-s0-a90d3204")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for name in TRIALS:
        folder = f"quickstart/questions/smollm2-135m-instruct/{name}"
        shutil.copytree(REFERENCE / folder, root / folder)
    return h.load(root)


def test_importing_the_package_loads_none_of_it():
    code = (
        "import sys, harness as h; heavy = [m for m in sys.modules if m.startswith(('harness.', 'torch', 'pandas'))]; "
        "assert not heavy, heavy; assert {'load', 'run'} <= set(dir(h)); h.load; "
        "assert not {'torch', 'pandas', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="lode"):
        _ = h.lode


def test_the_table_has_a_row_a_strategy_with_the_numbers_of_the_csv_report(results, command):
    table = results.table().set_index("strategy")
    assert set(table.index) == {"zero_shot", "few_shot", "rag(k=1)"}
    assert table.seeds["few_shot"] == 2
    _, printed, _ = command("report", "--results", results.folder, "--format", "csv")
    header, *rows = printed.splitlines()
    first = dict(zip(header.split(","), rows[0].split(","), strict=True))
    assert table.token_f1[first["strategy"]] == float(first["token_f1"])
    assert {str(table.dtypes[name]) for name in ("token_f1", "total_s")} == {"float64"}


def test_without_pandas_the_error_names_it(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(h.HarnessError, match="pandas is not installed: pip install pandas"):
        results.table()


def test_a_notebook_shows_verdict_and_table(results):
    shown = results._repr_html_()
    assert results.verdicts["quickstart"] in repr(results)
    assert f"<strong>{html.escape(results.verdicts['quickstart']).split('`')[0]}" in shown
    assert type(shown) is str  # no markup that escapes what is added to it
    assert shown.count("<tr>") == 4
    assert '<td style="text-align: left">rag(k=1)' in shown


def test_foreign_text_cannot_leave_its_cell(results):
    hostile = "<script>alert(1)</script>"
    (suite,) = results._comparison.suites
    (task,) = suite.tasks
    row = task.rows[0].model_copy(update={"strategy": hostile, "model": hostile})
    failed = task.rows[1].model_copy(update={"status": "failed", "reason": hostile})
    task = task.model_copy(update={"name": hostile, "rows": (row, *task.rows[1:], failed), "verdict": (hostile,)})
    suite = suite.model_copy(update={"name": hostile, "tasks": (task,), "warnings": (hostile,)})
    shown = summary(
        results._comparison.model_copy(update={"suites": (suite,), "notes": (hostile,)}), {hostile: hostile}
    )
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 6


def test_the_page_is_shown_in_a_frame_that_reaches_nothing_of_the_notebook(results, tmp_path):
    page = results.page()
    frame = page._repr_html_()
    assert frame.startswith('<iframe sandbox="allow-scripts" ')
    assert html.unescape(frame.split('srcdoc="')[1].split('"')[0]) == page.html
    assert page.write(tmp_path / "new" / "report.html").read_text(encoding="utf-8") == page.html


def test_a_folder_without_results_and_an_unknown_setting_are_said(tmp_path):
    with pytest.raises(h.HarnessError, match="has no results"):
        h.load(tmp_path)
    with pytest.raises(h.HarnessError, match="did you mean 'seeds'"):
        h.run("quickstart", seedz=3)


def test_a_script_without_a_main_guard_runs_trials(tiny_suite, tmp_path):
    (tmp_path / "films.py").write_text(
        "def answer(question):\n    return 'good' if 'delight' in question['input'] else 'bad'\n"
    )
    script = tmp_path / "script.py"
    call = f"{str(tiny_suite)!r}, tasks='moods', strategies='external(python=\"films:answer\")', requests=0"
    script.write_text(
        "import harness as h\nprint('started')\n"
        f"results = h.run({call}, progress=False)\n"
        "print(results.counts.completed, results.counts.failed, results.table().accuracy[0])\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("started\n1 0 1.0\n", "")


@pytest.mark.e2e
def test_the_example_notebook_runs(monkeypatch):
    monkeypatch.chdir(ROOT / "docs")
    notebook = json.loads(Path("example.ipynb").read_text(encoding="utf-8"))
    variables = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "example.ipynb", "exec"), variables)  # noqa: S102 - a notebook's cells
            if last:
                shown = eval(compile(ast.Expression(last.value), "example.ipynb", "eval"), variables)  # noqa: S307
                assert shown is None or shown._repr_html_()
    assert len(variables["scores"]) > 3
    assert variables["page"].html
