"""Judge a task's stored answers, the controls first: a judge that fails them is not asked for pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.api import Model, Prompt
from harness.judge.judgements import Judgements, PairJudgement, answer_key, answer_text
from harness.judge.planted_answers import plant, summarise
from harness.judge.rubric import NEW_TOKENS, Verdict, pair_prompt, pass_prompt, read_choice, read_verdict
from harness.records.record import Row

System = tuple[str, str]
"""Label of a row and its model."""


@dataclass(frozen=True)
class JudgedTask:
    """Answers of one task.

    Attributes:
        rows: of each system, the test items of one seed; all with a reference.
    """

    suite: str
    task: str
    rows: Mapping[System, Sequence[Row]]


def judge_task(
    task: JudgedTask,
    model: Model,
    rubric: str,
    baseline: System | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Judgements:
    """Judge all answers and the controls, each text once.

    Args:
        task: what was answered.
        model: the judge.
        rubric: that it is given.
        baseline: that all others are compared with in pairs; None: no pairs.
        progress: called with (questions asked, questions in all).
    """
    planted = plant(next(iter(task.rows.values())))
    answers = {answer_key(row): row for rows in task.rows.values() for row in rows}
    prompts = [pass_prompt(rubric, c.row.input, c.row.references[0], c.text) for c in planted]
    prompts += [pass_prompt(rubric, row.input, row.references[0], answer_text(row)) for row in answers.values()]
    verdicts: list[Verdict | None] = [read_verdict(text) for text in _ask(model, prompts, progress)]
    judgements = Judgements(
        suite=task.suite,
        task=task.task,
        judge=model.info.name,
        identity=model.info.identity or model.info.name,
        rubric=rubric,
        controls=summarise(planted, verdicts[: len(planted)]),
        verdicts=dict(zip(answers, verdicts[len(planted) :], strict=True)),
    )
    pairs: tuple[PairJudgement, ...] = ()
    if baseline and not judgements.struck:
        pairs = tuple(_pair(task, system, baseline, model, rubric) for system in task.rows if system != baseline)
    endpoint = model.info.endpoint
    returned = [f"{part.model} ({part.first[:10]})" for part in endpoint.returned] if endpoint else []
    return judgements.model_copy(update={"pairs": pairs, "returned": tuple(returned)})


def verdicts_of(judgements: Judgements, rows: Sequence[Row]) -> list[Verdict | None]:
    """Return the judge's verdict of each row."""
    return [judgements.verdicts.get(answer_key(row)) for row in rows]


def _pair(task: JudgedTask, system: System, baseline: System, model: Model, rubric: str) -> PairJudgement:
    """Compare two systems on the items that both answered otherwise, in both orders."""
    theirs = {row.id: row for row in task.rows[baseline]}
    pairs = [
        (row, theirs[row.id])
        for row in task.rows[system]
        if row.id in theirs and answer_text(row) != answer_text(theirs[row.id])
    ]
    prompts = [
        pair_prompt(rubric, a.input, a.references[0], (answer_text(x), answer_text(y)))
        for a, b in pairs
        for x, y in ((a, b), (b, a))
    ]
    choices = [read_choice(text) for text in _ask(model, prompts, None)]
    votes = [choice for choice in choices if choice]
    wins = losses = flipped = unjudged = longer = decided = 0
    for (row, other), straight, swapped in zip(pairs, choices[::2], choices[1::2], strict=True):
        lengths = len(answer_text(row)), len(answer_text(other))
        if straight is None or swapped is None:
            unjudged += 1
        elif straight == swapped:
            flipped += 1
        else:
            wins, losses = wins + (straight == "first"), losses + (straight == "second")
            if lengths[0] != lengths[1]:
                decided += 1
                longer += (straight == "first") == (lengths[0] > lengths[1])
    return PairJudgement(
        strategy=system[0],
        model=system[1],
        baseline=baseline[0],
        wins=wins,
        losses=losses,
        flipped=flipped,
        unjudged=unjudged,
        first_share=sum(vote == "first" for vote in votes) / len(votes) if votes else None,
        longer_share=longer / decided if decided else None,
    )


def _ask(model: Model, prompts: Sequence[Prompt], progress: Callable[[int, int], None] | None) -> list[str]:
    answers = model.generate(prompts, max_new_tokens=NEW_TOKENS, one_line=False, progress=progress)
    return [answer.output for answer in answers]
