"""Gate of a candidate against a baseline: non-inferiority of quality, limits for speed, memory and cost.

Each check stands on a 95 % interval, so each bound is a one-sided 2.5 %: it passes where the interval lies on the good
side of the limit, fails where it lies beyond it, and is inconclusive where the limit is inside. The whole passes only
if every check does (intersection-union test: a release that is too bad in any one way passes with 2.5 % at most,
however many checks there are); one failed check fails it.

Sources: Piaggio et al. 2012, *Reporting of noninferiority and equivalence randomized trials*; Berger 1982,
*Multiparameter hypothesis testing and acceptance sampling*.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.compare.release.conclusive import items_to_conclude, runs_to_conclude
from harness.compare.release.figures import ADAPTING_TIME, Aspect
from harness.compare.release.pairing import MeasuredSystem, Pairing, ReleasePair
from harness.compare.release.quality_change import Quality, compare_quality
from harness.compare.release.resource_ratios import ResourceRatio, ratios
from harness.compare.release.run_noise import Noise
from harness.compare.release.slice_change import SliceChange, slice_changes
from harness.records.measurements import StoredModel

Outcome = Literal["pass", "fail", "inconclusive", "not compared"]


class GateLimits(StoredModel):
    """Losses that a release may have.

    Attributes:
        margins: by ``task.metric``, ``task``, ``metric`` or ``""`` for all, in the metric's unit.
        slowdown, memory, cost: largest allowed increase, as a share; None: not checked.
        unlike_hardware: whether seconds and bytes of unlike machines are compared too.
        required: which of `slowdown`, `memory` the user named: without a comparison they do not pass.
    """

    margins: dict[str, float] = Field(default_factory=dict[str, float])
    slowdown: float | None = 0.10
    memory: float | None = 0.05
    cost: float | None = 0.10
    unlike_hardware: bool = False
    required: frozenset[Literal["slowdown", "memory"]] = frozenset()


class GateCheck(StoredModel):
    """One figure against its limit.

    Attributes:
        figure: name of a metric, or of one of `figures.FIGURES`; of: its task, if it is not the system's own, or its
            slice, such as ``language = de``.
        relative: whether `change`, `low`, `high` and `limit` are shares of the baseline, else in the metric's unit.
        change: candidate minus baseline; low, high: its 95 % interval, None where the noise of repeats is unknown.
        limit: largest allowed change for the worse.
        worse_is: the sign of a change for the worse.
        n: number of items, requests or runs; per: which of them.
        needed: what would conclude it, a clause; empty unless inconclusive.
        improved: whether it passed and its interval shows a change for the better.
    """

    task: str
    strategy: str
    model: str
    about: Aspect | Literal["quality"]
    figure: str
    of: str | None = None
    outcome: Outcome
    relative: bool = False
    unit: str = ""
    baseline: float | None = None
    candidate: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    worse_is: Literal[-1, 1] = 1
    n: int = 0
    per: str = ""
    method: str = ""
    needed: str = ""
    reason: str = ""
    improved: bool = False


class Verdict(StoredModel):
    """All checks, and their outcome together."""

    outcome: Literal["pass", "fail", "inconclusive"]
    checks: tuple[GateCheck, ...]
    notes: tuple[str, ...] = ()


def judge(pairing: Pairing, limits: GateLimits, noise: Noise, repeat: str = "harness repeat") -> Verdict:
    """Check every pair of systems.

    Args:
        pairing: the systems of both releases.
        limits: of the losses.
        noise: of repeats.
        repeat: command that measures both releases in turn.

    Raises:
        HarnessError: a margin names a task or metric that does not exist.
    """
    checks: list[GateCheck] = []
    notes: list[str] = []
    for pair, qualities in zip(pairing.pairs, compare_quality(pairing.pairs, limits.margins), strict=True):
        if pair.same_records:
            checks.append(
                _unmeasured_check(pair.candidate, "it is the baseline's own record: nothing was measured again")
            )
            continue
        checks += [_check_quality(pair, quality) for quality in qualities]
        checks += [_check_slice(pair, part) for part in slice_changes(pair, limits.margins, pairing.pairs)]
        checks += _check_figures(pair, limits, noise, repeat)
        notes += _notes(pair)
    checks += [_unmeasured_check(system, "the candidate's results have none of it") for system in pairing.missing]
    if pairing.added:
        names = ", ".join(system.name for system in pairing.added)
        notes.append(f"Not in the baseline, so not checked: {names}.")
    return Verdict(outcome=_combined_outcome(checks), checks=tuple(checks), notes=tuple(dict.fromkeys(notes)))


def _combined_outcome(checks: Sequence[GateCheck]) -> Literal["pass", "fail", "inconclusive"]:
    outcomes = {check.outcome for check in checks}
    if "fail" in outcomes:
        return "fail"
    return "pass" if "pass" in outcomes and "inconclusive" not in outcomes else "inconclusive"


def _check_quality(pair: ReleasePair, quality: Quality) -> GateCheck:
    worse_is: Literal[-1, 1] = -1 if quality.higher_is_better else 1
    of = quality.task if quality.task != pair.candidate.task else None
    check = _check(pair.candidate, "quality", quality.metric, limit=quality.margin)
    check = check.model_copy(update={"of": of, "worse_is": worse_is, "per": "item"})
    if (change := quality.change) is None:
        return check.model_copy(update={"outcome": "inconclusive", **_incomparable(pair)})
    outcome = _outcome(change.low, change.high, quality.margin, worse_is)
    fields = {
        "outcome": outcome,
        "improved": outcome == "pass" and _improved(change.low, change.high, worse_is),
        "baseline": quality.baseline,
        "candidate": quality.candidate,
        "change": change.value,
        "low": change.low,
        "high": change.high,
        "n": change.n,
        "method": change.method,
        "needed": items_to_conclude(quality) if outcome == "inconclusive" else "",
    }
    return check.model_copy(update=fields)


def _check_slice(pair: ReleasePair, part: SliceChange) -> GateCheck:
    """Check a slice: it fails at the level that all slices share, and what is not concluded does not count."""
    check = _check_quality(pair, part.quality)
    failed = _outcome(part.low, part.high, part.quality.margin, check.worse_is) == "fail"
    outcome: Outcome = "fail" if failed else "pass" if check.outcome == "pass" else "not compared"
    improved = outcome == "pass" and _improved(part.low, part.high, check.worse_is)
    fields: dict[str, object] = {"of": part.name, "outcome": outcome, "needed": "", "improved": improved}
    if outcome == "not compared":
        fields["reason"] = f"the items of this slice do not conclude it at the level of {part.slices} slices"
    elif failed:
        fields |= {
            "low": part.low,
            "high": part.high,
            "method": f"{check.method}, at the level of {part.slices} slices",
        }
    return check.model_copy(update=fields)


def _incomparable(pair: ReleasePair) -> dict[str, str]:
    """Return why the scores of a pair are not compared, and what is needed."""
    if len(pair.protocols) == 1:
        return {"reason": "no item was asked of both", "needed": "measure both on the same items"}
    protocols = " and ".join(map(str, pair.protocols))
    command = f"harness run {shlex.quote(pair.candidate.records[0].trial.suite)}"
    return {
        "reason": f"scores of protocols {protocols} are not comparable: prompts, training or scoring differ",
        "needed": f"measure the baseline again: '{command}' with its model",
    }


def _check_figures(pair: ReleasePair, limits: GateLimits, noise: Noise, repeat: str) -> list[GateCheck]:
    by_aspect = {"speed": limits.slowdown, "memory": limits.memory, "cost": limits.cost}
    refused = not pair.same_hardware and not limits.unlike_hardware
    checks: list[GateCheck] = []
    for ratio in ratios(pair, noise):
        figure = ratio.figure
        if (limit := by_aspect[figure.aspect]) is None:
            continue
        check = _check(pair.candidate, figure.aspect, figure.name, limit=limit)
        check = check.model_copy(update={"relative": True, "unit": figure.unit})
        if refused and figure.aspect != "cost":
            required = ("slowdown" if figure.aspect == "speed" else "memory") in limits.required
            fields = {
                "outcome": "inconclusive" if required else "not compared",
                "reason": "measured on unlike hardware; --unlike-hardware compares it all the same",
                "needed": "measure both on one machine" if required else "",
            }
            checks.append(check.model_copy(update=fields))
        else:
            checks.append(check.model_copy(update=_ratio_fields(ratio, limit, repeat)))
    return checks


def _ratio_fields(ratio: ResourceRatio, limit: float, repeat: str) -> dict[str, object]:
    """Fields of the check of a ratio."""
    in_turn = f"run '{repeat}': runs of one session cannot separate a release from the machine's load at the time"
    fields: dict[str, object] = {
        "baseline": ratio.baseline,
        "candidate": ratio.candidate,
        "change": ratio.value - 1,
        "n": ratio.n,
        "per": ratio.per,
        "method": ratio.method,
    }
    if ratio.low is None or ratio.high is None:
        if ratio.figure == ADAPTING_TIME:  # a release is judged by how fast it answers
            return fields | {"outcome": "not compared", "reason": ratio.method}
        return fields | {"outcome": "inconclusive", "reason": ratio.method, "needed": in_turn}
    outcome = _outcome(ratio.low - 1, ratio.high - 1, limit, 1)
    needed = runs_to_conclude(ratio, limit) if outcome == "inconclusive" else ""
    if not ratio.repeats_known:  # else a release that is slower by just the limit passes in 33 to 41 %
        outcome, needed = "inconclusive", in_turn
    low, high = ratio.low - 1, ratio.high - 1
    improved = outcome == "pass" and _improved(low, high, 1)
    return fields | {"low": low, "high": high, "outcome": outcome, "needed": needed, "improved": improved}


def _check(system: MeasuredSystem, about: Aspect | Literal["quality"], figure: str, limit: float | None) -> GateCheck:
    """Begin a check of one system's figure, to be completed with its outcome."""
    return GateCheck(
        task=system.task,
        strategy=system.strategy,
        model=system.model,
        about=about,
        figure=figure,
        outcome="not compared",
        limit=limit,
    )


def _outcome(low: float, high: float, limit: float, worse_is: int) -> Outcome:
    """Compare the interval of a change with the largest allowed change for the worse."""
    lower, upper = (low, high) if worse_is > 0 else (-high, -low)
    return "pass" if upper <= limit else "fail" if lower > limit else "inconclusive"


def _improved(low: float, high: float, worse_is: int) -> bool:
    """Whether the interval of a change lies wholly on the better side of no change."""
    return high < 0 if worse_is > 0 else low > 0


def _unmeasured_check(system: MeasuredSystem, reason: str) -> GateCheck:
    run = f"harness run {shlex.quote(system.records[0].trial.suite)} --results build/results"
    needed = f"run '{run}', and gate with --results build/results"
    fields = {"outcome": "inconclusive", "reason": reason, "needed": needed}
    return _check(system, "quality", "all", limit=None).model_copy(update=fields)


def _notes(pair: ReleasePair) -> list[str]:
    notes: list[str] = []
    if not pair.same_hardware:
        notes.append(f"{pair.candidate.name}: baseline and candidate ran on unlike hardware.")
    if not pair.same_adaptation:
        notes.append(
            f"{pair.candidate.name}: memory is not compared, for one of the two took up what an earlier trial had "
            "made, and the other made it in its own process."
        )
    trained = [record for record in pair.candidate.records if record.trained_parameters]
    if trained and len(pair.candidate.records) == 1:
        notes.append(f"{pair.candidate.name} was trained with one seed: what another would change is in no interval.")
    return notes
