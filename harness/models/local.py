"""A causal language model on this machine, through transformers: generates, scores choices and can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.api import Answer, Capability, ModelInfo, Prompt, Report
from harness.errors import HarnessError
from harness.models import decode, layout, tree

ROW_TOKENS = 768
"""Tokens computed in one forward pass: enough to keep two cores busy, little enough to stay in memory."""


@dataclass(frozen=True)
class LocalModel:
    """A model whose weights are here.

    Attributes:
        module: the transformers model, or a peft model around it.
        tokenizer: its tokenizer.
        packs: whether several branches may share a row (`tree`); where a model cannot, each has a row of its own.
        base_changed: whether weights other than an adapter's differ from what was loaded.
    """

    info: ModelInfo
    module: Any
    tokenizer: Any
    packs: bool = True
    base_changed: bool = False
    row_tokens: int = ROW_TOKENS
    decode_rows: int = 32

    @property
    def can(self) -> frozenset[Capability]:
        """Everything: the weights are here."""
        return frozenset({"generate", "score_choices", "train"})

    def tokens(self, text: str) -> list[int]:
        """Encode a text as it is, without special tokens of the tokenizer's own."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def lay_out(self, prompts: Sequence[Prompt], reserve: int) -> list[layout.LaidOut]:
        """Render prompts so that `reserve` more tokens fit behind each."""
        window = self.info.context_tokens
        return [layout.lay_out(p, self.tokenizer, room=window and window - reserve) for p in prompts]

    def answer_tokens(self, prompt: Prompt, answer: str) -> list[int]:
        """Encode an answer as it follows its prompt; the end of the turn is not part of it."""
        begins = prompt.task.form == "bare" and not layout.bare(prompt)
        plain_form = not begins and layout.is_plain(prompt.task.form, self.tokenizer)
        return self.tokens(layout.answer_text(answer, plain_form=plain_form))

    def generate(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int, one_line: bool, report: Report | None = None
    ) -> list[Answer]:
        """Continue each prompt greedily.

        Raises:
            HarnessError: a prompt does not fit the context window even without passages.
        """
        if not prompts:
            return []
        laid = self.lay_out(prompts, max_new_tokens)
        line_ends = self.line_ends if one_line else frozenset[int]()
        limits = decode.Limits(max_new_tokens, self.end_ids, line_ends, rows=self.decode_rows)
        continued = decode.greedy if self.packs else decode.greedy_alone
        found = continued(self.module, [p.tokens for p in laid], limits, report)
        return [
            Answer(
                p.text,
                self.tokenizer.decode(tokens, skip_special_tokens=True),
                prompt_tokens=len(p.tokens),
                output_tokens=len(tokens),
                dropped_passages=p.dropped_passages,
            )
            for p, tokens in zip(laid, found, strict=True)
        ]

    def score_choices(
        self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], *, report: Report | None = None
    ) -> list[Answer]:
        """Score all choices of each prompt in one pass, behind what the prompts begin with alike.

        Raises:
            HarnessError: a prompt does not fit the context window even without passages.
        """
        if not prompts:
            return []
        leaves = [
            tuple(self.answer_tokens(prompt, choice) for choice in options)
            for prompt, options in zip(prompts, choices, strict=True)
        ]
        laid = self.lay_out(prompts, max(len(leaf) for group in leaves for leaf in group))
        branches = [tree.Branch(p.tokens, group) for p, group in zip(laid, leaves, strict=True)]
        scores = tree.score(self.module, branches, self.row_tokens if self.packs else None, report)
        return [
            Answer(p.text, "", tuple(found), len(p.tokens), sum(map(len, group)), p.dropped_passages)
            for p, group, found in zip(laid, leaves, scores, strict=True)
        ]

    @property
    def end_ids(self) -> frozenset[int]:
        """Ids that end an answer."""
        named = getattr(self.module.generation_config, "eos_token_id", None)
        listed = named if isinstance(named, list) else [named]
        return frozenset(i for i in (*listed, self.tokenizer.eos_token_id) if i is not None)

    @property
    def line_ends(self) -> frozenset[int]:
        """Ids that end a line; some tokenizers put a piece that means a space before them, which ends nothing."""
        return frozenset(i for i in self.tokens("\n") + self.tokens("\n\n") if "\n" in self.tokenizer.decode([i]))

    def adapted(self, module: Any, *, base_changed: bool = False) -> LocalModel:
        """Return this model with other weights."""
        return replace(self, module=module, base_changed=self.base_changed or base_changed)

    @property
    def trained_parameters(self) -> int:
        """How many parameters take a gradient."""
        return sum(p.numel() for p in self.module.parameters() if p.requires_grad)

    def save_adapted(self, folder: Path) -> None:
        """Write the adapter, or all weights where those were changed, as safetensors."""
        is_adapter = isinstance(self.module, PeftModel)
        if is_adapter:
            self.module.save_pretrained(folder)
        if self.base_changed or not is_adapter:
            save_file(base_weights(self.module), folder / "base.safetensors", {"format": "pt"})

    def load_adapted(self, folder: Path) -> LocalModel:
        """Return this model with what `save_adapted` wrote in place of what an earlier step has changed.

        Raises:
            HarnessError: it was written for another model.
        """
        model = self.adapted(self.module.unload()) if isinstance(self.module, PeftModel) else self
        if (folder / "base.safetensors").is_file():
            found = model.module.load_state_dict(
                load_file(folder / "base.safetensors"), strict=False
            )  # tied stand once
            if found.unexpected_keys:
                raise HarnessError(f"the weights kept in {folder} are those of another model: run 'harness clean'.")
            model = model.adapted(model.module, base_changed=True)
        if (folder / "adapter_config.json").is_file():
            module = PeftModel.from_pretrained(model.module, folder, autocast_adapter_dtype=False)
            model = model.adapted(module.eval())
        return model


def base_weights(module: Any) -> dict[str, Tensor]:
    """Return a model's own weights by name, without its adapter's, shared ones once."""
    named = tree.causal(module).named_parameters()
    return {
        name.replace(".base_layer.", "."): weight.detach().contiguous() for name, weight in named if "lora_" not in name
    }
