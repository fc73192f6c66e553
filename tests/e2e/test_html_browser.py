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
from harness.render.html import history_page
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
def made(tmp_path_factory):
    """The comparison, and the file of its page."""
    folder = tmp_path_factory.mktemp("page")
    comparison, page = page_of(write_store(folder / "results"))
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return comparison, path


@pytest.fixture
def shown(browser, made):
    """Open the page; whatever it complains about, or asks for besides its own file, fails the test."""
    yield from opened(browser, made[1])


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


def test_a_page_opens_from_disk_with_the_network_off(shown):
    assert shown.locator("h1").inner_text() == "quick"
    assert shown.locator("figure svg").count() > 4
    assert shown.locator("html.scripted").count() == 1


def test_filters_show_the_examples_that_fit_them(shown):
    task_data = embedded(shown, "example-data")["tasks"][0]
    first, second = 0, len(task_data["rows"]) - 1
    fitting = [e for e in task_data["examples"] if e["answers"][first]["r"] and not e["answers"][second]["r"]]
    shown.select_option("#x-right", "first")
    assert 0 < len(fitting) < len(task_data["examples"])
    assert shown.locator("#x-count").inner_text().startswith(f"{len(fitting)} of ")
    assert shown.locator("#x-list article h3").first.inner_text() == f"Item {fitting[0]['id']}"
    example = fitting[-1]
    shown.fill("#x-text", f"film number {int(example['id'])}?")
    assert shown.locator("#x-list article").count() == 1
    assert f"Item {example['id']}" in shown.locator("#x-list").inner_text()
    shown.fill("#x-text", "no such words")
    assert shown.locator("#x-count").inner_text() == "No example fits."


def test_examples_are_turned_page_by_page(shown):
    before = shown.locator("#x-list article h3").all_inner_texts()
    assert shown.locator("#x-before").is_disabled()
    shown.click("#x-after")
    after = shown.locator("#x-list article h3").all_inner_texts()
    assert len(before) == 5
    assert not set(before) & set(after)
    shown.click("#x-before")
    assert shown.locator("#x-list article h3").all_inner_texts() == before


def test_a_prediction_that_holds_a_script_stays_text(shown):
    shown.fill("#x-text", "window.hurt")
    assert HOSTILE in shown.locator("#x-list").inner_text()
    shown.locator("#x-list summary").first.click()
    shown.locator("#x-list details[open] .verbatim").first.wait_for()
    assert shown.evaluate("window.hurt") is None
    assert shown.locator("#x-list img, #x-list script").count() == 0


def test_prompt_and_passages_unfold(shown):
    shown.locator("#x-list summary").first.click()
    shown.locator("#x-list details[open] .verbatim").first.wait_for()  # a toggle is told of later than it is done
    text = shown.locator("#x-list details[open]").first.inner_text()
    assert "Judge the film." in text
    assert "Passages sent, best first: p1, p2" in text


def test_the_volume_changes_totals_and_break_even_as_the_formulas_say(shown, made):
    rows = [row for row in made[0].suites[0].tasks[0].rows if row.money]
    table = shown.locator("table.totals tbody tr")
    for volume, months, updates in ((100_000, 12, 0), (2_500_000, 6, 4)):
        for name, value in (("volume", volume), ("months", months), ("updates", updates)):
            shown.fill(f"#{name}", str(value))
        for index, row in enumerate(rows):
            expected = cost(row.money, volume, months, updates)
            found = float(table.nth(index).locator("td").last.get_attribute("data-value"))
            assert found == pytest.approx(expected, rel=1e-9)
    for first, second in ((0, 1), (0, len(rows) - 1), (1, 2)):
        shown.select_option("select.first", str(first))
        shown.select_option("select.second", str(second))
        expected = crossing(rows[first].money, rows[second].money, 6, 4)
        text = shown.locator(".break-even").inner_text()
        found = re.search(r"Above ([\d,]+) requests", text)
        assert bool(found) == bool(expected)
        if found:
            assert float(found[1].replace(",", "")) == pytest.approx(expected, rel=0.05)


def cost(money, volume, months, updates, factor=1.0):
    """Computed here anew: made once, kept, made again and used."""

    def usd(parts):
        return sum(part.quantity * part.price_usd for part in parts) * factor

    monthly_usd = usd(money.per_month) + updates * usd(money.per_update) + volume * usd(money.per_request)
    return usd(money.fixed) + months * monthly_usd


def crossing(first, second, months, updates):
    """Requests a month at which two cost the same, None where they never do: totals are straight lines."""
    gap = [cost(first, v, months, updates) - cost(second, v, months, updates) for v in (0, 1_000_000)]
    if gap[0] == gap[1]:
        return None
    requests = 1_000_000 * gap[0] / (gap[0] - gap[1])
    return requests if requests > 0 else None


def test_the_slider_moves_the_volume_and_a_price_factor_the_totals(shown, made):
    money = made[0].suites[0].tasks[0].rows[0].money
    shown.locator("#volume-slider").fill("6")
    assert shown.input_value("#volume") == "1000000"
    shown.locator("#factor").fill("1")
    total_usd = float(shown.locator("table.totals tbody tr").first.locator("td").last.get_attribute("data-value"))
    assert total_usd == pytest.approx(cost(money, 1_000_000, 12, 0, factor=2.0), rel=1e-9)
    assert shown.locator("#factor-shown").inner_text() == "2"


def test_without_a_script_the_numbers_stand_in_the_page(browser, made):
    for page in opened(browser, made[1], java_script_enabled=False):
        row = made[0].suites[0].tasks[0].rows[0]
        total_usd = float(page.locator("table.totals tbody tr").first.locator("td").last.get_attribute("data-value"))
        assert total_usd == pytest.approx(row.money.total_usd(), rel=1e-9)
        assert not page.locator("#usage").is_visible()
        assert "examples.parquet" in page.locator("#examples").inner_text()


def test_the_keyboard_reaches_everything(shown):
    expected = shown.evaluate(f"[...document.querySelectorAll({CONTROLS!r})].filter(e => e.checkVisibility()).length")
    shown.evaluate("document.activeElement.blur()")
    shown.evaluate("window.reached = new Set()")
    for _ in range(expected + 5):
        shown.keyboard.press("Tab")
        shown.evaluate("window.reached.add(document.activeElement)")
    missed = shown.evaluate(
        f"[...document.querySelectorAll({CONTROLS!r})].filter(e => e.checkVisibility() && !window.reached.has(e))"
        ".map(e => e.outerHTML.slice(0, 120))"
    )
    assert missed == []


def test_focus_is_seen_and_the_skip_link_skips(shown):
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.className") == "skip"
    assert shown.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    shown.keyboard.press("Enter")
    assert shown.evaluate("document.activeElement.id") == "main"


def test_everything_has_a_name_and_headings_keep_their_order(shown):
    nameless = shown.evaluate("""() => {
        const named = 'input, select, button, summary, a, [role=img], [role=region], svg';
        return [...document.querySelectorAll(named)].filter(e => {
            if (e.tagName === 'svg') return !e.closest('[role=img][aria-label]');
            const label = e.labels && [...e.labels].some(l => l.textContent.trim());
            return !(label || e.getAttribute('aria-label') || e.textContent.trim());
        }).map(e => e.outerHTML.slice(0, 120)); }""")
    levels = shown.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))")
    assert nameless == []
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert shown.locator("main").count() == shown.locator("header").count() == shown.locator("nav").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_enough(browser, made, scheme):
    for page in opened(browser, made[1], color_scheme=scheme):
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        low = page.evaluate(CONTRAST)
        assert low == []


CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => sum + part * linear(c[i] / 255), 0);
    const ratio = (a, b) => {
        const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
    };
    const behind = (e) => {
        for (; e; e = e.parentElement) {
            const c = rgba(getComputedStyle(e).backgroundColor);
            if (c[3] > 250) return c;
        }
        return [255, 255, 255, 255];
    };
    const own = (e) => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    return [...document.querySelectorAll('body *')].filter(e => own(e) && e.checkVisibility() && !e.disabled
            && !['SCRIPT', 'STYLE', 'NOSCRIPT', 'OPTION'].includes(e.tagName)).filter(e => {
        const style = getComputedStyle(e);
        return ratio(rgba(e.closest('svg') ? style.fill : style.color), behind(e)) < 4.5;
    }).map(e => e.outerHTML.slice(0, 140)).slice(0, 5);
}"""


def test_light_and_dark_change_at_a_button(shown):
    colour = "getComputedStyle(document.body).backgroundColor"
    before = shown.evaluate(colour)
    shown.get_by_role("button", name="Dark mode").click()
    assert shown.evaluate(colour) != before
    shown.get_by_role("button", name="Light mode").click()
    assert shown.evaluate(colour) == before


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge(browser, made, width):
    for page in opened(browser, made[1], viewport={"width": width, "height": 844}):
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        page.evaluate("document.querySelectorAll('section').forEach(e => { e.style.contentVisibility = 'visible'; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_prints_with_costs_and_versions_unfolded(shown):
    printed = shown.pdf()
    assert printed.startswith(b"%PDF")
    assert len(printed) > 50_000
    folded = "#costs details:not([open]), #provenance details:not([open])"
    before = shown.locator(folded).count()
    shown.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert before > 0
    assert shown.locator(folded).count() == 0
    shown.evaluate("dispatchEvent(new Event('afterprint'))")
    assert shown.locator(folded).count() == before


@pytest.mark.parametrize(
    "options", [{"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}, {"java_script_enabled": False}]
)
def test_a_history_is_read_in_the_dark_on_a_telephone_and_without_a_script(browser, tmp_path, options):
    path = tmp_path / "history.html"
    path.write_text(history_page.render(history_of(write_releases(tmp_path), "quick")), encoding="utf-8")
    for page in opened(browser, path, **options):
        assert page.locator("figure svg").count() == 2
        assert "accuracy is worse in v2 than in v1" in page.locator("#history").inner_text()
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
        assert page.evaluate(CONTRAST) == []
        assert len(page.pdf()) > 10_000


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
