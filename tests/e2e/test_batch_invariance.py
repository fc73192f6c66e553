"""On the real model in 32 bits, an answer does not depend on what else is computed with it."""

from dataclasses import replace

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def model(fetched):
    import torch

    from harness.api import ModelInfo
    from harness.data.locate import locate
    from harness.models.loading import open_model

    folder = locate("smollm2-135m-instruct").path
    return open_model(folder, ModelInfo(name="smollm2-135m-instruct"), fetched, dtype=torch.float32)


def predict(model, task, count):
    from harness.api import System
    from harness.data.prepare import prepare
    from harness.data.suite import load_suite
    from harness.predict.answering import predict

    prepared = prepare(load_suite("quickstart"), task, limits={"test": count, "train": 8, "validation": 1})
    system = System(model, replace(prepared.task_data.task, max_new_tokens=10))
    return predict(system, [example.query for example in prepared.test])


def test_scored_labels_agree_between_small_and_large_rows(model):
    small, large = (predict(replace(model, row_tokens=tokens), "sentiment", 60) for tokens in (64, 2048))
    same = sum(a.answer == b.answer for a, b in zip(small, large, strict=True))
    assert same / len(small) >= 0.995
    for a, b in zip(small, large, strict=True):
        assert a.raw.choice_scores == pytest.approx(b.raw.choice_scores, abs=1e-3)


def test_generated_answers_agree_between_one_and_many_rows(model):
    single, batched = (predict(replace(model, decode_rows=rows), "questions", 24) for rows in (1, 32))
    same = sum(a.raw.output == b.raw.output for a, b in zip(single, batched, strict=True))
    assert same / len(single) >= 0.995
    assert len({prediction.raw.output for prediction in single}) > 12
