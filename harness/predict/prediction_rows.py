"""Predictions as the rows that are stored and scored, and the tokens and seconds that they took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.api import Example, Task
from harness.metrics.recall import citations
from harness.predict.answering import Prediction
from harness.records.record import Role, Row


def build_rows(
    task: Task, examples: Sequence[Example], predictions: Sequence[Prediction], role: Role = "target"
) -> list[Row]:
    """Put the predictions of a task's examples beside what is known of their answers, in their order."""
    return [
        Row(
            task=task.name,
            role=role,
            id=example.query.id,
            cluster=example.cluster,
            references=example.references,
            choices=example.query.choices or task.choices,
            rejected=example.rejected,
            input=example.query.input,
            prompt=p.raw.text,
            output=p.raw.output,
            answer=p.answer,
            parsed=p.parsed,
            choice_scores=p.raw.choice_scores,
            reasoning=p.raw.reasoning,
            votes=p.raw.votes,
            passages=tuple(passage.id for passage in p.sent_passages),
            evidence=example.evidence,
            cited=citations(p.answer, p.sent_passages),
            dropped_passages=p.raw.dropped_passages,
            prompt_tokens=p.raw.prompt_tokens,
            output_tokens=p.raw.output_tokens,
        )
        for example, p in zip(examples, predictions, strict=True)
    ]


def count_tokens(predictions: Sequence[Prediction]) -> dict[str, int | None]:
    """Count the tokens read and written; choices that were scored are read, reasoning is written."""
    read, out, thought = (
        sum(getattr(p.raw, name) for p in predictions)
        for name in ("prompt_tokens", "output_tokens", "reasoning_tokens")
    )
    if any(p.raw.choice_scores for p in predictions):
        return {"tokens_in": read + out - thought, "tokens_out": thought or None}
    return {"tokens_in": read, "tokens_out": out}


def sum_timing(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Add up the model's passes, as `Meter.passes` takes them; None where the model does not tell."""
    return {
        name: _total([getattr(p.raw, name) for p in predictions]) for name in ("prefill_s", "decode_s", "decode_tokens")
    }


def _total(parts: Sequence[float | None]) -> float | None:
    """Sum; unknown if any part is."""
    measured = [part for part in parts if part is not None]
    return sum(measured) if measured and len(measured) == len(parts) else None
