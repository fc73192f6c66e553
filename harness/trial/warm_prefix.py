"""What all prompts of a system begin with, read once before it is asked: a phase of its own."""

from __future__ import annotations

from harness.api import KeepsPrefix, Query, System
from harness.trial.recorder import Recorder

STEP = "prefix"
"""Name of the span: ``index`` is its phase."""
_QUESTIONS = ("1", "?")
"""Questions that have nothing in common, so that what their prompts share is what all prompts begin with."""


def keep_prefix(recorder: Recorder, system: System) -> System:
    """Return the system with a model that keeps the prefix, where the system asks for it and the model can."""
    if not system.keeps_prefix or not isinstance(system.model, KeepsPrefix):
        return system
    with recorder.span("index", STEP):
        model = system.model.with_prefix(system.prompts([Query("", question) for question in _QUESTIONS]))
        tokens = kept_tokens(system.replace(model=model))
        recorder.meter.count_tokens(tokens_in=tokens)
    if not tokens:
        recorder.notes.append("this model cannot keep what it has read: each request reads the whole prompt.")
    return system.replace(model=model)


def kept_tokens(system: System) -> int:
    """Return the tokens that a system's model keeps of its prompts; 0: none."""
    return system.model.prefix_tokens if isinstance(system.model, KeepsPrefix) else 0
