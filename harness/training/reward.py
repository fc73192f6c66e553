"""Rewards of answers: by a reward model trained on preference pairs, or by a metric that compares with references.

The reward model (Ziegler et al. 2019, arXiv:1909.08593; Ouyang et al. 2022, arXiv:2203.02155) is the language model
itself with a second adapter and a scalar head on the last token of the answer. It is dropped after training.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from harness.api import Context, Example, System, TaskData
from harness.decoding.attention_masks import row_masks
from harness.decoding.packed_rows import Branch, PackedRow, Tokens, pack_row
from harness.decoding.prefix_sharing import causal_lm
from harness.errors import HarnessError
from harness.metrics import Items, get
from harness.metrics.parsing import parse
from harness.models.local_model import LocalModel
from harness.records.record import Row as Record
from harness.training import pairs as training_pairs
from harness.training import preferences
from harness.training.pairs import PreferencePair
from harness.training.preferences import PreferenceLoop
from harness.training.settings import PreferenceSettings

ADAPTER = "reward"
"""Name of the reward model's adapter, beside the policy's."""

CUT_OFF_PENALTY = 1.0
"""Subtracted from the reward of an answer that was cut off, in standard deviations: the reward model was trained on
complete answers only (Huang et al. 2024, arXiv:2403.17031, "EOS trick")."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a policy answers while it learns.

    Attributes:
        prompt: tokens, as the system asks it.
        part: the question's task.
    """

    example: Example
    prompt: Tokens
    part: TaskData


Reward = Callable[[Sequence[Question], Sequence[Sequence[Tokens]]], Tensor]
"""Takes questions and equally many answers to each; returns float32 [questions, answers], higher is better."""


@dataclass(frozen=True)
class RewardModel:
    """A trained reward model, called as a `Reward`; its rewards are in standard deviations of the training answers'.

    Attributes:
        module: the peft model with its adapter.
        head: from the last token's hidden state to the reward.
        mean: of the raw rewards of the training answers; deviation: their standard deviation.
        ends: token ids that a complete answer ends with.
    """

    module: Any
    head: torch.nn.Linear
    row_tokens: int | None
    ends: frozenset[int]
    mean: float = 0.0
    deviation: float = 1.0

    def __call__(self, questions: Sequence[Question], answers: Sequence[Sequence[Tokens]]) -> Tensor:
        """Score answers: float32 [questions, answers]."""
        branches = [Branch(q.prompt, tuple(group)) for q, group in zip(questions, answers, strict=True)]
        raw = torch.zeros(len(branches), len(answers[0]))
        with torch.no_grad(), active_adapter(self.module, ADAPTER):
            for indices, rewards in self.rewards(branches):
                raw[indices] = rewards.view(len(indices), -1).cpu()
        cut_off = torch.tensor([[tokens[-1] not in self.ends for tokens in group] for group in answers])
        return (raw - self.mean) / self.deviation - CUT_OFF_PENALTY * cut_off

    def margins(self, batch: Sequence[PreferencePair]) -> Iterator[Tensor]:
        """Yield the reward of each chosen answer minus that of the rejected one; the adapter must be active."""
        for _, rewards in self.rewards([pair.branch for pair in batch]):
            yield rewards[0::2] - rewards[1::2]

    def rewards(self, branches: Sequence[Branch]) -> Iterator[tuple[list[int], Tensor]]:
        """Yield raw rewards: indices of some branches, and float32 [all their leaves]; gradients flow."""
        if self.row_tokens is None:
            for index, branch in enumerate(branches):
                rows = [pack_row([Branch(branch.stem, ([*leaf, leaf[-1]],))], 0) for leaf in branch.leaves]
                yield [index], torch.cat([self._row_rewards(row, masked=False) for row in rows])
            return
        complete_branches = [
            Branch(branch.stem, tuple([*leaf, leaf[-1]] for leaf in branch.leaves)) for branch in branches
        ]
        for indices, row in training_pairs.pack_branches(complete_branches, self.row_tokens):
            yield indices, self._row_rewards(row)

    def _row_rewards(self, row: PackedRow, *, masked: bool = True) -> Tensor:
        """Return the rewards of a row's leaves; the last token of each stands twice, as the last one is not read."""
        device = self.module.device
        inputs: dict[str, Any] = {"input_ids": row.tokens[None].to(device), "use_cache": False}
        if masked:
            masks = row_masks(self.module, row)
            inputs |= {"attention_mask": masks, "position_ids": row.positions[None].to(device)}
        hidden = causal_lm(self.module).get_decoder()(**inputs).last_hidden_state[0]
        last = row.sources[row.leaf_index.bincount().cumsum(0) - 1]
        return self.head(hidden[last.to(device)].float())[:, 0]


def fit_reward_model(
    model: LocalModel, system: System, task: TaskData, settings: PreferenceSettings, context: Context
) -> RewardModel:
    """Train a reward model on a task's pairs, beside the policy, which is the adapter of `model`.

    Logs ``reward_accuracy``, the share of the validation pairs whose chosen answer gets the higher reward, and
    ``reward_accuracy_n``, the number of validation pairs.

    Raises:
        HarnessError: training diverged, or a prompt does not fit the context window.
    """
    module: Any = model.module
    module.add_adapter(ADAPTER, deepcopy(module.peft_config["default"]), autocast_adapter_dtype=False)
    size = module.config.get_text_config().hidden_size
    head = torch.nn.Linear(size, 1, device=module.device)
    torch.nn.init.normal_(head.weight, std=1 / (size + 1) ** 0.5)
    torch.nn.init.zeros_(head.bias)
    reward = RewardModel(module, head, settings.row_tokens if model.supports_packing else None, model.eos_ids)
    pairs, held_out = (training_pairs.build_split_pairs(system, task, split) for split in ("train", "validation"))
    module.eval()
    with active_adapter(module, ADAPTER):
        parameters = [*(p for p in module.parameters() if p.requires_grad), *head.parameters()]
        preferences.train(
            parameters, pairs, held_out, reward.margins, PreferenceLoop(settings, context, "reward_model")
        )
        if held_out:
            metrics = preferences.evaluate(held_out, reward.margins)
            context.log({"reward_accuracy": metrics["preference_accuracy"], "reward_accuracy_n": len(held_out)})
        with torch.no_grad():
            raw = torch.cat([rewards for _, rewards in reward.rewards([pair.branch for pair in pairs])])
    return replace(reward, mean=float(raw.mean()), deviation=float(raw.std()) or 1.0)


def drop_adapter(model: LocalModel) -> None:
    """Delete the reward model's adapter; the policy's stays."""
    model.module.delete_adapter(ADAPTER)


@contextmanager
def active_adapter(module: Any, adapter: str) -> Generator[None]:
    """Activate an adapter for the duration of the ``with`` block, then the policy's."""
    module.set_adapter(adapter)
    try:
        yield
    finally:
        module.set_adapter("default")


def metric_reward(tokenizer: Any) -> Reward:
    """Return a reward by the metric that the task names as its reward; lower-is-better metrics are negated.

    Raises:
        HarnessError: when called: the metric is not a mean of one score an item, or has no direction.
    """

    def reward(questions: Sequence[Question], answers: Sequence[Sequence[Tokens]]) -> Tensor:
        texts = [[tokenizer.decode(tokens, skip_special_tokens=True) for tokens in group] for group in answers]
        return torch.tensor([_score_answers(q, group) for q, group in zip(questions, texts, strict=True)])

    return reward


def _score_answers(question: Question, texts: Sequence[str]) -> list[float]:
    """Score several answers to one question; 0 where the metric is undefined."""
    task, example, metric = question.part.task, question.example, get(question.part.reward)
    if not metric.is_mean or metric.higher_is_better is None:
        raise HarnessError(
            f"{metric.name!r} cannot be the reward of task {task.name!r}: it does not score each answer by itself; "
            "name one that does, such as 'accuracy' or 'token_f1'."
        )
    choices = example.query.choices or task.choices
    records: list[Record] = []
    for index, text in enumerate(texts):
        answer, parsed = parse(task.kind, text, choices)
        records.append(
            Record(
                task=task.name,
                id=str(index),
                references=example.references,
                choices=choices,
                input=example.query.input,
                output=text,
                answer=answer,
                parsed=parsed,
            )
        )
    items = Items.from_rows(records, task.choices)
    scores, defined = metric.statistics(items)[:, 0], metric.defined(items)
    sign = 1.0 if metric.higher_is_better else -1.0
    return [sign * float(score) if is_defined else 0.0 for score, is_defined in zip(scores, defined, strict=True)]
