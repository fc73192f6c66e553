"""Other ways of asking a system its own items: the instruction in other words, passages chosen for it.

What depends on the wording, and what the retriever and the reader each lose, shows in the difference to the usual way.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix

from harness.api import Example, Passage, Query, System
from harness.data.prepare import PreparedTask
from harness.records.record import Row, TaskInfo

ORACLE, RANDOM, NONE = "oracle", "random", "none"
SEPARATOR = "@"
"""Between a task's name and the way: no task's name may have it."""
WORDING_TOKENS = 5_000
"""What all paraphrases may cost together, in tokens of a prompt; the first one is always asked."""
GENERATED = 5
"""What a written token costs, in tokens that are read."""
TRIED = 10_000
"""Passages that are looked at for random ones; of a larger corpus, so many drawn ones."""


@dataclass(frozen=True)
class Ablation:
    """One way of asking, and the items that are asked so.

    Attributes:
        name: as in `compare.findings.Control`.
        instruction: of the suite, or what stands for it.
        items: what is asked, and of whom.
    """

    name: str
    instruction: str
    system: System
    items: tuple[Example, ...]

    def info(self, target: TaskInfo) -> TaskInfo:
        """Describe it as a record keeps it."""
        return target.model_copy(
            update={
                "name": self.system.task.name,
                "role": "control",
                "instruction": self.instruction,
                "sizes": {"test": len(self.items)},
                "warnings": (),
                "preparation": (),
            }
        )


def ways(system: System, target: PreparedTask, rows: Sequence[Row], limit: int, seed: int) -> list[Ablation]:
    """Give the ways that fit a system and a task, over the first test items.

    Args:
        system: as it answers the task.
        target: the task.
        rows: what the system answered: they tell how many passages its retriever gives.
        limit: the most items.
        seed: of the random passages.
    """
    asked = target.test[:limit]
    own = [row for row in rows if row.task == target.info.name and row.role in ("target", "probe")]
    return [*_retrieving(system, target, asked, own, seed), *_paraphrased(system, target, asked, own)]


def _paraphrased(system: System, target: PreparedTask, asked: Sequence[Example], rows: Sequence[Row]) -> list[Ablation]:
    """Put other words where the suite's instruction stands; none where a step has put its own there."""
    usual, told = target.task_data.task.instruction, system.task.instruction
    if not usual or usual not in told:
        return []
    affordable = max(1, int(WORDING_TOKENS // max(1.0, len(asked) * _item_tokens(rows))))
    return [
        _way(system, f"paraphrase-{place}", asked, words, instruction=told.replace(usual, words, 1))
        for place, words in enumerate(target.paraphrases[:affordable], 1)
    ]


def _item_tokens(rows: Sequence[Row]) -> float:
    """Count what asking an item once costs: what its prompt does not share with the others, and what it writes."""
    if not rows:
        return 0.0
    shared = len(commonprefix([row.prompt for row in rows]))  # noqa: RUF071 - of characters, as is wanted
    read = sum(row.prompt_tokens * (1 - shared / max(1, len(row.prompt))) for row in rows)
    written = sum(row.output_tokens * (1 if row.choice_scores and not row.reasoning else GENERATED) for row in rows)
    return (read + written) / len(rows)


def _retrieving(
    system: System, target: PreparedTask, asked: Sequence[Example], rows: Sequence[Row], seed: int
) -> list[Ablation]:
    """Give other passages than the retriever does: those that hold the answer, some that do not, and none."""
    known = {passage.id: passage for passage in target.task_data.corpus}
    k = max((len(row.passages) + row.dropped_passages for row in rows), default=0)
    held = {one.query.id: _readable([known[i] for i in one.evidence if i in known], one.query.user) for one in asked}
    items = [one for one in asked if held[one.query.id]]
    if system.retriever is None or not k or not items:
        return []
    given: dict[str, dict[str, tuple[Passage, ...]]] = {
        ORACLE: {one.query.id: held[one.query.id][:k] for one in items},
        RANDOM: {one.query.id: _drawn(target.task_data.corpus, one, k, seed) for one in items},
        NONE: {},
    }
    told = target.task_data.task.instruction
    return [_way(system.replace(retriever=FixedPassages(found)), name, items, told) for name, found in given.items()]


@dataclass(frozen=True)
class FixedPassages:
    """A retriever whose passages were chosen beforehand.

    Attributes:
        passages: by the query's id; none for one that is not there.
    """

    passages: Mapping[str, tuple[Passage, ...]]

    def find(self, queries: Sequence[Query]) -> list[tuple[Passage, ...]]:
        """Return what was chosen."""
        return [self.passages.get(query.id, ()) for query in queries]


def _way(system: System, name: str, asked: Sequence[Example], told: str, instruction: str | None = None) -> Ablation:
    changes = {"name": f"{system.task.name}{SEPARATOR}{name}"}
    changes |= {} if instruction is None else {"instruction": instruction}
    return Ablation(name, told, system.replace(task=replace(system.task, **changes)), tuple(asked))


def _drawn(corpus: Sequence[Passage], item: Example, k: int, seed: int) -> tuple[Passage, ...]:
    """Draw k passages that do not hold the answer, the same for each system with this seed."""
    draw = random.Random(f"{seed} {item.query.id}")
    shuffled = (corpus[place] for place in draw.sample(range(len(corpus)), min(len(corpus), TRIED)))
    found: list[Passage] = []
    for passage in shuffled:
        if len(found) == k:
            break
        if passage.id not in item.evidence and _readable([passage], item.query.user):
            found.append(passage)
    return tuple(found)


def _readable(passages: Sequence[Passage], user: str | None) -> tuple[Passage, ...]:
    return tuple(one for one in passages if not one.readers or user in one.readers)
