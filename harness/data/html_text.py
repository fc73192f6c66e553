"""Text of HTML pages: headings, paragraphs, list items and table rows; no scripts, styles or navigation."""

from html.parser import HTMLParser

from harness.data.text_blocks import Block, heading

_HIDDEN = frozenset({"script", "style", "noscript", "template", "svg", "nav", "iframe", "select", "button"})
_INLINE = frozenset(
    """a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp small span strike
    strong sub sup time tt u var wbr""".split()  # noqa: SIM905 - shorter than a list of as many texts
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CELLS = frozenset({"td", "th"})
_ROWS = frozenset({"table", "tr", "caption"})
"""Tags that end a line within a table."""


def html_blocks(text: str) -> tuple[str, list[Block]]:
    """Return a page's title, empty without one, and its blocks."""
    parser = _Blocks()
    parser.feed(text)
    parser.close()
    parser.end_block()
    return parser.title, parser.blocks


class _Blocks(HTMLParser):
    """Collects the text between block-level tags; a table is one block with a row a line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._rows: list[str] = []
        self._hidden: list[str] = []
        self._level, self._tables, self._preformatted, self._in_title = 0, 0, 0, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag == "title":
            self._in_title = True
        elif tag == "br":
            self._text.append("\n")
        elif tag in _CELLS and self._tables:
            self._text.append(" | " if "".join(self._text).strip() else "")
        elif self._tables and tag not in _ROWS:
            self._text.append(" ")
        elif tag not in _INLINE:
            self.end_block()
            self._tables += tag == "table"
            self._preformatted += tag == "pre"
            self._level = _HEADINGS.get(tag, self._level)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif tag == "title":
            self._in_title = False
        elif self._tables and tag not in _ROWS:
            self._text.append(" ")
        elif tag not in _INLINE:
            self.end_block()
            self._preformatted -= tag == "pre" and self._preformatted > 0
            if tag == "table" and self._tables:
                self._tables -= 1
                if not self._tables and self._rows:
                    self.blocks.append(Block("\n".join(self._rows)))
                    self._rows = []
            if tag in _HEADINGS:
                self._level = 0

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = f"{self.title} {data}".strip()
        elif not self._hidden:
            self._text.append(data if self._preformatted else " ".join(f".{data}.".split())[1:-1])

    def end_block(self) -> None:
        lines = "".join(self._text).split("\n")
        text = "\n".join(filter(str.strip, lines if self._preformatted else (" ".join(line.split()) for line in lines)))
        self._text = []
        if not text.strip():
            return
        if self._tables:
            self._rows.append(" ".join(text.split()))
        else:
            self.blocks.append(heading(text, self._level) if self._level else Block(text))
