"""Workload of a phase: tokens, forward passes and logits, as prompts are laid out and batches are packed.

The layouts are those of `harness.decoding.prefix_sharing`, `harness.decoding.batched_decode` and
`harness.training.batches`: a common prefix is read once, choices follow their prompt, prompts of similar length are
decoded together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.api.architecture import Footprint
from harness.forecast.kernels import expected_distinct
from harness.forecast.memory import ForwardPass
from harness.forecast.token_lengths import TokenLengths

ROW_TOKENS, DECODE_ROWS, PREFILL_TOKENS, CACHE_TOKENS = 768, 32, 2048, 32_768
_LONGEST_SDS = 3.0
"""Standard deviations from the mean to the longest: one in some 700 of a normal distribution is beyond."""
_WORD_TOKENS = 1.4
"""Tokens of an English word and what stands around it, for passages that are yet to be cut."""
_UNIFORM_WIDTH = math.sqrt(12)
"""Width of a uniform distribution, in its standard deviations."""
_LENGTH_RATIO = 1.2
"""The largest batch of a split against the mean one; the longest prompt of a group against its mean."""
_PACKING_COST, _PACKING_SHORT = 7e-4, 300
"""As `harness.training.batches` decides between packing and stacking."""
CORPUS_VALIDATION, CORPUS_SAMPLE, CLOZE_SAMPLE = 48, 128, 64
"""As `harness.training.corpus_samples` evaluates and `harness.training.corpus_recall` measures."""
_CLOZE_TOKENS = 8.0
"""Tokens written for two masked words."""

NO_PASS = ForwardPass(0, 0)

_LABELS_READ = 14
"""Labels that are read for each question where those that cannot be the best are left out."""


@dataclass(frozen=True)
class PromptShape:
    """Token counts of a system's prompts; means, unless they say otherwise.

    Attributes:
        prefix_tokens: common to all prompts; suffix_tokens: of the rest; longest_suffix_tokens: of the longest rest.
        choice_tokens: of an item's choices, 0: the answer is generated; choice_count: number of choices.
        max_new_tokens: generated per answer, at most; mean_new_tokens: expected.
        reasoning_tokens: generated before the answer; samples: reasoning paths per question.
        reranked_tokens: read besides for each question, by a reranker.
        suffix_sd: standard deviation of `suffix_tokens`.
        keeps_prefix: the prefix was read before and is kept: no batch and no request reads it again.
    """

    prefix_tokens: float
    suffix_tokens: float
    longest_suffix_tokens: float
    choice_tokens: float
    choice_count: float
    max_new_tokens: float
    mean_new_tokens: float
    reasoning_tokens: float = 0.0
    samples: int = 1
    reranked_tokens: float = 0.0
    suffix_sd: float = 0.0
    keeps_prefix: bool = False

    @property
    def read_prefix(self) -> float:
        """Tokens of the prefix that a batch reads."""
        return 0.0 if self.keeps_prefix else self.prefix_tokens


@dataclass(frozen=True)
class Workload:
    """Computation of one phase.

    Attributes:
        tokens: read, a shared prefix counted once; row_tokens: of the passes that they are read in.
        logit_positions: positions whose logits are computed.
        decode_steps: decoding steps, each of decode_sequences sequences.
        largest_pass: the largest forward pass.
        peak_cache_tokens: in the KV cache at its largest; mean_cache_tokens: in the mean.
        distinct_lengths: different numbers of tokens of its passes, see `harness.forecast.kernels`.
        decode_batch_sizes: different numbers of sequences decoded together, as they end one by one.
        input_tokens: of all prompts and choices as records count them; output_tokens: generated.
    """

    tokens: float = 0.0
    row_tokens: float = 1.0
    logit_positions: float = 0.0
    decode_steps: float = 0.0
    decode_sequences: float = 1.0
    largest_pass: ForwardPass = NO_PASS
    peak_cache_tokens: float = 0.0
    mean_cache_tokens: float = 0.0
    distinct_lengths: float = 0.0
    decode_batch_sizes: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0


def prompt_shape(lengths: TokenLengths, footprints: Sequence[Footprint], new_tokens: int) -> PromptShape:
    """Predict the prompts after a chain's steps; the last step with reasoning decides about it.

    Args:
        lengths: of the task's texts.
        footprints: of the steps, in their order.
        new_tokens: the task's limit of generated tokens.
    """
    prefix, suffix, longest = lengths.shared, lengths.asked, float(lengths.asked_longest)
    reasoning_tokens, samples, reranked_tokens, answers_known = 0.0, 1, 0.0, False
    variance = lengths.asked_sd**2
    for footprint in footprints:
        example_tokens = footprint.exemplars * (lengths.learned + lengths.answer)
        shared = footprint.shared_exemplars
        prefix += lengths.corpus if footprint.whole_corpus else 0.0
        prefix += footprint.virtual_tokens + (example_tokens if shared else 0.0)
        passage = footprint.passage_words * _WORD_TOKENS or lengths.passage
        suffix += footprint.passages * passage + (0.0 if shared else example_tokens)
        if footprint.passages:
            longest += max(passage, lengths.passage_longest) + (footprint.passages - 1) * passage
            variance += footprint.passages * lengths.passage_sd**2
        if footprint.exemplars and not shared:
            longest += example_tokens + _LONGEST_SDS * math.sqrt(footprint.exemplars) * lengths.learned_sd
            variance += footprint.exemplars * lengths.learned_sd**2
        if footprint.reasoning_tokens:
            reasoning_tokens, samples = float(footprint.reasoning_tokens), footprint.samples
        reranked_tokens += footprint.reranked_passages * (passage + lengths.asked)
        trains_on_items = footprint.epochs > 0 and footprint.objective == "items"
        answers_known = answers_known or footprint.exemplars > 0 or trains_on_items
    if suffix and not lengths.choices and any(footprint.passages for footprint in footprints):
        prefix = min(prefix, lengths.shared)  # passages come first, so that only the instruction is common
    max_new_tokens = mean_new_tokens = 0.0 if lengths.choices else float(new_tokens)
    if answers_known:  # answers become as long as the examples'; otherwise their length is unknown
        mean_new_tokens = min(max_new_tokens, lengths.answer)
        max_new_tokens = min(max_new_tokens, 2 * lengths.answer + 2)
    return PromptShape(
        prefix_tokens=prefix,
        suffix_tokens=suffix,
        longest_suffix_tokens=longest,
        choice_tokens=lengths.choices,
        choice_count=lengths.choice_count,
        max_new_tokens=max_new_tokens,
        mean_new_tokens=mean_new_tokens,
        reasoning_tokens=reasoning_tokens,
        samples=samples,
        reranked_tokens=reranked_tokens,
        suffix_sd=math.sqrt(variance),
        keeps_prefix=any(footprint.whole_corpus for footprint in footprints),
    )


def best_only(prompts: PromptShape) -> PromptShape:
    """Return the prompts of a system that leaves labels unread that cannot be the best."""
    share = min(1.0, _LABELS_READ / max(prompts.choice_count, 1.0))
    return replace(prompts, choice_tokens=share * prompts.choice_tokens, choice_count=share * prompts.choice_count)


def answering_workload(prompts: PromptShape, items: int) -> Workload:
    """Predict answering so many questions in batches, behind their reasoning where there is any."""
    if not items:
        return Workload()
    prompts = replace(
        prompts,
        suffix_tokens=prompts.suffix_tokens + prompts.reasoning_tokens,
        longest_suffix_tokens=prompts.longest_suffix_tokens + prompts.reasoning_tokens,
    )
    if prompts.choice_tokens:
        return _choice_workload(prompts, items)
    return _decoding_workload(prompts, items, prompts.max_new_tokens, prompts.mean_new_tokens)


def request_workload(prompts: PromptShape) -> Workload:
    """Predict one request answered alone, reasoning included: no prefix is shared, one sequence is decoded."""
    work = answering_workload(prompts, 1)
    steps = prompts.mean_new_tokens + prompts.samples * prompts.reasoning_tokens
    length = prompts.prefix_tokens + prompts.suffix_tokens
    read = prompts.read_prefix + prompts.suffix_tokens
    reasoning_prompts = prompts.samples * read if prompts.reasoning_tokens else 0.0
    return replace(
        work,
        tokens=work.tokens + reasoning_prompts,
        row_tokens=read,
        decode_steps=max(0.0, steps - 1) if steps else 0.0,
        decode_sequences=1.0,
        mean_cache_tokens=length + steps / 2,
        input_tokens=work.input_tokens + reasoning_prompts,
        output_tokens=work.output_tokens + prompts.samples * prompts.reasoning_tokens,
    )


def request_lengths(prompts: PromptShape, requests: int) -> float:
    """Return the expected number of distinct prompt lengths among so many requests."""
    return expected_distinct(requests, _UNIFORM_WIDTH * prompts.suffix_sd)


def reasoning_workload(prompts: PromptShape, items: int) -> Workload:
    """Predict generating the reasoning of so many questions."""
    if not (prompts.reasoning_tokens and items):
        return Workload()
    return _decoding_workload(prompts, items * prompts.samples, prompts.reasoning_tokens, prompts.reasoning_tokens)


def training_workload(prompts: PromptShape, answer: float, items: int, footprint: Footprint) -> Workload:
    """Predict one epoch, with batches packed or stacked, whichever the training loop would choose.

    Only `Workload.distinct_lengths` is of all epochs: batches are drawn anew in each, so their lengths differ.

    Args:
        prompts: of the training items; their longest suffix includes the answer.
        answer: tokens of an answer, the end of the turn included.
        items: training items of one epoch.
        footprint: of the step that trains.
    """
    item_tokens, batch_size = prompts.suffix_tokens + answer - 1, min(footprint.batch_size, max(items, 1))
    row_space = max(footprint.row_tokens - prompts.prefix_tokens, 1)
    answers = 2 if footprint.objective == "pairs" else 1
    item_tokens += (answers - 1) * (answer - 1)
    per_row = max(1, min(batch_size, int(row_space // max(item_tokens, 1))))
    packed_rows = math.ceil(batch_size / per_row)
    packed = packed_rows * prompts.prefix_tokens + batch_size * item_tokens
    sequence_tokens = (prompts.prefix_tokens + item_tokens) * answers
    stacked = batch_size * sequence_tokens * _LENGTH_RATIO
    packs = _row_cost(packed, packed / packed_rows) <= _row_cost(stacked, sequence_tokens)
    tokens = packed if packs else stacked
    row = packed / packed_rows if packs else min(footprint.row_tokens, stacked)
    fills_rows = packs and packed_rows > 1  # row after row, so that some row of some batch is all but full
    widest = max(
        footprint.row_tokens if fills_rows else min(footprint.row_tokens, row * _LENGTH_RATIO),
        prompts.prefix_tokens + prompts.longest_suffix_tokens,
    )
    labels = answers * answer
    items_per_pass = max(1.0, min(batch_size, row_space / max(item_tokens, 1)))
    passes = items / batch_size * (packed_rows if packs else math.ceil(stacked / footprint.row_tokens))
    window = _UNIFORM_WIDTH * prompts.suffix_sd * (math.sqrt(items_per_pass) if packs else 1.0)
    pass_labels = math.ceil(labels * max(1.0, min(batch_size, widest / max(item_tokens, 1))))
    return Workload(
        tokens=tokens * items / batch_size,
        row_tokens=row if packs else sequence_tokens,
        logit_positions=items * labels,
        largest_pass=ForwardPass(math.ceil(widest), pass_labels),
        distinct_lengths=expected_distinct(max(1.0, footprint.epochs) * passes, min(window, footprint.row_tokens)),
        input_tokens=items * (prompts.prefix_tokens + prompts.suffix_tokens + labels),
    )


def corpus_workload(lengths: TokenLengths, passages: int, footprint: Footprint) -> Workload:
    """Predict one epoch over the passages of a corpus, every token of which is learned.

    A longer passage than a row is cut, so it counts as several.
    """
    pieces = max(1.0, lengths.passage / footprint.row_tokens)
    prompts = PromptShape(
        prefix_tokens=1.0,
        suffix_tokens=0.0,
        longest_suffix_tokens=float(min(lengths.passage_longest + 1, footprint.row_tokens)),
        choice_tokens=0.0,
        choice_count=0.0,
        max_new_tokens=0.0,
        mean_new_tokens=0.0,
        suffix_sd=lengths.passage_sd,
    )
    return training_workload(prompts, lengths.passage / pieces + 1, math.ceil(passages * pieces), footprint)


def cloze_workload(lengths: TokenLengths, items: int) -> Workload:
    """Predict writing the masked words of so many passages, half of each being read before."""
    prompts = PromptShape(
        prefix_tokens=1.0,
        suffix_tokens=lengths.passage / 2,
        longest_suffix_tokens=float(lengths.passage_longest),
        choice_tokens=0.0,
        choice_count=0.0,
        max_new_tokens=_CLOZE_TOKENS,
        mean_new_tokens=_CLOZE_TOKENS,
    )
    return answering_workload(prompts, items)


def _row_cost(tokens: float, length: float) -> float:
    return tokens * (1 + _PACKING_COST * max(length, _PACKING_SHORT))


def _choice_workload(prompts: PromptShape, items: int) -> Workload:
    """Predict scoring the choices of so many questions."""
    item_tokens = prompts.suffix_tokens + max(0.0, prompts.choice_tokens - prompts.choice_count)
    per_row = max(1.0, min(items, ROW_TOKENS / max(item_tokens, 1)))
    row = min(ROW_TOKENS, items * item_tokens)
    return Workload(
        tokens=prompts.read_prefix + items * (item_tokens + prompts.reranked_tokens),
        row_tokens=row,
        logit_positions=items * prompts.choice_tokens,
        largest_pass=ForwardPass(
            math.ceil(max(row, prompts.longest_suffix_tokens, prompts.read_prefix)),
            math.ceil(per_row * prompts.choice_tokens),
        ),
        peak_cache_tokens=prompts.prefix_tokens,
        # a row is filled until no item fits: less than one item's tokens are left
        distinct_lengths=expected_distinct(items * item_tokens / ROW_TOKENS, item_tokens),
        input_tokens=items * (prompts.prefix_tokens + prompts.suffix_tokens + prompts.choice_tokens),
    )


def _decoding_workload(prompts: PromptShape, items: int, max_new_tokens: float, mean_new_tokens: float) -> Workload:
    """Predict generating text for so many prompts."""
    active_share = min(1.0, mean_new_tokens / max(max_new_tokens, 1.0))  # of a group, until its longest answer ends
    padded = min(prompts.longest_suffix_tokens, _LENGTH_RATIO * prompts.suffix_tokens)
    row_tokens = prompts.prefix_tokens + padded + max_new_tokens
    rows = min(DECODE_ROWS, int(CACHE_TOKENS // max(row_tokens, 1)))
    group = max(1, min(rows, items, int(PREFILL_TOKENS // max(padded, 1))))
    groups = math.ceil(items / group)
    longest = max(padded, prompts.longest_suffix_tokens)
    padding = 1 + (_LENGTH_RATIO - 1) / 2
    return Workload(
        tokens=prompts.read_prefix + items * padding * prompts.suffix_tokens + items * prompts.reranked_tokens,
        row_tokens=min(ROW_TOKENS, group * padded),  # attention is quadratic within a row only
        logit_positions=items,
        decode_steps=groups * max(0.0, max_new_tokens - 1),
        decode_sequences=max(1.0, group * active_share),
        largest_pass=ForwardPass(math.ceil(max(min(PREFILL_TOKENS, group * longest), prompts.read_prefix)), group),
        peak_cache_tokens=group * (prompts.prefix_tokens + longest + max_new_tokens),
        mean_cache_tokens=max(1.0, group * active_share) * (prompts.prefix_tokens + padded + max_new_tokens / 2),
        distinct_lengths=groups,
        decode_batch_sizes=min(group, max(0.0, max_new_tokens - 1) * groups),
        input_tokens=items * (prompts.prefix_tokens + prompts.suffix_tokens),
        output_tokens=items * mean_new_tokens,
    )
