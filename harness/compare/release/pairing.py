"""Pairing of the systems of two releases, with their measurements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.compare.cost import resources
from harness.compare.cost.resource_types import Machine
from harness.compare.trials.groups import common_labels
from harness.compare.trials.stored_trials import StoredTrialItems, TrialWithRows, read_trials
from harness.errors import unknown
from harness.metrics import Items
from harness.records.record import Completed
from harness.store.baselines import prompt_hash

ADAPTING = frozenset({"search", "index", "adapt", "calibrate"})
"""Phases in which a system is made."""


@dataclass(frozen=True)
class MeasuredTrial:
    """One finished trial.

    Attributes:
        tokens: read and written for each item of its target task, by id.
        prompts: hash of each item's prompt, by id; empty text where it is unknown.
    """

    record: Completed
    items: Mapping[str, Items]
    tokens: Mapping[str, tuple[int, int]]
    prompts: Mapping[str, str]

    @property
    def answers(self) -> dict[str, str | None]:
        """Answers to the target task, by the id of the item."""
        items = self.items[self.record.trial.task]
        return dict(zip(items.ids, items.answers, strict=True))


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
        """Record of each seed."""
        return tuple(trial.record for trial in self.trials)

    @property
    def name(self) -> str:
        """Task, strategy and, for fewer training items, their number."""
        size = f" on {self.train_items:,} items" if self.train_items else ""
        return f"{self.task} · {self.strategy}{size}"

    @property
    def selectors(self) -> tuple[str, str]:
        """Texts that select it on the command line: ``TASK.STRATEGY``, and the strategy alone."""
        return f"{self.task}.{self.strategy}", self.strategy

    @property
    def machines(self) -> frozenset[Machine]:
        """Hardware of its seeds."""
        return frozenset(map(resources.machine, self.records))

    def items(self, task: str, labels: Sequence[str]) -> list[Items]:
        """Return the answers of each seed to one of its tasks."""
        return [trial.items[task].with_labels(labels) for trial in self.trials if task in trial.items]


@dataclass(frozen=True)
class ReleasePair:
    """One system in both releases."""

    baseline: MeasuredSystem
    candidate: MeasuredSystem

    @property
    def same_records(self) -> bool:
        """Whether the candidate's records are all the baseline's, so that nothing was measured again."""
        before = {(record.trial.key, record.started_at) for record in self.baseline.records}
        return all((record.trial.key, record.started_at) in before for record in self.candidate.records)

    @property
    def protocols(self) -> tuple[int, ...]:
        """Versions of prompts and scoring, oldest first; scores are comparable only if there is one."""
        return tuple(sorted({record.protocol for record in (*self.baseline.records, *self.candidate.records)}))

    @property
    def same_hardware(self) -> bool:
        """Whether both ran on one kind of machine, so that seconds and bytes can be compared."""
        return len(self.baseline.machines | self.candidate.machines) == 1

    @property
    def same_adaptation(self) -> bool:
        """Whether both adapted in the process that answered, or neither did: else their peaks are not comparable."""
        records = (*self.baseline.records, *self.candidate.records)
        return len({any(s.reused for s in record.spans if s.phase in ADAPTING) for record in records}) == 1

    @property
    def retrained(self) -> bool:
        """Whether weights were trained, and not the same ones: then another seed could have moved either score.

        The same weights answer every item of the target task alike.
        """
        trials = (*self.baseline.trials, *self.candidate.trials)
        trained = any(trial.record.trained_parameters for trial in trials)
        before, after = (
            {trial.record.trial.seed: trial.answers for trial in side.trials}
            for side in (self.baseline, self.candidate)
        )
        return trained and before != after

    def labels(self, task: str) -> tuple[str, ...]:
        """One set of labels for a task of both."""
        return common_labels([*self.baseline.items(task, ()), *self.candidate.items(task, ())])


@dataclass(frozen=True)
class Pairing:
    """All systems of two releases; `missing` has those of the baseline without a candidate."""

    pairs: tuple[ReleasePair, ...]
    missing: tuple[MeasuredSystem, ...] = ()
    added: tuple[MeasuredSystem, ...] = ()


def read_measured(trials: Iterable[TrialWithRows]) -> list[MeasuredTrial]:
    """Read finished trials with their rows; others are left out.

    Raises:
        HarnessError: rows are damaged.
    """
    return [
        _measured(trial, stored)
        for trial in trials
        if isinstance(trial.record, Completed)
        for stored in read_trials([trial])
    ]


def group_systems(trials: Sequence[MeasuredTrial]) -> list[MeasuredSystem]:
    """Group trials that differ in the seed only, in the order in which strategies first appear."""
    groups: dict[tuple[str, str, str, int | None], list[MeasuredTrial]] = {}
    for measured in trials:
        trial = measured.record.trial
        groups.setdefault((trial.task, trial.label, trial.model, trial.train_items), []).append(measured)
    return [
        MeasuredSystem(*key, tuple(sorted(seeds, key=lambda measured: measured.record.trial.seed)))
        for key, seeds in groups.items()
    ]


def pair_systems(
    baseline: Sequence[MeasuredSystem],
    candidate: Sequence[MeasuredSystem],
    strategies: Sequence[str] = (),
    against: str | None = None,
) -> Pairing:
    """Find each system of the baseline among the candidate's.

    Systems of one task, strategy and training size form a pair. With several models the model must be the same; where
    each side has one model, the models may differ: that is a new release of the model.

    Args:
        baseline: its systems.
        candidate: its systems.
        strategies: only these of the candidate; empty: all.
        against: the strategy of the baseline that the candidate's is compared with; None: that of the same name.

    Raises:
        HarnessError: a strategy is in neither.
    """
    if strategies:
        candidate = _only(candidate, strategies, "the candidate's results")
        baseline = _only(baseline, [against] if against else strategies, "the baseline")
    pairs: list[ReleasePair] = []
    missing: list[MeasuredSystem] = []
    for old in baseline:
        fits = [
            new
            for new in candidate
            if (new.task, new.train_items) == (old.task, old.train_items) and (against or new.strategy == old.strategy)
        ]
        same_model = [new for new in fits if new.model == old.model]
        models = {rival.model for rival in baseline if (rival.task, rival.strategy) == (old.task, old.strategy)}
        matches = same_model or (fits if len(fits) == 1 and len(models) == 1 else [])
        pairs += [ReleasePair(old, new) for new in matches]
        missing += [] if matches else [old]
    paired = {id(pair.candidate) for pair in pairs}
    return Pairing(tuple(pairs), tuple(missing), tuple(new for new in candidate if id(new) not in paired))


def only_systems(pairing: Pairing, names: Sequence[str]) -> Pairing:
    """Keep the named systems: ``TASK.STRATEGY`` of the candidate, or a strategy for all of its tasks; no names: all.

    Raises:
        HarnessError: neither release has a system of a name.
    """
    if not names:
        return pairing
    systems = [*(pair.candidate for pair in pairing.pairs), *pairing.missing, *pairing.added]
    for name in names:
        if not any(name in system.selectors for system in systems):
            raise unknown("system", name, {system.selectors[0] for system in systems}, where="either release")
    wanted = set(names)
    return Pairing(
        tuple(pair for pair in pairing.pairs if wanted & set(pair.candidate.selectors)),
        tuple(system for system in pairing.missing if wanted & set(system.selectors)),
        tuple(system for system in pairing.added if wanted & set(system.selectors)),
    )


def _only(systems: Sequence[MeasuredSystem], strategies: Sequence[str], source: str) -> list[MeasuredSystem]:
    existing = {system.strategy for system in systems}
    for name in strategies:
        if name not in existing:
            raise unknown("strategy", name, existing, where=source)
    return [system for system in systems if system.strategy in strategies]


def _measured(trial: TrialWithRows, stored: StoredTrialItems) -> MeasuredTrial:
    table, record = trial.table(), stored.record
    assert isinstance(record, Completed)  # noqa: S101 - `read_measured` selects these
    names = ("id", "task", "role", "prompt_tokens", "output_tokens", "prompt")
    columns = zip(*(table.column(name).to_pylist() for name in names), strict=True)
    rows = [row for row in columns if row[1] == record.trial.task and row[2] == "target"]
    return MeasuredTrial(
        record,
        stored.items,
        {row[0]: (row[3], row[4]) for row in rows if row[3] is not None},
        {row[0]: prompt_hash(row[5] or "") for row in rows},
    )
