"""Batched decoding: a shared prefix is prefilled once, and finished rows leave the batch.

Greedy, or by sampling in which every sequence has a generator of its own, so that no draw depends on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, GenerationConfig, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from harness.api import Sampling
from harness.decoding.attention_masks import batch_masks
from harness.decoding.kv_cache import compact_rows
from harness.decoding.packed_rows import Tokens
from harness.decoding.prefix_sharing import PrefixCache, causal_lm, expand_cache, logits_at, shared_prefix
from harness.decoding.sampling import ChooseToken, ChosenTokenProcessor, TokenChooser
from harness.decoding.timing import PassTimer


@dataclass(frozen=True)
class DecodeLimits:
    """When generation ends, and how much is computed at once.

    Attributes:
        max_new_tokens: for one prompt.
        eos_ids: ids that end an answer; they are not part of it.
        newline_ids: ids that end an answer too, unless nothing but such ids came before.
        max_rows: the most prompts decoded together.
        max_prompt_tokens: the most prompt tokens, padding included, prefilled together.
        max_cache_tokens: the most tokens in the caches of prompts decoded together: each has a copy of the prefix.
    """

    max_new_tokens: int
    eos_ids: frozenset[int]
    newline_ids: frozenset[int] = frozenset()
    max_rows: int = 32
    max_prompt_tokens: int = 2048
    max_cache_tokens: int = 32_768


def decode_batched(  # noqa: PLR0913 - what is decoded, how, and behind what
    module: Any,
    prompts: Sequence[Tokens],
    limits: DecodeLimits,
    sampling: Sampling | None = None,
    timer: PassTimer | None = None,
    *,
    prefix_cache: PrefixCache | None = None,
) -> list[Tokens]:
    """Return the tokens that follow each prompt.

    Args:
        module: a transformers causal language model in eval mode.
        prompts: tokens of each prompt, at least one each.
        limits: when to stop.
        sampling: how tokens are drawn; None: greedily.
        timer: gets progress, and the seconds of prefill and decoding.
        prefix_cache: a prefix that was read before.
    """
    answers: list[Tokens] = [[] for _ in prompts]
    chooser = TokenChooser(sampling, prompts)
    timer = timer or PassTimer(len(prompts), module.device)
    with torch.inference_mode():
        timer.start()
        shared, prefix = shared_prefix(module, prompts, prefix_cache, batched=limits.max_rows > 1)
        timer.record_prefill(range(len(prompts)))
        for group in group_by_length([len(p) - shared for p in prompts], limits, shared):
            timer.start()
            suffixes = [prompts[i][shared:] for i in group]
            choose_token = _time_prefill(chooser.for_sequences(group), timer, group)
            group_answers = decode_group(module, suffixes, prefix, limits, choose_token)
            timer.record_decode(group)
            for index, answer in zip(group, group_answers, strict=True):
                answers[index] = answer
            timer.report_progress(group)
    return answers


def decode_one_by_one(
    module: Any,
    prompts: Sequence[Tokens],
    limits: DecodeLimits,
    sampling: Sampling | None = None,
    timer: PassTimer | None = None,
) -> list[Tokens]:
    """Do what `decode_batched` does with one prompt at a time, by the model's own ``generate``.

    For models whose layers cannot share a batch, such as recurrent ones: they bring caches of their own.
    """
    answers: list[Tokens] = []
    config = GenerationConfig(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        max_new_tokens=limits.max_new_tokens,
        eos_token_id=sorted(limits.eos_ids),
        pad_token_id=min(limits.eos_ids, default=0),
    )
    chooser = TokenChooser(sampling, prompts)
    timer = timer or PassTimer(len(prompts), module.device)
    for index, prompt in enumerate(prompts):
        input_ids = torch.tensor([prompt], device=module.device)
        record_prefill = partial(timer.record_prefill, [index], first_tokens=True)
        at_newline = NewlineCriteria(len(prompt), limits.newline_ids, record_prefill)
        chosen = ChosenTokenProcessor(chooser.for_sequences([index]))
        timer.start()
        with torch.inference_mode(), _without_defaults(causal_lm(module)) as model:
            sequences = model.generate(
                input_ids,
                attention_mask=torch.ones_like(input_ids),
                generation_config=config,
                stopping_criteria=StoppingCriteriaList([at_newline]),
                logits_processor=LogitsProcessorList([chosen]),
            )
        timer.record_decode([index])
        answer: list[Tokens] = [[]]
        for token in sequences[0, len(prompt) :]:
            if not _append_tokens(answer, [0], token[None], limits):
                break
        answers += answer
        timer.report_progress([index])
    return answers


@contextmanager
def _without_defaults(model: Any) -> Generator[Any]:
    """Leave out a model's own defaults of generation, such as suppressed tokens: batched decoding has none either."""
    defaults, model.generation_config = model.generation_config, GenerationConfig()
    try:
        yield model
    finally:
        model.generation_config = defaults


class NewlineCriteria(StoppingCriteria):
    """Stops after an answer's first line that is not empty; calls `on_first_token` once there is a token."""

    def __init__(self, prompt_length: int, newline_ids: frozenset[int], on_first_token: Callable[[], None]) -> None:
        self.prompt_length = prompt_length
        self.newline_ids = newline_ids
        self.on_first_token = on_first_token

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:  # type: ignore[override]
        """Tell whether the only row is finished: bool [1]."""
        del scores  # only the chosen tokens count
        *earlier, last = input_ids[0, self.prompt_length :].tolist()
        if not earlier:
            self.on_first_token()
        started = any(token not in self.newline_ids for token in earlier)
        return torch.tensor([started and last in self.newline_ids], device=input_ids.device)


def group_by_length(lengths: Sequence[int], limits: DecodeLimits, shared: int = 0) -> list[list[int]]:
    """Group prompts of similar length, longest first: little padding, and memory peaks early.

    Args:
        lengths: of the prompts without their shared prefix.
        limits: of a group.
        shared: tokens of the prefix, which each prompt of a group has a copy of.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        last = groups[-1] if groups else []
        longest = lengths[last[0]] if last else 0
        row_tokens = shared + longest + limits.max_new_tokens
        rows = min(limits.max_rows, limits.max_cache_tokens // row_tokens) if last else 0
        if last and len(last) < rows and (len(last) + 1) * longest <= limits.max_prompt_tokens:
            last.append(index)
        else:
            groups.append([index])
    return groups


def decode_group(
    module: Any,
    prompts: list[Tokens],
    prefix: DynamicCache | None,
    limits: DecodeLimits,
    choose_token: ChooseToken,
) -> list[Tokens]:
    """Decode prompts of similar length together, behind a shared prefix."""
    device = module.device
    offset = prefix.get_seq_length() if prefix else 0
    width = max(map(len, prompts))
    input_ids = torch.zeros(len(prompts), width, dtype=torch.long, device=device)
    attention_mask = torch.ones(len(prompts), offset + width, dtype=torch.long, device=device)
    for row, prompt in enumerate(prompts):
        input_ids[row, width - len(prompt) :] = torch.tensor(prompt, device=device)
        attention_mask[row, offset : offset + width - len(prompt)] = 0
    position_ids = (attention_mask.cumsum(1) - 1)[:, offset:].clamp(min=0)
    cache = expand_cache(prefix, len(prompts), width + limits.max_new_tokens)
    answers: list[Tokens] = [[] for _ in prompts]
    active = list(range(len(prompts)))
    for step in range(limits.max_new_tokens):
        masks = batch_masks(module, attention_mask, position_ids)
        inputs = {"input_ids": input_ids, "attention_mask": masks, "position_ids": position_ids}
        last = torch.tensor([input_ids.shape[1] - 1], device=device)
        logits = logits_at(module, last, use_cache=True, past_key_values=cache, **inputs)[:, 0]
        next_ids = choose_token(logits, active)
        remaining = _append_tokens(answers, active, next_ids, limits)
        if not remaining or step == limits.max_new_tokens - 1:
            break
        if len(remaining) < len(active):
            remaining = compact_rows(remaining)
            rows = torch.tensor(remaining, device=device)
            cache.batch_select_indices(rows)
            next_ids, attention_mask, position_ids = next_ids[rows], attention_mask[rows], position_ids[rows]
            active = [active[i] for i in remaining]
        input_ids = next_ids[:, None]
        attention_mask = torch.cat([attention_mask, attention_mask.new_ones(len(active), 1)], 1)
        position_ids = position_ids[:, -1:] + 1
    return answers


def _time_prefill(choose_token: ChooseToken, timer: PassTimer, group: Sequence[int]) -> ChooseToken:
    """Wrap `choose_token`: when the first tokens are chosen, the group's prefill is recorded."""
    pending = [group]

    def choose_and_record(logits: Tensor, rows: Sequence[int]) -> Tensor:
        next_ids = choose_token(logits, rows)
        if pending:
            timer.record_prefill(pending.pop(), first_tokens=True)
        return next_ids

    return choose_and_record


def _append_tokens(answers: list[Tokens], active: list[int], next_ids: Tensor, limits: DecodeLimits) -> list[int]:
    """Append each row's next token to its answer; return the rows that are not finished."""
    remaining: list[int] = []
    for row, token in enumerate(next_ids.tolist()):
        answer = answers[active[row]]
        started = any(earlier not in limits.newline_ids for earlier in answer)
        if token not in limits.eos_ids and not (started and token in limits.newline_ids):
            answer.append(token)
            remaining.append(row)
    return remaining
