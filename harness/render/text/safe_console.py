"""A console on which no text can steer the terminal, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from harness.render.text.escape import neutral


class SafeConsole(Console):
    """Rich's console, which writes every text `neutral`; its own colours and moves of the cursor stay.

    Where it writes to a file or a pipe, no line ends in blanks, with which rich fills tables and wrapped lines.
    """

    _is_nested = False

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render a part of the output; its own parts come here too."""
        segments = self._neutral(renderable, options)
        if self.is_terminal or self._is_nested:
            yield from segments
            return
        self._is_nested = True
        try:
            yield from _without_trailing_blanks(segments)
        finally:
            self._is_nested = False

    def _neutral(self, renderable: RenderableType, options: ConsoleOptions | None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(neutral(segment.text), segment.style)


def _without_trailing_blanks(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Drop the blanks before each line end and at the end."""
    blanks: list[Segment] = []
    for segment in segments:
        for line in segment.text.splitlines(keepends=True):
            text = line.rstrip()
            if text:
                yield from blanks
                blanks = []
                yield Segment(text, segment.style)
            if line.endswith("\n"):
                blanks = []
                yield Segment.line()
            elif len(line) > len(text):
                blanks.append(Segment(line[len(text) :], segment.style))
