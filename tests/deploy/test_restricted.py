"""What not everybody may read: marked in records and pages, left out on request, kept out of deployed samples."""

import csv
import json
import shutil

import pytest

from harness.cli.pages import PageOptions, write_pages
from harness.deploy.write_system import deploy
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.store import export
from harness.store.results_store import Store
from harness.trial.run_trial import run_trial

STRATEGIES = ("zero_shot", "few_shot(k=3)", "few_shot(k=2)+rag(k=2,retriever=bm25)")


@pytest.fixture(scope="module")
def restricted_suite(tiny_suite, tmp_path_factory):
    """The tiny suite; every third passage is Ann's, and questions are asked by Ann, by Bo or by nobody in turn."""
    folder = shutil.copytree(tiny_suite, tmp_path_factory.mktemp("restricted") / "tiny")
    for name, column, values in (("doors", "readers", ("Ann", "", "")), ("facts", "asker", ("Ann", "Bo", ""))):
        rows = list(csv.DictReader((folder / f"{name}.csv").open()))
        with (folder / f"{name}.csv").open("w") as file:
            writer = csv.DictWriter(file, [*rows[0], column])
            writer.writeheader()
            for index, row in enumerate(rows):
                asker = values[index // 2 % 3] if column == "asker" else values[index % 3]
                writer.writerow({**row, column: asker})
    suite = folder / "suite.toml"
    suite.write_text(suite.read_text().replace('evidence = "page"', 'evidence = "page"\nuser = "asker"'))
    return folder


@pytest.fixture(scope="module")
def trials(restricted_suite, tiny_folders, tmp_path_factory):
    """Run the strategies; return (record, rows) of each, the store that has them, and the cache."""
    root = tmp_path_factory.mktemp("restricted-results")
    config = RunConfig(
        suite=str(restricted_suite),
        models=(str(tiny_folders()),),
        tasks=("facts",),
        strategies=STRATEGIES,
        check_items=0,
    )
    store, cache = Store(root / "results"), root / "cache"
    finished = [run_trial(trial, cache=cache, emit=lambda event: None) for trial in make_plan(config).trials]
    for index, (record, rows) in enumerate(finished):  # the second one knows all, so that there are disagreements
        known = [row.model_copy(update={"answer": row.references[0], "output": row.references[0]}) for row in rows]
        store.write(record, known if index == 1 else rows)
    return finished, store, cache


def secrets():
    """The answers that stand in Ann's passages only."""
    return {f"key {n}" for n in range(0, 24, 3)}


def shows(text):
    return {secret for secret in secrets() if f"{secret} " in f"{text} ".replace("\n", " ").replace('"', " ")}


def test_a_row_says_that_it_shows_or_rests_on_what_not_everybody_may_read(trials):
    for record, rows in trials[0]:
        assert len({row.restricted for row in rows}) == 2, record.trial.strategy
        for row in rows:
            own = int(row.evidence[0][1:]) % 3 == 0
            if own or shows(row.prompt):
                assert row.restricted, (record.trial.strategy, row.id)
    plain = [row for row in trials[0][0][1] if not row.restricted]
    assert all(int(row.evidence[0][1:]) % 3 for row in plain)


def test_only_ann_is_shown_anns_answers(trials, restricted_suite):
    askers = {row["question"]: row["asker"] for row in csv.DictReader((restricted_suite / "facts.csv").open())}
    shown = [(askers[row.input], shows(row.prompt)) for _, rows in trials[0] for row in rows]
    assert all(not texts for asker, texts in shown if asker != "Ann")
    assert any(texts for asker, texts in shown if asker == "Ann")


def test_a_page_warns_of_restricted_items_and_leaves_their_texts_out_on_request(trials, tmp_path):
    _, store, _ = trials
    restricted_ids = {row.id for _, rows in trials[0] for row in rows if row.restricted}
    pages = {}
    for redacted in (False, True):
        path = tmp_path / f"{redacted}.html"
        write_pages(store, None, None, PageOptions(path, redacted=redacted))
        pages[redacted] = path.read_text(encoding="utf-8")
    items = {
        redacted: json.loads(page.split('id="example-data"')[1].split(">", 1)[1].split("</script>")[0])
        for redacted, page in pages.items()
    }
    marked = {e["id"] for task in items[False]["tasks"] for e in task["examples"] if e["restricted"]}
    assert marked
    assert marked <= restricted_ids
    assert "Not for everybody" in pages[False]
    assert "Not for everybody" not in pages[True]
    assert any(shows(text) for text in items[False]["texts"])
    assert not any(shows(text) for text in items[True]["texts"])
    references = [e["references"] for task in items[True]["tasks"] for e in task["examples"] if e["restricted"]]
    assert all(texts == ["(restricted)"] for texts in references)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_exported_answers_can_be_redacted(trials, tmp_path, form):
    _, path = export.write_tables(trials[1].load(), tmp_path, form, redacted=True)
    _, whole = export.write_tables(trials[1].load(), tmp_path / "whole", form)
    if form == "csv":
        assert not shows(path.read_text())
        assert shows(whole.read_text())
    assert b"(restricted)" in path.read_bytes()
    assert b"(restricted)" not in whole.read_bytes()


def test_a_deployed_system_says_who_may_read_and_shows_public_samples_only(trials, restricted_suite, tmp_path):
    (record, rows), cache = trials[0][2], trials[2]
    deployed = deploy(record, rows, tmp_path / "out", cache, suite=str(restricted_suite))
    public = [row.id for row in rows if not row.restricted]
    lines = (deployed.folder / "samples.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == public
    card = (deployed.folder / "README.md").read_text()
    assert "8 passages of `index/passages.jsonl`" in card
    exemplars = json.loads((deployed.folder / "prompt.json").read_text())["exemplars"]
    for exemplar in exemplars:
        assert ("readers" in exemplar) == (exemplar["answer"] in secrets())
