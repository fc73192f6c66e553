"""Rules for built-in suites that need no data; the others are in tests/e2e."""

import re
from pathlib import Path

import pytest

import suites
from harness.data.sources import all_sources
from harness.data.suite import load_suite
from harness.plan import chain, discover
from harness.prompts import template

NAMES = sorted(path.parent.name for path in Path(suites.__path__[0]).glob("*/suite.toml"))
PARTS = ("Source", "Splits", "Examples", "Chance level", "Known contamination and other limits")
EXPECTED = {
    "behaviour",
    "bias",
    "handbook",
    "injection",
    "knowledge",
    "legal",
    "medical",
    "preferences",
    "privacy",
    "quickstart",
    "reading",
    "retention",
    "subjects",
    "summaries",
    "topics",
    "updates",
}


@pytest.fixture(params=NAMES)
def suite(request):
    return load_suite(request.param)


def sheet(suite):
    return (suite.folder / "README.md").read_text(encoding="utf-8")


def test_no_suite_is_missing():
    assert set(NAMES) >= EXPECTED


def test_a_suite_is_called_as_its_folder_and_says_what_it_is(suite):
    assert suite.name == suite.folder.name
    assert suite.description
    assert suite.config.licence
    assert (suite.folder / "__init__.py").is_file()


def test_a_data_sheet_has_every_part(suite):
    headings = re.findall(r"^## (.+)$", sheet(suite), re.MULTILINE)
    assert [part for part in PARTS if part not in headings] == []


def test_a_data_sheet_names_each_archive_down_to_its_hash(suite):
    pinned = {source.name: source for source in all_sources()}
    for name in {task.source for task in suite.tasks if task.source}:
        assert pinned[name].sha256 in sheet(suite)
        assert pinned[name].version in sheet(suite)
        assert f"{pinned[name].size_bytes:,}" in sheet(suite)


def test_a_data_sheet_states_the_sizes_that_are_set(suite):
    for task in suite.tasks:
        sizes = [size for size in (task.sizes.train, task.sizes.validation, task.sizes.test) if size is not None]
        (line,) = [row for row in splits_table(suite) if row[0] == task.name]
        assert [int(cell.replace(",", "")) for cell in line[1:4] if cell != "0"] == sizes or not sizes


def test_a_data_sheet_shows_an_example_and_a_chance_level_of_every_task(suite):
    examples, chance = section(suite, "Examples"), section(suite, "Chance level")
    for task in suite.tasks:
        assert f"**{task.name}**" in examples
        assert f"- {task.name}: " in chance


def test_the_strategies_of_a_suite_can_be_built(suite):
    assert "zero_shot" in suite.strategies
    for text in suite.strategies:
        links = chain.build(text, discover.find_step)
        tasks = {name for link in links for name in link.tasks} - {"all"}
        assert tasks <= {task.name for task in suite.targets}


def test_templates_can_be_used(suite):
    for name, text in suite.templates.items():
        template.validate(text, name)


def splits_table(suite):
    rows = (line.strip("|").split("|") for line in section(suite, "Splits").splitlines() if line.startswith("|"))
    return [[cell.strip() for cell in row] for row in rows]


def section(suite, title):
    return sheet(suite).split(f"## {title}\n")[1].split("\n## ")[0]
