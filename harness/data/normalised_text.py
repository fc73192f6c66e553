"""The form in which texts are compared, and table cells as text."""

import re
import unicodedata

_WORD = re.compile(r"\w+", re.UNICODE)


def comparison_key(text: str) -> str:
    """Return a text without case, punctuation, spacing and Unicode form: texts with one key count as the same.

    A text of punctuation alone (":)") keeps it, as nothing else tells it from another.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORD.findall(folded)) or " ".join(folded.split())


def cell_text(value: object) -> str:
    """Return a cell as text: None is empty, true and false are lower-case, and 1.0 is 1."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
