"""Search the instruction and the exemplars that do best on held-out items (Zhou et al. 2023, Khattab et al. 2023)."""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from harness.api import Architecture, Context, Example, Footprint, Needs, Step, System, TaskData
from harness.prompts.instructions import BUILT_IN, paraphrased, written
from harness.prompts.template import built_in, read
from harness.retrieval.exemplars import FixedExemplars, shuffled_by_label

FILE = "prompt.json"


class Optimised(Step):
    """Candidates pair an instruction with exemplars; successive halving asks the better ones more and more items.

    They are judged by the task's first metric on the validation split. Where that has fewer than `items`, training
    items fill it up (at most half of them), and those are shown in no candidate. The present prompt is one candidate,
    and stays unless another does better on the same items. Fixed labels are calibrated by the answers to those items.
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
    paper: ClassVar[str] = (
        "instructions: Zhou et al. 2023, arXiv:2211.01910; exemplars: Khattab et al. 2023, arXiv:2310.03714; halving:"
        " Jamieson and Talwalkar 2016, arXiv:1502.07943; calibration: Zhou et al. 2024, arXiv:2309.17249"
    )

    @model_validator(mode="before")
    @classmethod
    def read_instructions(cls, given: Any) -> Any:
        """Read the file of instructions once, so that its text says what was run; HarnessError if it cannot be read."""
        if not isinstance(given, dict) or given.get("bank"):
            return given
        path = str(given.get("instructions") or "")
        text = read(path, "file of instructions") if path else built_in(BUILT_IN)
        return {**given, "bank": text}

    def footprint(self, shape: Architecture) -> Footprint:
        """Ask as many prompts as the search may; exemplars are likely to be among what it finds."""
        del shape
        return Footprint(asked=self.budget, exemplars=self.k)

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Search, log what was tried, and return the system with the best prompt."""
        from harness.prompts.successive_halving import RoundScore, ScoredCandidate, affordable, halve

        judged, shown = held_out(task, self.items, context.seed)
        bare = system.replace(prior=())
        instructions = self._instructions(system, context)
        count = affordable(self.candidates, self.budget)
        challengers = draw(bare, instructions, shown, (self.k, count), context.seed)
        tried = [ScoredCandidate(one) for one in (bare, *challengers)]

        def tell(outcome: RoundScore, tokens: int) -> None:
            context.count_tokens(tokens)
            context.progress(outcome.step, max(self.budget, outcome.step))
            context.log(asdict(outcome))

        metric = task.metrics[0] if task.metrics else "accuracy" if "choices" in task.provides else "token_f1"
        best = halve(tried, judged, metric, self.budget, tell)
        return best.bare.replace(prior=best.prior)

    def save(self, system: System, folder: Path) -> None:
        """Write the instruction, the ids of the exemplars (null: those of the steps before) and the prior as JSON."""
        own = system.exemplars if isinstance(system.exemplars, Searched) else None
        kept = {
            "instruction": system.task.instruction,
            "exemplars": own and [example.query.id for example in own.examples],
            "spare": own.spare.query.id if own and own.spare else None,
            "prior": system.prior,
        }
        (folder / FILE).write_text(json.dumps(kept, indent=1), encoding="utf-8")

    def load(self, system: System, task: TaskData, context: Context, folder: Path) -> System:
        """Return the system with the prompt that `save` wrote."""
        del context
        kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
        by_id = {example.query.id: example for example in task.train}
        system = system.replace(task=replace(system.task, instruction=kept["instruction"]), prior=tuple(kept["prior"]))
        if kept["exemplars"] is None:
            return system
        shown = tuple(by_id[name] for name in kept["exemplars"])
        return system.replace(exemplars=Searched(shown, by_id.get(kept["spare"])))

    def _instructions(self, system: System, context: Context) -> list[str]:
        """List the instructions to try."""
        task = system.task
        own = paraphrased(system.model, task, self.paraphrases, context.seed)
        context.count_tokens(sum(answer.prompt_tokens + answer.output_tokens for answer in own))
        found = [task.instruction, *written(self.bank, task), *(answer.output.strip() for answer in own)]
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Searched(FixedExemplars):
    """Exemplars that a search has chosen."""


def held_out(task: TaskData, count: int, seed: int) -> tuple[list[Example], list[Example]]:
    """Return the items to judge by, and the training items that may be shown."""
    judged = shuffled_by_label(task.validation, seed)[:count]
    train = shuffled_by_label(task.train, seed)
    taken = min(count - len(judged), len(train) // 2)
    return judged + train[:taken], train[taken:]


def draw(
    system: System, instructions: Sequence[str], shown: Sequence[Example], sizes: tuple[int, int], seed: int
) -> list[System]:
    """Draw candidates: an instruction each, and in three of four exemplars of its own.

    Args:
        system: keeps its own exemplars in the others.
        instructions: to draw from.
        shown: training items to draw exemplars from.
        sizes: of a candidate's exemplars, and of the candidates.
        seed: of the draws.
    """
    k, count = sizes
    random_ = random.Random(seed)
    found: dict[tuple[Any, ...], System] = {}
    for _ in range(count * 8):  # some are drawn twice
        told = replace(system.task, instruction=random_.choice(instructions))
        own = None
        if k and random_.random() < 0.75:
            order = shuffled_by_label(shown, random_.randrange(2**31))
            own = Searched(tuple(random_.sample(order[:k], len(order[:k]))), order[k] if len(order) > k else None)
        key = (told.instruction, own and tuple(example.query.id for example in own.examples))
        if key != (system.task.instruction, None) and len(found) < count:
            found.setdefault(key, system.replace(task=told, exemplars=own or system.exemplars))
    return list(found.values())
