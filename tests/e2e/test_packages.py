"""Wheel and source distribution are complete: what is built from the checkout runs outside of it."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
FOLDERS = ("harness", "strategies", "suites")


def call(*arguments, **options):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The folder with both, built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    call("-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(packages):
    (file,) = packages.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Run commands of the wheel, installed into a folder, from a folder without anything."""
    site, empty = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("empty")
    call("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", site, wheel)
    env = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "100"}

    def run(*arguments, code="from harness.cli import main; main()"):
        return call("-P", "-c", code, *arguments, cwd=empty, env=env)

    assert Path(run(code="import harness; print(harness.__file__)").strip()).is_relative_to(site)
    return run


def files():
    """Every file of the packages in the checkout, by its path."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}


def test_both_hold_every_file_of_the_packages_and_the_licence(packages, wheel):
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
        (metadata,) = [archive.read(name).decode() for name in in_wheel if name.endswith("dist-info/METADATA")]
        (licence,) = [archive.read(name) for name in in_wheel if name.endswith("dist-info/licenses/LICENSE")]
    assert files() - in_wheel == set()
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert (ROOT / "README.md").read_text(encoding="utf-8").strip() in metadata
    (source,) = packages.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        in_source = {name.partition("/")[2] for name in archive.getnames()}
    assert {*files(), "LICENSE", "README.md", "pyproject.toml", "constraints.txt"} - in_source == set()


def test_the_installed_wheel_lists_its_suites_and_strategies(installed):
    suites = {folder.parent.name for folder in (ROOT / "suites").glob("*/suite.toml")}
    assert suites <= {line.split()[0] for line in installed("suites").splitlines() if line.split()}
    assert "lora" in installed("strategies")
    assert installed("--version").startswith("adaptbench ")


def test_the_installed_wheel_writes_the_page(installed, tmp_path):
    page = tmp_path / "report.html"
    installed("report", "reading", "--results", ROOT / "results" / "reference", "--html", page)
    assert "plot" in page.read_text(encoding="utf-8")
