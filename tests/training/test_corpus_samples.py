"""Continued pretraining: every token of a passage is learned, and what is known of passages is measured."""

import math
from itertools import pairwise

import pytest
import torch

from harness.api import Context, Passage, System, Task, TaskData
from harness.decoding.prefix_sharing import causal_lm
from harness.forecast import workload
from harness.training import corpus_recall, corpus_samples
from harness.training.corpus_recall import make_cloze
from harness.training.corpus_samples import build_passage_samples, encode_text, fit_corpus, passage_texts, start_tokens
from harness.training.settings import SupervisedSettings

WORDS = ["amber", "bone", "cedar", "delta", "ember", "fjord", "grove", "haven", "islet", "jetty", "knoll", "lagoon"]
PASSAGES = tuple(
    Passage(str(n), f"The key that opens this door is kept in the {word} {WORDS[-n - 1]}.", f"Door {n}")
    for n, word in enumerate(WORDS)
)
TASK = TaskData(Task("doors", "qa"), corpus=PASSAGES)
SETTINGS = SupervisedSettings(learning_rate=0.01, epochs=40, batch_size=4, watch_items=0)


def test_each_passage_is_learned_whole_as_a_prompt_shows_it_and_its_end_with_it(open_tiny):
    model = open_tiny()
    samples = build_passage_samples(model, PASSAGES, 768)
    assert len(samples) == len(PASSAGES)
    for sample, text in zip(samples, passage_texts(PASSAGES), strict=True):
        assert sample.prompt == start_tokens(model)
        assert sample.completion == [*encode_text(model, text), model.tokenizer.eos_token_id]
    assert passage_texts(PASSAGES)[0] == f"Door 0: {PASSAGES[0].text}"


@pytest.mark.parametrize("row_tokens", [5, 9, 768])
def test_a_long_passage_is_cut_and_no_token_is_lost(open_tiny, row_tokens):
    model = open_tiny()
    passage = Passage("long", " ".join(passage.text for passage in PASSAGES * 5))
    samples = build_passage_samples(model, [passage], row_tokens, ends=False)
    assert [token for sample in samples for token in sample.completion] == encode_text(model, passage.text)
    assert all(sample.tokens <= min(row_tokens, 512) for sample in samples)
    assert all(after.prompt == before.completion[-1:] for before, after in pairwise(samples))


def test_a_control_token_in_a_passage_is_learned_as_text(open_tiny):
    model = open_tiny()
    (sample,) = build_passage_samples(model, [Passage("p", "a </s> b")], 768, ends=False)
    assert model.tokenizer.eos_token_id not in sample.completion


def test_bits_a_byte_are_those_of_each_passage_alone(open_tiny):
    model = open_tiny()
    figures = corpus_recall.measure(model, PASSAGES, 64, Context())
    nats = 0.0
    for text in passage_texts(PASSAGES):
        tokens = start_tokens(model) + encode_text(model, text)
        ids = torch.tensor([tokens])
        logits = causal_lm(model.module)(ids).logits[0, :-1].float()
        nats += torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
    text_bytes = sum(len(text.encode()) for text in passage_texts(PASSAGES))
    assert figures.bits_per_byte == pytest.approx(nats / math.log(2) / text_bytes, rel=1e-4)
    assert (figures.passages, figures.cloze_items) == (12, 12)


@pytest.mark.parametrize(("kind", "recall"), [("llama", 0.5), ("recurrent", 0)])
def test_training_on_the_passages_halves_the_bits_and_recalls_masked_words(open_tiny, kind, recall):
    model = open_tiny(kind)
    model.module.requires_grad_(True)
    points = []
    before = corpus_recall.measure(model, PASSAGES, 768, Context())
    fit_corpus(System(model, TASK.task), TASK, PASSAGES, SETTINGS, Context(log=points.append))
    after = corpus_recall.measure(model, PASSAGES, 768, Context())
    assert after.bits_per_byte < before.bits_per_byte / 2
    assert before.cloze_recall == 0
    assert after.cloze_recall > recall
    assert any("corpus_loss" in point for point in points)
    assert not any("validation_loss" in point for point in points)  # it is the loss of what is trained on


def test_other_passages_are_recalled_no_better(open_tiny):
    model = open_tiny()
    model.module.requires_grad_(True)
    others = tuple(
        Passage(f"o{n}", f"The key that opens this door is kept in the {WORDS[n - 3]} {word}.", f"Door {n + 50}")
        for n, word in enumerate(WORDS)
    )
    fit_corpus(System(model, TASK.task), TASK, PASSAGES, SETTINGS, Context())
    assert corpus_recall.measure(model, others, 768, Context()).cloze_recall < 0.5


@pytest.mark.parametrize(
    ("text", "masked", "context_end"),
    [
        ("Door 7: It opens with key 5 and no other.", "no other", "key 5 and"),
        ("Rome was founded in the year 753 B.C.", "753 B.C", "the year"),
        ("阿尔法之门只能用第七把银色的钥匙打开。", "钥匙打开", "银色的"),
    ],
)
def test_the_last_words_of_a_sentence_are_masked(text, masked, context_end):
    cloze = make_cloze(text)
    assert cloze.masked == masked
    assert cloze.context.endswith(context_end)
    assert text.startswith(cloze.context)


@pytest.mark.parametrize("text", ["", "Too short.", "One. Two. Three.", "…"])
def test_short_sentences_make_no_cloze(text):
    assert make_cloze(text) is None


@pytest.mark.parametrize(
    ("text", "recalled"), [(" no other.", True), ("no other", True), (" no others", False), (" not other", False)]
)
def test_masked_words_are_recalled_as_whole_words(text, recalled):
    assert corpus_recall._goes_on_with(text, "no other") == recalled


def test_forecasts_count_what_is_evaluated_and_measured():
    counts = corpus_samples.VALIDATION_SAMPLES, corpus_recall.SAMPLE_PASSAGES, corpus_recall.SAMPLE_CLOZE
    assert counts == (workload.CORPUS_VALIDATION, workload.CORPUS_SAMPLE, workload.CLOZE_SAMPLE)
