"""Compares ways of customising a language model on the same tasks: from suite to verdict.

For scripts and notebooks: ``import harness as h``, then `h.run`, `h.load` and `h.HarnessError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.errors import HarnessError
    from harness.notebook import ReportPage, Results, load, run

__all__ = ["HarnessError", "ReportPage", "Results", "load", "run"]


def __getattr__(name: str) -> Any:
    """Import what is used when it is used: ``import harness`` itself loads nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module("harness.errors" if name == "HarnessError" else "harness.notebook"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
