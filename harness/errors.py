"""The one exception that reaches a user, and its sentences: a misspelt name, a library's error in one line."""

import re
from collections.abc import Iterable
from difflib import get_close_matches


class HarnessError(Exception):
    """Something the user can put right: what is wrong, where, and what to do next, in one line."""


class PromptsTooLongError(HarnessError):
    """Some prompts do not fit the model's context window.

    Attributes:
        indices: which, from 0.
    """

    def __init__(self, text: str, indices: Iterable[int] = (0,)) -> None:
        super().__init__(text)
        self.indices = frozenset(indices)


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error, or its kind where it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def unknown(kind: str, name: str, candidates: Iterable[str], *, where: str = "", hint: str = "") -> HarnessError:
    """Build the error for a name that does not exist, with the nearest one that does.

    Nearest is one that has the name in it as a whole, as ``rag(k=1)`` has ``rag``; else one that is spelt alike. Upper
    and lower case are the same.

    Args:
        kind: what was looked for, e.g. ``"strategy"``.
        name: what the user wrote.
        candidates: every name that would have been right.
        where: the file or flag it was written in.
        hint: what to do next, a full sentence.
    """
    names = sorted(candidates)
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    holding = [candidate for candidate in names if name and word.search(candidate)]
    holding.sort(key=lambda candidate: (not candidate.casefold().startswith(name.casefold()), len(candidate)))
    folded = {candidate.casefold(): candidate for candidate in names}
    near = holding or [folded[close] for close in get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)]
    text = f"unknown {kind} {name!r}" + (f" in {where}" if where else "")
    if near:
        text += f": did you mean {near[0]!r}?"
    else:
        text += f"; known: {', '.join(names)}." if names else "."
    return HarnessError(f"{text} {hint}".strip())
