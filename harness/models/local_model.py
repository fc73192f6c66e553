"""A causal language model on this machine, through transformers: generates, scores choices and can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.api import Answer, Form, Model, ModelInfo, ProgressCallback, Prompt, Sampling, Task
from harness.decoding import batched_decode, prefix_sharing
from harness.decoding.attention_masks import window_sizes
from harness.decoding.packed_rows import common_prefix_length
from harness.decoding.timing import PassTimer
from harness.errors import HarnessError, PromptsTooLongError
from harness.models import choice_scoring, saved_weights, virtual_tokens
from harness.models.row_budget import PROCESSOR
from harness.prompts import chat_template, layout
from harness.records.pass_sizes import PassSizes


@dataclass(frozen=True)
class LocalModel:
    """A transformers model loaded on this machine.

    Attributes:
        module: the transformers model, or a peft model around it.
        tokenizer: its tokenizer.
        supports_packing: whether several branches may share a row (`prefix_sharing`); else each has a row of its own.
        base_changed: whether weights other than an adapter's differ from those loaded.
        changed_weights: names of those that do; None: any may.
        row_tokens, decode_rows, prompt_tokens, cache_tokens, from_memory: how much is computed at once (`PassSizes`).
        prefix_cache: a prefix that was read with these weights, for prompts that begin with it; None: none.
    """

    info: ModelInfo
    module: Any
    tokenizer: Any
    supports_packing: bool = True
    base_changed: bool = False
    changed_weights: frozenset[str] | None = None
    row_tokens: int = PROCESSOR.row_tokens
    decode_rows: int = PROCESSOR.decode_rows
    prompt_tokens: int = PROCESSOR.prompt_tokens
    cache_tokens: int = PROCESSOR.cache_tokens
    from_memory: bool = False
    prefix_cache: prefix_sharing.PrefixCache | None = None

    def encode(self, text: str) -> list[int]:
        """Tokenize a text, without added special tokens."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def render_prompts(
        self, prompts: Sequence[Prompt], reserve: int, answers: Sequence[Sequence[str]] | None = None
    ) -> list[layout.RenderedPrompt]:
        """Render prompts so that `reserve` more tokens fit after each, or after its answers.

        Trained virtual tokens come first.

        Raises:
            PromptsTooLongError: some do not fit the context window even without passages.
        """
        window, virtual_ids = self.info.context_tokens, list(virtual_tokens.virtual_ids(self.module))
        max_tokens = window and window - reserve - virtual_tokens.prefix_length(self.module)
        rendered: list[layout.RenderedPrompt] = []
        too_long: dict[int, PromptsTooLongError] = {}
        for index, (prompt, options) in enumerate(zip(prompts, answers or [()] * len(prompts), strict=True)):
            try:
                rendered.append(layout.render_prompt(prompt, self.tokenizer, max_tokens=max_tokens, answers=options))
            except PromptsTooLongError as error:
                too_long[index] = error
        if too_long:
            first = next(iter(too_long.values()))
            raise PromptsTooLongError(str(first), too_long) from first
        return [replace(prompt, tokens=virtual_ids + prompt.tokens) for prompt in rendered] if virtual_ids else rendered

    def render_answered(
        self, prompts: Sequence[Prompt], answers: Sequence[Sequence[str]], end: int | None = None
    ) -> list[layout.RenderedPrompt]:
        """Render prompts with answers, each with its end, unless the task is open-ended.

        Args:
            prompts: some.
            answers: of each prompt, one or more.
            end: token that stands at the end of an answer; None: the one to learn.

        Raises:
            PromptsTooLongError: some do not fit the context window with their longest answer.
            HarnessError: there is no end to learn.
        """
        tasks = [prompt.task for prompt in prompts]
        ends = [[] if task.open_ended else [self.end_id(task) if end is None else end] for task in tasks]
        return [
            replace(rendered, answers=tuple([*tokens, *end] for tokens in rendered.answers))
            for rendered, end in zip(self.render_prompts(prompts, 1, answers), ends, strict=True)
        ]

    @property
    def forms(self) -> tuple[Form, ...]:
        """Chat, if the tokenizer has a template for it, and plain text."""
        return ("chat", "plain") if self.tokenizer.chat_template else ("plain",)

    def end_id(self, task: Task) -> int:
        """Return the token that ends an answer: of the turn where the template ends turns with one, else of the text.

        Raises:
            HarnessError: the tokenizer has no such token.
        """
        end = None if layout.is_plain(task.form, self.tokenizer) else chat_template.end_of_turn_id(self.tokenizer)
        end = self.tokenizer.eos_token_id if end is None else end
        if end is None:
            raise HarnessError(
                f"the tokenizer of {self.info.name!r} names no token that ends a text: set 'eos_token' in its"
                " tokenizer_config.json."
            )
        return end

    def scored_ends(self, task: Task) -> frozenset[int]:
        """Return the tokens any of which ends a scored choice: those that end an answer in `generate`."""
        if task.open_ended:
            return frozenset()
        return self.eos_ids | (frozenset[int]() if task.kind == "generation" else self.newline_ids)

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
            PromptsTooLongError: some do not fit the context window even without passages.
        """
        if not prompts:
            return []
        rendered = self.render_prompts(prompts, max_new_tokens)
        task = prompts[0].task
        newline_ids = self.newline_ids if one_line and not self._may_think(task) else frozenset[int]()
        limits = self.decode_limits(max_new_tokens, newline_ids)
        timer = PassTimer(len(rendered), self.module.device, progress)
        tokens_of = [p.tokens for p in rendered]
        if self.supports_packing:
            outputs = batched_decode.decode_batched(
                self.module, tokens_of, limits, sampling, timer, prefix_cache=self.prefix_cache
            )
        else:
            outputs = batched_decode.decode_one_by_one(self.module, tokens_of, limits, sampling, timer)
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

    def decode_limits(
        self, max_new_tokens: int, newline_ids: frozenset[int] = frozenset()
    ) -> batched_decode.DecodeLimits:
        """Return when generation ends, and how much is decoded at once."""
        return batched_decode.DecodeLimits(
            max_new_tokens,
            self.eos_ids,
            newline_ids,
            max_rows=self.decode_rows,
            max_prompt_tokens=self.prompt_tokens,
            max_cache_tokens=self.cache_tokens,
        )

    @property
    def pass_sizes(self) -> PassSizes:
        """How much is computed at once."""
        return PassSizes.model_validate({name: getattr(self, name) for name in PassSizes.model_fields})

    def with_sizes(self, sizes: PassSizes) -> LocalModel:
        """Return this model with another amount that is computed at once."""
        return replace(self, **sizes.model_dump())

    def score_choices(
        self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], *, progress: ProgressCallback | None = None
    ) -> list[Answer]:
        """Score all choices of each prompt of a task in one pass, behind the prefix that the prompts share.

        A choice's score is the log-likelihood that the model answers with it and nothing else: of its tokens and of any
        token that ends an answer in `generate`. So a choice that another one begins with is not always the likelier.
        Choices that go on with a text (`Task.open_ended`) have no end.

        Raises:
            PromptsTooLongError: some do not fit the context window even without passages.
            HarnessError: the model gives no numbers.
        """
        return choice_scoring.score_all(self, prompts, choices, progress)

    def best_choices(
        self,
        prompts: Sequence[Prompt],
        choices: Sequence[Sequence[str]],
        shift: Sequence[float],
        *,
        progress: ProgressCallback | None = None,
    ) -> list[Answer]:
        """Do what `score_choices` does for those choices only that may have the highest score less its shift, in nats.

        A model whose layers look back over a window, or that shares no rows, scores all.

        Raises:
            PromptsTooLongError: some do not fit the context window even without passages.
            HarnessError: the model gives no numbers.
        """
        if not self.supports_packing or window_sizes(self.module.config):
            return self.score_choices(prompts, choices, progress=progress)
        return choice_scoring.score_best(self, prompts, choices, shift, progress)

    def _may_think(self, task: Task) -> bool:
        """Tell whether the model may write a thought before it answers, in lines of its own."""
        return not layout.is_plain(task.form, self.tokenizer) and chat_template.chat_format(self.tokenizer).thinks

    @property
    def eos_ids(self) -> frozenset[int]:
        """Ids that end an answer: those of the generation config, of the tokenizer and of the chat template."""
        configured = getattr(self.module.generation_config, "eos_token_id", None)
        ids = configured if isinstance(configured, list) else [configured]
        ids = [*ids, self.tokenizer.eos_token_id, chat_template.end_of_turn_id(self.tokenizer)]
        return frozenset(i for i in ids if i is not None)

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
            return replace(self, module=module, prefix_cache=None)
        earlier = self.changed_weights if self.base_changed else frozenset[str]()
        all_changed = None if changed_weights is None or earlier is None else earlier | changed_weights
        return replace(self, module=module, base_changed=True, changed_weights=all_changed, prefix_cache=None)

    def with_prefix(self, prompts: Sequence[Prompt]) -> LocalModel:
        """Read what the prompts begin with in common, and return the model that keeps its keys and values.

        A model whose prompts cannot share a cache (`supports_packing`) keeps nothing.
        """
        tokens = [rendered.tokens for rendered in self.render_prompts(prompts, 1)] if self.supports_packing else [[]]
        shared = tokens[0][: common_prefix_length(tokens)]
        if not shared:
            return replace(self, prefix_cache=None)
        return replace(self, prefix_cache=prefix_sharing.keep_prefix(self.module, shared))

    @property
    def prefix_tokens(self) -> int:
        """Tokens of the prefix that is kept; 0: none is."""
        return len(self.prefix_cache.tokens) if self.prefix_cache else 0

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
