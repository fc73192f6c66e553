"""Models that are asked over HTTP: they generate, and can neither score nor be trained."""

from __future__ import annotations

from pathlib import Path

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

        del cache
        destination = find_destination(reference)
        if destination is None:
            raise HarnessError(f"{reference!r} names no endpoint.")
        return Endpoint(destination)
