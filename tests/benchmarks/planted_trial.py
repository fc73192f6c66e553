"""A real trial with one thing made worse on purpose: `planted_regressions` names it in the environment."""

import os
import random
import time
from functools import wraps

FAULT = "PLANTED"
SLOWER, LEAK_BYTES = 0.3, 4 * 2**20
DAMAGED_SHARE, DAMAGE = 0.01, 100
_kept = []


def run_trial(planned, *, cache, emit):
    """Run a trial with the fault that is named; ``order-N`` is none, but asks the items in another order."""
    from harness.trial import run_trial as trial

    name, _, seed = os.environ[FAULT].partition("-")
    {"order": _order, "damaged": _damaged, "retrieval": _retrieval, "slow": _slow, "leak": _leak}[name](trial, seed)
    return trial.run_trial(planned, cache=cache, emit=emit)


def _order(trial, seed):
    ask = trial._ask

    @wraps(ask)
    def shuffled(stage, system, examples, role):
        places = list(range(len(examples)))
        random.Random(seed).shuffle(places)
        rows = ask(stage, system, [examples[i] for i in places], role)
        return [rows[places.index(i)] for i in range(len(places))]

    trial._ask = shuffled


def _damaged(trial, seed):
    """Add noise to 1 % of an adapter's weights, a hundred times as large as they are (standard deviation).

    Ten times as large moves next to no answer of this adapter; thrice as much as here, and it guesses.
    """
    adapt = trial.adapt

    def after(*args):
        import torch

        system = adapt(*args)
        generator = torch.Generator().manual_seed(0)
        weights = [weight for name, weight in system.model.module.named_parameters() if "lora_" in name]
        if not weights:
            raise RuntimeError("this system has no adapter to damage")
        for weight in weights:
            hit = torch.rand(weight.shape, generator=generator) < DAMAGED_SHARE
            noise = torch.randn(weight.shape, generator=generator) * weight.detach().float().std() * DAMAGE
            with torch.no_grad():
                weight.add_((hit * noise).to(weight.dtype))
        return system

    trial.adapt = after


class Wrong:
    """A retriever that gives each question the passages of the question before it; to the first one, none."""

    def __init__(self, inner):
        self.inner, self.before, self.max_passages = inner, (), inner.max_passages

    def find(self, queries):
        passages = [self.before, *self.inner.find(queries)]
        self.before = passages.pop()
        return passages


def _retrieval(trial, seed):
    adapt = trial.adapt

    def after(*args):
        system = adapt(*args)
        return system.replace(retriever=Wrong(system.retriever))

    trial.adapt = after


def _slow(trial, seed):
    _around_answers(lambda took_s: time.sleep(SLOWER * took_s))


def _leak(trial, seed):
    _around_answers(lambda took_s: _kept.append(bytearray(os.urandom(4096) * (LEAK_BYTES // 4096))))


def _around_answers(then):
    """Do something after each call of the model."""
    from harness.models.local_model import LocalModel

    for name in ("generate", "score_choices"):
        setattr(LocalModel, name, _followed(getattr(LocalModel, name), then))


def _followed(call, then):
    @wraps(call)
    def answered(*args, **kwargs):
        began = time.perf_counter()
        answers = call(*args, **kwargs)
        then(time.perf_counter() - began)
        return answers

    return answered
