"""When two texts count as the same: the form in which they are compared."""

import re
import unicodedata

_WORD = re.compile(r"\w+", re.UNICODE)


def normalised(text: str) -> str:
    """Return a text without what doesn't make it another one: case, punctuation, spacing and Unicode form.

    A text of punctuation alone (":)") keeps it, as nothing else tells it from another.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORD.findall(plain)) or " ".join(plain.split())


def plain(value: object) -> str:
    """Return a cell as text: None is empty, true and false are lower-case, and 1.0 is 1."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
