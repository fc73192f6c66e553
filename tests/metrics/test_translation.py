"""BLEU and chrF of summed counts are sacreBLEU's of the corpus, also of resampled items."""

import sys

import numpy as np
import pytest
import sacrebleu

from harness.errors import HarnessError
from harness.metrics import Items, get, translation
from harness.records.record import Row

OUTPUTS = (
    "the cat sat on the mat",
    "a dog was in the garden this morning",
    "it rains",
    "",
    "the harbour is where all ships are safe from storms",
    "Straße und Brücke",
)
REFERENCES = (
    ("the cat sat on a mat", "the cat is on the mat"),
    ("the dog was in the garden in the morning",),
    ("it is raining today",),
    ("nothing was said",),
    ("a harbour is where ships are safe from the storm",),
    ("Straßen und Brücken",),
)


def items(outputs=OUTPUTS, references=REFERENCES):
    pairs = zip(outputs, references, strict=True)
    return Items.from_rows(
        [Row(task="t", id=str(i), references=refs, output=out, answer=out) for i, (out, refs) in enumerate(pairs)]
    )


def streams(references):
    most = max(map(len, references))
    return [[refs[k] if k < len(refs) else None for refs in references] for k in range(most)]


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_the_value_is_that_of_sacrebleu(name):
    expected = getattr(sacrebleu, f"corpus_{name}")(list(OUTPUTS), streams(REFERENCES)).score / 100
    assert get(name).value(items()) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_sums_of_any_items_give_the_value_of_these_items(name):
    metric, rng = get(name), np.random.default_rng(0)
    statistics = metric.statistics(items())
    counts = rng.multinomial(6, [1 / 6] * 6, size=30).astype(float)
    values = metric.combine(counts @ statistics, counts.sum(axis=1))
    for drawn, value in zip(counts, values, strict=True):
        chosen = np.repeat(np.arange(6), drawn.astype(int))
        outputs, references = [OUTPUTS[i] for i in chosen], [REFERENCES[i] for i in chosen]
        expected = getattr(sacrebleu, f"corpus_{name}")(outputs, streams(references)).score / 100
        assert value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("output", "value"), [("the cat sat on the mat", 1.0), ("zzz", 0.0)])
@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_equal_texts_score_one_and_unlike_ones_none(name, output, value):
    assert get(name).value(items((output,), (("the cat sat on the mat",),))) == pytest.approx(value)


def test_without_the_extra_it_is_one_line_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    translation._scorer.cache_clear()
    with pytest.raises(HarnessError, match=r"needs sacrebleu: pip install 'adaptbench\[translation\]'"):
        get("chrf").value(items())
    translation._scorer.cache_clear()
