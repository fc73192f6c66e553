"""Trial keys of protocol 2 stay: finished trials are found again after modules are moved or renamed."""

import json
from pathlib import Path

import pytest

from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from tests.stub_model import save_stub

KEYS = json.loads(Path(__file__).with_name("trial_keys.json").read_text())
"""On the suite of `tests/conftest.py` and a stub of a model; they may change with `PROTOCOL_VERSION` only."""
STRATEGIES = {
    "usual": (
        "zero_shot few_shot few_shot(k=4,choose=random) majority chain_of_thought self_consistency(n=3) "
        "optimised(candidates=2) rag(k=1,retriever=bm25) full frozen lora lora(rank=4,epochs=1) qlora adapter "
        "prompt_tuning ia3 peft(method=vera) lora+dpo lora+rlhf lora(task=all) lora(task=moods)+lora(task=facts) "
        "lora+rag(k=1,retriever=bm25)"
    ),
}
OPTIONS = {
    "usual": {},
    "sizes and seeds": {"train_sizes": (4, 8), "seeds": (0, 1)},
    "options": {"requests": 4, "check_items": 3, "seen_items": 5, "arrival_rate": 2.0},
    "budget": {"budget": "6"},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_keys_are_those_of_before(options, tiny_suite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a model's name is part of a key, as it was written
    save_stub(tmp_path / "model")
    strategies = tuple(STRATEGIES.get(options, "zero_shot lora").split())
    config = RunConfig(suite=str(tiny_suite), models=("./model",), strategies=strategies, **OPTIONS[options])
    keys = {
        f"{planned.trial.task} {planned.trial.strategy} s{planned.trial.seed} n{planned.trial.train_items}": (
            planned.trial.key
        )
        for planned in make_plan(config).trials
    }
    assert keys == KEYS[options]
