"""How much a model computed at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.records.measurements import StoredModel

_Count = Annotated[int, Field(ge=1)]


class PassSizes(StoredModel):
    """How much a model computed at once; answers do not depend on it, seconds and memory do.

    Attributes:
        row_tokens: tokens of a forward pass that scores choices.
        decode_rows: the most prompts decoded together.
        prompt_tokens: the most tokens of prompts read together before decoding, padding included.
        cache_tokens: the most tokens in the caches of prompts decoded together, each with its copy of the prefix.
        from_memory: chosen by the free memory of the GPU.
    """

    row_tokens: _Count
    decode_rows: _Count
    prompt_tokens: _Count
    cache_tokens: _Count
    from_memory: bool = False

    def fixed(self, rows: int | None, row_tokens: int | None) -> PassSizes:
        """Return the sizes with those that the user has fixed; None: left as it is."""
        if not rows and not row_tokens:
            return self
        fixed = {"decode_rows": rows or self.decode_rows, "row_tokens": row_tokens or self.row_tokens}
        return self.model_copy(update={**fixed, "from_memory": False})
