"""Questions with answers, and paraphrases, that a model writes from the passages of a corpus.

Nothing here knows a trial: `write_rows` takes a model, the training material and settings. The rows are for training
(Mecklenburg et al. 2024, arXiv:2404.00213; Yang et al. 2024, arXiv:2409.07431) or for a suite of one's own.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from harness.api import Answer, Example, Model, Passage, ProgressCallback, Prompt, Query, Sampling, Task, TaskData
from harness.data.leaks import find_leaks, find_repeats
from harness.metrics.recall import citations
from harness.metrics.text_answers import normalise
from harness.training.writing_examples import DEMONSTRATIONS, REWORDED

QUESTION_INSTRUCTION = "Write one question that the text answers, and the short answer as it stands in the text."
PARAPHRASE_INSTRUCTION = "Write the text again in other words. Keep every fact, name and number."
ANSWER_MARK = "Answer:"
QUESTION_WORDS, ANSWER_WORDS = (4, 40), (1, 12)
"""Fewest and most words of a question and of an answer."""
PARAPHRASE_RATIO = (0.5, 1.5)
"""Words of a paraphrase over those of its passage."""
PARAPHRASE_TOKENS = 256
_SAMPLE_SEEDS = 1_000_003

_LINE = re.compile(rf"^\s*(?P<question>[^\n]+?\?)\s*{ANSWER_MARK}\s*(?P<answer>[^\n]+)")
_NUMBER = re.compile(r"\d[\d.,]*\d|\d")


@dataclass(frozen=True)
class WritingSettings:
    """How rows are written.

    Attributes:
        per_passage: questions asked for, a passage, each behind other examples.
        paraphrases: of each passage.
        shots: examples in the prompt that asks for a question.
        temperature: of the samples; 0: the likeliest tokens.
        max_new_tokens: of a question with its answer.
        most_passages: passages, drawn at random; None: all.
        restricted: whether passages that not everybody may read are used.
    """

    per_passage: int = 1
    paraphrases: int = 0
    shots: int = 3
    temperature: float = 0.0
    max_new_tokens: int = 48
    most_passages: int | None = None
    restricted: bool = False


@dataclass(frozen=True)
class WrittenRows:
    """What a teacher wrote and what is left of it.

    Attributes:
        examples: questions with their answers, in the order of the passages.
        paraphrases: passages in other words, under ids of their own.
        counts: rows by what became of them, e.g. ``{"written": 30, "kept": 21, "answer not in passage": 9}``.
        tokens: read and written by the teacher.
    """

    examples: tuple[Example, ...]
    paraphrases: tuple[Passage, ...] = ()
    counts: dict[str, int] = field(default_factory=dict[str, int])
    tokens: int = 0


def write_rows(
    teacher: Model, task: TaskData, settings: WritingSettings, seed: int, progress: ProgressCallback | None = None
) -> WrittenRows:
    """Have a teacher write questions with answers, and paraphrases, from a task's corpus; keep those that are usable.

    A question is kept where its answer stands in the passage and not in the question, both are of a sensible length,
    and no earlier one, nor one of the training or validation split, is nearly the same.

    Args:
        teacher: any model that generates.
        task: its corpus, the wording of its prompts, and training examples with evidence, which are shown as examples.
        settings: how many rows, and how.
        seed: of the passages, the examples shown and the samples.
        progress: called with (prompts answered, prompts in all).
    """
    generator = random.Random(seed)
    readable = [passage for passage in task.corpus if settings.restricted or not passage.readers]
    passages = _draw(readable, settings.most_passages, generator)
    desk = _Desk(teacher, settings, seed, len(passages) * (settings.per_passage + settings.paraphrases), progress)
    shown = demonstrations(task, settings)
    candidates: list[Example] = []
    counts: Counter[str] = Counter(
        {"passages": len(passages), "restricted passages left out": len(task.corpus) - len(readable)}
    )
    for number in range(settings.per_passage):
        pairs = generator.sample(shown, min(settings.shots, len(shown)))
        definition = _definition(task.task, QUESTION_INSTRUCTION, "Question")
        prompts = [Prompt(definition, _text(passage), tuple(pairs)) for passage in passages]
        answers = desk.ask(prompts, settings.max_new_tokens, number, one_line=True)
        for passage, answer in zip(passages, answers, strict=True):
            example = read_question(answer.output, passage, number, teacher.info.name)
            counts["written"] += 1
            if isinstance(example, str):
                counts[example] += 1
            else:
                candidates.append(example)
    examples = _distinct(sorted(candidates, key=lambda example: _position(passages, example)), task)
    counts["nearly a question that is there"] = len(candidates) - len(examples)
    counts["kept"] = len(examples)
    paraphrases = _paraphrase(desk, task, passages, settings, counts)
    return WrittenRows(examples, paraphrases, {name: count for name, count in counts.items() if count}, desk.tokens)


def demonstrations(task: TaskData, settings: WritingSettings) -> list[tuple[str, str]]:
    """Return (text, question with answer) of training examples whose passage is known, the shorter half of them.

    Where there are fewer than are to be shown, built-in ones fill up.
    """
    by_id = {passage.id: passage for passage in task.corpus}
    known = [
        (_text(by_id[example.evidence[0]]), f"{example.query.input} {ANSWER_MARK} {example.references[0]}")
        for example in task.train
        if example.evidence and example.evidence[0] in by_id and (settings.restricted or not example.readers)
        if example.query.input.rstrip().endswith("?") and not example.teacher
    ]
    known.sort(key=lambda pair: len(pair[0]))
    shorter = known[: max(settings.shots, len(known) // 2)]
    missing = max(0, settings.shots - len(shorter))
    return (
        shorter + [(text, f"{question} {ANSWER_MARK} {answer}") for text, question, answer in DEMONSTRATIONS][:missing]
    )


def read_question(output: str, passage: Passage, number: int, teacher: str) -> Example | str:
    """Read a question and its answer out of what a teacher wrote; a text says why they are not usable."""
    match = _LINE.match(output)
    if match is None:
        return "no question with an answer"
    question = " ".join(match["question"].split())
    answer = " ".join(match["answer"].split()).strip(" .\"'")
    if not _within(question, QUESTION_WORDS) or not _within(answer, ANSWER_WORDS):
        return "too short or too long"
    if not citations(answer, [passage]):
        return "answer not in passage"
    if f" {normalise(answer)} " in f" {normalise(question)} ":
        return "answer in question"
    name = f"{passage.id}-{number}"
    return _example(name, question, answer, passage=passage.id, readers=passage.readers, teacher=teacher)


@dataclass
class _Desk:
    """Asks the teacher, and counts."""

    teacher: Model
    settings: WritingSettings
    seed: int
    total: int
    progress: ProgressCallback | None
    tokens: int = 0
    answered: int = 0

    def ask(self, prompts: Sequence[Prompt], max_new_tokens: int, number: int, *, one_line: bool) -> list[Answer]:
        """Ask prompts; each number has draws of its own."""
        temperature = self.settings.temperature
        sampling = Sampling(temperature, seed=self.seed * _SAMPLE_SEEDS + number) if temperature else None
        answers = self.teacher.generate(
            prompts, max_new_tokens=max_new_tokens, one_line=one_line, sampling=sampling, progress=self._report()
        )
        self.tokens += sum(answer.prompt_tokens + answer.output_tokens for answer in answers)
        self.answered += len(prompts)
        return answers

    def _report(self) -> Callable[[int, int], None]:
        before = self.answered

        def report(count: int, _: int) -> None:
            if self.progress:
                self.progress(before + count, self.total)

        return report


def _paraphrase(
    desk: _Desk, task: TaskData, passages: Sequence[Passage], settings: WritingSettings, counts: Counter[str]
) -> tuple[Passage, ...]:
    """Have each passage written again, and keep what is no copy, has a like length and brings no number of its own."""
    definition = _definition(task.task, PARAPHRASE_INSTRUCTION, "In other words")
    paraphrases: list[Passage] = []
    for number in range(settings.paraphrases):
        prompts = [Prompt(definition, passage.text, REWORDED) for passage in passages]
        answers = desk.ask(prompts, PARAPHRASE_TOKENS, settings.per_passage + number, one_line=True)
        for passage, answer in zip(passages, answers, strict=True):
            text = " ".join(answer.output.split())
            if _is_paraphrase(text, passage.text) and text not in {other.text for other in paraphrases}:
                paraphrases.append(replace(passage, id=f"{passage.id}~{number + 1}", text=text))
    counts["paraphrases written"] = settings.paraphrases * len(passages)
    counts["paraphrases kept"] = len(paraphrases)
    return tuple(paraphrases)


def _is_paraphrase(text: str, original: str) -> bool:
    low, high = PARAPHRASE_RATIO
    words = len(original.split())
    return (
        low * words <= len(text.split()) <= high * words
        and normalise(text) not in normalise(original)
        and set(_NUMBER.findall(text)) <= set(_NUMBER.findall(original))
    )


def _distinct(candidates: Sequence[Example], task: TaskData) -> tuple[Example, ...]:
    """Leave out what is nearly like an earlier candidate, or like an item of the training or validation split."""
    repeats = find_repeats(candidates)
    leaks = find_leaks((*task.train, *task.validation), candidates)
    unusable = {*repeats.exact, *repeats.near, *(leak.test_id for leak in leaks)}
    distinct = [example for example in candidates if example.query.id not in unusable]
    first = 1 + sum(bool(example.teacher) for example in task.train)
    return tuple(
        replace(example, query=replace(example.query, id=f"synthetic-{number}"))
        for number, example in enumerate(distinct, first)
    )


def _draw(passages: Sequence[Passage], most: int | None, generator: random.Random) -> list[Passage]:
    if most is None or most >= len(passages):
        return list(passages)
    return [passages[index] for index in sorted(generator.sample(range(len(passages)), most))]


def _position(passages: Sequence[Passage], example: Example) -> tuple[int, str]:
    return next(i for i, passage in enumerate(passages) if passage.id == example.evidence[0]), example.query.id


def _definition(task: Task, instruction: str, answer_label: str) -> Task:
    """Return the task of writing, asked in the form in which the task itself is asked."""
    form = "plain" if task.form == "bare" else task.form
    return Task(task.name, "generation", instruction, form=form, question_label="Text", answer_label=answer_label)


def _text(passage: Passage) -> str:
    return f"{passage.title}: {passage.text}" if passage.title else passage.text


def _within(text: str, words: tuple[int, int]) -> bool:
    return words[0] <= len(text.split()) <= words[1]


def save_rows(rows: WrittenRows, file: Path) -> None:
    """Write rows as JSON lines that a person can read: questions first, then paraphrases."""
    lines = [
        *(
            {
                "id": example.query.id,
                "question": example.query.input,
                "answer": example.references[0],
                "passage": example.evidence[0],
                "teacher": example.teacher,
                "readers": example.readers[0] if example.readers else (),
            }
            for example in rows.examples
        ),
        *(asdict(passage) for passage in rows.paraphrases),
    ]
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    file.write_text(text, encoding="utf-8")


def load_rows(file: Path) -> WrittenRows:
    """Read rows that `save_rows` wrote; what became of the others is not in the file."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    examples = tuple(
        _example(
            row["id"],
            row["question"],
            row["answer"],
            passage=row["passage"],
            readers=tuple(row["readers"]),
            teacher=row["teacher"],
        )
        for row in rows
        if "question" in row
    )
    paraphrases = [
        Passage(row["id"], row["text"], row["title"], tuple(row["readers"]), tuple(row["covers"]))
        for row in rows
        if "question" not in row
    ]
    return WrittenRows(examples, tuple(paraphrases))


def _example(  # noqa: PLR0913 - the fields of a row
    name: str, question: str, answer: str, *, passage: str, readers: tuple[str, ...], teacher: str
) -> Example:
    return Example(
        Query(name, question, user=readers[0] if readers else None),
        (answer,),
        cluster=passage,
        evidence=(passage,),
        readers=(readers,) if readers else (),
        teacher=teacher,
    )
