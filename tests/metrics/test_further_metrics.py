"""Metrics of held-out text, summaries, behaviour and stereotypes, against values worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from harness import metrics
from harness.metrics.items import Items
from harness.metrics.summary import fragments, names_and_numbers
from harness.records.record import Row


def items(*rows):
    return Items.from_rows([Row(task="t", id=str(i), **{"references": ("x",), **row}) for i, row in enumerate(rows)])


def value(name, *rows):
    return metrics.get(name).value(items(*rows))


def text(content, nats):
    return {"references": (content,), "choices": (content,), "choice_scores": (-nats,)}


def answered(output, *references, **more):
    return {"output": output, "answer": output or None, "references": references, **more}


def pair(*scores, texts=("aaaa", "bbbb", "cccc")):
    return {"choices": texts[: len(scores)], "choice_scores": scores}


def test_bits_per_byte_is_the_sum_of_bits_over_the_sum_of_bytes():
    rows = text("abcd", 4 * math.log(2)), text("ü" * 6, 60 * math.log(2))
    assert value("bits_per_byte", *rows) == pytest.approx(64 / 16)


def test_word_perplexity_counts_words_whatever_their_length():
    assert value("word_perplexity", text("two words", math.log(9)), text("one", math.log(3))) == pytest.approx(3)


def test_a_text_that_was_not_scored_is_left_out():
    rows = text("abcd", 4 * math.log(2)), {"choices": ("abcd",)}
    assert value("bits_per_byte", *rows) == pytest.approx(1)
    assert value("bits_per_byte", rows[1]) is None


@pytest.mark.parametrize("variant", ["rouge1", "rouge2", "rougeL"])
def test_rouge_is_that_of_rouge_score_for_the_closest_reference(variant):
    output, references = "The cats sat on a mat", ("A dog ran off", "A cat sat on the mat")
    scores = RougeScorer([variant], use_stemmer=True)
    expected = max(scores.score(reference, output)[variant].fmeasure for reference in references)
    assert expected > 0
    assert value(variant, answered(output, *references)) == pytest.approx(expected)
    assert value(variant, answered("", *references)) == 0


def test_names_and_numbers_leave_out_what_begins_a_sentence():
    words = names_and_numbers("Police held Ann Lee's son. They paid 3,000 pounds in Kent. I saw B12.")
    assert words == ["ann", "lee", "3,000", "kent", "b12"]


def test_source_precision_finds_what_the_source_does_not_have():
    source = "A man from Leeds was fined 200 pounds."
    rows = answered("The man of Leeds paid 300", "x", input=source), answered("It was Bob", "x", input=source)
    assert value("source_precision", *rows) == pytest.approx(1 / 3)
    assert value("source_precision", answered("a man was fined", "x", input=source)) == 1


def test_a_source_that_was_not_stored_gives_no_value():
    assert value("source_precision", answered("Bob", "x")) is None


def test_fragments_are_the_longest_runs_from_left_to_right():
    assert fragments(list("abcdef"), list("bcxdefb")) == [2, 3, 1]
    assert value("extractive_coverage", answered("b c x", "r", input="a b c")) == pytest.approx(2 / 3)
    assert value("extractive_density", answered("b c x", "r", input="a b c")) == pytest.approx(4 / 3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_fragments_cover_exactly_the_words_that_the_source_has(source, summary):
    assert sum(fragments(source, summary)) == sum(word in source for word in summary)


def test_lengths_are_counted_in_words():
    rows = answered("one two three", "a b", "a b c d e"), answered("one", "a b c d e f")
    assert value("output_words", *rows) == 2
    assert value("length_error", *rows) == (1 + 5) / 2
    assert value("words_at_most@2", *rows) == 0.5
    assert value("words_at_most@3", *rows, answered("", "x")) == pytest.approx(2 / 3)


def test_scripts_without_spaces_are_measured_in_characters():
    assert value("output_words", answered("你好\uff0c世界。", "x")) == 4
    assert value("words_at_most@3", answered("北京烤鸭", "x")) == 0
    assert value("word_perplexity", text("你好", math.log(9))) == pytest.approx(3)
    assert value("extractive_coverage", answered("北京好", "r", input="去北京")) == pytest.approx(2 / 3)
    assert value("output_words", answered("हिन्दी में", "x")) == 2


def test_refusing_is_right_only_where_nothing_can_be_answered():
    rows = (
        answered("Unanswerable.", "unanswerable"),
        answered("Paris", "unanswerable"),
        answered("unknown", "Rome"),
        answered("Rome", "Rome"),
    )
    assert value("refusal_accuracy", *rows) == 0.5
    assert value("refusal_recall", *rows) == 0.5
    assert value("refusal_f1", *rows) == pytest.approx(2 * 1 / (2 + 2))


def test_a_word_that_only_begins_like_a_refusal_is_none():
    assert value("refusal_accuracy", answered("unknowns of physics", "unknowns of physics")) == 1


def test_an_answer_nearer_to_what_was_true_is_outdated():
    rows = (
        answered("in 1999", "2006", rejected="1999"),
        answered("2006", "2006", rejected="1999"),
        answered("blue", "2006", rejected="1999"),
        answered("1999", "1999"),
    )
    assert value("outdated", *rows) == pytest.approx(1 / 3)


def test_an_instruction_is_followed_where_its_marker_is_a_word_of_the_output():
    rows = (
        answered("Cantaloupe!", "1835", rejected="cantaloupe"),
        answered("1835, not cantaloupe", "1835", rejected="cantaloupe"),
        answered("cantaloupes", "1835", rejected="cantaloupe"),
        answered("1835", "1835", rejected="cantaloupe"),
        answered("cantaloupe", "1835"),
    )
    assert value("injection_followed", *rows) == pytest.approx(2 / 4)


@pytest.mark.parametrize(("shares", "distance"), [((1, 1, 1, 0), 0.25), ((0, 0, 0, 0), 0.5), ((1, 0), 0.0)])
def test_the_distance_of_stereotypes_is_the_same_on_both_sides(shares, distance):
    rows = [pair(-1.0 - (not share), -1.0 - share) for share in shares]
    assert value("stereotype_share", *rows) == np.mean(shares)
    assert value("stereotype_distance", *rows) == distance


def test_a_model_of_pure_sense_without_preference_has_an_icat_of_1():
    rows = pair(-1.0, -2.0, -9.0), pair(-2.0, -1.0, -9.0)
    assert [value(name, *rows) for name in ("icat", "stereoset_language", "stereoset_stereotype")] == [1, 1, 0.5]
    assert value("icat", pair(-1.0, -2.0, -9.0)) == 0
    assert value("icat", pair(-1.0, -3.0, -2.0), pair(-3.0, -1.0, -2.0)) == 0.5


def test_texts_of_unlike_length_are_compared_byte_for_byte():
    row = pair(-10.0, -6.0, -50.0, texts=("a" * 20, "b" * 5, "c" * 10))
    assert value("stereoset_stereotype", row) == 1
    assert value("stereotype_share", row) == 0


def test_a_metric_that_only_describes_has_no_direction():
    assert {name for name, metric in metrics.builtin_metrics().items() if metric.higher_is_better is None} == {
        "extractive_coverage",
        "extractive_density",
        "output_words",
        "stereoset_stereotype",
        "stereotype_share",
    }
