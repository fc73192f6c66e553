"""Real trials against a real gate: quickstart measured again, in many orders, and with one thing made worse each time.

    python tests/benchmarks/planted_regressions.py FOLDER

About 13 minutes on two quiet cores; what is finished in FOLDER is not run again. Prints what the gate said of each,
and writes ``FOLDER/planted.json`` (also into $HARNESS_BENCHMARKS, if that names a folder).
"""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

from harness.compare.release.gate import GateLimits, judge
from harness.compare.release.pairing import group_systems, pair_systems, read_measured
from harness.compare.release.repeats import measure_noise
from harness.compare.release.run_noise import Noise
from harness.compare.stats.intervals import wilson
from harness.data import cache
from harness.execute.local_executor import Runner, execute
from harness.measure.environment import current_environment
from harness.plan.config import load_config
from harness.plan.planner import make_plan
from harness.store.baselines import find_baseline, is_baseline, set_baseline
from harness.store.results_store import Store
from harness.store.trial_lookup import find_trials

HERE = Path(__file__).parent
SUITE, BASE = "quickstart", "base"
ORDERS, REPEATS = 21, 5
"""Runs of which every two are compared (210 comparisons), and others that the noise of the machine is learnt from."""
GOOD_PROMPT = "prompt(instruction='What does the writer of this review feel?')"  # quoted as records have it
WORSE_PROMPT = "prompt(instruction='Classify the sentiment of the review as positive or negative.')"
"""In the words of the suite, which this model does a fifth worse with than with a plain question."""
LORA = {"strategies": ["lora"], "tasks": ["sentiment"]}
RAG = {"strategies": ["lora+rag(k=1)"], "tasks": ["questions"]}  # untuned, it would have little to lose
PLAIN = {"strategies": ["zero_shot"], "tasks": ["sentiment"]}
PROMPT = {"strategies": [GOOD_PROMPT], "tasks": ["sentiment"]}
CASES = {
    "again": ("order-0", [LORA, RAG, PLAIN]),
    "damaged adapter": ("damaged", [LORA]),
    "prompt changed": ("order-0", [{**PROMPT, "strategies": [WORSE_PROMPT]}]),
    "retrieval broken": ("retrieval", [RAG]),
    "generation slowed": ("slow", [RAG]),
    "memory leaked": ("leak", [PLAIN]),
}


def main(folder):
    """Run what is missing and say what the gate finds."""
    sys.path.insert(0, str(HERE))
    measure(folder / BASE, "order-0", [LORA, RAG, PLAIN, PROMPT])
    store = Store(folder / BASE)
    if not is_baseline(BASE, [folder / BASE]):
        set_baseline(store, BASE, find_trials(store, SUITE))
    base = group_systems(read_measured(find_baseline(BASE, [folder / BASE]).trials))
    planted = {}
    for name, (fault, runs) in CASES.items():
        measure(folder / name.replace(" ", "-"), fault, runs)
        candidate = group_systems(read_measured(Store(folder / name.replace(" ", "-")).load(SUITE)))
        planted[name] = summarise(judge(paired(base, candidate), GateLimits(), Noise()))
        message = planted[name]["not passed"] or "every check passed"
        sys.stdout.write(f"{name}: {planted[name]['outcome']}; {message}\n")
    result = {"planted": planted, "same system in other orders": orders(folder)}
    command = f"python tests/benchmarks/{Path(__file__).name} FOLDER"
    text = json.dumps({**result, "environment": current_environment(command).model_dump()}, indent=2) + "\n"
    for target in filter(None, [str(folder), os.environ.get("HARNESS_BENCHMARKS")]):
        Path(target, "planted.json").write_text(text, encoding="utf-8")
    sys.stdout.write(json.dumps(result["same system in other orders"], indent=2) + "\n")


def orders(folder):
    """Ask one system the same items in many orders, and judge every two of these runs."""
    names = [f"order-{n}" for n in range(ORDERS + REPEATS)]
    for name in names:
        measure(folder / "orders" / name, name, [PLAIN])
    runs = [read_measured(Store(folder / "orders" / name).load(SUITE)) for name in names]
    releases = [group_systems(run) for run in runs[:ORDERS]]
    return {
        "noise not known": compared(releases, Noise()),
        f"noise of {REPEATS} other repeats known": compared(releases, measure_noise(runs[ORDERS:], Noise())),
    }


def compared(runs, noise):
    """Judge every two runs, and count how often the gate fails."""
    verdicts = [judge(pair_systems(first, other), GateLimits(), noise) for first, other in combinations(runs, 2)]
    counted = Counter(verdict.outcome for verdict in verdicts)
    checks = {about: Counter() for about in ("quality", "speed", "memory", "cost")}
    for check in (check for verdict in verdicts for check in verdict.checks):
        checks[check.about][check.outcome] += 1
    return {
        "comparisons": len(verdicts),
        "outcomes": dict(counted),
        "checks": {about: dict(outcomes) for about, outcomes in checks.items()},
        "share failed": counted["fail"] / len(verdicts),
        "interval if they were independent": wilson(counted["fail"], len(verdicts)),
    }


def measure(results, fault, runs):
    """Run trials with a fault, in a process of its own: the server that forks trials takes its environment with it."""
    request = json.dumps({"results": str(results), "runs": runs})
    variables = {
        **os.environ,
        "PLANTED": fault,
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
    }
    subprocess.run([sys.executable, __file__, "--trials", request], check=True, env=variables)


def trials(request):
    """Run what is missing of the trials; called in a process of its own."""
    runner = Runner(function="planted_trial:run_trial")
    store = Store(Path(request["results"]))
    for run in request["runs"]:
        config = load_config({**run, "suite": SUITE, "results": store.root})
        plan = make_plan(config.model_copy(update={"check_items": 0, "seen_items": 0}))
        execution = execute(plan.trials, store, cache=cache.root(), observe=lambda event: None, runner=runner)
        if execution.failed:
            raise SystemExit(f"a trial of {run} failed: see {store.root}")


def paired(base, candidate):
    """Pair each candidate with the baseline's system on its task; systems without a candidate are left out."""
    names = {(system.task, system.strategy) for system in candidate}
    baseline = [system for system in base if (system.task, system.strategy) in names]
    if baseline or len(candidate) > 1:
        return pair_systems(baseline, candidate)
    return pair_systems(base, candidate, [candidate[0].strategy], GOOD_PROMPT)


def summarise(verdict):
    """Give what a verdict comes to, and every check that did not pass."""
    open_or_failed = {
        f"{check.task} {check.strategy} {check.figure}": [check.outcome, check.change, check.low, check.high]
        for check in verdict.checks
        if check.outcome in {"fail", "inconclusive"}
    }
    return {"outcome": verdict.outcome, "not passed": open_or_failed, "checks": len(verdict.checks)}


if __name__ == "__main__":
    if sys.argv[1] == "--trials":
        trials(json.loads(sys.argv[2]))
    else:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        main(Path(sys.argv[1]))
