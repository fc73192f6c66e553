"""What a trial does about items that are longer than the model's window: training goes on without, tests count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.api import HoldsWeights, Model, TaskData
from harness.data.bad_rows import MOST_NAMED
from harness.data.long_items import long_items, long_note
from harness.errors import HarnessError
from harness.predict.answering import TOO_LONG
from harness.records.record import Row
from harness.trial.recorder import Recorder


def without_long_items(recorder: Recorder, model: Model, data: TaskData) -> TaskData:
    """Return training material without the items that do not fit the window, which a note of the trial names.

    Nothing is known of the tokens of a model that is not on this machine: its material stays as it is.
    """
    if not isinstance(model, HoldsWeights):
        return data
    from harness.models.local_model import LocalModel  # noqa: PLC0415 - torch, which a model elsewhere does not need
    from harness.models.tokenizer import ModelTokenizer  # noqa: PLC0415 - as above

    if not isinstance(model, LocalModel):
        return data
    window = model.info.context_tokens
    tokens = ModelTokenizer(model.info.name, window, model.tokenizer)
    splits = {"training": data.train, "validation": data.validation}
    excluded = {name: long_items(items, data.task, tokens) for name, items in splits.items()}
    for name, items in excluded.items():
        if items:
            _note(recorder, f"{data.task.name}: {long_note(name, items, repr(model.info.name), window)}")
    if not any(excluded.values()):
        return data
    ids = {item.query.id for items in excluded.values() for item in items}
    train, validation = (tuple(item for item in items if item.query.id not in ids) for items in splits.values())
    return replace(data, train=train, validation=validation)


def note_unanswered(recorder: Recorder, rows: Sequence[Row], share: float) -> None:
    """Name the items of a task that were too long to be asked.

    Args:
        recorder: takes the note.
        rows: of one task and role.
        share: of the items that may be unanswered: at least one, unless it is 0.

    Raises:
        HarnessError: there are more.
    """
    names = [row.id for row in rows if row.parsed == TOO_LONG]
    if not names:
        return
    listed = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if names[MOST_NAMED:] else "")
    text = f"{rows[0].task}: {len(names)} of {len(rows)} items did not fit the model's window as they were asked"
    allowed = max(1, int(share * len(rows))) if share else 0
    if len(names) > allowed or len(names) == len(rows):
        raise HarnessError(
            f"{text} ({listed}); max_bad_rows = {share:g} lets {allowed} be unanswered: use fewer exemplars, shorter "
            "inputs or a model with a longer window."
        )
    _note(recorder, f"{text}, and count as wrong: {listed}.")


def _note(recorder: Recorder, text: str) -> None:
    if text not in recorder.notes:
        recorder.notes.append(text)
