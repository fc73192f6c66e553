"""Built-in suites are those that were installed with the harness, whatever else is called ``suites``."""

import os
import subprocess
import sys

import pytest

from harness.data import archive, builtin_suites, task_rows
from harness.data.suite import load_suite

READ_SUMMARIES = """
import json, sys
import suites
print(suites.__file__)
from harness.data import archive, suite, task_rows
article = {"id": "7", "document": "word " * 60, "summary": "two words"}
archive.reader = lambda source: lambda member: json.dumps(article).encode()
summaries = suite.load_suite("summaries")
tables, _ = task_rows.read_task(summaries, summaries.tasks[0])
print(tables["all"].rows[0]["id"], suites.__file__ == sys.modules["suites"].__file__)
print(*(listed.name for listed in suite.list_suites()[0]))
"""


@pytest.mark.parametrize("where", ["path", "working folder"])
def test_a_folder_of_the_users_called_suites_hides_no_builtin(tmp_path, where):
    theirs = tmp_path / "suites"
    (theirs / "summaries").mkdir(parents=True)
    for module in ("sources.py", "summaries/__init__.py", "summaries/prepare.py"):
        (theirs / module).write_text("raise RuntimeError('imported')")
    (theirs / "__init__.py").write_text("")
    environment = {**os.environ, **({"PYTHONPATH": str(tmp_path)} if where == "path" else {})}
    folder = tmp_path if where == "working folder" else tmp_path.parent
    ran = subprocess.run(
        [sys.executable, "-c", READ_SUMMARIES], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    package, row, names = ran.stdout.splitlines()
    assert package == str(theirs / "__init__.py")
    assert row == "7 True"
    assert set(names.split()) == set(builtin_suites.folders())


def test_a_suite_of_another_package_runs_the_prepare_module_of_that_package(tmp_path, monkeypatch):
    folder = tmp_path / "extra_suites" / "colours"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder / "__init__.py").write_text("")
    (folder / "prepare.py").write_text("def rows(read):\n    yield {'q': 'sky?', 'a': read('sky').decode()}\n")
    (folder / "suite.toml").write_text(
        'name = "colours"\nversion = 1\n[[tasks]]\nname = "t"\nkind = "qa"\nsource = "olmo-eval"\nrows = "rows"\n'
        'input = "q"\nreference = "a"\n'
    )
    information = tmp_path / "extra_suites-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-suites\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[adaptbench.suites]\ncolours = extra_suites.colours\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(archive, "reader", lambda source: lambda member: b"blue")
    suite = load_suite("colours")
    tables, _ = task_rows.read_task(suite, suite.tasks[0])
    assert tables["all"].rows == ({"q": "sky?", "a": "blue"},)
