"""Blocks that strategies are composed of. Submodules load on first use, so that listing strategies stays instant."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.training import (
        adapters,
        alternatives,
        batches,
        optimiser,
        pairs,
        peft_methods,
        policy,
        preferences,
        reward,
        rollouts,
        samples,
        supervised,
        tuned,
    )

__all__ = [
    "adapters",
    "alternatives",
    "batches",
    "optimiser",
    "pairs",
    "peft_methods",
    "policy",
    "preferences",
    "reward",
    "rollouts",
    "samples",
    "supervised",
    "tuned",
]


def __getattr__(name: str) -> Any:
    """Import a submodule when it is first asked for."""
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(name)
