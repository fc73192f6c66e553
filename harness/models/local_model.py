"""A causal language model on this machine, through transformers: generates, scores choices and can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.api import Answer, Model, ModelInfo, ProgressCallback, Prompt, Sampling
from harness.decoding import batched_decode, prefix_sharing
from harness.decoding.packed_rows import Branch
from harness.decoding.timing import PassTimer
from harness.errors import HarnessError
from harness.models import saved_weights, virtual_tokens
from harness.prompts import layout

ROW_TOKENS = 768
"""Tokens of one forward pass: enough to keep two cores busy, few enough to fit in memory."""


@dataclass(frozen=True)
class LocalModel:
    """A transformers model loaded on this machine.

    Attributes:
        module: the transformers model, or a peft model around it.
        tokenizer: its tokenizer.
        supports_packing: whether several branches may share a row (`prefix_sharing`); else each has a row of its own.
        base_changed: whether weights other than an adapter's differ from those loaded.
        changed_weights: names of those that do; None: any may.
        row_tokens: tokens of one forward pass that scores choices.
        decode_rows: the most prompts decoded together.
    """

    info: ModelInfo
    module: Any
    tokenizer: Any
    supports_packing: bool = True
    base_changed: bool = False
    changed_weights: frozenset[str] | None = None
    row_tokens: int = ROW_TOKENS
    decode_rows: int = 32

    def encode(self, text: str) -> list[int]:
        """Tokenize a text, without added special tokens."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def render_prompts(self, prompts: Sequence[Prompt], reserve: int) -> list[layout.RenderedPrompt]:
        """Render prompts so that `reserve` more tokens fit after each; trained virtual tokens come first."""
        window, virtual_ids = self.info.context_tokens, list(virtual_tokens.virtual_ids(self.module))
        max_tokens = window and window - reserve - virtual_tokens.prefix_length(self.module)
        rendered = [layout.render_prompt(p, self.tokenizer, max_tokens=max_tokens) for p in prompts]
        return [replace(prompt, tokens=virtual_ids + prompt.tokens) for prompt in rendered] if virtual_ids else rendered

    def answer_tokens(self, prompt: Prompt, answer: str) -> list[int]:
        """Tokenize an answer as it follows its prompt, without the end of the turn."""
        return self.encode(layout.answer_text(prompt, answer, self.tokenizer))

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        one_line: bool,
        sampling: Sampling | None = None,
        progress: ProgressCallback | None = None,
    ) -> list[Answer]:
        """Continue each prompt, greedily or by `sampling`.

        Raises:
            HarnessError: a prompt does not fit the context window even without passages.
        """
        if not prompts:
            return []
        rendered = self.render_prompts(prompts, max_new_tokens)
        newline_ids = self.newline_ids if one_line else frozenset[int]()
        limits = batched_decode.DecodeLimits(max_new_tokens, self.eos_ids, newline_ids, max_rows=self.decode_rows)
        decode = batched_decode.decode_batched if self.supports_packing else batched_decode.decode_one_by_one
        timer = PassTimer(len(rendered), self.module.device, progress)
        outputs = decode(self.module, [p.tokens for p in rendered], limits, sampling, timer)
        return [
            Answer(
                p.text,
                self.tokenizer.decode(tokens, skip_special_tokens=True),
                prompt_tokens=len(p.tokens),
                output_tokens=len(tokens),
                dropped_passages=p.dropped_passages,
                prefill_s=timer.prefill_s[index],
                decode_s=timer.decode_s[index],
                decode_tokens=min(len(tokens), max_new_tokens - 1),  # an end token's pass counts, the first does not
                first_token_at=timer.first_token_at[index],
            )
            for index, (p, tokens) in enumerate(zip(rendered, outputs, strict=True))
        ]

    def score_choices(
        self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], *, progress: ProgressCallback | None = None
    ) -> list[Answer]:
        """Score all choices of each prompt in one pass, behind the prefix that the prompts share.

        Raises:
            HarnessError: a prompt does not fit the context window even without passages.
        """
        if not prompts:
            return []
        leaves = [
            tuple(self.answer_tokens(prompt, choice) for choice in options)
            for prompt, options in zip(prompts, choices, strict=True)
        ]
        rendered = self.render_prompts(prompts, max(len(leaf) for group in leaves for leaf in group))
        branches = [Branch(p.tokens, group) for p, group in zip(rendered, leaves, strict=True)]
        timer = PassTimer(len(rendered), self.module.device, progress)
        row_tokens = self.row_tokens if self.supports_packing else None
        scores = prefix_sharing.score_branches(self.module, branches, row_tokens, timer)
        return [
            Answer(
                p.text,
                "",
                tuple(choice_scores),
                prompt_tokens=len(p.tokens),
                output_tokens=sum(map(len, group)),
                dropped_passages=p.dropped_passages,
                prefill_s=prefill_s,
                decode_s=0.0,
                decode_tokens=0,
            )
            for p, group, choice_scores, prefill_s in zip(rendered, leaves, scores, timer.prefill_s, strict=True)
        ]

    @property
    def eos_ids(self) -> frozenset[int]:
        """Ids that end an answer: those of the generation config and of the tokenizer."""
        configured = getattr(self.module.generation_config, "eos_token_id", None)
        ids = configured if isinstance(configured, list) else [configured]
        return frozenset(i for i in (*ids, self.tokenizer.eos_token_id) if i is not None)

    @property
    def newline_ids(self) -> frozenset[int]:
        """Ids that end a line, without the space token that some tokenizers put before them."""
        return frozenset(i for i in self.encode("\n") + self.encode("\n\n") if "\n" in self.tokenizer.decode([i]))

    def with_module(
        self, module: Any, *, base_changed: bool = False, changed_weights: frozenset[str] | None = None
    ) -> LocalModel:
        """Return this model around another module.

        Args:
            module: with adapted weights.
            base_changed: whether weights other than an adapter's were changed.
            changed_weights: their names; None: any may be.
        """
        if not base_changed:
            return replace(self, module=module)
        earlier = self.changed_weights if self.base_changed else frozenset[str]()
        all_changed = None if changed_weights is None or earlier is None else earlier | changed_weights
        return replace(self, module=module, base_changed=True, changed_weights=all_changed)

    @property
    def trained_parameters(self) -> int:
        """Number of parameters that take a gradient."""
        return sum(p.numel() for p in self.module.parameters() if p.requires_grad)

    def save_adapted(self, folder: Path) -> None:
        """Write the adapter and the changed base weights as safetensors."""
        saved_weights.save(self.module, self.changed_weights if self.base_changed else frozenset(), folder)

    def load_adapted(self, folder: Path) -> LocalModel:
        """Return this model with the weights that `save_adapted` wrote, instead of those of an earlier step.

        Raises:
            HarnessError: they are those of another model.
        """
        module, changed_weights = saved_weights.load(self.module, folder)
        return self.with_module(module, base_changed=bool(changed_weights), changed_weights=changed_weights)


def require_local(model: Model) -> LocalModel:
    """Return the model as a `LocalModel`.

    Raises:
        HarnessError: its weights are not on this machine; `plan` skips steps that need them.
    """
    if not isinstance(model, LocalModel):
        raise HarnessError(f"{model.info.name!r} has no weights on this machine: tuning and packing need them.")
    return model
