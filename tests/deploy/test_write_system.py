"""A deployed system is loaded by other libraries and gives the measured answers."""

import json
import shutil

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.deploy.write_system import deploy
from harness.errors import HarnessError
from harness.plan.config import RunConfig
from harness.plan.planner import make_plan
from harness.trial.run_trial import run_trial


@pytest.fixture
def trial(tiny_suite, tiny_folders, tiny_embedder, tmp_path):
    """Run a strategy on a task of the tiny suite; return its record, its rows, and what deploys it."""

    def call(strategy, task, model=None):
        text = strategy.replace("rag", f"rag(k=2,embedder={str(tiny_embedder)!r})")
        config = RunConfig(
            suite=str(tiny_suite),
            models=(str(model or tiny_folders()),),
            tasks=(task,),
            strategies=(text,),
            check_items=0,
        )
        record, rows = run_trial(make_plan(config).trials[0], cache=tmp_path / "cache", emit=lambda event: None)

        def to(folder="out", **options):
            return deploy(record, rows, tmp_path / folder, tmp_path / "cache", suite=str(tiny_suite), **options)

        return record, rows, to

    return call


def samples(folder):
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def scores(model, tokenizer, sample):
    """Give the log-likelihood of each choice and its end as transformers alone computes it, nats."""
    prompt = tokenizer(sample["prompt"], add_special_tokens=False)["input_ids"]
    log_likelihoods = []
    for text in sample["continuations"]:
        token_ids = prompt + tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([token_ids])).logits[0].float().log_softmax(-1)
        end = float(logits[-1, sample["end_ids"]].logsumexp(-1))
        log_likelihoods.append(
            end + sum(float(logits[i - 1, token_ids[i]]) for i in range(len(prompt), len(token_ids)))
        )
    return log_likelihoods


@pytest.mark.parametrize("strategy", ["few_shot(k=2)", "lora(epochs=1,rank=4)", "qlora(epochs=1,rank=4)"])
def test_transformers_alone_gives_the_measured_answers(trial, strategy):
    _, _, to = trial(strategy, "moods")
    deployed = to()
    assert deployed.samples == 8
    assert deployed.reproduced >= 7  # merging in 16 bits rounds
    model = AutoModelForCausalLM.from_pretrained(deployed.folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(deployed.folder / "model")
    for sample in samples(deployed.folder):
        assert scores(model, tokenizer, sample) == pytest.approx(sample["choice_scores_nats"], abs=0.15)


def test_an_adapter_alone_is_loaded_onto_its_base_model(trial):
    record, _, to = trial("lora(epochs=1,rank=4)", "moods")
    deployed = to(adapter=True)
    assert deployed.adapter
    assert deployed.reproduced == deployed.samples
    base = AutoModelForCausalLM.from_pretrained(record.model.name)
    model = PeftModel.from_pretrained(base, deployed.folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(deployed.folder / "model")
    for sample in samples(deployed.folder)[:3]:
        assert scores(model, tokenizer, sample) == pytest.approx(sample["choice_scores_nats"], abs=0.15)


def test_generated_answers_are_given_again_and_the_passages_go_along(trial):
    record, rows, to = trial("rag", "facts")
    deployed = to(scores=["token F1 0.10 [0.05, 0.15], 8 items"])
    assert deployed.reproduced == deployed.samples == 8
    passages = [json.loads(line) for line in (deployed.folder / "index" / "passages.jsonl").read_text().splitlines()]
    assert len(passages) == 24
    prompt = json.loads((deployed.folder / "prompt.json").read_text())
    assert prompt["passages_per_question"] == 2
    assert prompt["instruction"].startswith("Answer the question with a short phrase.")
    card = (deployed.folder / "README.md").read_text()
    assert "token F1 0.10 [0.05, 0.15], 8 items" in card
    assert record.trial.key[:16] in card
    model = AutoModelForCausalLM.from_pretrained(deployed.folder / "model", dtype=torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(deployed.folder / "model")
    sample = samples(deployed.folder)[0]
    tokens = tokenizer(sample["prompt"], add_special_tokens=False, return_tensors="pt")
    generated = model.generate(**tokens, do_sample=False, max_new_tokens=4)[0, tokens["input_ids"].shape[1] :]
    assert tokenizer.decode(generated, skip_special_tokens=True).startswith(rows[0].output[:3])


def test_what_no_other_library_loads_is_refused(trial):
    _, _, to = trial("adapter(epochs=1)", "moods")
    with pytest.raises(HarnessError, match="no other library loads"):
        to()


def test_a_folder_in_use_is_left_alone(trial, tmp_path):
    _, _, to = trial("zero_shot", "moods")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    with pytest.raises(HarnessError, match="not empty"):
        to()
    assert (tmp_path / "out" / "mine").read_text() == "keep"


def test_changed_data_are_noticed(trial, tiny_suite):
    _, _, to = trial("zero_shot", "moods")
    data = tiny_suite / "moods.csv"
    before = data.read_text()
    data.write_text(before.replace("awful", "dreadful"))
    try:
        with pytest.raises(HarnessError, match="have changed"):
            to()
    finally:
        data.write_text(before)


def test_a_model_with_another_tokenizer_than_the_measured_one_is_not_deployed(trial, tiny_folders, tmp_path):
    model = shutil.copytree(tiny_folders(), tmp_path / "model")
    _, _, to = trial("zero_shot", "moods", model)
    file = model / "chat_template.jinja"
    file.write_text(file.read_text().replace("<|{{ m['role'] }}|>", "{{ m['role'] }}: "))
    with pytest.raises(HarnessError, match=r"tokenizer or chat template .* are no longer those of the record"):
        to()
    assert not (tmp_path / "out").exists()
