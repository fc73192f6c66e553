"""Who answers for a model that is asked over HTTP: host, returned id and dates."""

from __future__ import annotations

from harness.api import ModelInfo


def answering_name(model: ModelInfo) -> str:
    """Say who answered under a model's name: ``openai:gpt-5-mini: api.openai.com, as gpt-5-mini-2025-08-07, ...``."""
    endpoint = model.endpoint
    if endpoint is None:
        return model.name
    names = [
        f"as {' '.join(filter(None, [part.model, part.fingerprint])) or 'no name'}, {_days(part.first, part.last)}"
        for part in endpoint.returned
    ]
    return ", ".join([f"{model.name}: {endpoint.host or 'this machine'}", *names])


def _days(first: str, last: str) -> str:
    return first[:10] if first[:10] == last[:10] else f"{first[:10]} to {last[:10]}"
