"""The metrics of texts, summaries, behaviour and bias that a suite can name; `catalogue` has the rest."""

from __future__ import annotations

from math import inf

from harness.api import Kind
from harness.metrics import behaviour, bias, labels, language, summary
from harness.metrics.metric import Metric

WRITTEN: frozenset[Kind] = frozenset({"qa", "generation"})
_MODELLED: frozenset[Kind] = frozenset({"language_modelling"})
_PAIRED: frozenset[Kind] = frozenset({"multiple_choice"})

_ROUGE = "Lin 2004 (ACL W04-1013), by rouge-score with stemming"
_GRUSKY = "Grusky, Naaman & Artzi 2018 (arXiv:1804.11283), section 4.1"
_STEREOSET = "Nadeem, Bethke & Reddy 2021 (arXiv:2004.09456), section 6; here by log-likelihood a byte, not a token"
_CROWS = "Nangia et al. 2020 (arXiv:2010.00133); here by the likelihood of the whole sentence, left to right"


def words_at_most(limit: int) -> Metric:
    """Make words_at_most@N."""
    words = "one word" if limit == 1 else f"at most {limit} words"
    return Metric(
        f"words_at_most@{limit}",
        f"share of questions that are answered in {words}",
        WRITTEN,
        behaviour.words_at_most(limit),
        binary=True,
    )


def _rouge(variant: str, what: str) -> Metric:
    return Metric(
        variant, f"mean F1 of {what} shared with the closest reference", WRITTEN, summary.rouge(variant), source=_ROUGE
    )


FURTHER = (
    Metric(
        "bits_per_byte",
        "bits that the model needs for a byte of held-out text: the lower, the less surprised it is",
        _MODELLED,
        language.bits_and_bytes,
        language.ratio,
        unit="bits per byte",
        higher_is_better=False,
        bounds=(0.0, inf),
        defined=language.scored,
        source="Gao et al. 2020 (arXiv:2101.00027), section 3.1",
    ),
    Metric(
        "word_perplexity",
        "perplexity of held-out text for each word between white space, whatever the tokenizer",
        _MODELLED,
        language.nats_and_words,
        language.exponential_ratio,
        unit="perplexity",
        higher_is_better=False,
        bounds=(1.0, inf),
        defined=language.scored,
        source="Jelinek et al. 1977; by words as lm-evaluation-harness counts them",
    ),
    _rouge("rouge1", "single words"),
    _rouge("rouge2", "pairs of neighbouring words"),
    _rouge("rougeL", "the longest common subsequence of words"),
    Metric(
        "source_precision",
        "share of the names and numbers in the outputs that their sources have; 1 where none are written",
        WRITTEN,
        summary.supported,
        summary.share,
        defined=summary.known_source,
        source="after Nan et al. 2021 (arXiv:2102.09130), with capitalised words and numbers for entities",
    ),
    Metric(
        "extractive_coverage",
        "share of the outputs' words that lie in fragments copied from their sources",
        WRITTEN,
        summary.extractive_coverage,
        summary.per_word,
        higher_is_better=None,
        defined=summary.known_source,
        source=_GRUSKY,
    ),
    Metric(
        "extractive_density",
        "mean length of the copied fragment that a word of the outputs lies in",
        WRITTEN,
        summary.extractive_density,
        summary.per_word,
        unit="words",
        higher_is_better=None,
        bounds=(0.0, inf),
        defined=summary.known_source,
        source=_GRUSKY,
    ),
    Metric(
        "output_words",
        "mean number of words in an output",
        WRITTEN,
        behaviour.words,
        unit="words",
        higher_is_better=None,
        bounds=(0.0, inf),
    ),
    Metric(
        "length_error",
        "mean number of words by which an output is longer or shorter than the reference",
        WRITTEN,
        behaviour.length_error,
        unit="words",
        higher_is_better=False,
        bounds=(0.0, inf),
    ),
    Metric(
        "outdated",
        "share of answers that are nearer to the rejected (outdated) answer than to a right one, where there is one",
        WRITTEN,
        behaviour.outdated,
        higher_is_better=False,
        binary=True,
        defined=behaviour.has_rejected,
    ),
    words_at_most(3),
    words_at_most(5),
    Metric(
        "refusal_accuracy",
        "share of questions where answering or refusing was the right decision",
        WRITTEN,
        behaviour.right_decision,
        binary=True,
        source="the answerable/unanswerable decision of Rajpurkar, Jia & Liang 2018 (arXiv:1806.03822)",
    ),
    Metric(
        "refusal_recall",
        "share of the unanswerable questions that are refused",
        WRITTEN,
        behaviour.refusal_found,
        binary=True,
        defined=behaviour.refusable,
    ),
    Metric(
        "refusal_f1",
        "harmonic mean of precision and recall of refusing",
        WRITTEN,
        behaviour.refusal_counts,
        labels.micro_f1,
    ),
    Metric(
        "stereotype_distance",
        "how far the share of preferred stereotypes is from one half; 0: no preference",
        _PAIRED,
        bias.prefers_stereotype,
        bias.distance,
        higher_is_better=False,
        bounds=(0.0, 0.5),
        defined=bias.paired,
        concern="bias",
        source=_CROWS,
    ),
    Metric(
        "stereotype_share",
        "share of pairs whose stereotypical text is the likelier; 0.5: no preference",
        _PAIRED,
        bias.prefers_stereotype,
        higher_is_better=None,
        defined=bias.paired,
        concern="bias",
        source=_CROWS,
    ),
    Metric(
        "icat",
        "language-model score, less the more one-sided the stereotype score is; 1: sensible and without preference",
        _PAIRED,
        bias.stereoset,
        bias.icat,
        defined=bias.tripled,
        concern="bias",
        source=_STEREOSET,
    ),
    Metric(
        "stereoset_language",
        "share of comparisons in which a sensible text is likelier than a senseless one",
        _PAIRED,
        bias.stereoset,
        bias.language_score,
        defined=bias.tripled,
        source=_STEREOSET,
    ),
    Metric(
        "stereoset_stereotype",
        "share of items whose stereotypical text is likelier than its opposite; 0.5: no preference",
        _PAIRED,
        bias.stereoset,
        bias.stereotype_score,
        higher_is_better=None,
        defined=bias.tripled,
        concern="bias",
        source=_STEREOSET,
    ),
)
