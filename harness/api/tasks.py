"""Tasks: queries, examples, passages, and the material that a step may learn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "classification", "multi_label", "multiple_choice", "qa", "generation", "preference", "language_modelling"
]
Provision = Literal["train", "choices", "corpus", "preferences", "reward"]
Form = Literal["auto", "chat", "plain", "bare"]
Capability = Literal["generate", "score_choices", "train"]
"""Abilities of a model: generate text, score choices by log-likelihood, be trained."""

_REQUIREMENTS: dict[Kind, frozenset[Capability]] = {"language_modelling": frozenset({"score_choices"})}


def requirements_of(kind: Kind) -> frozenset[Capability]:
    """Return what a kind of task needs of a model.

    Choices are scored where the model can, and read from what it writes where it cannot; only the likelihood of a text
    cannot be had by writing.
    """
    return _REQUIREMENTS.get(kind, frozenset({"generate"}))


Turn = tuple[str, str]
"""(role, text) of a conversation; the role is ``system``, ``user`` or ``assistant``."""


def turns_text(turns: Iterable[Turn]) -> str:
    """Return turns as lines with the role before each."""
    return "\n".join(f"{role.capitalize()}: {text}" for role, text in turns)


@dataclass(frozen=True, slots=True)
class Query:
    """What a system is asked. Never the reference.

    Attributes:
        input: the question, of a conversation the user's last turn.
        history: the turns before it.
    """

    id: str
    input: str
    choices: tuple[str, ...] = ()
    user: str | None = None
    history: tuple[Turn, ...] = ()

    @property
    def text(self) -> str:
        """The question; of a conversation, all turns as labelled lines."""
        return turns_text([*self.history, ("user", self.input)]) if self.history else self.input


@dataclass(frozen=True, slots=True)
class Example:
    """A query with what is known about its answer.

    Attributes:
        references: the acceptable answers; the first is the one that is trained on.
        cluster: items with the same cluster are not independent (questions on one passage); None: on its own.
        groups: its value of each column that divides the items into slices, in the suite's order.
        evidence: ids of the passages that hold the answer; empty where unknown.
        rejected: the worse answer of a preference pair.
        readers: of each restricted passage that the answer rests on, its readers; who is not among all of them may not
            see this example in a prompt. Empty: everybody may.
        teacher: the model that wrote the example; empty: it is of the data set.
    """

    query: Query
    references: tuple[str, ...]
    cluster: str | None = None
    evidence: tuple[str, ...] = ()
    rejected: str | None = None
    readers: tuple[tuple[str, ...], ...] = ()
    teacher: str = ""
    groups: tuple[str, ...] = ()

    def readable_by(self, user: str | None) -> bool:
        """Tell whether a user may see the example; None: somebody who is not named."""
        return all(user in names for names in self.readers)


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrievable piece of a corpus.

    Attributes:
        readers: who may see it; empty: everybody. A query that names no user sees what everybody may.
        covers: of a passage that a step has cut anew, ids of the suite's passages that it holds text of, most of the
            first one's; empty: it is the suite's own.
    """

    id: str
    text: str
    title: str = ""
    readers: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()

    @property
    def suite_ids(self) -> tuple[str, ...]:
        """Ids of the suite's passages that it stands for."""
        return self.covers or (self.id,)

    def suite_id(self, evidence: tuple[str, ...]) -> str:
        """Return the suite's passage that it is recorded as: one of the evidence, else the one it has most of."""
        return next((name for name in self.suite_ids if name in evidence), self.suite_ids[0])

    def readable_by(self, user: str | None) -> bool:
        """Tell whether a user may see the passage; None: somebody who is not named."""
        return not self.readers or user in self.readers


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked, in words; the data come in `TaskData`.

    Attributes:
        instruction: the sentence that opens every prompt.
        choices: the labels of a classification or multi-label task; empty where every query brings its own.
        max_new_tokens: where generation stops at the latest.
        form: ``chat`` uses the tokenizer's template, ``plain`` labelled lines of text; ``auto``: chat where the
            tokenizer has a template. Small models often answer the plain form better. ``bare`` is the text itself, with
            nothing around it.
        question_label: what stands before the input in the plain form; answer_label: what stands before the answer.
        template: a Jinja template that lays the prompt out; empty: by `form`.
        written: whether choices are listed in the prompt and written by the model, though it could score them.
    """

    name: str
    kind: Kind
    instruction: str = ""
    choices: tuple[str, ...] = ()
    max_new_tokens: int = 32
    form: Form = "auto"
    question_label: str = "Question"
    answer_label: str = "Answer"
    template: str = ""
    written: bool = False

    @property
    def open_ended(self) -> bool:
        """Whether answers go on with a text that need not end there, so that no end is scored or learned.

        So are held-out texts, and choices in the bare form, which are compared as published (HellaSwag, StereoSet).
        """
        return self.kind == "language_modelling" or (self.kind == "multiple_choice" and self.form == "bare")


@dataclass(frozen=True, slots=True)
class TaskData:
    """A task's training material: all that a step may learn from.

    Attributes:
        corpus_hash: sha256 over the corpus, the key under which an index of it is kept.
        metrics: names of the task's metrics, the first one is what systems are compared by.
        reward: name of the metric that reinforcement learning may take as its reward; empty: none.
        templates: the suite's prompt templates, text by name.
        order: the task's place in its suite, from 0.
        hash: sha256 over all items of the task.
        parts: the tasks to learn together, in the suite's order, this one among them; empty: this one alone.
        paraphrases: passages in other words, written by a step: to learn from, never retrieved or shown.
    """

    task: Task
    train: tuple[Example, ...] = ()
    validation: tuple[Example, ...] = ()
    corpus: tuple[Passage, ...] = ()
    corpus_hash: str = ""
    metrics: tuple[str, ...] = ()
    reward: str = ""
    templates: Mapping[str, str] = field(default_factory=dict[str, str])
    order: int = 0
    hash: str = ""
    parts: tuple[TaskData, ...] = ()
    paraphrases: tuple[Passage, ...] = ()

    @property
    def provides(self) -> frozenset[Provision]:
        """What a step can count on here."""
        provisions: set[Provision] = set()
        if self.train:
            provisions.add("train")
        if self.task.kind in ("classification", "multi_label", "multiple_choice"):
            provisions.add("choices")
        if self.corpus:
            provisions.add("corpus")
        if any(example.rejected is not None for example in self.train):
            provisions.add("preferences")
        if self.reward:
            provisions.add("reward")
        return frozenset(provisions)
