"""Parser of the gate's limits on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.compare.release.gate import GateLimits
from harness.errors import HarnessError


def parse_limits(margins: Sequence[str], shares: Mapping[str, str | None], *, unlike: bool) -> GateLimits:
    """Parse a gate's limits.

    Args:
        margins: ``TASK.METRIC=X`` each; a number alone is for all metrics.
        shares: by field of `GateLimits`: ``10%``, ``0.1`` or ``off``; None: the default.
        unlike: whether seconds and bytes of unlike machines are compared.

    Raises:
        HarnessError: one is not of this form.
    """
    limits = {name: _share(f"--max-{name}", text) for name, text in shares.items() if text is not None}
    required = {name for name in ("slowdown", "memory") if limits.get(name) is not None}
    return GateLimits.model_validate(
        {"margins": dict(map(_margin, margins)), **limits, "unlike_hardware": unlike, "required": required}
    )


def _margin(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        return name.strip(), float(number)
    except ValueError:
        raise HarnessError(f"--margin {text!r} is no TASK.METRIC=NUMBER, e.g. --margin qa.token_f1=0.02.") from None


def _share(flag: str, text: str) -> float | None:
    """Parse ``10%`` or ``0.1``; ``off`` is None."""
    if text.strip() == "off":
        return None
    try:
        share = float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < float("inf"):
        raise HarnessError(f"{flag} {text!r} is no share of 0 or more: write 10%, 0.1 or off.")
    return share
