"""Inspection of a task's data before a run: sizes, repeats, leaks, labels, lengths, personal data."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from harness.api import Example, Kind, Passage, Prompt, Task
from harness.data.leaks import find_conflicts, find_leaks, find_repeats
from harness.data.long_items import TokenCounter, long_items, long_note
from harness.data.normalised_text import comparison_key
from harness.data.personal import count_kinds
from harness.data.prepare import PreparedTask
from harness.records.measurements import StoredModel

SPLITS = ("train", "validation", "test")
_TRAINING = {"train": "training"}


class LengthSummary(StoredModel):
    """Tokens of each item: instruction, question and answer; of a passage, its text.

    Attributes:
        too_long: items that do not fit the window, the longest answer that may come included; None: unknown.
    """

    median: int
    p95: int
    longest: int
    too_long: int | None


class PersonalData(StoredModel):
    """Likely personal data of one kind in one split.

    Attributes:
        count: occurrences, in `items` different items.
        example: the first one, masked.
    """

    kind: str
    count: int
    items: int
    example: str


class SplitInspection(StoredModel):
    """One split, or the corpus.

    Attributes:
        duplicates: items that repeat an earlier one; near_duplicates: others whose question is nearly an earlier
            one's; None: not looked for.
        conflicts: items with the question of an earlier one and another answer; None: the task allows that.
        labels: items of each label, or of each position of the right choice; empty where there are none.
    """

    name: str
    rows: int
    duplicates: int
    near_duplicates: int | None = None
    conflicts: int | None = None
    labels: dict[str, int] = Field(default_factory=dict[str, int])
    lengths: LengthSummary | None = None
    personal: tuple[PersonalData, ...] = ()


class Overlap(StoredModel):
    """Items of the split `later` that are in the split `earlier` too: word for word, or nearly.

    Attributes:
        example: ids of the most similar pair, `earlier` first.
        similarity: of that pair, Jaccard, in [0, 1].
    """

    earlier: str
    later: str
    exact: int
    near: int
    example: tuple[str, str]
    similarity: float


class TaskInspection(StoredModel):
    """One task's data, after its preparation.

    Attributes:
        preparation: changes of the training split that the suite asks for, a sentence each.
        notes: warnings of the preparation, a sentence each.
    """

    name: str
    kind: Kind
    role: str
    splits: tuple[SplitInspection, ...]
    overlaps: tuple[Overlap, ...]
    preparation: tuple[str, ...]
    notes: tuple[str, ...]


class DataInspection(StoredModel):
    """A suite's data, with lengths in a model's tokens.

    Attributes:
        window: the model's context window, tokens; None: unlimited, or unknown.
    """

    suite: str
    version: int
    model: str
    window: int | None
    tasks: tuple[TaskInspection, ...]


def inspect(task: PreparedTask, tokens: TokenCounter, model: str = "the model") -> TaskInspection:
    """Inspect a task's data, without a change.

    Args:
        task: from `prepare`.
        tokens: counts as the model's tokenizer does.
        model: its name, for sentences.
    """
    data = task.task_data
    splits = {"train": data.train, "validation": data.validation, "test": task.test}
    inspections = [_split(name, items, data.task, tokens) for name, items in splits.items() if items]
    if data.corpus:
        inspections.append(_corpus(data.corpus, tokens))
    long = [(_TRAINING.get(name, name), long_items(items, data.task, tokens)) for name, items in splits.items()]
    pairs = [(a, b) for index, a in enumerate(SPLITS) for b in SPLITS[index + 1 :]]
    overlaps = [overlap for a, b in pairs if (overlap := _overlap(a, splits[a], b, splits[b]))]
    return TaskInspection(
        name=task.info.name,
        kind=task.info.kind,
        role=task.info.role,
        splits=tuple(inspections),
        overlaps=tuple(overlaps),
        preparation=task.info.preparation,
        notes=(
            *task.info.warnings,
            *(long_note(name, over, model, tokens.context_tokens) for name, over in long if over),
        ),
    )


def _split(name: str, items: Sequence[Example], task: Task, tokens: TokenCounter) -> SplitInspection:
    repeats = find_repeats(items)
    one_answer = task.kind in ("classification", "multiple_choice")
    return SplitInspection(
        name=name,
        rows=len(items),
        duplicates=len(repeats.exact),
        near_duplicates=len(repeats.near),
        conflicts=len(find_conflicts(items)) if one_answer else None,
        labels=_labels(items, task),
        lengths=_lengths(items, task, tokens),
        personal=_personal_data([_item_text(item, task) for item in items]),
    )


def _corpus(corpus: Sequence[Passage], tokens: TokenCounter) -> SplitInspection:
    texts = [f"{passage.title}: {passage.text}" if passage.title else passage.text for passage in corpus]
    lengths = tokens.count_answers(Prompt(Task("corpus", "generation", form="plain"), ""), texts)
    return SplitInspection(
        name="corpus",
        rows=len(corpus),
        duplicates=len(texts) - len({comparison_key(text) for text in texts}),
        lengths=_summary(
            lengths, sum(tokens.context_tokens is not None and n > tokens.context_tokens for n in lengths), tokens
        ),
        personal=_personal_data(texts),
    )


def _labels(items: Sequence[Example], task: Task) -> dict[str, int]:
    """Count items by label, or by the position of the right choice: a model may prefer either."""
    if task.kind == "classification":
        counts = Counter(item.references[0] for item in items)
        return {label: counts[label] for label in task.choices} | {k: v for k, v in counts.items() if v}
    if task.kind == "multiple_choice":
        places = Counter(item.query.choices.index(item.references[0]) + 1 for item in items)
        return {f"choice {position}": places[position] for position in sorted(places)}
    return {}


def _lengths(items: Sequence[Example], task: Task, tokens: TokenCounter) -> LengthSummary:
    prompts = [Prompt(task, item.query.input, history=item.query.history) for item in items]
    prompt_lengths = tokens.count_prompts(prompts)
    answer_lengths = tokens.count_answers(prompts[0], [item.references[0] if item.references else "" for item in items])
    over = long_items(items, task, tokens)
    return _summary([n + answer for n, answer in zip(prompt_lengths, answer_lengths, strict=True)], len(over), tokens)


def _summary(lengths: Sequence[int], over: int, tokens: TokenCounter) -> LengthSummary:
    """Summarise lengths; percentiles are lengths that occur."""
    middle, p95, longest = np.percentile(lengths, [50, 95, 100], method="inverted_cdf").tolist()
    return LengthSummary(
        median=int(middle),
        p95=int(p95),
        longest=int(longest),
        too_long=None if tokens.context_tokens is None else over,
    )


def _personal_data(texts: Sequence[str]) -> tuple[PersonalData, ...]:
    return tuple(
        PersonalData(kind=kind, count=count, items=items, example=example)
        for kind, count, items, example in count_kinds(texts)
    )


def _item_text(item: Example, task: Task) -> str:
    """Return all text of an item, a line each; labels are the task's, not the item's."""
    answers = () if task.kind == "classification" else (*item.references, item.rejected or "")
    return "\n".join(dict.fromkeys([item.query.text, *item.query.choices, *answers]))


def _overlap(earlier: str, first: Sequence[Example], later: str, second: Sequence[Example]) -> Overlap | None:
    leaks = find_leaks(first, second)
    if not leaks:
        return None
    exact = sum(leak.exact for leak in leaks)
    return Overlap(
        earlier=earlier,
        later=later,
        exact=exact,
        near=len(leaks) - exact,
        example=(leaks[0].train_id, leaks[0].test_id),
        similarity=leaks[0].similarity,
    )
