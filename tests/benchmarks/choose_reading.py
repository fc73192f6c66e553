"""Raw against calibrated reading of scored labels, on validation splits: what `label_calibration.CALIBRATED` rests on.

``python -m tests.benchmarks.choose_reading --out FILE`` goes through the built-in suites with a
classification. A finished system is a line of FILE, and is not made again; the last line printed is the difference.
No test item is asked. The prior for one half of the validation items is measured on the other half, so that no item has
a part in its own reading.
"""

import argparse
import json
import random
import tempfile
from pathlib import Path
from statistics import fmean

from harness.api import System
from harness.data import builtin_suites, cache
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.metrics import Items, get
from harness.models import registry
from harness.plan import chain
from harness.plan.discover import find_step
from harness.predict.answering import most_likely, predict
from harness.predict.label_calibration import calibration_of
from harness.predict.prediction_rows import build_rows
from harness.trial.adaptation import adapt, seed_everything
from harness.trial.recorder import Recorder

STRATEGIES = ("zero_shot", "few_shot", "lora")
SEEDS = (0, 1, 2)
RESAMPLES = 10_000


def main(arguments=None):
    """Measure what is missing in the file, and print what it shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines; finished ones are kept")
    parser.add_argument("--suite", nargs="*", default=sorted(builtin_suites.folders()))
    parser.add_argument("--strategy", nargs="*", default=STRATEGIES)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--seeds", nargs="*", type=int, default=SEEDS)
    options = parser.parse_args(arguments)
    finished = read(options.out)
    for suite_name in options.suite:
        suite = load_suite(suite_name)
        for task in (task for task in suite.targets if task.kind == "classification"):
            for strategy in options.strategy:
                links = chain.build(strategy, find_step)
                seeds = options.seeds if any(link.step.random for link in links) else options.seeds[:1]
                for seed in seeds:
                    key = [suite.name, task.name, strategy, options.model, seed]
                    if key in [line["key"] for line in finished]:
                        continue
                    line = {"key": key, **measure(prepare(suite, task.name), links, options.model, seed)}
                    finished.append(line)
                    with options.out.open("a", encoding="utf-8") as out:
                        out.write(json.dumps(line) + "\n")
    for text in summary(finished):
        print(text)  # noqa: T201 - a script


def read(file):
    """Return the finished lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def measure(prepared, links, reference, seed):
    """Adapt on the training split and score the validation split by both readings, on the task's first metric."""
    data = prepared.task_data
    seed_everything(seed)
    with tempfile.TemporaryDirectory() as scratch:
        recorder = Recorder(Path(scratch), lambda event: None, seed, within="choose_reading")
        model = registry.open_model(reference, cache.root())
        system = adapt(recorder, System(model, data.task), chain.resolved(links), [data], prepared.test)
        predictions = predict(system, [example.query for example in data.validation])
    answers = {"raw": [prediction.answer for prediction in predictions], "calibrated": cross_read(predictions, data)}
    return {"metric": data.metrics[0], "items": len(predictions), **score(data, predictions, answers)}


def cross_read(predictions, data):
    """Read each half of the predictions with the prior of the other half."""
    answers = [None] * len(predictions)
    for half in (0, 1):
        others = [prediction.raw.choice_scores for prediction in predictions[1 - half :: 2]]
        labels = [example.references[0] for example in data.validation[1 - half :: 2]]
        shift = calibration_of(others, data.train, data.task, labels).shift
        answers[half::2] = [
            most_likely(prediction.raw.choice_scores, data.task.choices, data.task, shift)
            for prediction in predictions[half::2]
        ]
    return answers


def score(data, predictions, answers):
    """Return the score by each reading, and accuracy item by item."""
    rows = build_rows(data.task, data.validation, predictions)
    items = Items.from_rows(rows, data.task.choices)
    metric = get(data.metrics[0])
    hits = {
        reading: [int(answer in row.references) for answer, row in zip(given, rows, strict=True)]
        for reading, given in answers.items()
    }
    return {
        **{reading: metric.value(items.with_answers(given)) for reading, given in answers.items()},
        "hits": hits,
    }


def summary(lines):
    """Say both scores of each system, and the mean difference over tasks with its 95 % interval (tasks resampled)."""
    yield from (
        f"{' '.join(map(str, line['key']))}: raw {line['raw']:.3f}, calibrated {line['calibrated']:.3f}"
        f" ({line['metric']})"
        for line in lines
    )
    by_task = {}
    for line in lines:
        by_task.setdefault(tuple(line["key"][:2]), []).append(line["calibrated"] - line["raw"])
    means = [fmean(differences) for differences in by_task.values()]
    generator = random.Random(0)
    resampled = sorted(fmean(generator.choices(means, k=len(means))) for _ in range(RESAMPLES)) if means else [0.0]
    low, high = (resampled[min(len(resampled) - 1, int(share * len(resampled)))] for share in (0.025, 0.975))
    if means:
        yield f"calibrated minus raw over {len(means)} tasks: {fmean(means):+.3f} [{low:+.3f}, {high:+.3f}]"


if __name__ == "__main__":
    main()
