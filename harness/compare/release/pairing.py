"""Two releases side by side: which of the one's systems belongs to which of the other's, and what each has measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.compare.cost import resources
from harness.compare.cost.resource_types import Machine
from harness.compare.trials.groups import common_labels
from harness.compare.trials.stored_trials import StoredTrialItems, TrialWithRows, read
from harness.errors import unknown
from harness.metrics import Items
from harness.records.record import Completed
from harness.store.baselines import prompt_hash

ADAPTING = frozenset({"search", "index", "adapt"})
"""Phases in which a system is made."""


@dataclass(frozen=True)
class MeasuredTrial:
    """One finished trial.

    Attributes:
        tokens: read and written for each item of its own task, by id.
        prompts: hash of what was sent for each, by id; empty text where it is unknown.
    """

    record: Completed
    items: Mapping[str, Items]
    tokens: Mapping[str, tuple[int, int]]
    prompts: Mapping[str, str]


@dataclass(frozen=True)
class MeasuredSystem:
    """One strategy with one model on one task: its seeds, by number."""

    task: str
    strategy: str
    model: str
    train_items: int | None
    trials: tuple[MeasuredTrial, ...]

    @property
    def records(self) -> tuple[Completed, ...]:
        """What each seed left."""
        return tuple(one.record for one in self.trials)

    @property
    def name(self) -> str:
        """Task, strategy and, on fewer training items, how many."""
        size = f" on {self.train_items:,} items" if self.train_items else ""
        return f"{self.task} · {self.strategy}{size}"

    @property
    def machines(self) -> frozenset[Machine]:
        """What its seeds ran on."""
        return frozenset(map(resources.machine, self.records))

    def items(self, task: str, labels: Sequence[str]) -> list[Items]:
        """Give the answers of each seed to one of the tasks that it asked."""
        return [one.items[task].with_labels(labels) for one in self.trials if task in one.items]


@dataclass(frozen=True)
class ReleasePair:
    """One system in both releases."""

    baseline: MeasuredSystem
    candidate: MeasuredSystem

    @property
    def same_records(self) -> bool:
        """Whether the candidate is the baseline's very records, so that nothing was measured again."""
        before = {(one.trial.key, one.started_at) for one in self.baseline.records}
        return all((one.trial.key, one.started_at) in before for one in self.candidate.records)

    @property
    def alike(self) -> bool:
        """Whether both ran on one kind of machine, so that seconds and bytes can be compared."""
        return len(self.baseline.machines | self.candidate.machines) == 1

    @property
    def adapted_alike(self) -> bool:
        """Whether both adapted in the process that answered, or neither did: else their peaks are of unlike things."""
        records = (*self.baseline.records, *self.candidate.records)
        return len({any(s.reused for s in record.spans if s.phase in ADAPTING) for record in records}) == 1

    def labels(self, task: str) -> tuple[str, ...]:
        """One set of labels for a task of both."""
        return common_labels([*self.baseline.items(task, ()), *self.candidate.items(task, ())])


@dataclass(frozen=True)
class Pairing:
    """All systems of two releases; `missing` has those of the baseline without a candidate."""

    pairs: tuple[ReleasePair, ...]
    missing: tuple[MeasuredSystem, ...] = ()
    added: tuple[MeasuredSystem, ...] = ()


def measured(trials: Iterable[TrialWithRows]) -> list[MeasuredTrial]:
    """Read finished trials with their rows; others are left out.

    Raises:
        HarnessError: rows are damaged.
    """
    return [_measured(one, stored) for one in trials if isinstance(one.record, Completed) for stored in read([one])]


def systems(trials: Sequence[MeasuredTrial]) -> list[MeasuredSystem]:
    """Put the seeds of each strategy together, in the order in which strategies first appear."""
    found: dict[tuple[str, str, str, int | None], list[MeasuredTrial]] = {}
    for one in trials:
        trial = one.record.trial
        found.setdefault((trial.task, trial.label, trial.model, trial.train_items), []).append(one)
    return [
        MeasuredSystem(*key, tuple(sorted(own, key=lambda one: one.record.trial.seed))) for key, own in found.items()
    ]


def pair(
    baseline: Sequence[MeasuredSystem],
    candidate: Sequence[MeasuredSystem],
    strategies: Sequence[str] = (),
    against: str | None = None,
) -> Pairing:
    """Find each system of the baseline among the candidates.

    The same task, strategy and training size belong together; with several models the same model does too, and where
    each side has one model, the models may differ: that is a new release of it.

    Args:
        baseline: systems of the one.
        candidate: systems of the other.
        strategies: only these of the candidate; empty: all.
        against: the strategy of the baseline that the candidate's one is compared with; None: that of the same name.

    Raises:
        HarnessError: a strategy is in neither.
    """
    if strategies:
        candidate = _only(candidate, strategies, "the candidate's results")
        baseline = _only(baseline, [against] if against else strategies, "the baseline")
    pairs: list[ReleasePair] = []
    missing: list[MeasuredSystem] = []
    for one in baseline:
        fits = [
            other
            for other in candidate
            if (other.task, other.train_items) == (one.task, one.train_items)
            and (against or other.strategy == one.strategy)
        ]
        same = [other for other in fits if other.model == one.model]
        rivals = [other for other in baseline if (other.task, other.strategy) == (one.task, one.strategy)]
        models = {other.model for other in rivals}
        chosen = same or (fits if len(fits) == 1 and len(models) == 1 else [])
        pairs += [ReleasePair(one, other) for other in chosen]
        missing += [] if chosen else [one]
    taken = {id(found.candidate) for found in pairs}
    return Pairing(tuple(pairs), tuple(missing), tuple(one for one in candidate if id(one) not in taken))


def _only(every: Sequence[MeasuredSystem], strategies: Sequence[str], where: str) -> list[MeasuredSystem]:
    there = {one.strategy for one in every}
    for wanted in strategies:
        if wanted not in there:
            raise unknown("strategy", wanted, there, where=where)
    return [one for one in every if one.strategy in strategies]


def _measured(one: TrialWithRows, stored: StoredTrialItems) -> MeasuredTrial:
    table, record = one.table(), stored.record
    assert isinstance(record, Completed)  # noqa: S101 - `measured` lets no other through
    names = ("id", "task", "role", "prompt_tokens", "output_tokens", "prompt")
    columns = zip(*(table.column(name).to_pylist() for name in names), strict=True)
    own = [row for row in columns if row[1] == record.trial.task and row[2] == "target"]
    return MeasuredTrial(
        record,
        stored.items,
        {row[0]: (row[3], row[4]) for row in own},
        {row[0]: prompt_hash(row[5] or "") for row in own},
    )
