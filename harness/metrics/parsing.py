"""Parses an answer from a model's output, by fixed rules, and records how.

A short answer: the first line that is not empty once whitespace, a leading ``Answer:`` and surrounding quotes are
taken off. A longer text: all of it. Labels: the first such line, if it is a label but for case, punctuation and
spacing; else the only label that the whole output mentions as a whole word. Nothing is guessed: no label or several
are a failure that the record names, and that metrics count as wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.api import Kind

_LEAD = re.compile(r"answer\s*:", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "\u2018": "\u2019", "«": "»"}
_NOT_WORD = re.compile(r"[\W_]+")


def parse(kind: Kind, output: str, choices: Sequence[str] = ()) -> tuple[str | None, str]:
    """Read the answer from a generated output.

    Args:
        kind: of the task: `qa` is read as one line and `generation` as a whole, the others as one of the choices.
        output: what the model wrote.
        choices: the labels of the task, or the choices of this item.

    Returns:
        The answer, exactly as the choice is written, or None; and how it was read: ``first_line``, ``whole``,
        ``label`` or ``failed: REASON``.
    """
    line = next(filter(None, map(_clean, output.splitlines())), None)
    if line is None:
        return None, "failed: empty output"
    if kind == "generation":
        return output.strip(), "whole"
    if kind == "qa":
        return line, "first_line"
    if not choices:
        return None, "failed: no choices to read the answer by"
    return _label(line, output, choices)


def reasoning(output: str, labels: Sequence[str]) -> str:
    """Read the reasoning of an output: all before the model answers or makes up another question.

    Args:
        output: what the model wrote.
        labels: what stands before a question and before an answer; a line that begins with one ends the reasoning.
    """
    lines: list[str] = []
    for line in output.splitlines():
        if any(line.strip().casefold().startswith(f"{label}:".casefold()) for label in labels):
            break
        lines.append(line)
    return "\n".join(lines).strip()


def _label(line: str, output: str, choices: Sequence[str]) -> tuple[str | None, str]:
    spoken = _words_only(line)
    exact = [choice for choice in choices if choice == line] or [c for c in choices if _words_only(c) == spoken]
    matches = exact or mentioned_choices(output, choices)
    if len(matches) == 1:
        return matches[0], "label"
    if not matches:
        return None, "failed: no label in the output"
    return None, f"failed: {len(matches)} labels in the output"


def mentioned_choices(output: str, choices: Sequence[str]) -> list[str]:
    """The choices that occur as whole words; where one is part of another, the longer one was meant."""
    longest_first = sorted((c for c in choices if c.strip()), key=len, reverse=True)
    if not longest_first:
        return []
    options = "|".join(re.escape(choice.strip()) for choice in longest_first)
    spoken = {match.casefold() for match in re.findall(rf"(?<!\w)(?:{options})(?!\w)", output, re.IGNORECASE)}
    return [choice for choice in choices if choice.strip().casefold() in spoken]


def _clean(line: str) -> str:
    line = line.strip()
    if lead := _LEAD.match(line):
        line = line[lead.end() :].strip()
    while len(line) >= 2 and _QUOTES.get(line[0]) == line[-1]:
        line = line[1:-1].strip()
    return line


def _words_only(text: str) -> str:
    """Return the words of a text, case-folded; a text without a word (``+``) is unchanged."""
    return _NOT_WORD.sub(" ", text).strip().casefold() or text.strip()
