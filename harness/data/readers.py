"""Who may see an example: those who may read every passage that its answer rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.api import Example, Passage


def restrict(examples: Iterable[Example], corpus: Iterable[Passage]) -> tuple[Example, ...]:
    """Give each example the readers of the restricted passages that it rests on.

    Where a corpus has restricted passages and an example names none as evidence, its answer may rest on any that the
    asker reads: then it is the asker's alone. An example without evidence and asker is everybody's, as its asker is
    somebody who sees public passages only.

    Args:
        examples: of one split.
        corpus: of the task.
    """
    restricted = {passage.id: passage.readers for passage in corpus if passage.readers}
    return tuple(replace(example, readers=_readers(example, restricted)) for example in examples)


def _readers(example: Example, restricted: dict[str, tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    if not restricted:
        return ()
    if not example.evidence:
        return ((example.query.user,),) if example.query.user else ()
    return tuple(dict.fromkeys(restricted[name] for name in example.evidence if name in restricted))
