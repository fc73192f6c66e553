"""May a candidate follow a baseline? Non-inferiority of quality on the same items, limits for speed, memory and cost.

Each check stands on a 95 % interval, so each bound is a one-sided 2.5 %: it passes where the interval lies on the good
side of the limit, fails where it lies beyond it, and is inconclusive where the limit is inside. The whole passes only
if every check does (intersection-union test: a release that is too bad in any one way passes with 2.5 % at most,
however many checks there are); one failed check fails it.

Sources: Piaggio et al. 2012, *Reporting of noninferiority and equivalence randomized trials*; Berger 1982,
*Multiparameter hypothesis testing and acceptance sampling*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.compare.release import resource_ratios
from harness.compare.release.conclusive import items_needed, more_needed
from harness.compare.release.pairing import MeasuredSystem, Pairing, ReleasePair
from harness.compare.release.quality_change import Quality, qualities
from harness.compare.release.resource_ratios import About
from harness.compare.release.run_noise import Noise
from harness.records.measurements import StoredModel

Outcome = Literal["pass", "fail", "inconclusive", "not compared"]
_REPEATS = "'harness repeat': one run of each cannot tell a slower release from a slower hour of the machine"
"""Of the same system asked in other orders, 17 % of pairs of runs were beyond 10 % (results/reference)."""


class GateLimits(StoredModel):
    """What a release may lose.

    Attributes:
        margins: by ``task.metric``, ``task``, ``metric`` or ``""`` for all, in the metric's unit.
        slowdown, memory, cost: most that may be added, as a share; None: not checked.
        unlike_hardware: compare seconds and bytes of unlike machines too.
        required: which of `slowdown`, `memory` were asked for by name: then a refused comparison is no pass.
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
        figure: a metric's name, or one of `figures`; of: the task that it is about, if not the system's own.
        relative: whether `change`, `low`, `high` and `limit` are shares of the baseline, else in the metric's unit.
        change: candidate minus baseline; low, high: its 95 % interval, None where repeats are of unknown noise.
        limit: the most that may get worse.
        worse_is: the sign of a change for the worse.
        n: items, requests or runs; per: which of them.
        needed: what would settle it; empty unless inconclusive.
    """

    task: str
    strategy: str
    model: str
    about: About | Literal["quality"]
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


class Verdict(StoredModel):
    """All checks, and what they come to."""

    outcome: Literal["pass", "fail", "inconclusive"]
    checks: tuple[GateCheck, ...]
    notes: tuple[str, ...] = ()


def judge(pairing: Pairing, limits: GateLimits, noise: Noise) -> Verdict:
    """Check every pair of systems.

    Raises:
        HarnessError: a margin names a task or metric that there is not.
    """
    found = qualities(pairing.pairs, limits.margins)
    checks: list[GateCheck] = []
    notes: list[str] = []
    for one, own in zip(pairing.pairs, found, strict=True):
        if one.same_records:
            checks.append(_unmeasured(one.candidate, "it is the baseline's own record: nothing was measured again"))
            continue
        checks += [_quality(one, quality) for quality in own]
        checks += _figures(one, limits, noise)
        notes += _notes(one)
    checks += [_unmeasured(one, "the candidate's results have none of it") for one in pairing.missing]
    if pairing.added:
        names = ", ".join(one.name for one in pairing.added)
        notes.append(f"Not in the baseline, so not checked: {names}.")
    return Verdict(outcome=_together(checks), checks=tuple(checks), notes=tuple(dict.fromkeys(notes)))


def _together(checks: Sequence[GateCheck]) -> Literal["pass", "fail", "inconclusive"]:
    outcomes = {check.outcome for check in checks}
    if "fail" in outcomes:
        return "fail"
    return "pass" if "pass" in outcomes and "inconclusive" not in outcomes else "inconclusive"


def _quality(pair: ReleasePair, quality: Quality) -> GateCheck:
    worse_is: Literal[-1, 1] = -1 if quality.higher_is_better else 1
    of = quality.task if quality.task != pair.candidate.task else None
    check = _check(pair.candidate, "quality", quality.metric, limit=quality.margin)
    check = check.model_copy(update={"of": of, "worse_is": worse_is, "per": "item"})
    if (change := quality.change) is None:
        told = {"outcome": "inconclusive", "reason": "no item was asked of both", "needed": "the same items in both"}
        return check.model_copy(update=told)
    outcome = _outcome(change.low, change.high, quality.margin, worse_is)
    told = {
        "outcome": outcome,
        "baseline": quality.baseline,
        "candidate": quality.candidate,
        "change": change.value,
        "low": change.low,
        "high": change.high,
        "n": change.n,
        "method": change.method,
        "needed": items_needed(quality) if outcome == "inconclusive" else "",
    }
    return check.model_copy(update=told)


def _figures(pair: ReleasePair, limits: GateLimits, noise: Noise) -> list[GateCheck]:
    allowed = {"speed": limits.slowdown, "memory": limits.memory, "cost": limits.cost}
    refused = not pair.alike and not limits.unlike_hardware
    made: list[GateCheck] = []
    for ratio in resource_ratios.ratios(pair, noise):
        if (limit := allowed[ratio.about]) is None:
            continue
        check = _check(pair.candidate, ratio.about, ratio.figure, limit=limit)
        check = check.model_copy(update={"relative": True, "unit": ratio.unit})
        if refused and ratio.about != "cost":
            named = ("slowdown" if ratio.about == "speed" else "memory") in limits.required
            told = {
                "outcome": "inconclusive" if named else "not compared",
                "reason": "measured on unlike hardware; --unlike-hardware compares it all the same",
                "needed": "both on one machine" if named else "",
            }
            made.append(check.model_copy(update=told))
        else:
            made.append(check.model_copy(update=_of_ratio(ratio, limit)))
    return made


def _of_ratio(ratio: resource_ratios.ResourceRatio, limit: float) -> dict[str, object]:
    told: dict[str, object] = {
        "baseline": ratio.baseline,
        "candidate": ratio.candidate,
        "change": ratio.value - 1,
        "n": ratio.n,
        "per": ratio.per,
        "method": ratio.method,
    }
    if ratio.low is None or ratio.high is None:
        if ratio.figure == resource_ratios.ADAPTING_TIME:  # what is asked for a release is how fast it answers
            return told | {"outcome": "not compared", "reason": ratio.method}
        needed = "requests (harness run --requests 20), or repeats of both"
        return told | {"outcome": "inconclusive", "reason": ratio.method, "needed": needed}
    outcome = _outcome(ratio.low - 1, ratio.high - 1, limit, 1)
    needed = more_needed(ratio, limit) if outcome == "inconclusive" else ""
    if outcome == "fail" and not ratio.repeats_known:
        outcome, needed = "inconclusive", _REPEATS
    return told | {"low": ratio.low - 1, "high": ratio.high - 1, "outcome": outcome, "needed": needed}


def _check(system: MeasuredSystem, about: About | Literal["quality"], figure: str, limit: float | None) -> GateCheck:
    """Begin a check of one system's figure; what is found is added to it."""
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
    """Place an interval of a change against the most that may get worse."""
    least, most = (low, high) if worse_is > 0 else (-high, -low)
    return "pass" if most <= limit else "fail" if least > limit else "inconclusive"


def _unmeasured(system: MeasuredSystem, reason: str) -> GateCheck:
    needed = f"'harness run {system.records[0].trial.suite} --results NEW', and --results NEW here"
    told = {"outcome": "inconclusive", "reason": reason, "needed": needed}
    return _check(system, "quality", "all", limit=None).model_copy(update=told)


def _notes(pair: ReleasePair) -> list[str]:
    said: list[str] = []
    if not pair.alike:
        said.append(f"{pair.candidate.name}: baseline and candidate ran on unlike hardware.")
    if not pair.adapted_alike:
        said.append(
            f"{pair.candidate.name}: memory is not compared, for one of the two took up what an earlier trial had "
            "made, and the other made it in its own process."
        )
    trained = [record for record in pair.candidate.records if record.trained_parameters]
    if trained and len(pair.candidate.records) == 1:
        said.append(f"{pair.candidate.name} was trained with one seed: what another would change is in no interval.")
    return said
