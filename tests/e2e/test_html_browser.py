"""The page in a real browser, opened from disk with the network off: what a reader does with it."""

import json
import os
import re
import shutil
import time
from itertools import pairwise
from pathlib import Path

import pytest

from harness.cli.pages import history_of
from harness.notebook import ReportPage
from harness.render.html import history_page
from tests.e2e.page_checks import CONTRAST, cost, crossing
from tests.render.pages import HOSTILE, page_of, write_releases, write_store

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
]

CONTROLS = "button:not(:disabled), input, select, summary, a[href], [tabindex='0']"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The comparison, and the file of its page."""
    folder = tmp_path_factory.mktemp("page")
    comparison, page = page_of(write_store(folder / "results"))
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return comparison, path


@pytest.fixture
def page(browser, report):
    """Open the page; whatever it complains about, or asks for besides its own file, fails the test."""
    yield from opened(browser, report[1])


def opened(browser, path, **options):
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "offline": True} | options))
    page = context.new_page()
    trouble = []
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: None if request.url == path.as_uri() else trouble.append(request.url))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert trouble == []


def embedded(page, name):
    return json.loads(page.locator(f"#{name}").text_content())


def test_a_page_opens_from_disk_with_the_network_off(page):
    assert page.locator("h1").inner_text() == "quick"
    assert page.locator("figure svg").count() >= 2
    assert page.locator("html.scripted").count() == 1


def test_in_a_notebook_the_links_of_the_page_stay_in_its_frame(browser, report, tmp_path):
    notebook = tmp_path / "notebook.html"
    page_html = report[1].read_text(encoding="utf-8")
    notebook.write_text(f"<!doctype html><meta charset='utf-8'>{ReportPage(page_html)._repr_html_()}", encoding="utf-8")
    for page in opened(browser, notebook):
        (frame,) = page.frames[1:]
        assert frame.locator("figure svg").count() >= 2
        link = frame.locator("nav a").last
        link.click()
        target = frame.locator(link.get_attribute("href"))
        playwright.expect(target).to_be_in_viewport()
        assert frame.url == "about:srcdoc" + link.get_attribute("href")


def test_filters_show_the_examples_that_fit_them(page):
    task_data = embedded(page, "example-data")["tasks"][0]
    first, second = 0, len(task_data["rows"]) - 1
    fitting = [e for e in task_data["examples"] if e["answers"][first]["r"] and not e["answers"][second]["r"]]
    page.select_option("#x-right", "first")
    assert 0 < len(fitting) < len(task_data["examples"])
    assert page.locator("#x-count").inner_text().startswith(f"{len(fitting)} of ")
    assert page.locator("#x-list article h3").first.inner_text() == f"Item {fitting[0]['id']}"
    example = fitting[-1]
    page.fill("#x-text", f"film number {int(example['id'])}?")
    assert page.locator("#x-list article").count() == 1
    assert f"Item {example['id']}" in page.locator("#x-list").inner_text()
    page.fill("#x-text", "no such words")
    assert page.locator("#x-count").inner_text() == "No example fits."
    page.fill("#x-text", f"number ({int(example['id'])}|{int(fitting[0]['id'])})[?]")
    assert page.locator("#x-count").inner_text() == "No example fits."
    page.check("#x-regex")
    assert page.locator("#x-list article").count() == 2
    page.fill("#x-text", "(")
    assert "no regular expression" in page.locator("#x-count").inner_text()


def test_two_answers_are_compared_word_by_word(page):
    page.select_option("#x-right", "differ")
    item = page.locator("#x-list article").filter(has_text="Difference: ").first
    item.get_by_text("Difference: ").click()
    item.locator("ins").first.wait_for()
    data = embedded(page, "example-data")
    example = next(e for e in data["tasks"][0]["examples"] if f"Item {e['id']}" == item.locator("h3").inner_text())
    first, second = (data["texts"][example["answers"][place]["o"]] for place in (0, len(example["answers"]) - 1))
    box = item.get_by_role("region", name="Only the first wrote")
    words = [box.locator(tag).all_inner_texts() for tag in ("del", "ins")]
    assert [set(first.split()) - set(second.split()), set(second.split()) - set(first.split())] == [
        {word for word in group if word.strip()} for group in words
    ]


def test_a_table_is_sorted_by_its_figures_and_filtered_by_words(page):
    table = page.get_by_role("table", name="Quality and costs of sentiment")
    names = table.locator("tbody th")
    before = names.all_inner_texts()
    title = table.get_by_role("columnheader", name="peak memory")
    title.click()
    values = [float(v) for v in table.locator("tbody td:nth-child(7)").evaluate_all("c => c.map(e => e.dataset.value)")]
    assert values == sorted(values)
    title.focus()
    page.keyboard.press("Enter")
    assert title.get_attribute("aria-sort") == "descending"
    assert sorted(names.all_inner_texts()) == sorted(before)
    page.get_by_text("What these amounts are made of").click()
    parts = page.get_by_role("table", name="Parts of the costs of sentiment").locator("tbody tr")
    count = parts.count()
    page.get_by_role("searchbox", name="Filter rows: Parts of the costs").fill("few_shot")
    shown = [row.inner_text() for row in parts.all() if row.is_visible()]
    assert 0 < len(shown) < count
    assert all("few_shot" in text for text in shown)


def test_the_reader_chooses_axes_and_hovering_shows_the_figures(page, report):
    figure = page.locator("#task-1-quality")
    before = figure.locator("svg").inner_html()
    figure.get_by_label("across").select_option(label="peak memory")
    assert "peak memory" in figure.locator("svg").text_content()
    assert figure.locator("svg").inner_html() != before
    figure.scroll_into_view_if_needed()
    figure.locator("[aria-label=dot] circle").first.hover(force=True)
    tip = figure.locator("[aria-label=tip]").text_content()
    row = next(row for row in report[0].suites[0].tasks[0].rows if row.label in tip)
    assert f"accuracy: {row.scores['accuracy'].value:.3g}" in tip
    assert "peak memory: " in tip


OVERLAPS = """() => {
    const hits = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    return [...document.querySelectorAll('.drawing svg')].flatMap(svg => {
        const boxes = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim().length > 1)
            .map(t => [t.textContent, t.getBoundingClientRect()]);
        return boxes.flatMap(([text, box], i) => boxes.slice(i + 1).filter(([, other]) => hits(box, other))
            .map(([other]) => `${svg.closest('figure').id}: ${text} on ${other}`));
    });
}"""


@pytest.mark.parametrize("width", [390, 1280])
def test_no_text_of_a_chart_lies_on_another(browser, report, width):
    for page in opened(browser, report[1], viewport={"width": width, "height": 844}):
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        page.wait_for_timeout(300)
        assert page.locator("figure svg").count() > 4
        assert page.evaluate(OVERLAPS) == []


def test_volume_and_prices_change_the_verdict(page, report):
    rows = [row for row in report[0].suites[0].tasks[0].rows if row.money and row.tied_for_best]
    verdict = page.locator("#verdict .at-usage")
    for volume in (1000, 50_000_000):
        page.fill("#volume", str(volume))
        cheapest = min(rows, key=lambda row: cost(row.money, volume, 12, 0))
        assert f"at {volume:,} requests" in verdict.inner_text()
        assert verdict.locator("code").inner_text() == cheapest.label


def test_examples_are_turned_page_by_page(page):
    before = page.locator("#x-list article h3").all_inner_texts()
    assert page.locator("#x-before").is_disabled()
    page.click("#x-after")
    after = page.locator("#x-list article h3").all_inner_texts()
    assert len(before) == 3
    assert not set(before) & set(after)
    page.click("#x-before")
    assert page.locator("#x-list article h3").all_inner_texts() == before


def test_a_prediction_that_holds_a_script_stays_text(page):
    page.fill("#x-text", "window.hurt")
    assert HOSTILE in page.locator("#x-list").inner_text()
    page.locator("#x-list summary").first.click()
    page.locator("#x-list details[open] .verbatim").first.wait_for()
    assert page.evaluate("window.hurt") is None
    assert page.locator("#x-list img, #x-list script").count() == 0


def test_prompt_and_passages_unfold(page):
    page.locator("#x-list summary").first.click()
    page.locator("#x-list details[open] .verbatim").first.wait_for()  # a toggle is told of later than it is done
    text = page.locator("#x-list details[open]").first.inner_text()
    assert "Judge the film." in text
    assert "Passages sent, best first: p1, p2" in text


def test_the_volume_changes_totals_and_break_even_as_the_formulas_say(page, report):
    rows = [row for row in report[0].suites[0].tasks[0].rows if row.money]
    table = page.locator("table.totals tbody tr")
    for volume, months, updates in ((100_000, 12, 0), (2_500_000, 6, 4)):
        for name, value in (("volume", volume), ("months", months), ("updates", updates)):
            page.fill(f"#{name}", str(value))
        for index, row in enumerate(rows):
            expected = cost(row.money, volume, months, updates)
            total_usd = float(table.nth(index).locator("td").last.get_attribute("data-value"))
            assert total_usd == pytest.approx(expected, rel=1e-9)
    for first, second in ((0, 1), (0, len(rows) - 1), (1, 2)):
        page.select_option("select.first", str(first))
        page.select_option("select.second", str(second))
        expected = crossing(rows[first].money, rows[second].money, 6, 4)
        text = page.locator(".break-even").inner_text()
        match = re.search(r"Above ([\d,]+) requests", text)
        assert bool(match) == bool(expected)
        if match:
            assert float(match[1].replace(",", "")) == pytest.approx(expected, rel=0.05)


def test_the_slider_moves_the_volume_and_a_price_factor_the_totals(page, report):
    money = report[0].suites[0].tasks[0].rows[0].money
    page.locator("#volume-slider").fill("6")
    assert page.input_value("#volume") == "1000000"
    page.locator("#factor").fill("1")
    total_usd = float(page.locator("table.totals tbody tr").first.locator("td").last.get_attribute("data-value"))
    assert total_usd == pytest.approx(cost(money, 1_000_000, 12, 0, factor=2.0), rel=1e-9)
    assert page.locator("#factor-shown").inner_text() == "2"


def test_without_a_script_the_numbers_stand_in_the_page(browser, report):
    for page in opened(browser, report[1], java_script_enabled=False):
        row = report[0].suites[0].tasks[0].rows[0]
        total_usd = float(page.locator("table.totals tbody tr").first.locator("td").last.get_attribute("data-value"))
        assert total_usd == pytest.approx(row.money.total_usd(), rel=1e-9)
        assert not page.locator("#usage").is_visible()
        assert "examples.parquet" in page.locator("#examples").inner_text()


def test_the_keyboard_reaches_everything(page):
    expected = page.evaluate(f"[...document.querySelectorAll({CONTROLS!r})].filter(e => e.checkVisibility()).length")
    page.evaluate("document.activeElement.blur()")
    page.evaluate("window.reached = new Set()")
    for _ in range(expected + 5):
        page.keyboard.press("Tab")
        page.evaluate("window.reached.add(document.activeElement)")
    missed = page.evaluate(
        f"[...document.querySelectorAll({CONTROLS!r})].filter(e => e.checkVisibility() && !window.reached.has(e))"
        ".map(e => e.outerHTML.slice(0, 120))"
    )
    assert missed == []


def test_focus_is_seen_and_the_skip_link_skips(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_everything_has_a_name_and_headings_keep_their_order(page):
    nameless = page.evaluate("""() => {
        const named = 'input, select, button, summary, a, [role=img], [role=region], svg';
        return [...document.querySelectorAll(named)].filter(e => {
            if (e.tagName === 'svg') return !e.closest('[role=img][aria-label]');
            const label = e.labels && [...e.labels].some(l => l.textContent.trim());
            return !(label || e.getAttribute('aria-label') || e.textContent.trim());
        }).map(e => e.outerHTML.slice(0, 120)); }""")
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))")
    assert nameless == []
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.locator("main").count() == page.locator("header").count() == page.locator("nav").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_enough(browser, report, scheme):
    for page in opened(browser, report[1], color_scheme=scheme):
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        low = page.evaluate(CONTRAST)
        assert low == []


def test_light_and_dark_change_at_a_button(page):
    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(colour)
    page.get_by_role("button", name="Dark mode").click()
    assert page.evaluate(colour) != before
    page.get_by_role("button", name="Light mode").click()
    assert page.evaluate(colour) == before


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge(browser, report, width):
    for page in opened(browser, report[1], viewport={"width": width, "height": 844}):
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        page.evaluate("document.querySelectorAll('section').forEach(e => { e.style.contentVisibility = 'visible'; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_prints_with_costs_and_versions_unfolded(page):
    printed = page.pdf()
    assert printed.startswith(b"%PDF")
    assert len(printed) > 50_000
    folded = "#costs details:not([open]), #provenance details:not([open])"
    before = page.locator(folded).count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert before > 0
    assert page.locator(folded).count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(folded).count() == before


@pytest.mark.parametrize(
    "options", [{"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}, {"java_script_enabled": False}]
)
def test_a_history_is_read_in_the_dark_on_a_telephone_and_without_a_script(browser, tmp_path, options):
    path = tmp_path / "history.html"
    path.write_text(history_page.render(history_of(write_releases(tmp_path), "quick")), encoding="utf-8")
    for page in opened(browser, path, **options):
        scripted = options.get("java_script_enabled", True)
        assert (page.locator("figure svg").count() >= 2) is scripted
        assert page.locator("noscript p").is_visible() is not scripted
        assert "accuracy is worse in v2 than in v1" in page.locator("#history").inner_text()
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
        assert page.evaluate(CONTRAST) == []
        assert len(page.pdf()) > 10_000


LANDED = """id => {
  const top = document.getElementById(id).getBoundingClientRect().top;
  const ended = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const below = document.querySelector('nav').getBoundingClientRect().bottom;
  return (top >= below - 2 && top < below + 60) || (ended && top >= below - 2 && top < innerHeight);
}"""


@pytest.mark.parametrize("width", [390, 1280])
def test_links_land_where_they_point(browser, tmp_path, width):
    store = write_store(tmp_path / "results")
    for stored in store.load():
        for name in map("task{}".format, range(3)):
            changes = {"task": name, "key": f"{name}{stored.record.trial.key}"}
            record = stored.record.model_copy(update={"trial": stored.record.trial.model_copy(update=changes)})
            if stored.record.status == "completed":
                tasks = tuple(task.model_copy(update={"name": name}) for task in record.tasks)
                record = record.model_copy(update={"tasks": tasks})
            store.write(record, [row.model_copy(update={"task": name}) for row in stored.rows()])
    path = tmp_path / "report.html"
    path.write_text(page_of(store)[1], encoding="utf-8")
    for page in opened(browser, path, viewport={"width": width, "height": 844}):
        links = page.locator("a[href^='#']:not(.skip)")
        targets = [link.get_attribute("href")[1:] for link in links.all()]
        assert len(targets) > 8
        for place in [*range(len(targets)), 1, 0]:  # forwards, and back up
            links.nth(place).click()
            page.wait_for_timeout(150)
            assert page.evaluate(LANDED, targets[place]), targets[place]
            assert page.locator("nav").evaluate("e => e.getBoundingClientRect().top") >= -1


def test_a_store_of_two_thousand_trials_opens_within_two_seconds(browser, tmp_path):
    from tests.many import write_many

    write_many(tmp_path / "results")
    from harness.store.results_store import Store

    _, page = page_of(Store(tmp_path / "results"), decided=False)
    path = Path(tmp_path / "many.html")
    path.write_text(page, encoding="utf-8")
    assert path.stat().st_size <= 5_000_000
    for open_page in opened(browser, path):
        began = time.perf_counter()
        open_page.reload(wait_until="load")
        open_page.locator("#x-list article").first.wait_for()
        assert time.perf_counter() - began <= 2
