"""What can answer a query. Submodules load on first use, so that listing strategies stays instant (PEP 562)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.models import (
        answering,
        bottleneck,
        calibration,
        converted,
        decode,
        exemplars,
        footprint,
        instructions,
        layout,
        loading,
        local,
        quantised,
        retrieval,
        retrieval_bm25,
        retrieval_ranking,
        retrieval_rerank,
        rows,
        search,
        template,
        tokenizer,
        tree,
    )

__all__ = [
    "answering",
    "bottleneck",
    "calibration",
    "converted",
    "decode",
    "exemplars",
    "footprint",
    "instructions",
    "layout",
    "loading",
    "local",
    "quantised",
    "retrieval",
    "retrieval_bm25",
    "retrieval_ranking",
    "retrieval_rerank",
    "rows",
    "search",
    "template",
    "tokenizer",
    "tree",
]


def __getattr__(name: str) -> Any:
    """Import a submodule when it is first asked for."""
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(name)
