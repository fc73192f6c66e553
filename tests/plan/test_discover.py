"""Finding strategies: by file name among the built-in ones, by entry point among the others."""

import os
import subprocess
import sys

import pytest

from harness.errors import HarnessError
from harness.plan import discover

STEP = '''"""The module's line."""
from typing import ClassVar
from pydantic import Field
from harness.api import Needs, Step

class {name}(Step):
    """{doc}

    More about it.
    """

    needs: ClassVar[Needs] = Needs(task=frozenset({{"corpus"}}), model=frozenset({{"score_choices"}}))
    paper: ClassVar[str] = "Somebody 2020"
    k: int = Field(3, ge=1, description="how many")
    name: str | None = None
    must: float
'''


@pytest.fixture
def builtins(tmp_path, monkeypatch):
    """An empty folder of built-in strategies that a test can write modules into."""
    folder = tmp_path / "builtins"
    folder.mkdir()
    monkeypatch.setattr(discover, "FOLDER", folder)
    discover.clear()
    yield folder
    for name in [n for n in sys.modules if n.startswith("strategies.")]:
        if str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]
    discover.clear()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package with one entry point, as pip would lay it out."""

    def add(package: str, point: str, value: str, code: str) -> None:
        site = tmp_path / f"site_{package}"
        info = site / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{discover.GROUP}]\n{point} = {value}\n")
        (site / f"{package}.py").write_text(code)
        monkeypatch.syspath_prepend(str(site))
        discover.clear()

    yield add
    discover.clear()


def test_a_builtin_is_found_by_its_file_name_and_the_others_are_not_imported(builtins):
    (builtins / "mine_a.py").write_text(STEP.format(name="Mine", doc="Mine."))
    (builtins / "mine_b.py").write_text("raise RuntimeError('imported')")
    assert discover.find_step("mine_a").__name__ == "Mine"
    assert "strategies.mine_b" not in sys.modules


def test_a_private_module_is_no_strategy(builtins):
    (builtins / "_shared.py").write_text("")
    assert discover.list_strategies() == []


def test_an_unknown_strategy_names_the_nearest(builtins):
    (builtins / "mine_c.py").write_text(STEP.format(name="Mine", doc="Mine."))
    with pytest.raises(HarnessError, match=r"unknown strategy 'mine_d': did you mean 'mine_c'\?.*harness strategies"):
        discover.find_step("mine_d")


def test_a_strategy_is_listed_with_its_parameters_needs_and_paper(builtins):
    (builtins / "mine_e.py").write_text(STEP.format(name="Mine", doc="What it does."))
    (listed,) = discover.list_strategies()
    assert (listed.name, listed.summary, listed.paper) == ("mine_e", "What it does.", "Somebody 2020")
    assert listed.needs == ("corpus", "model can score choices")
    assert listed.parameters[0] == discover.Parameter("k", "int", "3", "how many")
    assert [(p.type, p.default) for p in listed.parameters[1:]] == [("str | None", "None"), ("float", None)]


def test_an_imported_step_does_not_count_as_the_modules_own(builtins):
    (builtins / "mine_f.py").write_text("from harness.api import Step\n")
    with pytest.raises(HarnessError, match=r"exactly one subclass of harness\.api\.Step, not 0"):
        discover.find_step("mine_f")


def test_another_package_adds_a_strategy(builtins, install):
    install("extra_pack", "theirs", "extra_pack:Theirs", STEP.format(name="Theirs", doc="Theirs."))
    assert discover.find_step("theirs").__module__ == "extra_pack"
    (listed,) = discover.list_strategies()
    assert listed.origin == "extra_pack:Theirs (package extra_pack)"


def test_an_entry_point_may_name_a_module(builtins, install):
    install("extra_module", "theirs", "extra_module", STEP.format(name="Theirs", doc="Theirs."))
    assert discover.find_step("theirs").__name__ == "Theirs"


def test_a_broken_plugin_is_listed_with_its_error_and_breaks_no_other(builtins, install):
    (builtins / "mine_g.py").write_text(STEP.format(name="Mine", doc="Mine."))
    install("broken_pack", "broken", "broken_pack:Gone", "raise RuntimeError('no such\\nlibrary')")
    mine, broken = discover.list_strategies()
    assert mine.error is None
    assert broken.name == "broken"
    assert broken.error is not None
    assert "RuntimeError: no such library" in broken.error
    with pytest.raises(HarnessError, match="broken_pack:Gone"):
        discover.find_step("broken")


def test_a_name_that_collides_with_a_builtin_is_an_error_that_names_both(builtins, install):
    (builtins / "mine_h.py").write_text(STEP.format(name="Mine", doc="Mine."))
    install("same_pack", "mine_h", "same_pack:Theirs", STEP.format(name="Theirs", doc="Theirs."))
    with pytest.raises(HarnessError, match=r"strategies\.mine_h and same_pack:Theirs \(package same_pack\)"):
        discover.find_step("mine_h")
    (listed,) = discover.list_strategies()
    assert listed.error is not None


def test_a_parameter_may_not_have_a_reserved_name(builtins):
    (builtins / "mine_i.py").write_text(
        "from harness.api import Step\nclass Mine(Step):\n    'Mine.'\n    task: str = 'a'\n"
    )
    with pytest.raises(HarnessError, match="'task', a reserved name"):
        discover.find_step("mine_i")


def test_listing_the_real_strategies_imports_no_heavy_library():
    code = (
        "import sys; from harness.plan.discover import list_strategies; rows = list_strategies()\n"
        "assert not [r for r in rows if r.error], rows\n"
        "print(*[m for m in ('torch', 'transformers', 'peft', 'faiss', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("where", ["path", "working folder"])
def test_a_folder_of_the_users_called_strategies_hides_no_builtin(tmp_path, where):
    theirs = tmp_path / "strategies"
    theirs.mkdir()
    (theirs / "__init__.py").write_text("")
    (theirs / "lora.py").write_text("raise RuntimeError('imported')")
    (theirs / "mine.py").write_text("")
    code = (
        "import strategies, sys; print(strategies.__file__)\n"
        "from harness.plan.discover import find_step, list_strategies\n"
        "assert find_step('lora').__name__ == 'Lora'\n"
        "print(*[listed.name for listed in list_strategies() if not listed.error])\n"
    )
    environment = {**os.environ, **({"PYTHONPATH": str(tmp_path)} if where == "path" else {})}
    folder = tmp_path if where == "working folder" else tmp_path.parent
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    package, names = ran.stdout.splitlines()
    assert package == str(theirs / "__init__.py")
    assert {"zero_shot", "lora", "rag"} <= set(names.split())
    assert "mine" not in names.split()
