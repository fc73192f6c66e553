"""Scoring choices against lm-eval on the same items, model, dtype and texts: pytest --benchmark-only, extra `peers`."""

from dataclasses import dataclass, replace

import pytest
import side_by_side

from harness.api import Prompt
from harness.prompts.layout import render_prompt

pytest.importorskip("lm_eval", reason="pip install -c constraints.txt -e '.[test,peers]'")

PAIRS, SHOTS, TARGET = 3, 8, 10
BATCHES = (1, 8, 16, 32)
"""Batch sizes that lm-eval may choose from: it gets the one that is fastest here."""
SETS = {"four choices": (40, 4), "thirty choices": (6, 30)}
results = {}


@dataclass(frozen=True)
class Workload:
    """Items as both sides are asked them."""

    prompts: list[Prompt]
    choices: list[tuple[str, ...]]
    right: list[int]


@pytest.fixture(scope="module")
def model():
    return side_by_side.fresh_model()


@pytest.fixture(scope="module")
def knowledge():
    """ARC-Easy: test items and exemplars."""
    return side_by_side.quickstart("knowledge", test=40 + SHOTS)


def build_workload(knowledge, items, width):
    """Take the first items with an 8-shot prefix of others; more choices than an item has come from its neighbours."""
    tests, shots = knowledge.test[:-SHOTS], knowledge.test[-SHOTS:]
    examples = tests[:items]
    exemplars = tuple((e.query.input, e.references[0]) for e in shots)
    prompts = [Prompt(knowledge.task_data.task, e.query.input, exemplars) for e in examples]
    pool = [choice for e in tests for choice in e.query.choices]
    choices = [tuple(dict.fromkeys([*e.query.choices, *pool]))[:width] for e in examples]
    right = [options.index(e.references[0]) for options, e in zip(choices, examples, strict=True)]
    return Workload(prompts, choices, right)


class Peer:
    """lm-eval's own model class around the same module and tokenizer."""

    def __init__(self, model, batch_size):
        import torch
        from lm_eval.models.huggingface import HFLM

        self.model = model
        device = str(model.module.device)
        self.lm = HFLM(
            pretrained=model.module,
            tokenizer=model.tokenizer,
            backend="causal",
            device=device,
            batch_size=batch_size,
            max_length=model.info.context_tokens,
            softmax_dtype=torch.float32,  # as here, so that scores can be compared
        )

    def __call__(self, workload):
        from lm_eval.api.instance import Instance

        texts = [render_prompt(prompt, self.model.tokenizer, max_tokens=None).text for prompt in workload.prompts]
        pairs = [
            (text, f" {choice}") for text, options in zip(texts, workload.choices, strict=True) for choice in options
        ]
        requests = [Instance("loglikelihood", {}, arguments=pair, idx=i) for i, pair in enumerate(pairs)]
        scores = iter(self.lm.loglikelihood(requests, disable_tqdm=True))
        return [[next(scores)[0] for _ in options] for options in workload.choices]


def accuracy(scores, workload):
    """Count the items whose likeliest choice is the right one."""
    return sum(max(range(len(s)), key=s.__getitem__) == r for s, r in zip(scores, workload.right, strict=True))


@pytest.mark.parametrize("name", SETS)
def test_choices_are_scored_ten_times_as_fast_as_by_lm_eval(benchmark, model, knowledge, name):
    workload = build_workload(knowledge, *SETS[name])
    pilot = max(1, 32 // SETS[name][1])
    few = replace(
        workload, prompts=workload.prompts[:pilot], choices=workload.choices[:pilot], right=workload.right[:pilot]
    )
    pilots = {size: side_by_side.timed(lambda size=size: Peer(model, size)(few))[1] for size in BATCHES}
    peer = Peer(model, min(pilots, key=pilots.__getitem__))
    pairs, scores = side_by_side.Pairs(), {}

    def ask_peer():
        scores["peer"], seconds = side_by_side.timed(lambda: peer(workload))
        pairs.peer_s.append(seconds)

    def ask_ours():
        answers, seconds = side_by_side.timed(lambda: model.score_choices(workload.prompts, workload.choices))
        scores["ours"] = [answer.choice_scores for answer in answers]
        pairs.ours_s.append(seconds)

    model.score_choices(few.prompts, few.choices)
    benchmark.pedantic(ask_ours, setup=ask_peer, rounds=PAIRS, iterations=1)
    figures = pairs.summary() | {
        "items": len(workload.prompts),
        "choices": sum(map(len, workload.choices)),
        "shots": SHOTS,
        "prompt_tokens": sum(
            len(model.encode(render_prompt(p, model.tokenizer, max_tokens=None).text)) for p in workload.prompts
        ),
        "peer_batch_size": peer.lm.batch_size,
        "peer_pilot_s": {str(size): round(seconds, 3) for size, seconds in pilots.items()},
        "right_ours": accuracy(scores["ours"], workload),
        "right_peer": accuracy(scores["peer"], workload),
        "largest_difference_nats": round(
            max(
                abs(a - b)
                for s, t in zip(scores["ours"], scores["peer"], strict=True)
                for a, b in zip(s, t, strict=True)
            ),
            3,
        ),
        "dtype": model.info.dtype,
    }
    benchmark.extra_info.update(figures)
    results[name] = figures
    side_by_side.write("choices", {"peer": "lm-eval", "sets": results}, ["lm-eval"])
    assert abs(figures["right_ours"] - figures["right_peer"]) <= 1
    assert figures["ratio"] >= TARGET, figures
