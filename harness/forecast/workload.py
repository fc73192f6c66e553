"""What a system computes in a phase: tokens, passes and predictions, as prompts are laid out and batches are packed.

The layouts are those of `harness.decoding.prefix_sharing`, `harness.decoding.batched_decode` and
`harness.training.batches`: what prompts begin with alike is read once, choices stand behind their prompt, prompts of
similar length are decoded together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.api.architecture import Footprint
from harness.forecast.kernels import different
from harness.forecast.memory import ForwardPass
from harness.forecast.token_lengths import TokenLengths

ROW_TOKENS, DECODE_ROWS, PREFILL_TOKENS = 768, 32, 2048
_TAIL = 3.0
"""Standard deviations from the mean to the longest: one in some 700 of a normal distribution is beyond."""
_EVEN = math.sqrt(12)
"""Width of an even spread, in its standard deviations."""
_SPREAD = 1.2
"""The largest batch of a split against the mean one; the longest of a group against its mean."""
_PACKING_COST, _PACKING_SHORT = 7e-4, 300
"""As `harness.training.batches` decides between packing and stacking."""


NOTHING = ForwardPass(0, 0)


@dataclass(frozen=True)
class PromptShape:
    """How a system's prompts look.

    Attributes:
        shared: tokens that all begin with alike; own: of the rest, mean; longest: of the longest rest.
        choices: tokens of an item's choices, 0: the answer is generated; choice_count: how many choices.
        written: tokens written for an answer, at most; usually: in the mean, as far as anything tells.
        thought: tokens written before it; samples: how often.
        reread: tokens read besides for each question, by a reranker.
        own_sd: standard deviation of the rest.
    """

    shared: float
    own: float
    longest: float
    choices: float
    choice_count: float
    written: float
    usually: float
    thought: float = 0.0
    samples: int = 1
    reread: float = 0.0
    own_sd: float = 0.0


@dataclass(frozen=True)
class Workload:
    """What is computed.

    Attributes:
        tokens: read, what is shared counted once; row: of the passes they are read in.
        predictions: places with logits.
        steps: of decoding, by how many sequences: (steps, sequences).
        largest: the largest pass; cached: tokens in the largest cache; held: in the mean one.
        lengths: how many different numbers of tokens its passes have, see `harness.forecast.kernels`.
        ending: how many sequences go on beside each other, as they end one by one: so many numbers, from one on.
        sent: tokens of all prompts and choices as they are counted in records; written: tokens written.
    """

    tokens: float = 0.0
    row: float = 1.0
    predictions: float = 0.0
    steps: float = 0.0
    sequences: float = 1.0
    largest: ForwardPass = NOTHING
    cached: float = 0.0
    held: float = 0.0
    lengths: float = 0.0
    ending: float = 0.0
    sent: float = 0.0
    written: float = 0.0


def asked(length: TokenLengths, footprints: Sequence[Footprint], new_tokens: int) -> PromptShape:
    """Say how prompts look after a chain's steps; passages and reasoning of the last step that brings some."""
    shared, own, longest = length.shared, length.asked, float(length.asked_longest)
    thought, samples, reread, shown = 0.0, 1, 0.0, False
    variance = length.asked_sd**2
    for one in footprints:
        example = one.exemplars * (length.learned + length.answer)
        passages = one.passages * length.passage
        shared += one.virtual_tokens + (example if one.alike else 0.0)
        own += passages + (0.0 if one.alike else example)
        if one.passages:
            longest += length.passage_longest + (one.passages - 1) * length.passage
            variance += one.passages * length.passage_sd**2
        if one.exemplars and not one.alike:
            longest += example + _TAIL * math.sqrt(one.exemplars) * length.learned_sd
            variance += one.exemplars * length.learned_sd**2
        if one.thought_tokens:
            thought, samples = float(one.thought_tokens), one.samples
        reread += one.reranked * (length.passage + length.asked)
        shown = shown or one.exemplars > 0 or (one.epochs > 0 and one.learns == "items")
    if own and not length.choices and any(one.passages for one in footprints):
        shared = min(shared, length.shared)  # a passage comes first, so that only the instruction is alike
    most, usually = (0.0 if length.choices else float(new_tokens),) * 2
    if shown:  # answers become as long as those that were seen; otherwise nothing tells
        most, usually = min(most, 2 * length.answer + 2), min(most, length.answer)
    choices, count, spread = length.choices, length.choice_count, math.sqrt(variance)
    return PromptShape(shared, own, longest, choices, count, most, usually, thought, samples, reread, spread)


def asking(system: PromptShape, items: int) -> Workload:
    """Say what answering so many questions together takes: behind its reasoning, where there is one."""
    if not items:
        return Workload()
    system = replace(system, own=system.own + system.thought, longest=system.longest + system.thought)
    if system.choices:
        return _scoring(system, items)
    return _writing(system, items, system.written, system.usually)


def alone(system: PromptShape) -> Workload:
    """Say what answering one question by itself takes: nothing is shared, and one sequence is decoded."""
    one = asking(system, 1)
    steps = system.usually + system.samples * system.thought
    length = system.shared + system.own
    thinking_too = system.samples * length if system.thought else 0.0
    tokens, sent = one.tokens + thinking_too, one.sent + thinking_too
    one = replace(one, tokens=tokens, sent=sent, written=one.written + system.samples * system.thought)
    return replace(one, row=length, steps=max(0.0, steps - 1) if steps else 0.0, sequences=1.0, held=length + steps / 2)


def lengths_alone(system: PromptShape, items: int) -> float:
    """Expect how many different lengths the prompts of so many questions have, asked one by one."""
    return different(items, _EVEN * system.own_sd)


def thinking(system: PromptShape, items: int) -> Workload:
    """Say what writing the reasonings of so many questions takes."""
    if not (system.thought and items):
        return Workload()
    return _writing(system, items * system.samples, system.thought, system.thought)


def learning(system: PromptShape, answer: float, items: int, footprint: Footprint, longest: float) -> Workload:
    """Say what one pass over what is learned takes, packed or stacked, whichever the loop would take.

    Only `Workload.lengths` is of all passes: batches are drawn anew in each, so their lengths are others.

    Args:
        system: its prompts with training items in place of the questions.
        answer: tokens of an answer, the end of the turn included.
        items: learned in one pass.
        footprint: of the step that learns.
        longest: tokens of the longest item, its answer included, behind what is shared.
    """
    each, batch = system.own + answer - 1, min(footprint.batch, max(items, 1))
    room = max(footprint.row_tokens - system.shared, 1)
    answers = 2 if footprint.learns == "pairs" else 1
    each += (answers - 1) * (answer - 1)
    per_row = max(1, min(batch, int(room // max(each, 1))))
    packed_rows = math.ceil(batch / per_row)
    packed = packed_rows * system.shared + batch * each
    alone_tokens = (system.shared + each) * answers
    stacked = batch * alone_tokens * _SPREAD
    packs = _cost(packed, packed / packed_rows) <= _cost(stacked, alone_tokens)
    tokens = packed if packs else stacked
    row = packed / packed_rows if packs else min(footprint.row_tokens, stacked)
    filled = packs and packed_rows > 1  # row after row, so that some row of some batch is all but full
    widest = max(footprint.row_tokens if filled else min(footprint.row_tokens, row * _SPREAD), system.shared + longest)
    predicted = answers * answer
    a_pass = max(1.0, min(batch, room / max(each, 1)))
    count = items / batch * (packed_rows if packs else math.ceil(stacked / footprint.row_tokens))
    window = _EVEN * system.own_sd * (math.sqrt(a_pass) if packs else 1.0)
    at_once = math.ceil(predicted * max(1.0, min(batch, widest / max(each, 1))))
    return Workload(
        tokens=tokens * items / batch,
        row=row if packs else alone_tokens,
        predictions=items * predicted,
        largest=ForwardPass(math.ceil(widest), at_once),
        lengths=different(max(1.0, footprint.epochs) * count, min(window, footprint.row_tokens)),
        sent=items * (system.shared + system.own + predicted),
    )


def _cost(tokens: float, length: float) -> float:
    return tokens * (1 + _PACKING_COST * max(length, _PACKING_SHORT))


def _scoring(system: PromptShape, items: int) -> Workload:
    each = system.own + max(0.0, system.choices - system.choice_count)
    per_row = max(1.0, min(items, ROW_TOKENS / max(each, 1)))
    rows = min(ROW_TOKENS, items * each)
    return Workload(
        tokens=system.shared + items * (each + system.reread),
        row=rows,
        predictions=items * system.choices,
        largest=ForwardPass(math.ceil(max(rows, system.longest)), math.ceil(per_row * system.choices)),
        cached=system.shared,
        lengths=different(items * each / ROW_TOKENS, each),  # a row is filled until no item fits: less than one is left
        sent=items * (system.shared + system.own + system.choices),
    )


def _writing(system: PromptShape, items: int, written: float, usually: float) -> Workload:
    alive = min(1.0, usually / max(written, 1.0))  # of a group, in the mean of the steps that its longest answer takes
    wide = min(system.longest, _SPREAD * system.own)
    group = max(1, min(DECODE_ROWS, items, int(PREFILL_TOKENS // max(wide, 1))))
    groups = math.ceil(items / group)
    first = max(wide, system.longest)
    return Workload(
        tokens=system.shared + items * (1 + (_SPREAD - 1) / 2) * system.own + items * system.reread,
        row=min(ROW_TOKENS, group * wide),  # more sequences see no more of each other: only one row grows quadratically
        predictions=items,
        steps=groups * max(0.0, written - 1),
        sequences=max(1.0, group * alive),
        largest=ForwardPass(math.ceil(min(PREFILL_TOKENS, group * first)), group),
        cached=group * (system.shared + first + written),
        held=max(1.0, group * alive) * (system.shared + wide + written / 2),
        lengths=groups,
        ending=min(group, max(0.0, written - 1) * groups),
        sent=items * (system.shared + system.own),
        written=items * usually,
    )
