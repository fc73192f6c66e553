"""Memory and energy in words: parts of the peak in training, and the source of the joules."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.cost.resource_types import Cost
from harness.compare.table.result import StrategyResult
from harness.measure.units import size
from harness.records.measurements import Held
from harness.render.text.escape import plain


def memory(rows: Sequence[StrategyResult]) -> list[str]:
    """Give weights, gradients and optimizer state of each strategy that trained, a line each."""
    measured = [(row, row.cost, row.cost.held) for row in rows if row.cost and row.cost.held]
    return [
        f"memory of {plain(row.label)}: {_parts(parts)}{_peak(cost)}"
        for row, cost, parts in measured
        if parts.gradient_bytes is not None
    ]


def joules(value: float) -> str:
    """Write energy with its unit: ``850 J``, ``3.4 kJ``."""
    if value >= 999_500:
        return f"{value / 1e6:,.1f} MJ"
    return f"{value / 1000:.1f} kJ" if value >= 999.5 else f"{value:.0f} J"


def legend(rows: Sequence[StrategyResult]) -> list[str]:
    """Explain how the parts of memory are known, what the energy covers, and what of it was measured or estimated."""
    lines: list[str] = []
    if memory(rows):
        lines.append(
            "memory of a strategy: weights, gradients and the optimizer's state are counted from the tensors, so "
            "without an interval; the rest of the peak are libraries, activations and the best weights so far."
        )
    sources = dict.fromkeys(row.cost.energy_source for row in rows if row.cost and row.cost.energy_j is not None)
    meters = [plain(source) for source in sources if source]
    if not sources:
        return lines
    by = "; and by ".join(meters) or "an unknown meter"
    text = (
        "energy is of all phases but requests and self-tests, a mean over seeds; it has no interval, for each phase is "
        f"measured once a seed, by {by}."
    )
    return [*lines, text]


def figures(cost: Cost) -> dict[str, int | float | str | None]:
    """Give the parts of memory and the energy by name, for a table of raw numbers; unknown ones are left out."""
    amounts = cost.held.model_dump() if cost.held else {}
    amounts |= {"energy_j": cost.energy_j, "energy_source": cost.energy_source}
    return {name: value for name, value in amounts.items() if value is not None}


def _parts(parts: Held) -> str:
    weights = f"weights {_size(parts.weights_bytes)}"
    if parts.tuned_weights_bytes not in (None, parts.weights_bytes):
        weights += f" ({_size(parts.tuned_weights_bytes)} as tuned)"
    return f"{weights}, gradients {_size(parts.gradient_bytes)}, optimizer {_size(parts.optimizer_bytes)}"


def _peak(cost: Cost) -> str:
    """Name the peak that these are a part of: the GPU's where training ran on one."""
    phase = cost.phases.get("adapt")
    peak = (phase.gpu_peak_bytes or phase.host_peak_bytes) if phase else None
    return f" of a {size(peak)} peak while adapting" if peak else ""


def _size(value: int | None) -> str:
    return "unknown" if value is None else size(value)
