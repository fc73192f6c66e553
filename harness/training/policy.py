"""Policy optimisation: sample answers, reward them, and raise the likelihood of each question's better ones.

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
from harness.decoding.packed_rows import Tokens
from harness.models.local_model import LocalModel, require_local
from harness.training.divergence import DivergenceDetector, require_finite_validation
from harness.training.optimiser import MasterAdamW
from harness.training.reward import Question, Reward
from harness.training.rollouts import PackedRollouts, build_questions, draw_batches, pack_rollouts, sample_answers
from harness.training.stopping import StoppingRule, run_training

HELD_OUT = 48
"""Validation questions on which reward and divergence are measured, at most."""


@dataclass(frozen=True)
class PolicySettings:
    """Settings of policy optimisation.

    Attributes:
        learning_rate: after warm-up, until it falls.
        steps: how often answers are sampled and learned from, at most.
        questions: asked in one step.
        answers: sampled for each question, at least 2.
        max_new_tokens: where an answer is cut off.
        beta: weight of the divergence from the reference.
        updates: of the weights, in one step.
        clip: range of the ratio of new to old probabilities, 1 - clip to 1 + clip.
        row_tokens: tokens of one forward pass, where answers may share a row.
        min_steps: before patience counts; patience: evaluations without a better one before the rate decays, 0: no
            limit; evaluate_every: steps between them; warmup: share of `steps` in which the rate rises.
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
    min_steps: int = 8
    patience: int = 3
    evaluate_every: int = 3
    warmup: float = 0.05


def optimise_policy(
    system: System, task: TaskData, reward: Reward, settings: PolicySettings, context: Context
) -> System:
    """Optimise a model's adapter for a reward, and return the system with it.

    Logs for every step the mean ``reward``, ``kl`` (nats an answer, before the step's last update),
    ``completion_tokens`` (mean length of the answers) and ``cut_off`` (share of answers that did not end); and the same
    of the validation questions, with ``validation_`` before the name, before the first step (0) and at evaluations.
    The weights stay whose validation reward, less `beta` times the divergence, is highest (Ziegler et al. 2019,
    equation 2); `harness.training.stopping.StoppingRule` says how many steps there are. If the reward rises only while
    answers get longer, the reward is being exploited.

    Args:
        system: its model has a fresh adapter, which is changed in place; a calibration is dropped.
        task: `train` gives the questions; only the reward uses its answers.
        reward: of answers.
        settings: how to optimise.
        context: takes the training curves and the number of tokens read.

    Raises:
        HarnessError: training diverged before it was of use, or a prompt does not fit the context window.
    """
    model = require_local(system.model)
    rule = StoppingRule(
        peak=settings.learning_rate,
        ceiling=settings.steps,
        floor=min(settings.min_steps, settings.steps),
        patience=settings.patience,
        interval=settings.evaluate_every,
        warmup=max(1, round(settings.warmup * settings.steps)) if settings.warmup else 0,
    )
    trainer = _PolicyTrainer(model, reward, settings, context)
    model.module.eval()  # no dropout: policy and reference would differ by it
    questions = build_questions(system, task, "train", settings.max_new_tokens)
    held_out = build_questions(system, task, "validation", settings.max_new_tokens)[:HELD_OUT]
    batches = draw_batches(questions, settings.questions, context.seed)

    def take_step(step: int, rate: float) -> tuple[float, float]:
        figures = trainer.train_step(next(batches), step, rate)
        context.log({"step": step, **figures})
        return figures["loss"], figures["gradient_norm"]

    def evaluate(step: int) -> float | None:
        return trainer.evaluate(held_out, step) if held_out else None

    divergence = DivergenceDetector(rule.ceiling, falling=False)
    run_training(rule, trainer.parameters, take_step, evaluate, divergence, context=context)
    return system


def advantages(rewards: Tensor) -> Tensor:
    """Standardise the rewards of each question's answers: float32 [questions, answers] to the same shape."""
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)


def surrogate_loss(
    new: Tensor, old: Tensor, reference: Tensor, token_advantages: Tensor, settings: PolicySettings
) -> tuple[Tensor, Tensor]:
    """Return each token's loss and its divergence from the reference.

    Args:
        new: log p under the present policy, float32 [tokens], nats; gradients flow.
        old: under the policy that the answers were sampled from.
        reference: under the reference.
        token_advantages: of the answer that each token belongs to, float32 [tokens].
        settings: `clip` and `beta`.

    Returns:
        The loss and the estimate of the divergence (never negative, unbiased: k3 of Schulman 2020), float32 [tokens].
        In the loss the estimate is weighted by the ratio, which makes its gradient unbiased too (DeepSeek-AI 2025,
        arXiv:2512.02556).
    """
    ratio = (new - old).exp()
    clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
    kl = (reference - new).exp() - (reference - new) - 1
    return settings.beta * ratio * kl - torch.minimum(ratio * token_advantages, clipped * token_advantages), kl


@dataclass
class _PolicyTrainer:
    """A policy, its reward, and the state of its optimiser."""

    model: LocalModel
    reward: Reward
    settings: PolicySettings
    context: Context

    def __post_init__(self) -> None:
        self.parameters = [p for p in self.model.module.parameters() if p.requires_grad]
        self.optimiser = MasterAdamW(self.parameters, weight_decay=0.0, record_memory=self.context.record_memory)

    def train_step(self, batch: Sequence[Question], step: int, rate: float) -> dict[str, float]:
        """Sample answers, and update the weights from them; return the step's point of the training curves.

        The norm of the gradients is the largest of the step's updates.
        """
        settings, seed = self.settings, self.context.seed * 1000 + step
        answers = sample_answers(self.model, batch, settings.answers, settings.max_new_tokens, seed)
        self.context.count_tokens(
            sum(len(q.prompt) + sum(map(len, group)) for q, group in zip(batch, answers, strict=True))
        )
        rewards = self.reward(batch, answers)
        rollouts = pack_rollouts(self.model, batch, answers, advantages(rewards), settings.row_tokens)
        references = self.reference_log_likelihoods(rollouts)
        olds: list[Tensor] = []
        loss, kl, norms = 0.0, 0.0, list[float]()
        for _ in range(settings.updates):
            loss, kl = self.backward(rollouts, references, olds)
            norms.append(self.optimiser.step(rate))
        norm = max(norms) if all(map(math.isfinite, norms)) else math.nan
        point = {"loss": loss, "learning_rate": rate, "gradient_norm": norm, "kl": kl / rewards.numel()}
        return {**point, "reward": float(rewards.mean()), **self.length_statistics(answers)}

    def reference_log_likelihoods(self, rollouts: Sequence[PackedRollouts]) -> list[Tensor]:
        """Return the log-likelihoods without the adapter."""
        with torch.no_grad(), self.model.module.disable_adapter():
            return [packed.token_log_likelihoods(self.model.module) for packed in rollouts]

    def backward(
        self, rollouts: Sequence[PackedRollouts], references: Sequence[Tensor], olds: list[Tensor]
    ) -> tuple[float, float]:
        """Add gradients; return the mean loss a token, and the sum of the divergences, nats.

        Args:
            rollouts: the answers.
            references: their log-likelihoods under the reference.
            olds: those under the policy that the answers were sampled from; filled by the first update, when that is
                the present policy.
        """
        first, tokens = not olds, sum(len(packed.advantages) for packed in rollouts)
        loss = kl = 0.0
        for index, (packed, reference) in enumerate(zip(rollouts, references, strict=True)):
            new = packed.token_log_likelihoods(self.model.module)
            if first:
                olds.append(new.detach())
            token_advantages = packed.advantages.to(new.device)
            losses, kls = surrogate_loss(new, olds[index], reference, token_advantages, self.settings)
            (losses.sum() / tokens).backward()
            loss += losses.sum().item() / tokens
            kl += kls.sum().item()
        return loss, kl

    def evaluate(self, questions: Sequence[Question], step: int) -> float:
        """Log reward and divergence on held-out questions: one answer each, sampled with the same seed every time.

        Returns:
            What is optimised, negated: beta times the divergence, less the reward.
        """
        answers = sample_answers(self.model, questions, 1, self.settings.max_new_tokens, self.context.seed * 1000)
        rewards = self.reward(questions, answers)
        rollouts = pack_rollouts(self.model, questions, answers, rewards, self.settings.row_tokens)
        with torch.no_grad():
            policies = [packed.token_log_likelihoods(self.model.module) for packed in rollouts]
            pairs = zip(policies, self.reference_log_likelihoods(rollouts), strict=True)
            kl = sum(float(((old - new).exp() - (old - new) - 1).sum()) for new, old in pairs) / len(questions)
        figures = {"reward": float(rewards.mean()), "kl": kl, **self.length_statistics(answers)}
        self.context.log({"step": step, **{f"validation_{name}": value for name, value in figures.items()}})
        loss = self.settings.beta * kl - figures["reward"]
        require_finite_validation(loss, step)
        return loss

    def length_statistics(self, answers: Sequence[Sequence[Tokens]]) -> dict[str, float]:
        """Return the mean length of the answers, tokens, and the share of them that did not end."""
        flat = [tokens for group in answers for tokens in group]
        ends = self.model.eos_ids
        return {
            "completion_tokens": sum(map(len, flat)) / len(flat),
            "cut_off": sum(tokens[-1] not in ends for tokens in flat) / len(flat),
        }
