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
from harness.decoding.kv_cache import closed_up
from harness.decoding.prefix_sharing import Tokens, branch_off, causal, common_prefix, logits, read_prefix
from harness.decoding.sampling import Choose, SampledTokenProcessor, TokenChooser
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

    new_tokens: int
    stop: frozenset[int]
    line_ends: frozenset[int] = frozenset()
    rows: int = 32
    tokens: int = 2048


def continuations(
    module: Any,
    prompts: Sequence[Tokens],
    limits: DecodeLimits,
    sampling: Sampling | None = None,
    pace: PassTimer | None = None,
) -> list[Tokens]:
    """Return the tokens that follow each prompt.

    Args:
        module: a transformers causal language model in eval mode.
        prompts: tokens of each prompt, at least one each.
        limits: when to stop.
        sampling: how tokens are drawn; None: each is the likeliest given all before.
        pace: told how far it is, and how long was read and written.
    """
    together = limits.rows > 1 and len(prompts) > 1
    shared = min(common_prefix(prompts), min(map(len, prompts)) - 1) if together else 0
    found: list[Tokens] = [[] for _ in prompts]
    chooser = TokenChooser(sampling, prompts)
    pace = pace or PassTimer(len(prompts), module.device)
    with torch.inference_mode():
        pace.begin()
        prefix = read_prefix(module, prompts[0][:shared]) if shared > 0 else None
        pace.read(range(len(prompts)))
        for group in group_by_length([len(p) - shared for p in prompts], limits):
            pace.begin()
            rest = [prompts[i][shared:] for i in group]
            answers = _decode_group(module, rest, prefix, limits, _telling(chooser.of(group), pace, group))
            pace.wrote(group)
            for index, answer in zip(group, answers, strict=True):
                found[index] = answer
            pace.done(group)
    return found


def continuations_alone(
    module: Any,
    prompts: Sequence[Tokens],
    limits: DecodeLimits,
    sampling: Sampling | None = None,
    pace: PassTimer | None = None,
) -> list[Tokens]:
    """Do what `continuations` does with one prompt at a time, by the model's own ``generate``.

    For models that are not transformers of full attention: they bring caches of their own.
    """
    found: list[Tokens] = []
    config = GenerationConfig(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        max_new_tokens=limits.new_tokens,
        eos_token_id=sorted(limits.stop),
        pad_token_id=min(limits.stop, default=0),
    )
    chooser = TokenChooser(sampling, prompts)
    pace = pace or PassTimer(len(prompts), module.device)
    for place, prompt in enumerate(prompts):
        tokens = torch.tensor([prompt], device=module.device)
        been_read = partial(pace.read, [place], answers=True)
        at_line_end = StoppingCriteriaList([_LineEnd(len(prompt), limits.line_ends, been_read)])
        pace.begin()
        with torch.inference_mode():
            whole = causal(module).generate(
                tokens,
                attention_mask=torch.ones_like(tokens),
                generation_config=config,
                stopping_criteria=at_line_end,
                logits_processor=LogitsProcessorList([SampledTokenProcessor(chooser.of([place]))] if sampling else []),
            )
        pace.wrote([place])
        answer: list[Tokens] = [[]]
        for token in whole[0, len(prompt) :]:
            if not _take(answer, [0], token[None], limits):
                break
        found += answer
        pace.done([place])
    return found


class _LineEnd(StoppingCriteria):
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
        if last and len(last) < limits.rows and (len(last) + 1) * lengths[last[0]] <= limits.tokens:
            last.append(index)
        else:
            groups.append([index])
    return groups


def _decode_group(
    module: Any,
    prompts: list[Tokens],
    prefix: DynamicCache | None,
    limits: DecodeLimits,
    choose: Choose,
) -> list[Tokens]:
    """Decode prompts of similar length together, behind a prefix that they share."""
    device = module.device
    offset = prefix.get_seq_length() if prefix else 0
    width = max(map(len, prompts))
    tokens = torch.zeros(len(prompts), width, dtype=torch.long, device=device)
    seen = torch.ones(len(prompts), offset + width, dtype=torch.long, device=device)
    for row, prompt in enumerate(prompts):
        tokens[row, width - len(prompt) :] = torch.tensor(prompt, device=device)
        seen[row, offset : offset + width - len(prompt)] = 0
    places = (seen.cumsum(1) - 1)[:, offset:].clamp(min=0)
    cache = branch_off(prefix, len(prompts), width + limits.new_tokens)
    answers: list[Tokens] = [[] for _ in prompts]
    live = list(range(len(prompts)))
    for turn in range(limits.new_tokens):
        inputs = {"input_ids": tokens, "attention_mask": seen, "position_ids": places, "past_key_values": cache}
        last = torch.tensor([tokens.shape[1] - 1], device=device)
        chosen = choose(logits(module, last, use_cache=True, **inputs)[:, 0], live)
        keep = _take(answers, live, chosen, limits)
        if not keep or turn == limits.new_tokens - 1:
            break
        if len(keep) < len(live):
            keep = closed_up(keep)
            kept = torch.tensor(keep, device=device)
            cache.batch_select_indices(kept)
            chosen, seen, places = chosen[kept], seen[kept], places[kept]
            live = [live[i] for i in keep]
        tokens = chosen[:, None]
        seen = torch.cat([seen, seen.new_ones(len(live), 1)], 1)
        places = places[:, -1:] + 1
    return answers


def _telling(choose: Choose, pace: PassTimer, group: Sequence[int]) -> Choose:
    """Choose as before; once the first tokens are chosen, tell that the group has been read."""
    unread = [group]

    def chosen(scores: Tensor, rows: Sequence[int]) -> Tensor:
        found = choose(scores, rows)
        if unread:
            pace.read(unread.pop(), answers=True)
        return found

    return chosen


def _take(answers: list[Tokens], live: list[int], chosen: Tensor, limits: DecodeLimits) -> list[int]:
    """Add each row's next token to its answer; return the rows that go on."""
    keep: list[int] = []
    for place, token in enumerate(chosen.tolist()):
        answer = answers[live[place]]
        begun = any(earlier not in limits.line_ends for earlier in answer)
        if token not in limits.stop and not (begun and token in limits.line_ends):
            answer.append(token)
            keep.append(place)
    return keep
