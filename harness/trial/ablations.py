"""Ablations: paraphrased instruction; oracle, random and no passages.

The difference to the usual score shows what depends on the wording, and what the retriever and the reader each lose.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix

from harness.api import AnswersQueries, Example, Passage, Query, System
from harness.data.prepare import PreparedTask
from harness.records.ablation_names import NONE, ORACLE, RANDOM, ablated_task, paraphrase_name
from harness.records.record import Row, TaskInfo

PARAPHRASE_TOKENS = 5_000
"""Token budget of all paraphrases together; the first one is always asked."""
GENERATED_TOKEN_COST = 5
"""Cost of a written token, in tokens that are read."""
MOST_SAMPLED = 10_000
"""Passages sampled, at most, to find random ones that do not hold the answer."""


@dataclass(frozen=True)
class Ablation:
    """A system changed in one respect, and the test items that it is asked.

    Attributes:
        name: as in `harness.records.ablation_names`.
        instruction: the suite's, or the paraphrase in its place.
    """

    name: str
    instruction: str
    system: System
    examples: tuple[Example, ...]

    def info(self, target: TaskInfo) -> TaskInfo:
        """Describe it as a record keeps it."""
        return target.model_copy(
            update={
                "name": self.system.task.name,
                "role": "control",
                "instruction": self.instruction,
                "sizes": {"test": len(self.examples)},
                "warnings": (),
                "preparation": (),
            }
        )


def ablations(system: System, target: PreparedTask, rows: Sequence[Row], limit: int, seed: int) -> list[Ablation]:
    """Return the ablations that fit a system and a task, over the first test items.

    Args:
        system: as it answers the task.
        target: the task.
        rows: the system's answers, which tell what an item costs.
        limit: the most items.
        seed: of the random passages.
    """
    if isinstance(system.model, AnswersQueries):  # it sees neither the instruction nor the passages of others
        return []
    examples = target.test[:limit]
    task_rows = [row for row in rows if row.task == target.info.name and row.role in ("target", "probe")]
    missed = _missed(target, task_rows) if retrieved_passages(system, target) else examples
    return [
        *_retrieving(system, target, examples, missed[:limit], seed),
        *_paraphrased(system, target, examples, task_rows),
    ]


def retrieved_passages(system: System, target: PreparedTask) -> int:
    """Return the passages that a query gets at most, 0 where none are looked for: every prompt has the whole corpus."""
    most = system.retriever.max_passages if system.retriever else 0
    return most if most < len(target.task_data.corpus) else 0


def _paraphrased(
    system: System, target: PreparedTask, examples: Sequence[Example], rows: Sequence[Row]
) -> list[Ablation]:
    """Paraphrase the suite's instruction; nothing where a step has put its own in its place."""
    suite_instruction, instruction = target.task_data.task.instruction, system.task.instruction
    if not suite_instruction or suite_instruction not in instruction:
        return []
    affordable = max(1, int(PARAPHRASE_TOKENS // max(1.0, len(examples) * _item_tokens(rows))))
    return [
        Ablation(
            paraphrase_name(number),
            paraphrase,
            _renamed(
                system,
                paraphrase_name(number),
                instruction=instruction.replace(suite_instruction, paraphrase, 1),
            ),
            tuple(examples),
        )
        for number, paraphrase in enumerate(target.paraphrases[:affordable], 1)
    ]


def _item_tokens(rows: Sequence[Row]) -> float:
    """Count what asking an item once costs: what its prompt does not share with the others, and what it writes."""
    if not rows:
        return 0.0
    shared = len(commonprefix([row.prompt for row in rows]))  # noqa: RUF071 - of characters, as is wanted
    read = sum((row.prompt_tokens or 0) * (1 - shared / max(1, len(row.prompt))) for row in rows)
    written = sum(
        (row.output_tokens or 0) * (1 if row.choice_scores and not row.reasoning else GENERATED_TOKEN_COST)
        for row in rows
    )
    return (read + written) / len(rows)


def _missed(target: PreparedTask, rows: Sequence[Row]) -> Sequence[Example]:
    """Select the items whose right passage was not in the prompt; with it in there, giving it would change nothing."""
    passages = {row.id: row.passages for row in rows}
    return [example for example in target.test if set(example.evidence).isdisjoint(passages.get(example.query.id, ()))]


def _retrieving(
    system: System, target: PreparedTask, examples: Sequence[Example], missed: Sequence[Example], seed: int
) -> list[Ablation]:
    """Give other passages than the retriever does: those that hold the answer, some that do not, and none.

    Args:
        system: as it answers the task.
        target: the task.
        examples: asked with random and no passages.
        missed: asked with those that hold the answer.
        seed: of the random passages.
    """
    by_id = {passage.id: passage for passage in target.task_data.corpus}
    evidence = {
        example.query.id: tuple(
            by_id[i] for i in example.evidence if i in by_id and by_id[i].readable_by(example.query.user)
        )
        for example in (*examples, *missed)
    }
    answerable, unanswered = (
        tuple(example for example in group if evidence[example.query.id]) for group in (examples, missed)
    )
    holding = max((len(passages) for passages in evidence.values()), default=0)
    k = retrieved_passages(system, target) or (holding if system.retriever else 0)
    if not k:
        return []
    passages: dict[str, dict[str, tuple[Passage, ...]]] = {
        ORACLE: {example.query.id: evidence[example.query.id][:k] for example in unanswered},
        RANDOM: {example.query.id: _random_passages(target, example, k, seed) for example in answerable},
        NONE: {},
    }
    asked = {ORACLE: unanswered, RANDOM: answerable, NONE: answerable}
    instruction = target.task_data.task.instruction
    return [
        Ablation(name, instruction, _renamed(system.replace(retriever=FixedPassages(by_query)), name), asked[name])
        for name, by_query in passages.items()
        if asked[name]
    ]


@dataclass(frozen=True)
class FixedPassages:
    """A retriever whose passages were chosen beforehand.

    Attributes:
        passages: by the query's id; none for a query that is not there.
    """

    passages: Mapping[str, tuple[Passage, ...]]

    @property
    def max_passages(self) -> int:
        """Return the number of passages of the query that has most."""
        return max(map(len, self.passages.values()), default=0)

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return the chosen passages of each query."""
        return [self.passages.get(query.id, ()) for query in queries]


def _renamed(system: System, name: str, **changes: str) -> System:
    """Let a system's task bear the name of an ablation."""
    return system.replace(task=replace(system.task, name=ablated_task(system.task.name, name), **changes))


def _random_passages(target: PreparedTask, example: Example, k: int, seed: int) -> tuple[Passage, ...]:
    """Draw k passages that do not hold the answer, the same for each system with this seed."""
    corpus = target.task_data.corpus
    generator = random.Random(f"{seed} {example.query.id}")
    passages: list[Passage] = []
    for index in generator.sample(range(len(corpus)), min(len(corpus), MOST_SAMPLED)):
        if len(passages) == k:
            break
        passage = corpus[index]
        if passage.id not in example.evidence and passage.readable_by(example.query.user):
            passages.append(passage)
    return tuple(passages)
