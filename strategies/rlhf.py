"""RLHF: learn a reward from preference pairs, then optimise the model for it, penalised by divergence (KL)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from harness.api import Architecture, Choice, Context, Footprint, Needs, Range, Step, System, TaskData
from harness.training.settings import PreferenceSettings


class Rlhf(Step):
    """Sample answers, reward them, and make those likelier that are better than the others to the same question.

    The reward is a model trained on the task's preference pairs, or the metric that the task names as its reward.
    Usually after supervised tuning, as ``lora+rlhf``: the model that the step before has left is the reference, from
    which the policy is kept close, and the start of the reward model.
    """

    reward: Literal["model", "task"] = Field("model", description="trained on the pairs, or the task's own metric")
    beta: float = Field(0.05, ge=0, description="weight of the divergence from the reference")
    learning_rate: float = Field(2e-4, gt=0, description="of the policy, AdamW; constant, then falling to 0")
    steps: int = Field(24, ge=1, description="times that answers are sampled and learned from, at most")
    min_steps: int = Field(8, ge=0, description="of them before patience counts")
    patience: int = Field(3, ge=0, description="evaluations without a better one before the rate decays; 0: no limit")
    evaluate_every: int = Field(3, ge=1, description="steps between evaluations")
    questions: int = Field(8, ge=1, description="asked in one step")
    answers: int = Field(4, ge=2, description="sampled for each question")
    max_new_tokens: int = Field(32, ge=1, description="where a sampled answer is cut off")
    updates: int = Field(2, ge=1, description="of the weights, in one step")
    clip: float = Field(0.2, gt=0, description="how far from 1 the probability ratio is rewarded")
    reward_learning_rate: float = Field(2e-4, gt=0, description="of the reward model, after warm-up")
    reward_epochs: int = Field(10, ge=1, description="passes over the pairs at most; the best by validation is kept")
    batch_size: int = Field(8, ge=1, description="pairs in one step of the reward model")
    rank: int = Field(16, ge=1, description="columns of the adapters' update matrices; alpha is twice as much")
    targets: str = Field("all-linear", description="layers that get an update: all-linear, or names with commas")

    needs: ClassVar[Needs] = Needs(task=frozenset({"preferences"}), model=frozenset({"train", "generate"}))
    changes_weights: ClassVar[bool] = True
    keeps_artifact: ClassVar[bool] = True
    random: ClassVar[bool] = True
    space: ClassVar[Mapping[str, Range | Choice]] = {
        "learning_rate": Range(1e-5, 1e-3, log=True),
        "beta": Range(0.01, 0.5, log=True),
    }
    paper: ClassVar[str] = (
        "Ouyang et al. 2022, arXiv:2203.02155; Ziegler et al. 2019, arXiv:1909.08593; advantages within a question's "
        "answers (GRPO): Shao et al. 2024, arXiv:2402.03300; clipped surrogate: Schulman et al. 2017, arXiv:1707.06347"
    )

    def requirements(self) -> Needs:
        """Need pairs for a reward model; otherwise training items and a metric as the reward."""
        if self.reward == "model":
            return self.needs
        return Needs(task=frozenset({"train", "reward"}), model=self.needs.model)

    def footprint(self, shape: Architecture) -> Footprint:
        """Train the low-rank update on sampled answers; the reward model before it is the smaller part."""
        sampled = self.steps * self.questions * self.answers
        return replace(
            shape.low_rank(self.rank, self.targets),
            objective="samples",
            epochs=self.updates,
            min_steps=self.min_steps,
            patience=self.patience,
            evaluate_every=self.evaluate_every,
            batch_size=self.questions * self.answers,
            sampled_answers=sampled,
            sampled_tokens=self.max_new_tokens,
        )

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Attach an adapter, train the reward model if one is used, optimise, and drop the reward model."""
        from harness.models.local_model import require_local
        from harness.training import adapters, policy, reward

        model = adapters.attach_low_rank(
            require_local(system.model), rank=self.rank, alpha=2.0 * self.rank, dropout=0.0, targets=self.targets
        )
        system = system.replace(model=model)
        settings = policy.PolicySettings(
            self.learning_rate,
            self.steps,
            self.questions,
            self.answers,
            self.max_new_tokens,
            beta=self.beta,
            updates=self.updates,
            clip=self.clip,
            min_steps=self.min_steps,
            patience=self.patience,
            evaluate_every=self.evaluate_every,
        )
        if self.reward == "task":
            return policy.optimise_policy(system, task, reward.metric_reward(model.tokenizer), settings, context)
        pair_settings = PreferenceSettings.model_validate(
            {
                "learning_rate": self.reward_learning_rate,
                "epochs": self.reward_epochs,
                "batch_size": self.batch_size,
            }
        )
        rewards = reward.fit_reward_model(model, system, task, pair_settings, context)
        tuned = policy.optimise_policy(system, task, rewards, settings, context)
        reward.drop_adapter(model)
        return tuned
