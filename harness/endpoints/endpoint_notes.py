"""What a reader of a record must know of a model that was asked over HTTP, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from harness.api import EndpointInfo, Outcome
from harness.endpoints.session import current

_WORDS: dict[Outcome, str] = {
    "refused": "refused by the model or its provider",
    "cut": "cut at the limit of tokens, and read as far as they went",
    "too_long": "too long for the model's window",
}


def endpoint_notes(info: EndpointInfo | None) -> Iterator[str]:
    """Say which questions got no whole answer, what the server refused, and what was not measured in one sitting."""
    if info is None:
        return
    total = sum(info.outcomes.values())
    for outcome, words in _WORDS.items():
        if count := info.outcomes.get(outcome, 0):
            yield f"{count} of {total} questions ({count / total:.1%}) were {words}."
    if len(info.returned) > 1:
        names = ", ".join(f"{model.model or 'unnamed'} ({model.replies})" for model in info.returned)
        yield f"replies named several models or configurations: {names}; scores are of all of them together."
    for parameter in info.dropped:
        yield f"the server refused the parameter {parameter}, which was left out or renamed."
    if info.replayed:
        yield f"{info.replayed} answers are of an earlier sitting: seconds are of the others only."
    if info.estimated:
        yield f"{info.estimated} replies counted no tokens: theirs are estimated."
    if (journal := current().journal) and journal.lost:
        yield f"{journal.lost} questions were under way when an earlier sitting ended: they may have been billed twice."
