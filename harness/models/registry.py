"""Model backends by reference: what a name means, what such a model can do, how it is fetched and opened.

A backend is one file with a subclass of `Backend`, and one registration: a line in `BUILT_IN`, or in another package an
entry point of the group ``adaptbench.models`` that names the class. No library is imported before a model is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache as remembered
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from harness.api import Capability, Model, ProgressCallback
from harness.errors import HarnessError

GROUP = "adaptbench.models"
BUILT_IN = {
    "endpoint": "harness.models.endpoint_backend:EndpointBackend",
    "external": "harness.models.external_backend:ExternalBackend",
    "local": "harness.models.local_backend:LocalBackend",
}
"""Classes by backend name, asked in this order after those of other packages."""

Use = Literal["model", "embedder"]
Busy = Callable[[str], AbstractContextManager[Any]]
"""Shows that something without a known length goes on: ``with busy("converting x"): ...``."""


@dataclass(frozen=True)
class ModelReference:
    """A model, as it was named and as it is pinned.

    Attributes:
        name: as the user wrote it.
        reference: opens the same weights later: a pinned name, a folder's absolute path, a hub id with its commit.
        identity: changes when anything changes that can change an answer; part of trial keys.
        capabilities: what such a model can do.
        backend: name of the backend that opens it.
        uses_gpu: whether it computes on this machine's GPU, where there is one.
    """

    name: str
    reference: str
    identity: str
    capabilities: frozenset[Capability]
    backend: str
    uses_gpu: bool = False


class Backend:
    """One kind of model. A model that is not on this machine needs `identify` and `open` only.

    Class attributes:
        computes_here: whether torch answers, in the trial's process, which loads it before it begins.
    """

    computes_here: bool = True

    def identify(self, name: str, use: Use) -> ModelReference | None:
        """Say what a name means, without loading anything; None: the name is not this backend's.

        Raises:
            HarnessError: it is this backend's, and there is no such model.
        """
        raise NotImplementedError

    def open(self, reference: str, cache: Path) -> Model:
        """Return the model, ready to answer.

        Args:
            reference: as in `ModelReference`.
            cache: for converted weights and file hashes.
        """
        raise NotImplementedError

    def fetch(self, reference: str, progress: ProgressCallback | None = None) -> Path | None:
        """Bring a model to this machine; return the folder with its weights and tokenizer, None where there is none."""
        del reference, progress

    def identity(self, reference: str) -> str | None:
        """Return the identity of a fetched model as it is now; None where what a reference means cannot change."""
        del reference

    def prepare(self, reference: str, cache: Path, busy: Busy) -> None:
        """Make a fetched model ready to open, so that no trial measures it."""

    def present(self, reference: str, cache: Path) -> Path | None:
        """Return the folder that is loaded, if it is here and ready; without one, nothing can be forecast."""
        del reference, cache


def identify(name: str, use: Use = "model") -> ModelReference:
    """Find what a model's name means, down to its weights, without loading it.

    Args:
        name: a pinned name, a folder, a hub id, or whatever another backend takes.
        use: a ``model`` that answers, or an ``embedder`` (or reranker) that a step brings.

    Raises:
        HarnessError: there is no such model, or its backend cannot tell its identity.
    """
    broken: list[str] = []
    for backend_name in _classes():
        try:
            model = backend(backend_name)
        except HarnessError as error:
            broken.append(str(error))
            continue
        try:
            reference = model.identify(name, use)
        except HarnessError as error:
            raise HarnessError(" ".join([str(error), *broken])) from error
        if reference is not None:
            return reference
    raise HarnessError(" ".join([f"no backend knows the model {name!r}.", *broken]))


def backend(name: str) -> Backend:
    """Return a backend by its name.

    Raises:
        HarnessError: there is none, or its package is broken.
    """
    if name not in _classes():
        raise HarnessError(f"no model backend is called {name!r}: install the package that brings it.")
    module, _, class_name = _classes()[name].partition(":")
    try:
        return getattr(import_module(module), class_name)()
    except Exception as error:
        reason = " ".join(str(error).split())
        raise HarnessError(
            f"the model backend {name!r} ({_classes()[name]}) cannot be loaded ({type(error).__name__}: {reason})."
        ) from error


def fetch(reference: str, progress: ProgressCallback | None = None, *, by: str = "local") -> Path | None:
    """Bring a model to this machine; see `Backend.fetch`."""
    return backend(by).fetch(reference, progress)


def prepare(reference: str, cache: Path, busy: Busy = lambda _: nullcontext(), *, by: str = "local") -> None:
    """Make a fetched model ready to open; see `Backend.prepare`."""
    backend(by).prepare(reference, cache, busy)


def identity(reference: str, *, by: str = "local") -> str | None:
    """Return the identity of a fetched model as it is now; see `Backend.identity`."""
    return backend(by).identity(reference)


def present(reference: str, cache: Path, *, by: str = "local") -> Path | None:
    """Return the folder that is loaded, if it is here and ready; see `Backend.present`."""
    return backend(by).present(reference, cache)


def open_model(reference: str, cache: Path, *, by: str = "local") -> Model:
    """Open a model; see `Backend.open`."""
    return backend(by).open(reference, cache)


def clear() -> None:
    """Forget the backends of other packages, for a program that installs some while it runs."""
    _classes.cache_clear()


@remembered
def _classes() -> dict[str, str]:
    """Return the class of each backend by name, those of other packages first."""
    plugins = {point.name: point.value for point in entry_points(group=GROUP)}
    return {name: path for name, path in plugins.items() if name not in BUILT_IN} | BUILT_IN
