"""Parses an answer from a model's output, by fixed rules, and records how.

A short answer: the first line that is not empty once whitespace, a leading ``Answer:`` and surrounding quotes are
taken off. A longer text: all of it. Labels: the first such line, if it is a label but for case, punctuation and
spacing; else the only label that the whole output mentions as a whole word. Unicode form and invisible characters do
not count either. Sets of labels: the first such line, if all of it is labels (`label_sets.read`). Of a model that
thinks first, what stands behind ``</think>`` is read. Nothing is guessed: no label or several are a failure that the
record names, and that metrics count as wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_uppercase
from typing import Any

import regex

from harness.api import Kind
from harness.metrics import label_sets
from harness.metrics.words import CHARACTER, NUMBER_MARK, WORD, fold

_THOUGHT, _THOUGHT_END = "<think>", "</think>"
_LEAD = re.compile(r"answer\s*[:\uFF1A]", re.IGNORECASE)
_LETTER = re.compile(r"[*_(\[]*(?P<letter>[A-Z])[*_)\].:]*(?:\s+(?P<text>.*))?")
_QUOTES = dict(zip("\"'`“\u2018«\u2039「『", "\"'`”\u2019»\u203a」』", strict=True))
_NOT_WORD = regex.compile(rf"(?:{NUMBER_MARK})(*SKIP)(*FAIL)|[^\p{{L}}\p{{M}}\p{{N}}\p{{S}}]+")
_SYMBOL = regex.compile(r"\p{S}+")
_PART_OF_WORD = WORD.pattern.removesuffix("+")


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
    _, end, behind = output.rpartition(_THOUGHT_END)
    if not end and output.lstrip().startswith(_THOUGHT):
        return None, "failed: the thought did not end"
    output = behind if end else output
    line = next(filter(None, map(_clean, output.splitlines())), None)
    if line is None:
        return None, "failed: empty output"
    if kind == "generation":
        return output.strip(), "whole"
    if kind == "qa":
        return line, "first_line"
    if not choices:
        return None, "failed: no choices to read the answer by"
    return label_sets.read(line, choices) if kind == "multi_label" else _label(line, output, choices)


def lettered(kind: Kind, options: Sequence[str]) -> bool:
    """Tell whether options are listed by letter: those of single items are; labels are written as they are."""
    return kind != "classification" and len(options) <= len(ascii_uppercase)


def parse_letter(output: str, options: Sequence[str]) -> tuple[str | None, str]:
    """Read which of the lettered options was chosen: a letter alone, with or without its option, else the option.

    Args:
        output: what the model wrote; the last line that chooses counts.
        options: in the order of their letters.

    Returns:
        As `parse`.
    """
    _, _, behind = output.rpartition(_THOUGHT_END)
    letters = dict(zip(ascii_uppercase, options, strict=False))
    for line in reversed(behind.splitlines()):
        match = _LETTER.fullmatch(_clean(line))
        option = letters.get(match["letter"]) if match else None
        if match and option is not None and _words_only(match["text"] or "") in ("", _words_only(option)):
            return option, "label"
    return parse("multiple_choice", output, options)


def reasoning(output: str, labels: Sequence[str]) -> str:
    """Read the reasoning of an output: all before the model answers or makes up another question.

    Args:
        output: what the model wrote.
        labels: what stands before a question and before an answer; a line that begins with one ends the reasoning.
    """
    lines: list[str] = []
    for line in output.splitlines():
        if any(fold(line.strip()).startswith(fold(f"{label}:")) for label in labels):
            break
        lines.append(line)
    return "\n".join(lines).strip()


def _label(line: str, output: str, choices: Sequence[str]) -> tuple[str | None, str]:
    matches = _equal_choices(line, choices) or mentioned_choices(output, choices)
    if len(matches) == 1:
        return matches[0], "label"
    if not matches:
        return None, "failed: no label in the output"
    return None, f"failed: {len(matches)} labels in the output"


def _equal_choices(line: str, choices: Sequence[str]) -> list[str]:
    """The choices that a line is: as written, but for case, punctuation and spacing, or also but for symbols."""
    if line in choices:
        return [line]
    words, plain_words = _words_only(line), _without_symbols(line)
    equal = [choice for choice in choices if _words_only(choice) == words]
    return equal or [choice for choice in choices if _without_symbols(choice) == plain_words]


def mentioned_choices(output: str, choices: Sequence[str]) -> list[str]:
    """The choices that occur as whole words; where one is part of another, the longer one was meant."""
    keys, pattern = _mention_pattern(tuple(choices))
    spoken = set(pattern.findall(fold(output)))
    return [choice for choice, key in zip(choices, keys, strict=True) if key in spoken]


@lru_cache(maxsize=1024)
def _mention_pattern(choices: tuple[str, ...]) -> tuple[tuple[str, ...], Any]:
    """Return the choices folded, and an expression that finds them in a folded text, the longest first."""
    folded = tuple(fold(choice.strip()) for choice in choices)
    keys = sorted(filter(None, dict.fromkeys(folded)), key=len, reverse=True)
    borders = [_borders(key) for key in keys]
    if len(set(borders)) == 1:  # many times as fast
        return folded, regex.compile(f"{borders[0][0]}(?:{'|'.join(map(regex.escape, keys))}){borders[0][1]}")
    pairs = zip(keys, borders, strict=True)
    alternatives = [f"{before}{regex.escape(key)}{after}" for key, (before, after) in pairs]
    return folded, regex.compile("|".join(alternatives) or r"(?!)")


def _borders(key: str) -> tuple[str, str]:
    """Return what must not stand before and behind a choice: the rest of a word or of a number.

    Anything may stand beside a character of a script without spaces between words.
    """
    before = "" if CHARACTER.match(key) else rf"(?<!{_PART_OF_WORD})"
    after = "" if CHARACTER.fullmatch(key[-1]) else rf"(?!{_PART_OF_WORD})"
    if key[0].isdigit():
        before += r"(?<!\d[.,]|(?<![\w)\]])-)"
    if key[-1].isdigit():
        after += r"(?![.,]\d)"
    return before, after


def _clean(line: str) -> str:
    line = line.strip()
    if lead := _LEAD.match(line):
        line = line[lead.end() :].strip()
    while len(line) >= 2 and _QUOTES.get(line[0]) == line[-1]:
        line = line[1:-1].strip()
    return line


@lru_cache(maxsize=65_536)
def _words_only(text: str) -> str:
    """Return the words, numbers and symbols of a folded text; a text of punctuation alone is unchanged."""
    folded = fold(text)
    return " ".join(_NOT_WORD.sub(" ", folded).split()) or folded.strip()


@lru_cache(maxsize=65_536)
def _without_symbols(text: str) -> str:
    words = _words_only(text)
    return " ".join(_SYMBOL.sub(" ", words).split()) or words
