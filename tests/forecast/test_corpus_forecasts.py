"""Forecasts of what learns the corpus, and of prompts that are learned with distractors."""

from harness.api.architecture import Architecture, Linear
from harness.data.prepare import prepare
from harness.data.suite import load_suite
from harness.forecast import workload
from harness.forecast.token_lengths import task_token_lengths
from harness.plan import chain, discover
from harness.training.corpus_samples import build_passage_samples
from tests.forecast.test_forecasts import forecasts, machine, plan  # noqa: F401 - fixtures

BM25 = "retriever=bm25"
SHAPE = Architecture(
    hidden=64, layers=2, heads=4, kv_width=32, intermediate=128, vocab=384, linears=(Linear("down_proj", 128, 64),)
)


def step(text):
    (link,) = chain.build(text, discover.find_step)
    return link.step


def test_an_epoch_reads_the_tokens_of_the_corpus(tiny_suite, tiny_folders, open_tiny, tmp_path):
    task, model = prepare(load_suite(tiny_suite), "facts"), open_tiny()
    lengths = task_token_lengths(task, tiny_folders(), "tiny", tmp_path)
    footprint = step("pretrain(batch_size=4)").footprint(SHAPE)
    work = workload.corpus_workload(lengths, len(task.task_data.corpus), footprint)
    samples = build_passage_samples(model, task.task_data.corpus, 768)
    tokens = sum(sample.tokens for sample in samples)
    assert 0.9 < work.input_tokens / tokens < 1.1
    assert 0.9 < work.logit_positions / sum(len(sample.completion) for sample in samples) < 1.1


def test_more_epochs_are_expected_to_take_longer_and_full_weights_to_train_more(plan, machine):  # noqa: F811
    names = ("pretrain", "pretrain(epochs=48)")
    by_strategy = forecasts(plan(*names, tasks=("facts",)), machine[0])
    full, longer = (by_strategy["facts", name] for name in names)
    low_rank, every_weight = (step(f"pretrain(method={method})").footprint(SHAPE) for method in ("lora", "full"))
    assert 0 < low_rank.trained_parameters < every_weight.trained_parameters == SHAPE.parameters
    assert 0 < full.phases_s["adapt"] < longer.phases_s["adapt"]
    assert full.phases_s["check"] == longer.phases_s["check"] > 0
    assert full.tokens_in < longer.tokens_in


def test_distractors_make_training_longer_and_answering_no_longer(plan, machine):  # noqa: F811
    names = (f"rag(k=1,{BM25})+lora", f"rag(k=1,{BM25},distractors=4)+lora")
    by_strategy = forecasts(plan(*names, tasks=("facts",)), machine[0])
    plain, distracted = (by_strategy["facts", name] for name in names)
    assert plain.phases_s["adapt"] < distracted.phases_s["adapt"]
    assert plain.phases_s["predict"] == distracted.phases_s["predict"]
