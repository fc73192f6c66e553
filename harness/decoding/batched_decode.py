"""Decoding of many prompts: what they begin with alike is read once, and finished rows leave the batch.

Greedy, or by sampling in which every sequence has a generator of its own, so that no draw depends on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, GenerationConfig, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from harness.api import Sampling
from harness.decoding.kv_cache import compact_rows
from harness.decoding.prefix_sharing import Tokens, expand_cache, causal, common_prefix_length, logits_at, prefill
from harness.decoding.sampling import ChooseToken, SampledTokenProcessor, TokenChooser
from harness.decoding.timing import PassTimer


@dataclass(frozen=True)
class DecodeLimits:
    """When generation ends, and how much runs at once.

    Attributes:
        new_tokens: the most tokens generated for one prompt.
        stop: ids that end an answer; they are not part of it.
        line_ends: ids that end an answer too, unless nothing but such ids came before.
        rows: the most prompts decoded together.
        tokens: the most prompt tokens, padding included, read together.
    """

    max_new_tokens: int
    eos_ids: frozenset[int]
    newline_ids: frozenset[int] = frozenset()
    max_rows: int = 32
    max_prompt_tokens: int = 2048


def decode_batched(
    module: Any,
    prompts: Sequence[Tokens],
    limits: DecodeLimits,
    sampling: Sampling | None = None,
    timer: PassTimer | None = None,
) -> list[Tokens]:
    """Return the tokens that follow each prompt.

    Args:
        module: a transformers causal language model in eval mode.
        prompts: tokens of each prompt, at least one each.
        limits: when to stop.
        sampling: how tokens are drawn; None: each is the likeliest given all before.
        timer: told how far it is, and how long was read and written.
    """
    batched = limits.max_rows > 1 and len(prompts) > 1
    shared = min(common_prefix_length(prompts), min(map(len, prompts)) - 1) if batched else 0
    found: list[Tokens] = [[] for _ in prompts]
    chooser = TokenChooser(sampling, prompts)
    timer = timer or PassTimer(len(prompts), module.device)
    with torch.inference_mode():
        timer.start()
        prefix = prefill(module, prompts[0][:shared]) if shared > 0 else None
        timer.record_prefill(range(len(prompts)))
        for group in group_by_length([len(p) - shared for p in prompts], limits):
            timer.start()
            suffixes = [prompts[i][shared:] for i in group]
            group_answers = _decode_group(module, suffixes, prefix, limits, _time_prefill(chooser.for_sequences(group), timer, group))
            timer.record_decode(group)
            for index, answer in zip(group, group_answers, strict=True):
                found[index] = answer
            timer.report_progress(group)
    return found


def decode_one_by_one(
    module: Any,
    prompts: Sequence[Tokens],
    limits: DecodeLimits,
    sampling: Sampling | None = None,
    timer: PassTimer | None = None,
) -> list[Tokens]:
    """Do what `continuations` does with one prompt at a time, by the model's own ``generate``.

    For models that are not transformers of full attention: they bring caches of their own.
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
        stopping_criteria = StoppingCriteriaList([NewlineCriteria(len(prompt), limits.newline_ids, record_prefill)])
        timer.start()
        with torch.inference_mode():
            sequences = causal(module).generate(
                input_ids,
                attention_mask=torch.ones_like(input_ids),
                generation_config=config,
                stopping_criteria=stopping_criteria,
                logits_processor=LogitsProcessorList([SampledTokenProcessor(chooser.for_sequences([index]))] if sampling else []),
            )
        timer.record_decode([index])
        live_answer: list[Tokens] = [[]]
        for token in sequences[0, len(prompt) :]:
            if not _append_tokens(live_answer, [0], token[None], limits):
                break
        answers += live_answer
        timer.report_progress([index])
    return answers


class NewlineCriteria(StoppingCriteria):
    """Stops after an answer's first line; line ends before it do not count. Tells when there is a first token."""

    def __init__(self, start: int, line_ends: frozenset[int], been_read: Callable[[], None]) -> None:
        self.start = start
        self.line_ends = line_ends
        self.been_read = been_read

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:  # type: ignore[override]
        """Say of the one row whether it is done: bool [1]."""
        del scores  # what was chosen is all that counts
        *before, last = input_ids[0, self.start :].tolist()
        if not before:
            self.been_read()
        begun = any(token not in self.line_ends for token in before)
        return torch.tensor([begun and last in self.line_ends], device=input_ids.device)


def group_by_length(lengths: Sequence[int], limits: DecodeLimits) -> list[list[int]]:
    """Group prompts of similar length, longest first, so that little is padded and memory peaks early."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        last = groups[-1] if groups else []
        if last and len(last) < limits.max_rows and (len(last) + 1) * lengths[last[0]] <= limits.max_prompt_tokens:
            last.append(index)
        else:
            groups.append([index])
    return groups


def _decode_group(
    module: Any,
    prompts: list[Tokens],
    prefix: DynamicCache | None,
    limits: DecodeLimits,
    choose_token: ChooseToken,
) -> list[Tokens]:
    """Decode prompts of similar length together, behind a prefix that they share."""
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
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "position_ids": position_ids, "past_key_values": cache}
        last = torch.tensor([input_ids.shape[1] - 1], device=device)
        next_ids = choose_token(logits_at(module, last, use_cache=True, **inputs)[:, 0], active)
        remaining = _append_tokens(answers, active, next_ids, limits)
        if not remaining or step == limits.max_new_tokens - 1:
            break
        if len(remaining) < len(active):
            remaining = compact_rows(remaining)
            row_indices = torch.tensor(remaining, device=device)
            cache.batch_select_indices(row_indices)
            next_ids, attention_mask, position_ids = next_ids[row_indices], attention_mask[row_indices], position_ids[row_indices]
            active = [active[i] for i in remaining]
        input_ids = next_ids[:, None]
        attention_mask = torch.cat([attention_mask, attention_mask.new_ones(len(active), 1)], 1)
        position_ids = position_ids[:, -1:] + 1
    return answers


def _time_prefill(choose_token: ChooseToken, timer: PassTimer, group: Sequence[int]) -> ChooseToken:
    """Choose as before; once the first tokens are chosen, tell that the group has been read."""
    unread = [group]

    def chosen(scores: Tensor, rows: Sequence[int]) -> Tensor:
        found = choose_token(scores, rows)
        if unread:
            timer.record_prefill(unread.pop(), first_tokens=True)
        return found

    return chosen


def _append_tokens(answers: list[Tokens], active: list[int], next_ids: Tensor, limits: DecodeLimits) -> list[int]:
    """Add each row's next token to its answer; return the rows that go on."""
    remaining: list[int] = []
    for row, token in enumerate(next_ids.tolist()):
        answer = answers[active[row]]
        started = any(earlier not in limits.newline_ids for earlier in answer)
        if token not in limits.eos_ids and not (started and token in limits.newline_ids):
            answer.append(token)
            remaining.append(row)
    return remaining
