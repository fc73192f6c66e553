"""A real trial with one thing made worse on purpose: `planted_regressions` names it in the environment."""

import os
import random
import time
from functools import wraps

FAULT = "PLANTED"
SLOWER, LEAK_BYTES, DAMAGED_SHARE = 0.3, 4 * 2**20, 0.01
_kept = []


def run_trial(planned, *, cache, emit):
    """Run a trial with the fault that is named; ``order-N`` is none, but asks the items in another order."""
    from harness import trial

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
    """Add noise to 1 % of an adapter's weights, ten times as large as they are (standard deviation)."""
    adapt = trial.adapt

    def after(*given):
        import torch

        system = adapt(*given)
        generator = torch.Generator().manual_seed(0)
        for name, weight in system.model.module.named_parameters():
            if "lora_" in name:
                hit = torch.rand(weight.shape, generator=generator) < DAMAGED_SHARE
                noise = torch.randn(weight.shape, generator=generator) * weight.detach().float().std() * 10
                with torch.no_grad():
                    weight.add_((hit * noise).to(weight.dtype))
        return system

    trial.adapt = after


class Wrong:
    """A retriever that gives each question the passages of another one."""

    def __init__(self, inner):
        self.inner = inner

    def find(self, queries):
        found = self.inner.find(queries)
        return found[1:] + found[:1] if len(found) > 1 else [()] * len(found)


def _retrieval(trial, seed):
    adapt = trial.adapt

    def after(*given):
        system = adapt(*given)
        return system.having(retriever=Wrong(system.retriever))

    trial.adapt = after


def _slow(trial, seed):
    _around_answers(lambda took_s: time.sleep(SLOWER * took_s))


def _leak(trial, seed):
    _around_answers(lambda took_s: _kept.append(bytearray(os.urandom(4096) * (LEAK_BYTES // 4096))))


def _around_answers(then):
    """Do something after each call of the model."""
    from harness.models.local import LocalModel

    for name in ("generate", "score_choices"):
        setattr(LocalModel, name, _followed(getattr(LocalModel, name), then))


def _followed(call, then):
    @wraps(call)
    def answered(*given, **named):
        began = time.perf_counter()
        found = call(*given, **named)
        then(time.perf_counter() - began)
        return found

    return answered
