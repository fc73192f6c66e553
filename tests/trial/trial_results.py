"""Phases and answers of a trial's record and rows."""

LORA = "lora(epochs=2,rank=4)"


def phases(record):
    return [(span.phase, span.step, span.reused) for span in record.spans]


def only(record, phase, step=None):
    (span,) = (span for span in record.spans if span.phase == phase and span.step == step)
    return span


def answers(rows):
    return [(row.id, row.answer, row.choice_scores) for row in rows]
