"""The page as text: its figures equal the JSON report's, foreign text cannot run, and nothing is fetched."""

import json
import re
from itertools import pairwise

import pytest

from harness.compare.cost.breakeven import break_even
from harness.compare.cost.money import Usage
from harness.compare.decide.confidence import confidence, front, would_change
from harness.render.html.chart import ScatterChart
from harness.render.html.cost_section import break_even_sentence
from harness.render.html.embedded_data import as_script
from harness.render.html.glossary import step_names
from harness.render.html.page import MAX_PAGE_BYTES, render, task_charts
from harness.render.html.page_text import dollars, mark_code, number
from harness.render.report import json as as_json
from tests.compare.test_economics import money
from tests.render.pages import HOSTILE, Scan, figures, page_of, write_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def report(store):
    return page_of(store)


@pytest.fixture(scope="module")
def page(report):
    return report[1]


def data_of(page, name):
    return json.loads(re.search(rf'id="{name}">(.*?)</script>', page, re.DOTALL)[1])


def main_cells(page):
    """Cells of each row of the first task's main table, by strategy; and the titles."""
    start = page.index('aria-label="Quality and costs of')
    cells = Scan(page[start : page.index("</table>", start)]).cells
    titles = [text for _, text in cells][: page[start : page.index("</thead>", start)].count("<th ")]
    rows = [cells[n : n + len(titles)] for n in range(len(titles), len(cells), len(titles))]
    return {row[0][1]: dict(zip(titles, row, strict=True)) for row in rows}


def test_scores_memory_and_time_of_the_main_table_are_those_of_the_json_report(report):
    comparison, page = report
    document = json.loads(as_json.render(comparison))
    rows = main_cells(page)
    scores = {
        row["strategy"]: row["scores"]["accuracy"]["value"]
        for row in document["tasks"][0]["strategies"]
        if row["scores"]
    }
    assert {name: float(row["accuracy"][0]) for name, row in rows.items()} == scores
    spans = next(trial for trial in document["trials"] if trial["strategy"] == "zero_shot")["spans"].values()
    memory, time = max(span["host_peak_bytes"] for span in spans), sum(span["wall_s"] for span in spans)
    assert float(rows["zero_shot"]["peak memory"][0]) == pytest.approx(memory)
    assert float(rows["zero_shot"]["total time"][0]) == pytest.approx(time)


def test_costs_of_the_page_are_those_of_the_comparison(report):
    comparison, page = report
    row = comparison.suites[0].tasks[0].rows[0]
    usage = comparison.assumed.usage
    section = page[page.index('id="costs"') :]
    assert f'data-value="{row.money.total_usd(usage)}"' in section
    parts = data_of(page, "money-data")["tasks"][0]["rows"][0]
    assert sum(p["quantity"] * p["usd"] for p in parts["fixed"]) == pytest.approx(row.money.fixed_usd)


def test_what_a_model_or_a_record_wrote_stays_text(page):
    assert "<script>window" not in page
    assert "rag<k>" not in page
    assert "out of memory &lt;at&gt; 22 GiB" in page
    answers = [a["a"] for example in data_of(page, "example-data")["tasks"][0]["examples"] for a in example["answers"]]
    assert HOSTILE in answers


def test_json_in_a_script_element_cannot_end_it():
    text = as_script({"a": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!-- & \u2028"}


def test_a_page_refers_to_nothing_outside_itself(page):
    scan = Scan(page)
    loaded = [
        tag for tag, attributes in scan.tags if "src" in attributes or tag in ("link", "iframe", "object", "embed")
    ]
    assert loaded == []
    assert not re.search(r"url\((?!#)|@import", page)
    assert all(a["href"].startswith(("#", "https://", "http://")) for a in scan.of("a"))
    policy = next(a["content"] for a in scan.of("meta") if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_every_link_of_a_page_has_its_target_and_only_web_addresses_lead_out(report):
    comparison = report[0]
    prices = tuple(price.model_copy(update={"source": "javascript:alert(1)"}) for price in comparison.assumed.prices)
    assumed = comparison.assumed.model_copy(update={"prices": prices})
    page = render(comparison.model_copy(update={"assumed": assumed}))
    scan = Scan(page)
    ids = {attributes.get("id") for _, attributes in scan.tags}
    links = [attributes["href"] for attributes in scan.of("a")]
    assert len(links) > 4
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_a_page_is_small_and_the_same_every_time(store, page):
    assert len(page.encode()) < MAX_PAGE_BYTES / 10
    assert page_of(store)[1] == page


def test_every_control_has_a_label_and_every_chart_a_text_and_a_table(page):
    scan = Scan(page)
    labelled = {attributes.get("for") for attributes in scan.of("label")}
    assert all(a.get("id") in labelled or a.get("aria-label") for a in scan.of("input", "select") if "class" not in a)
    drawings = [a for _, a in scan.tags if a.get("role") == "img"]
    assert drawings
    assert all(a.get("aria-label") for a in drawings)
    with_numbers = {name for name, figure in figures(page).items() if "<table" in figure}
    assert set(figures(page)) - with_numbers == {"task-1-scores", "task-1-quality"}  # the main table has theirs
    ids = [a["id"] for _, a in scan.tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_headings_do_not_skip_a_level(page):
    levels = [int(tag[1]) for tag, _ in Scan(page).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_what_did_not_finish_stands_there_with_its_reason(page):
    assert "qlora failed" in page
    assert "sentiment has no corpus" in page


def test_examples_are_items_on_which_some_are_right_and_some_are_wrong(page):
    task_examples = data_of(page, "example-data")["tasks"][0]
    assert all({answer["r"] for answer in example["answers"]} == {True, False} for example in task_examples["examples"])
    assert len(task_examples["examples"]) == task_examples["disagreeing"]
    example = task_examples["examples"][0]
    texts = data_of(page, "example-data")["texts"]
    first = texts[task_examples["begin"][0]] + texts[example["answers"][0]["p"]]
    assert first == f"Judge the film.\n\nWhat of film number {int(example['id'])}?\nAnswer:"


def test_charts_show_training_seeds_and_what_strategies_take(report):
    charts = {chart.name: chart for chart in task_charts(report[0].suites[0].tasks[0])}
    assert {"scores", "quality", "training", "seeds", "forecast"} >= set(charts) >= {"scores", "quality", "training"}
    drawing = charts["quality"].drawing
    assert isinstance(drawing, ScatterChart)
    assert [axis.key for axis in drawing.axes][:4] == ["accuracy", "cost", "time", "memory"]
    assert {point.name for point in drawing.points} == {
        row.label for row in report[0].suites[0].tasks[0].rows if row.scores
    }


def test_what_a_chart_draws_is_data_that_cannot_run(page):
    drawing = re.search(r'<script type="application/json">(.*?)</script>', figures(page)["task-1-scores"])[1]
    assert "rag<k>+lora" in [dot["name"] for dot in json.loads(drawing)["panels"][0]["dots"]]
    assert not set("<>&") & set(drawing)


def test_every_step_of_a_strategy_is_explained_at_its_name_and_in_the_glossary(page):
    lora = next(a["title"] for a in Scan(page).of("th") if a.get("scope") == "row" and "lora: " in a.get("title", ""))
    assert lora.removeprefix("lora: ") in page[page.index('id="strategies"') :]
    assert step_names("lora(task=a)+rag(k=3)+full [8 trials, written] · small") == ["lora", "rag", "full"]


def test_a_sentence_keeps_its_code_and_escapes_the_rest():
    assert str(mark_code("`a<b>` & c")) == "<code>a&lt;b&gt;</code> &amp; c"
    assert str(mark_code("one ` alone")) == "one ` alone"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "$0"),
        (0.00031, "$0.00031"),
        (0.5, "$0.50"),
        (12.345, "$12.35"),
        (1234.5, "$1,234"),
        (1e-9, "<$0.00001"),
    ],
)
def test_amounts_have_as_many_digits_as_matter(value, text):
    assert dollars(value) == text


def test_counts_claim_two_digits():
    assert [number(n) for n in (7.4, 99, 1234, 2_263_973)] == ["7", "99", "1,200", "2,300,000"]


def test_the_front_is_what_nothing_beats_in_both():
    points = {0: (1.0, 0.5), 1: (2.0, 0.4), 2: (3.0, 0.9), 3: (2.5, 0.7), 4: (1.0, 0.3)}
    assert front(points) == (0, 3, 2)
    assert front(points, higher_is_better=False) == (4,)


def test_confidence_says_what_is_tied_and_what_was_trained_once(report):
    task = report[0].suites[0].tasks[0]
    task_confidence = confidence(task)
    assert task_confidence.level in ("clear", "tied")
    best, second = (f"`{row.label}`" for row in task.rows[:2])
    assert task_confidence.reasons[0].startswith(f"Next by score: {second}, ")
    assert f" to {best} (adjusted p " in task_confidence.reasons[0]
    assert any(sentence.startswith("Highest score with less ") for sentence in would_change(task))


def test_the_break_even_in_the_page_is_that_of_the_comparison(report):
    comparison, page = report
    rows = {row.label: row for row in comparison.suites[0].tasks[0].rows if row.money}
    best, *challengers = rows.values()
    crossings = [break_even(best.money, other.money) for other in challengers]
    texts = [crossing.note or f"Above {number(crossing.per_month or 0)} requests a month" for crossing in crossings]
    assert any(text in page for text in texts)


def test_a_break_even_is_said_with_its_bounds_and_none_from_single_timings():
    cheap, dear = (money(fixed, request, half=0.01) for fixed, request in ((1, 0.002), (10, 0.001)))
    said = break_even_sentence(("rag", "lora"), (cheap, dear), Usage())
    assert said.startswith("Above 750 requests a month [")
    assert said.endswith("], `lora` costs less than `rag`; below, it is the other way round.")
    once = break_even_sentence(("rag", "lora"), (money(1, 0.002), money(10, 0.001)), Usage())
    assert once.startswith("Which of `rag` and `lora` costs less cannot be said: hours were measured once")


def test_the_command_writes_the_page_and_says_where(store, tmp_path):
    from typer.testing import CliRunner

    from harness.cli import app

    page = tmp_path / "new" / "page.html"
    outcome = CliRunner().invoke(app, ["report", "--results", str(store.root), "--html", str(page)])
    assert outcome.exit_code == 0, outcome.output
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "opens in any browser" in outcome.output
