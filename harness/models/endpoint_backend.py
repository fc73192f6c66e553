"""Models that are asked over HTTP: they generate, and can neither score nor be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.api import Model
from harness.endpoints.providers import find_destination
from harness.errors import HarnessError
from harness.models.registry import Backend, ModelReference, Use


class EndpointBackend(Backend):
    """References ``PROVIDER:MODEL``, ``URL#MODEL`` and ``endpoint:NAME`` (`harness.endpoints.providers`)."""

    computes_here = False

    def identify(self, name: str, use: Use) -> ModelReference | None:
        """Say what a reference asks for; nothing is sent. A step's teacher is looked for as an embedder is."""
        del use
        destination = find_destination(name)
        if destination is None:
            return None
        return ModelReference(name, name, destination.identity, frozenset({"generate"}), "endpoint")

    def identity(self, reference: str) -> str | None:
        """Return what the reference asks for now: ``endpoints.toml`` may have changed."""
        destination = find_destination(reference)
        return destination.identity if destination else None

    def open(self, reference: str, cache: Path) -> Model:
        """Prepare to ask it; the first request is the first question."""
        from harness.endpoints.endpoint_model import Endpoint  # noqa: PLC0415 - the HTTP client, which planning does not need

        destination = find_destination(reference)
        if destination is None:
            raise HarnessError(f"{reference!r} names no endpoint.")
        return Endpoint(destination, lambda name: _open_tokenizer(name, cache))


def _open_tokenizer(name: str, cache: Path) -> Any:
    """Load the tokenizer of a model on this machine or on the hub; no weights are read."""
    from harness.models import registry  # noqa: PLC0415 - it names this module
    from harness.models.tokenizer import open_tokenizer  # noqa: PLC0415 - only where choices are scored

    folder = registry.fetch(registry.identify(name).reference)
    if folder is None:
        raise HarnessError(f"tokenizer = {name!r} in endpoints.toml names no model with a tokenizer.")
    return open_tokenizer(folder, name, cache).tokenizer
