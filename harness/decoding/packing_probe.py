"""Whether branches may share a row of a model: its configuration is read, then every way of sharing is tried."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from harness.decoding.attention_masks import window_sizes, windows_of
from harness.decoding.batched_decode import DecodeLimits, decode_group, decode_one_by_one
from harness.decoding.packed_rows import Branch, Tokens, pack_row
from harness.decoding.packing_obstacles import packing_obstacle
from harness.decoding.prefix_sharing import causal_lm, expand_cache, prefill, row_logits
from harness.errors import HarnessError, first_line, out_of_memory

VERSION = 2
"""Of what is tried: outcomes of other versions are not remembered."""
_PREFIX, _ANSWER = 8, 4
_WINDOW, _WINDOW_PREFIX = 8, 12
"""Tokens that windowed layers look back during the probe, at most, and of the prefix, so that texts are longer."""
_FIRST_IDS = range(5, 1000)
"""Where the probe's tokens are from: beyond the special tokens that most vocabularies begin with."""


def supports_packing(module: Any) -> bool:
    """Tell whether a model computes for branches that share a row what it computes for each alone.

    Tried are a row behind a cached prefix, the same row in one piece, and decoding in a left-padded batch. What differs
    from alone is compared with what differs where the row is read as one text, so the weights' scale does not matter.
    Windows are narrowed in the configuration, which all masks are made from, so that every text is longer than they
    are; a model whose numbers do not change by that brings windows of its own, and shares nothing.

    Args:
        module: a transformers model with a language-modelling head, in eval mode.

    Raises:
        HarnessError: it is no causal decoder, cannot read a text by itself, or its cache changes what it generates.
    """
    prefix, branches = _probe_texts(module)
    texts = [prefix + branch.stem + leaf[:-1] for branch in branches for leaf in branch.leaves]
    with torch.inference_mode():
        with _refusal("cannot read a text by itself"):
            alone = [_text_logits(module, text) for text in texts]
        if _reads_later_tokens(alone[0][:-2], alone[1][:-2], _tolerance(module)):
            raise HarnessError(
                "it is no causal decoder, as later tokens change what it predicts for earlier ones: name a model that "
                "is trained to continue texts."
            )
        if not getattr(module, "_is_stateful", False) and not packing_obstacle(module.config):
            try:
                if _shares_rows(module, prefix, branches, texts, alone):
                    return True
            except Exception as error:  # noqa: BLE001 - whatever a model raises here, it cannot share rows
                _raise_without_memory(error)
        with _refusal("cannot generate"):
            follows = _generates_as_it_reads(module, prefix)
    if not follows:
        raise HarnessError("its cache changes what it generates: name a model of another architecture.")
    return False


def warm_up(module: Any, *, packs: bool) -> None:
    """Make the first passes of a model whose probe was made before, so that no measured phase makes them."""
    prefix, branches = _probe_texts(module)
    with torch.inference_mode():
        if not packs:
            _text_logits(module, prefix)
            return
        cache = prefill(module, prefix)
        row = pack_row(branches, len(prefix))
        row_logits(module, row, expand_cache(cache, 1, len(row.tokens)))
        _decoded_logits(module, [b.stem for b in branches], [b.leaves[0] for b in branches], cache)


def _probe_texts(module: Any) -> tuple[Tokens, list[Branch]]:
    """Return a prefix and two branches behind it, all leaves of one length."""
    return _tokens(module, _WINDOW_PREFIX if window_sizes(module.config) else _PREFIX, seed=0), [
        Branch(_tokens(module, 2, seed=1), (_tokens(module, 3, seed=2), _tokens(module, 3, seed=3))),
        Branch(_tokens(module, 5, seed=4), (_tokens(module, 3, seed=5),)),
    ]


@contextmanager
def _refusal(subject: str) -> Generator[None]:
    """Turn whatever a model raises into one line; a lack of memory says nothing about the model."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        _raise_without_memory(error)
        raise HarnessError(f"it {subject} ({first_line(error)}): name a model of another architecture.") from error


def _raise_without_memory(error: Exception) -> None:
    """Raise the error if it is a lack of memory."""
    memory = out_of_memory(error)
    if memory is not None:
        raise memory from error


def _reads_later_tokens(first: Tensor, second: Tensor, tolerance: float) -> bool:
    """Compare the log-probabilities of a beginning that two texts of equal length share: [positions, vocabulary]."""
    return _rms(first - second) > tolerance * _rms(first - first.mean(-1, keepdim=True))


def _shares_rows(
    module: Any, prefix: Tokens, branches: Sequence[Branch], texts: Sequence[Tokens], alone: Sequence[Tensor]
) -> bool:
    """Try every way of sharing, with windows that are shorter than the texts.

    Args:
        module: the model.
        prefix: shared by all branches.
        branches: behind the prefix; all leaves are of one length.
        texts: prefix, stem and leaf of each leaf, without the last token.
        alone: log-probabilities of each text, with the model's own windows: [tokens, vocabulary].
    """
    windows = window_sizes(module.config)
    if not windows:
        return _matches_alone(module, prefix, branches, [logits[-3:] for logits in alone])
    with windows_of(module.config, len(texts[0])):
        wide = _text_logits(module, texts[0])
    with windows_of(module.config, min(_WINDOW, *windows.values())):
        narrow = [_text_logits(module, text)[-3:] for text in texts]
        effect = _rms(wide[-3:] - narrow[0])
        return effect > 0 and _matches_alone(module, prefix, branches, narrow, effect)


def _matches_alone(
    module: Any, prefix: Tokens, branches: Sequence[Branch], alone: Sequence[Tensor], effect: float = float("inf")
) -> bool:
    """Compare every way of sharing with each text alone, by the root mean square over the log-probabilities.

    Args:
        module: the model.
        prefix: shared by all branches.
        branches: behind the prefix; all leaves are of one length.
        alone: of each leaf, log-probabilities [leaf, vocabulary].
        effect: what windows change in them; nothing shared may differ by a large part of that.
    """
    row = pack_row(branches, len(prefix))
    whole = row.with_prefix(prefix)
    expected = torch.cat(list(alone))
    one_text = _text_logits(module, whole.tokens.tolist())[whole.sources]
    limit = _tolerance(module) * min(_rms(one_text - expected), effect)
    cache = prefill(module, prefix)
    packed = row_logits(module, row, expand_cache(cache, 1, len(row.tokens)))
    if not all(_rms(logits.log_softmax(-1) - expected) <= limit for logits in (packed, row_logits(module, whole))):
        return False
    decoded = _decoded_logits(module, [b.stem for b in branches], [b.leaves[0] for b in branches], cache)
    first_leaves = torch.stack([alone[0], alone[len(branches[0].leaves)]], 1)
    return _rms(decoded - first_leaves[: len(decoded)]) <= limit


def _decoded_logits(module: Any, stems: list[Tokens], forced: Sequence[Tokens], cache: Any) -> Tensor:
    """Decode two tokens of each prompt in one batch; return the log-probabilities [step, prompt, vocabulary]."""
    steps: list[Tensor] = []

    def choose_forced(logits: Tensor, rows: Sequence[int]) -> Tensor:
        steps.append(logits.float().log_softmax(-1))
        return torch.tensor([forced[row][len(steps) - 1] for row in rows], device=logits.device)

    decode_group(module, stems, cache, DecodeLimits(2, frozenset()), choose_forced)
    return torch.stack(steps)


def _generates_as_it_reads(module: Any, prompt: Tokens) -> bool:
    """Tell whether the tokens that ``generate`` chooses are likely ones when the text is read without a cache."""
    answer = decode_one_by_one(module, [prompt], DecodeLimits(_ANSWER, frozenset()))[0]
    logits = _text_logits(module, prompt + answer)[len(prompt) - 1 : -1]
    chosen = logits.gather(-1, torch.tensor(answer, device=logits.device)[:, None])[:, 0]
    return not bool(((logits.amax(-1) - chosen) > 0.5 * logits.std(-1)).any())


def _text_logits(module: Any, text: Tokens) -> Tensor:
    """Read one text with the model's own mask; return log-probabilities [tokens, vocabulary]."""
    input_ids = torch.tensor([text], device=module.device)
    return causal_lm(module)(input_ids=input_ids, use_cache=False).logits[0].float().log_softmax(-1)


def _tokens(module: Any, count: int, seed: int) -> Tokens:
    """Draw tokens of the model's vocabulary."""
    vocabulary = module.get_input_embeddings().num_embeddings
    ids = [token for token in _FIRST_IDS if token < vocabulary] or list(range(vocabulary))
    return random.Random(seed).choices(ids, k=count)


def _tolerance(module: Any) -> float:
    """Return the largest share of a wrong row's difference that may be rounding."""
    return 1e-3 if module.dtype in (torch.float32, torch.float64) else 0.2


def _rms(difference: Tensor) -> float:
    return difference.square().mean().sqrt().item()
