"""A model that is to write its choices learns to write them as it is asked for them."""

from harness.api import Example, Query, System, Task
from harness.training.training_samples import build_samples

QUIZ = Task("quiz", "multiple_choice", "Choose.", form="plain", written=True)
MOODS = Task("moods", "classification", "Classify.", choices=("good", "bad"), form="plain", written=True)


def test_choices_are_listed_and_their_letter_or_label_is_learned(open_tiny):
    model = open_tiny()
    choices = ("by the sea", "in the storm")
    (quiz,) = build_samples(System(model, QUIZ), [Example(Query("q", "Where?", choices=choices), ("by the sea",))])
    text, answer = (model.tokenizer.decode(ids) for ids in (quiz.prompt, quiz.completion))
    letter = next(line[0] for line in text.splitlines() if line.endswith("by the sea"))
    assert answer.strip().startswith(letter)
    assert "Answer with the letter alone." in text
    (mood,) = build_samples(System(model, MOODS), [Example(Query("m", "A delight."), ("good",))])
    assert "Answer with one of: good, bad." in model.tokenizer.decode(mood.prompt)
    assert model.tokenizer.decode(mood.completion).strip().startswith("good")
