"""The one exception that reaches a user, and its sentences: a misspelt name, a library's error in one line."""

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches
from errno import ENOMEM


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


class OutOfMemoryError(HarnessError):
    """The memory of the machine, or of its GPU, does not suffice: what was asked for, and what to do."""


_LACKS_MEMORY = re.compile(
    r"out of memory|allocate memory|unable to allocate|not enough memory|_ALLOC_FAILED|bad_alloc", re.IGNORECASE
)
_GPU = re.compile(r"\b(CUDA|CUBLAS|CUDNN|CUSOLVER|CUSPARSE|NCCL|HIP|MPS)(_|\b)", re.IGNORECASE)


def out_of_memory(error: BaseException) -> OutOfMemoryError | None:
    """Recognise a lack of memory, whichever library tells of it; None: the error is about something else.

    Python has an error for it, torch's allocator another one; a CUDA context, cuBLAS, NCCL, bitsandbytes and the
    processor's allocator only say so in the text of a RuntimeError, and a mapped file in an error number.
    """
    lacks = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == ENOMEM)
    if not lacks and not (isinstance(error, RuntimeError) and _LACKS_MEMORY.search(str(error))):
        cause = error.__cause__
        return out_of_memory(cause) if cause is not None and not isinstance(error, HarnessError) else None
    gpu = "GPU " if _GPU.search(str(error)) else ""
    detail = f" ({first_line(error)[:300]})" if str(error) else ""
    return OutOfMemoryError(
        f"out of {gpu}memory{detail}: try a smaller model or batch_size, a lower rank, checkpointing=true, or qlora."
    )


@contextmanager
def memory_in_one_line() -> Generator[None]:
    """Raise an `OutOfMemoryError` for any lack of memory inside the ``with`` block; other errors stay as they are."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        memory = out_of_memory(error)
        if memory is not None:
            raise memory from error
        raise


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
