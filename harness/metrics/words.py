"""Words and numbers of a text in any script: the forms in which texts are compared, scored and indexed.

A word is a run of letters, combining marks and digits. Scripts without spaces between words (Han, Hiragana, Katakana,
Thai, Lao, Khmer, Myanmar) have no words that can be told without a dictionary: there each character counts as one, with
its marks, as in the evaluation of MLQA (Lewis et al. 2020, arXiv:1910.07475).
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import regex

_SCRIPTS = "".join(rf"\p{{scx={name}}}" for name in ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"))
LETTER = rf"[[{_SCRIPTS}]&&[\p{{L}}\p{{Nl}}]]"
"""Set of letters of scripts without spaces between words, for regular expressions of version 1."""
CHARACTER = regex.compile(rf"(?V1){LETTER}\p{{M}}*")
"""A character, with its marks, of a script without spaces between words."""
WORD = regex.compile(r"[\p{L}\p{M}\p{N}_]+")
_ASCII_WORD = re.compile(r"\w+")
_CHARACTER_RUN = regex.compile(rf"(?V1)(?:{LETTER}\p{{M}}*)+")
_LETTER_OR_SYMBOL = regex.compile(r"[\p{L}\p{N}\p{S}]")
_INVISIBLE = regex.compile(
    r"(?V1)[\p{Default_Ignorable_Code_Point}--[\u200D\U000E0020-\U000E007F]]|\u200D(?!\p{Extended_Pictographic})"
)
"""Without effect on the text: zero-width characters, soft hyphens, selectors; but joined emoji and flags differ."""
_NUMBER_FORM = regex.compile(r"(?<=\p{Nd})(?=\p{No})")
"""Before a fraction or an exponent behind a digit: NFKC would turn 10² into 102, and 1½ into 11/2."""
_DASH = regex.compile(r"[\p{Pd}\u2212](?=\p{Sc}?\.?\p{Nd})")
NUMBER_MARK = r"(?<=\p{Nd})[\p{P}\p{S}](?=\p{Nd})|(?<![\w)\]])-(?=\p{Sc}?\.?\p{Nd})|(?<!\w)\.(?=\p{Nd})"
"""Regular expression of a mark that belongs to a number: within it (3.14, 1/2, 12:30), its sign, or its leading point.

The text has gone through `fold`.
"""


def fold(text: str) -> str:
    """Return a text without differences of case, Unicode form (NFKC) and invisible characters.

    A dash or minus sign before a digit becomes a hyphen.
    """
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", _NUMBER_FORM.sub(" ", _INVISIBLE.sub("", text))).casefold()
    return _DASH.sub("-", unicodedata.normalize("NFKC", text).replace("\u2044", "/"))


def space_characters(text: str) -> str:
    """Put spaces around each character of a script without spaces between words."""
    return text if text.isascii() else CHARACTER.sub(r" \g<0> ", text)


def count_words(text: str) -> int:
    """Count words between white space; of scripts without spaces, characters."""
    words = text.split()
    if text.isascii() or not CHARACTER.search(text):
        return len(words)
    return sum(_LETTER_OR_SYMBOL.search(word) is not None for word in space_characters(text).split())


def search_terms(text: str) -> list[str]:
    """Split a text into the terms of an index: words, and where there are no spaces pairs of neighbouring characters.

    Pairs overlap, as in Lucene's CJKBigramFilter; a single character is a term of its own.
    """
    text = fold(text)
    if text.isascii():
        return _ASCII_WORD.findall(text)  # re is twice as fast
    if not CHARACTER.search(text):
        return WORD.findall(text)
    terms: list[str] = []
    for word in WORD.findall(_CHARACTER_RUN.sub(r" \g<0> ", text)):
        characters = CHARACTER.findall(word) if _CHARACTER_RUN.fullmatch(word) else [word]
        terms += [first + second for first, second in pairwise(characters)] or characters
    return terms
