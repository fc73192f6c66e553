"""Stores for page tests, with every kind of row or several releases and with hostile texts, and their pages."""

import re
from html.parser import HTMLParser

from harness.compare.decide.constraints import Constraints
from harness.compare.decide.decision import decide
from harness.compare.release.run_noise import write_noise
from harness.compare.report.comparison import compare
from harness.compare.report.provenance import provenance
from harness.compare.report.shown_items import examples_of
from harness.compare.trials.stored_trials import read_trials
from harness.records.record import Row
from harness.render.html.page import render
from harness.store.baselines import set_baseline
from harness.store.results_store import Store, select_newest
from tests.compare import release_builders
from tests.compare.builders import HERE, completed, failed, pattern, skipped

HOSTILE = "</script><script>window.hurt = 1</script><img src=x onerror='window.hurt = 2'>"
TAG = "<img/src=x>"
NEWER = HERE.model_copy(update={"packages": {"torch": "3.0"}, "git_commit": "c0ffee99" * 5})
CURVE = (*({"step": float(n), "loss": 3.0 / n} for n in range(1, 9)), {"step": 8.0, "validation_loss": 0.5})


def rows_of(task, right, answers):
    """Rows whose answers are right or wrong; every seventh wrong one is hostile."""
    return [
        Row(
            task=task,
            id=f"{index:04d}",
            references=("good" if index % 2 else "bad",),
            choices=("bad", "good"),
            input=f"What of film number {index}?",
            prompt=f"Judge the film.\n\nWhat of film number {index}?\nAnswer:",
            output=answer,
            answer=answer,
            parsed="choice",
            passages=("p1", "p2"),
        )
        for index, (correct, answer) in enumerate(zip(right, answers, strict=True))
    ]


def answers_of(right):
    """Answers to rows that are right where `right` says so."""
    texts = ("bad", "good")
    return [texts[n % 2] if hit else HOSTILE if n % 7 == 0 else texts[1 - n % 2] for n, hit in enumerate(right)]


def write_store(root):
    """Store a suite of one task: two seeds of a tuned strategy, others with one, a failed and a skipped one."""
    store = Store(root)
    for strategy, seed, share, options in (
        ("zero_shot", 0, 0.5, {}),
        ("few_shot", 0, 0.6, {"seconds": 4.0}),
        ("lora", 0, 0.9, {"trained": 921_600, "curves": CURVE, "seconds": 3.0}),
        ("lora", 1, 0.85, {"trained": 921_600, "curves": CURVE, "seconds": 3.4}),
        ("rag<k>+lora", 0, 0.8, {"trained": 921_600, "seconds": 7.0}),
    ):
        right = pattern(share, 80, shift=len(strategy) + seed)
        record = completed("sentiment", strategy, right, seed=seed, **options).record
        record = record.model_copy(update={"tasks": tuple(t.model_copy(update={"labels": ()}) for t in record.tasks)})
        store.write(record, rows_of("sentiment", right, answers_of(right)))
    store.write(failed("sentiment", "qlora", "out of memory <at> 22 GiB", basis="b").record)
    store.write(skipped("sentiment", "rag", "sentiment has no corpus", basis="b").record)
    return store


def write_releases(root):
    """Store two baselines, and a third release measured since; one strategy's name could be markup."""
    write_noise(root, release_builders.noise_of("latency", 0.01))
    worse = {"right": release_builders.share(0.45), "environment": NEWER}
    changes = {"v1": {}, "v2": worse, "v3": {**worse, "slower": 2.0, "tokens": 40}}
    for month, (name, changed) in enumerate(changes.items(), 1):
        at = f"2026-{month:02d}-01"
        if (root / "quick").is_dir():
            (root / "quick").rename(root / f".before-{name}")
        trials = (
            release_builders.trial_rows(at=at, **changed),
            release_builders.trial_rows(at=at, strategy=TAG, key=f"{name}ab"),
        )
        store = release_builders.store_of(root, *trials)
        if name != "v3":
            set_baseline(store, name, store.load("quick"))
    return store


def page_of(store, *, decided=True):
    """The comparison that a store holds, and the page about it."""
    selection = select_newest(store.load())
    stored = read_trials(selection.trials)
    comparison = compare(stored)
    source = provenance(trial.record for trial in selection.trials)
    examples = examples_of(selection.trials, comparison)
    return comparison, render(comparison, examples, source, [decide(stored, Constraints())] if decided else [])


class Scan(HTMLParser):
    """Parsed page: tags with their attributes, in order, and texts of table cells."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.cells = []
        self._cell = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self._cell = [dict(attrs).get("data-value"), ""]

    def handle_data(self, data):
        if self._cell is not None:
            self._cell[1] += data

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self._cell is not None:
            self.cells.append(tuple(self._cell))
            self._cell = None

    def of(self, *names):
        """Attributes of every tag with one of these names."""
        return [attributes for tag, attributes in self.tags if tag in names]


def figures(page):
    """The section of each chart, by its id."""
    return {match[1]: match[0] for match in re.finditer(r'<figure id="([^"]+)">.*?</figure>', page, re.DOTALL)}
