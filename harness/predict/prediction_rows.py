"""Predictions as rows to store and score, and the tokens and seconds that they took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.api import Example, Task
from harness.metrics.recall import citations
from harness.predict.answering import Prediction
from harness.records.record import AnswerReading, Role, Row


def build_rows(
    task: Task, examples: Sequence[Example], predictions: Sequence[Prediction], role: Role = "target"
) -> list[Row]:
    """Return a row for each example of a task: its references and its prediction."""
    return [
        Row(
            task=task.name,
            role=role,
            id=example.query.id,
            cluster=example.cluster,
            groups=example.groups,
            references=example.references,
            choices=example.query.choices or task.choices,
            rejected=example.rejected,
            input=example.query.text,
            prompt=p.raw.text,
            output=p.raw.output,
            answer=p.answer,
            parsed=p.parsed,
            choice_scores=tuple(None if score == -math.inf else score for score in p.raw.choice_scores),
            reasoning=p.raw.reasoning,
            votes=p.raw.votes,
            passages=tuple(passage.suite_id(example.evidence) for passage in p.sent_passages),
            evidence=example.evidence,
            cited=citations(p.answer, [replace(q, id=q.suite_id(example.evidence)) for q in p.sent_passages]),
            restricted=bool(example.readers)
            or p.prompt.restricted
            or any(passage.readers for passage in p.sent_passages),
            dropped_passages=p.raw.dropped_passages,
            prompt_tokens=p.raw.prompt_tokens if p.raw.counted else None,
            output_tokens=p.raw.output_tokens if p.raw.counted else None,
            outcome=p.raw.outcome,
            reading=_reading(p),
        )
        for example, p in zip(examples, predictions, strict=True)
    ]


def _reading(prediction: Prediction) -> AnswerReading:
    raw = prediction.raw
    return "scored" if raw.choice_scores else "constrained" if raw.constrained else "written"


def count_tokens(predictions: Sequence[Prediction]) -> dict[str, int | None]:
    """Return the input and output tokens; scored choices are input, reasoning is output; None: not all are known."""
    if not all(p.raw.counted for p in predictions):
        return {"tokens_in": None, "tokens_out": None}
    prompt, output, reasoning = (
        sum(getattr(p.raw, name) for p in predictions)
        for name in ("prompt_tokens", "output_tokens", "reasoning_tokens")
    )
    if any(p.raw.choice_scores for p in predictions):
        return {"tokens_in": prompt + output - reasoning, "tokens_out": reasoning or None}
    return {"tokens_in": prompt, "tokens_out": output}


def sum_timing(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Return the total prefill and decode figures, as `Meter.set_timing` takes them; None if the model gives none."""
    return {
        name: _total([getattr(p.raw, name) for p in predictions]) for name in ("prefill_s", "decode_s", "decode_tokens")
    }


def _total(parts: Sequence[float | None]) -> float | None:
    """Return the sum; None if any part is None."""
    measured = [part for part in parts if part is not None]
    return sum(measured) if measured and len(measured) == len(parts) else None
