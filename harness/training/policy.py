"""Policy optimisation: sample answers, reward them, and make the better ones of each question likelier.

The advantage of an answer is how far its reward stands above the mean of the answers to the same question, in their
standard deviations (GRPO: Shao et al. 2024, arXiv:2402.03300, equation 3); the loss is the clipped surrogate of PPO
(Schulman et al. 2017, arXiv:1707.06347, equation 7) plus a penalty on the divergence from the reference, which is the
model without its adapter (Ziegler et al. 2019, arXiv:1909.08593, section 2). So there is no value model and no second
model. A prompt is read once for all its answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.api import Context, System, TaskData
from harness.decoding.prefix_sharing import Tokens
from harness.errors import HarnessError
from harness.models.local_model import LocalModel, local_model
from harness.training.optimiser import MasterAdamW, Schedule
from harness.training.reward import Question, Reward
from harness.training.rollouts import PackedRollouts, asked, layouts, sample, turns

HELD_OUT = 32
"""Validation questions that reward and divergence are told of, before and after."""


@dataclass(frozen=True)
class PolicySettings:
    """How to optimise a policy.

    Attributes:
        learning_rate: at its peak, after warm-up.
        steps: how often answers are sampled and learned from.
        questions: asked in one step.
        answers: sampled for each of them, at least 2.
        max_new_tokens: where an answer is cut off.
        beta: weight of the divergence from the reference.
        updates: of the weights, in one step.
        clip: how far from 1 the ratio of new to old probabilities is rewarded.
        row_tokens: tokens computed in one forward pass, where answers may share one.
    """

    learning_rate: float
    steps: int
    questions: int
    answers: int
    max_new_tokens: int
    beta: float = 0.05
    updates: int = 2
    clip: float = 0.2
    row_tokens: int = 768


def optimise(system: System, task: TaskData, reward: Reward, settings: PolicySettings, context: Context) -> System:
    """Return the system with a model whose adapter was optimised for a reward.

    Logs for every step the mean ``reward``, ``kl`` (nats an answer, before the step's last update),
    ``completion_tokens`` (an answer's mean length) and ``cut_off`` (share of answers that did not end); and the same
    of the validation questions, with ``validation_`` before the name, before the first step (0) and after the last.
    A reward that rises while answers only grow longer is the reward being exploited.

    Args:
        system: its model has a fresh adapter, which is changed in place; a calibration is dropped.
        task: `train` gives the questions; its answers are used by the reward alone.
        reward: of answers.
        settings: how to optimise.
        context: takes the curves and the tokens seen.

    Raises:
        HarnessError: training diverged, or a prompt does not fit the context window.
    """
    system = system.replace(prior=())
    model = local_model(system.model)
    learner = _Learner(model, reward, settings, context)
    model.module.eval()  # no dropout: policy and reference would differ by it
    questions = asked(system, task, "train", settings.max_new_tokens)
    held_out = asked(system, task, "validation", settings.max_new_tokens)[:HELD_OUT]
    learner.report_on(held_out, step=0)
    for step, batch in zip(
        range(1, settings.steps + 1), turns(questions, settings.questions, context.seed), strict=False
    ):
        context.log({"step": step, **learner.learn(batch, step)})
        context.progress(step, settings.steps)
    learner.report_on(held_out, step=settings.steps)
    return system


def advantages(rewards: Tensor) -> Tensor:
    """Standardise the rewards of each question's answers: float32 [questions, answers] to the same shape."""
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)


def surrogate(
    new: Tensor, old: Tensor, reference: Tensor, values: Tensor, settings: PolicySettings
) -> tuple[Tensor, Tensor]:
    """Return each token's loss and its divergence from the reference.

    Args:
        new: log p under the policy as it is, float32 [tokens], nats; gradients flow.
        old: under the policy that drew the answers.
        reference: under the reference.
        values: advantage of the answer that each token belongs to.
        settings: `clip` and `beta`.

    Returns:
        The loss and the estimate of the divergence (never negative, unbiased: k3 of Schulman 2020), float32 [tokens].
        In the loss the estimate is weighted by the ratio, which makes its gradient unbiased too (DeepSeek-AI 2025,
        arXiv:2512.02556).
    """
    ratio = (new - old).exp()
    clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
    kl = (reference - new).exp() - (reference - new) - 1
    return settings.beta * ratio * kl - torch.minimum(ratio * values, clipped * values), kl


@dataclass
class _Learner:
    """A policy, what it is rewarded by, and the state of its optimiser."""

    model: LocalModel
    reward: Reward
    settings: PolicySettings
    context: Context

    def __post_init__(self) -> None:
        parameters = [p for p in self.model.module.parameters() if p.requires_grad]
        self.optimiser = MasterAdamW(parameters, weight_decay=0.0, held=self.context.record_memory)
        self.schedule = Schedule(self.settings.learning_rate, self.settings.steps * self.settings.updates)

    def learn(self, batch: Sequence[Question], step: int) -> dict[str, float]:
        """Sample answers, and update the weights from them; return what is worth logging."""
        settings = self.settings
        answers = sample(self.model, batch, settings.answers, settings.max_new_tokens, self.context.seed * 1000 + step)
        self.context.count_tokens(
            sum(len(q.prompt) + sum(map(len, found)) for q, found in zip(batch, answers, strict=True))
        )
        rewards = self.reward(batch, answers)
        laid = layouts(self.model, batch, answers, advantages(rewards), settings.row_tokens)
        references = self.reference(laid)
        olds: list[Tensor] = []
        loss = kl = norm = rate = 0.0
        for update in range(settings.updates):
            loss, kl = self.backward(laid, references, olds)
            if not math.isfinite(loss):
                raise HarnessError(f"training diverged at step {step}: the loss is {loss}; lower learning_rate.")
            rate = self.schedule.at((step - 1) * settings.updates + update)
            norm = self.optimiser.step(rate)
        logged = {"loss": loss, "learning_rate": rate, "gradient_norm": norm, "kl": kl / rewards.numel()}
        return {**logged, "reward": float(rewards.mean()), **self.lengths(answers)}

    def reference(self, laid: Sequence[PackedRollouts]) -> list[Tensor]:
        """Return the log-likelihoods without the adapter."""
        with torch.no_grad(), self.model.module.disable_adapter():
            return [one.logs(self.model.module) for one in laid]

    def backward(
        self, laid: Sequence[PackedRollouts], references: Sequence[Tensor], olds: list[Tensor]
    ) -> tuple[float, float]:
        """Add gradients; return the mean loss a token, and the sum of the divergences, nats.

        Args:
            laid: the answers.
            references: their log-likelihoods under the reference.
            olds: those under the policy that drew them; filled in the first time, when that is the policy as it is.
        """
        first, tokens = not olds, sum(len(one.advantages) for one in laid)
        loss = kl = 0.0
        for place, (one, reference) in enumerate(zip(laid, references, strict=True)):
            new = one.logs(self.model.module)
            if first:
                olds.append(new.detach())
            values = one.advantages.to(new.device)
            losses, kls = surrogate(new, olds[place], reference, values, self.settings)
            (losses.sum() / tokens).backward()
            loss += losses.sum().item() / tokens
            kl += kls.sum().item()
        return loss, kl

    def report_on(self, questions: Sequence[Question], step: int) -> None:
        """Log how questions that are not trained on are answered, one answer each, the same draws every time."""
        if not questions:
            return
        answers = sample(self.model, questions, 1, self.settings.max_new_tokens, self.context.seed * 1000)
        rewards = self.reward(questions, answers)
        laid = layouts(self.model, questions, answers, rewards, self.settings.row_tokens)
        with torch.no_grad():
            pairs = zip([one.logs(self.model.module) for one in laid], self.reference(laid), strict=True)
            kl = sum(float(((old - new).exp() - (old - new) - 1).sum()) for new, old in pairs) / len(questions)
        found = {"reward": float(rewards.mean()), "kl": kl, **self.lengths(answers)}
        self.context.log({"step": step, **{f"validation_{name}": value for name, value in found.items()}})

    def lengths(self, answers: Sequence[Sequence[Tokens]]) -> dict[str, float]:
        """Mean length of the answers, tokens, and the share of them that did not end."""
        flat, end = [tokens for found in answers for tokens in found], self.model.tokenizer.eos_token_id
        return {
            "completion_tokens": sum(map(len, flat)) / len(flat),
            "cut_off": sum(tokens[-1] != end for tokens in flat) / len(flat),
        }
