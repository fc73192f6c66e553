"""Search for the best instruction and exemplars on held-out items (Zhou et al. 2023, Khattab et al. 2023)."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from harness.api import Architecture, Choice, Context, Example, Footprint, Needs, Range, Step, System, TaskData
from harness.prompts.instructions import BUILT_IN, paraphrase, read_bank
from harness.prompts.template import built_in, read_text
from harness.retrieval.exemplars import FixedExemplars, shuffled_by_label

FILE = "prompt.json"


class Optimised(Step):
    """Candidates pair an instruction with exemplars; successive halving asks the better ones more and more items.

    They are judged by the task's first metric on the validation split. Where that has fewer than `items`, training
    items fill it up (at most half of them), and those are shown in no candidate. The present prompt is one candidate,
    and stays unless another does better on the same items.
    Scored labels are read as those of every system (`harness.predict.label_calibration`).
    """

    candidates: int = Field(8, ge=1, description="prompts tried besides the present one")
    budget: int = Field(640, ge=2, description="prompts answered in the search, at most")
    k: int = Field(8, ge=0, description="worked examples in a candidate that shows some of its own")
    items: int = Field(128, ge=1, description="items to judge by: validation, filled up from training")
    paraphrases: int = Field(
        0, ge=0, description="instructions that the model itself writes, besides those of the file"
    )
    instructions: str = Field("", description="file of instructions to try, one a line; empty: the built-in ones")
    bank: str = Field("", repr=False, description="what that file says; read from it when the run is planned")

    needs: ClassVar[Needs] = Needs(task=frozenset({"train"}), model=frozenset({"generate"}))
    keeps_artifact: ClassVar[bool] = True
    random: ClassVar[bool] = True
    # each candidate of a search is a whole search of prompts: the budget is that of tuning
    space: ClassVar[Mapping[str, Range | Choice]] = {"k": Choice((2, 4, 8, 16)), "paraphrases": Choice((0, 4))}
    paper: ClassVar[str] = (
        "instructions: Zhou et al. 2023, arXiv:2211.01910; exemplars: Khattab et al. 2023, arXiv:2310.03714; halving:"
        " Jamieson and Talwalkar 2016, arXiv:1502.07943"
    )

    @model_validator(mode="before")
    @classmethod
    def read_instructions(cls, parameters: Any) -> Any:
        """Read the instructions file once, so that its text is part of the trial key; HarnessError if unreadable."""
        if not isinstance(parameters, dict) or parameters.get("bank"):
            return parameters
        path = str(parameters.get("instructions") or "")
        text = read_text(path, "file of instructions") if path else built_in(BUILT_IN)
        return {**parameters, "bank": text}

    def footprint(self, shape: Architecture) -> Footprint:
        """Ask `budget` prompts; the best prompt is likely to have exemplars."""
        del shape
        return Footprint(extra_prompts=self.budget, exemplars=self.k)

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Search, log each round, and return the system with the best prompt."""
        from harness.prompts.successive_halving import RoundScore, ScoredCandidate, affordable_candidates, halve

        selection_examples, exemplar_pool = split_for_search(task, self.items, context.seed)
        instructions = self._instructions(system, context)
        count = affordable_candidates(self.candidates, self.budget)
        challengers = draw_candidates(system, instructions, exemplar_pool, k=self.k, count=count, seed=context.seed)
        candidates = [ScoredCandidate(candidate, task.train) for candidate in (system, *challengers)]

        def log_round(round_score: RoundScore, tokens: int) -> None:
            context.count_tokens(tokens)
            context.progress(round_score.step, max(self.budget, round_score.step))
            context.log(asdict(round_score))

        metric = task.metrics[0] if task.metrics else "accuracy" if "choices" in task.provides else "token_f1"
        return halve(candidates, selection_examples, metric, self.budget, log_round).system

    def save(self, system: System, folder: Path) -> None:
        """Write the instruction, the ids of the exemplars (null: those of the steps before) as JSON."""
        searched = system.exemplars if isinstance(system.exemplars, SearchedExemplars) else None
        prompt = {
            "instruction": system.task.instruction,
            "exemplars": searched and [example.query.id for example in searched.examples],
            "spares": [example.query.id for example in searched.spares] if searched else [],
        }
        (folder / FILE).write_text(json.dumps(prompt, indent=1), encoding="utf-8")

    def load(self, system: System, task: TaskData, context: Context, folder: Path) -> System:
        """Return the system with the prompt that `save` wrote."""
        del context
        prompt = json.loads((folder / FILE).read_text(encoding="utf-8"))
        by_id = {example.query.id: example for example in task.train}
        system = system.replace(task=replace(system.task, instruction=prompt["instruction"]))
        if prompt["exemplars"] is None:
            return system
        exemplars = tuple(by_id[name] for name in prompt["exemplars"])
        spares = tuple(by_id[name] for name in prompt["spares"])
        return system.replace(exemplars=SearchedExemplars(exemplars, spares))

    def _instructions(self, system: System, context: Context) -> list[str]:
        """List the instructions to try."""
        task = system.task
        answers = paraphrase(system.model, task, self.paraphrases, context.seed)
        context.count_tokens(sum(answer.prompt_tokens + answer.output_tokens for answer in answers))
        instructions = [task.instruction, *read_bank(self.bank, task), *(answer.output.strip() for answer in answers)]
        return list(dict.fromkeys(instructions))


@dataclass(frozen=True)
class SearchedExemplars(FixedExemplars):
    """Exemplars of the best candidate."""


def split_for_search(task: TaskData, count: int, seed: int) -> tuple[list[Example], list[Example]]:
    """Return the examples to select candidates by, and the training examples that may be exemplars."""
    selection_examples = shuffled_by_label(task.validation, seed)[:count]
    train = shuffled_by_label(task.train, seed)
    fill_count = min(count - len(selection_examples), len(train) // 2)
    return selection_examples + train[:fill_count], train[fill_count:]


def draw_candidates(  # noqa: PLR0913 - what to draw from, and how many
    system: System, instructions: Sequence[str], exemplar_pool: Sequence[Example], *, k: int, count: int, seed: int
) -> list[System]:
    """Draw `count` candidates: an instruction each, and `k` exemplars from the pool in three of four.

    The others keep the exemplars of `system`.
    """
    generator = random.Random(seed)
    candidates: dict[tuple[Any, ...], System] = {}
    for _ in range(count * 8):  # some are drawn twice
        candidate_task = replace(system.task, instruction=generator.choice(instructions))
        exemplars = None
        if k and generator.random() < 0.75:
            order = shuffled_by_label(exemplar_pool, generator.randrange(2**31))
            exemplars = SearchedExemplars(tuple(generator.sample(order[:k], len(order[:k]))), tuple(order[k : 2 * k]))
        key = (candidate_task.instruction, exemplars and tuple(example.query.id for example in exemplars.examples))
        if key != (system.task.instruction, None) and len(candidates) < count:
            candidates.setdefault(key, system.replace(task=candidate_task, exemplars=exemplars or system.exemplars))
    return list(candidates.values())
