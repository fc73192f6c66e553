"""The form in which questions are compared, and labels that look alike."""

import unicodedata
from collections.abc import Iterable, Iterator

import regex

from harness.metrics.words import fold, space_characters

_DASH = regex.compile(r"[\p{Pd}\u2212]")
_APOSTROPHE = regex.compile(r"[\u2018\u2019\u02BC]")
_EDGE = regex.compile(
    r"""\p{Terminal_Punctuation}+$|(?<=[\w\p{Pe}%])\p{Terminal_Punctuation}+(?=[\p{Quotation_Mark}\p{Pe}])
    |^[¡¿]+|(?<!\w)\p{Quotation_Mark}+|(?<!\p{Nd})\p{Quotation_Mark}+(?!\w)""",
    regex.VERBOSE,
)
"""Sentence marks behind a word, and quotes around it; not those within it, nor a brace of an emoticon."""


def comparison_key(text: str) -> str:
    """Return a text without case, spacing, Unicode form, sentence marks and quotes: texts with one key are the same.

    What carries meaning stays: letters with their marks, numbers, symbols and punctuation within words ("2 < 3" is not
    "2 > 3", "3.14" not "3 14", "C#" not "C"). A text of punctuation alone keeps it. Characters stand alone where a
    script has no spaces between words.
    """
    folded = fold(text)
    if not folded.isascii():
        folded = space_characters(_APOSTROPHE.sub("'", _DASH.sub("-", folded)))
    words = [word if word.isalnum() else _without_edges(word) for word in folded.split()]
    return " ".join(filter(None, words)) or " ".join(folded.split())


def alike_key(label: str) -> str:
    """Return a label without case, Unicode form, invisible characters and spacing."""
    return " ".join(fold(label).split())


def alike_labels(labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each label that looks like an earlier one, after that one."""
    first: dict[str, str] = {}
    for label in labels:
        earlier = first.setdefault(alike_key(label), label)
        if earlier != label:
            yield earlier, label


def difference(first: str, second: str) -> str:
    """Name how two labels with one `alike_key` differ."""
    if first.casefold() == second.casefold():
        return "case"
    if unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second):
        return "Unicode form (NFC and NFD)"
    if fold(first) == fold(second):
        return "case, Unicode form or invisible characters"
    return "spacing, case or Unicode form"


def _without_edges(word: str) -> str:
    previous = ""
    while previous != word:  # a mark before a quote before a mark
        previous, word = word, _EDGE.sub("", word)
    return word
