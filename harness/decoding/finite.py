"""Refusal of logits that are no numbers: damaged weights, or an overflow of the number format."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from torch import Tensor


def require_finite(scores: Iterable[float], subject: str) -> None:
    """Refuse scores that are NaN or infinite.

    Args:
        scores: log-likelihoods, losses or the like.
        subject: what they are of, e.g. ``the choices of 'moods'``.

    Raises:
        HarnessError: one is.
    """
    if not all(map(math.isfinite, scores)):
        raise _error(subject)


def require_finite_maxima(logits: Tensor) -> None:
    """Refuse logits [rows, vocabulary] from which no token can be chosen; a masked token's may be minus infinity.

    Raises:
        HarnessError: a row holds a NaN or plus infinity, or nothing but minus infinity.
    """
    if not bool(logits.amax(-1).isfinite().all()):  # the maximum of a row with a NaN is NaN
        raise _error("the next token of an answer")


def _error(subject: str) -> HarnessError:
    return HarnessError(
        f"the model gives no numbers (NaN or infinite) for {subject}: its weights are damaged, or too large for its "
        "number format."
    )
