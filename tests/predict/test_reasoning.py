"""A system that reasons is asked twice, and by several samples the majority decides; what it took is counted."""

from dataclasses import dataclass, field, replace

import pytest

from harness.api import Answer, Exemplars, Prompt, Query, Reasoning, Sampling, System, Task
from harness.predict.answering import predict
from harness.predict.prediction_rows import count_tokens

LABELS = ("good", "bad")
TASK = Task("t", "classification", choices=LABELS)
HOW = Reasoning("Let's think.", 6, samples=3, sampling=Sampling(seed=4))


@dataclass
class Scripted:
    """A model with one scripted reasoning a sample, which scores by the reasoning's last word."""

    thoughts: tuple[str, ...]
    scores: dict[str, tuple[float, float]]
    prompts: list[Prompt] = field(default_factory=list)
    samplings: list = field(default_factory=list)

    def generate(self, prompts, *, max_new_tokens, one_line, sampling=None, progress=None):
        thought = self.thoughts[len(self.samplings) % len(self.thoughts)]
        self.samplings.append(sampling)
        self.prompts += prompts
        return [Answer(p.question, thought, prompt_tokens=10, output_tokens=4) for p in prompts]

    def score_choices(self, prompts, choices, *, progress=None):
        self.prompts += prompts
        return [
            Answer(p.question, "", self.scores[p.reasoning.split()[-1]], prompt_tokens=20, output_tokens=2)
            for p in prompts
        ]


def test_the_answer_is_asked_for_behind_the_reasoning():
    model = Scripted(("It shines.\nAnswer: bad",), {"shines.": (-1.0, -2.0)})
    (prediction,) = predict(System(model, TASK, reasoning=replace(HOW, samples=1)), [Query("1", "How is it?")])
    assert [(p.reasoning, p.thinking) for p in model.prompts] == [
        ("Let's think.", True),
        ("Let's think. It shines.", False),
    ]
    assert prediction.answer == "good"
    assert prediction.raw.reasoning == ("Let's think. It shines.",)
    assert prediction.raw.votes == ()
    assert (prediction.raw.prompt_tokens, prediction.raw.output_tokens, prediction.raw.reasoning_tokens) == (30, 6, 4)
    assert count_tokens([prediction]) == {"tokens_in": 32, "tokens_out": 4}


def test_most_votes_win_and_every_sample_is_paid_for():
    model = Scripted(("dull", "fine", "dull"), {"dull": (-2.0, -1.0), "fine": (-0.1, -5.0)})
    (prediction,) = predict(System(model, TASK, reasoning=HOW), [Query("1", "How is it?")])
    assert prediction.raw.votes == ("bad", "good", "bad")
    assert prediction.answer == "bad"
    assert prediction.raw.choice_scores == (-2.0, -1.0)
    assert prediction.prompt.reasoning.endswith("dull")
    assert (prediction.raw.prompt_tokens, prediction.raw.output_tokens, prediction.raw.reasoning_tokens) == (90, 18, 12)
    assert len({sampling.seed for sampling in model.samplings}) == 3


def test_of_as_many_votes_the_likelier_answer_wins():
    model = Scripted(("dull", "fine"), {"dull": (-2.0, -1.0), "fine": (-0.1, -5.0)})
    (prediction,) = predict(System(model, TASK, reasoning=replace(HOW, samples=2)), [Query("1", "How is it?")])
    assert prediction.answer == "good"


def test_progress_runs_once_over_all_samples(open_tiny):
    reports = []
    system = System(open_tiny(), TASK, reasoning=HOW)
    predict(
        system, [Query(str(n), f"How is {n}?") for n in range(4)], lambda count, total: reports.append((count, total))
    )
    assert [count for count, _ in reports] == sorted(count for count, _ in reports)
    assert reports[-1] == (12, 12)


@pytest.mark.parametrize("kind", ["classification", "multiple_choice", "qa", "generation"])
@pytest.mark.parametrize("samples", [1, 3])
def test_every_kind_of_task_can_be_reasoned_about(open_tiny, kind, samples):
    task = Task("t", kind, choices=LABELS if kind == "classification" else (), max_new_tokens=4)
    query_choices = ("the harbour", "a storm") if kind == "multiple_choice" else ()
    queries = [Query(str(n), f"Is film {n} good?", query_choices) for n in range(5)]
    system = System(open_tiny(), task, reasoning=replace(HOW, samples=samples))
    predictions = predict(system, queries)
    assert [prediction.query for prediction in predictions] == queries
    for reasoned in predictions:
        assert len(reasoned.raw.reasoning) == samples
        assert all(text.startswith("Let's think.") for text in reasoned.raw.reasoning)
        assert reasoned.prompt.reasoning in reasoned.raw.reasoning
        assert reasoned.raw.reasoning_tokens <= 6 * samples
        assert len(reasoned.raw.votes) == (samples if samples > 1 else 0)
    assert predict(system, queries[3:4])[0].raw.reasoning == predictions[3].raw.reasoning


def test_exemplars_are_picked_for_all_queries_at_once():
    class Counting(Exemplars):
        calls = 0

        def pick(self, queries):
            self.calls += 1
            return [()] * len(queries)

    exemplars = Counting()
    assert len(System(None, TASK, exemplars).prompts([Query(str(n), "x") for n in range(6)])) == 6
    assert exemplars.calls == 1
