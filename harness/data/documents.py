"""Reads documents: text, Markdown, HTML, PDF, Word and PowerPoint, as blocks with headings and pages."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.data import cache
from harness.data.content_hash import file_hash
from harness.data.html_text import html_blocks
from harness.data.office_text import docx_blocks, pptx_blocks
from harness.data.pdf_text import UnreadableError, pdf_blocks
from harness.data.table_files import MAX_BYTES, read_text
from harness.data.text_blocks import Block, heading_text, markdown_blocks
from harness.errors import HarnessError

TEXT_SUFFIXES = (".txt", ".md", ".markdown")
HTML_SUFFIXES = (".html", ".htm", ".xhtml")
PARSERS = {".pdf": "pypdf", ".docx": "python-docx", ".pptx": "python-pptx"}
"""Ending → the package that reads it, of the extra ``documents``."""
SUFFIXES = (*TEXT_SUFFIXES, *HTML_SUFFIXES, *PARSERS)
REMEDY = 'pip install "adaptbench[documents]"'
_VERSION = 1
"""Raised when a file is read as other blocks, so that nothing older comes from the cache."""


@dataclass(frozen=True)
class Document:
    """A file's text.

    Attributes:
        title: the heading that it begins with, else the title of its properties, else its name.
        textless_pages: pages of a PDF without a text layer.
    """

    title: str
    blocks: tuple[Block, ...]
    textless_pages: tuple[int, ...] = ()


def read_document(path: Path) -> Document:
    """Read a document by its file name's ending; what a parser made of a file is kept in the cache.

    Raises:
        UnreadableError: it is empty, damaged, encrypted or a scan.
        HarnessError: a text file is not UTF-8, or the extra that reads this format is not installed.
    """
    suffix = path.suffix.lower()
    if suffix in PARSERS:
        title, blocks, textless_pages = _parse_cached(path, suffix)
    elif suffix in HTML_SUFFIXES:
        title, blocks = html_blocks(read_text(path))
        textless_pages = ()
    else:
        title, blocks, textless_pages = "", list(markdown_blocks(read_text(path))), ()
    if not blocks:
        raise UnreadableError("without text")
    return Document(heading_text(blocks[0]) or title or path.stem, tuple(blocks), textless_pages)


def _parse_cached(path: Path, suffix: str) -> tuple[str, list[Block], tuple[int, ...]]:
    try:
        parser = f"{PARSERS[suffix]} {version(PARSERS[suffix])}"
    except PackageNotFoundError as error:
        raise HarnessError(f"{path.name} needs {PARSERS[suffix]} to be read: {REMEDY}.") from error
    if path.stat().st_size > MAX_BYTES:
        raise UnreadableError("too large")
    key = hashlib.sha256(f"{_VERSION} {parser} {file_hash(path)}".encode()).hexdigest()
    memory = cache.root() / "documents" / f"{key}.json"
    try:
        title, blocks, pages = json.loads(cache.recall(memory) or "")
        return title, [Block(**block) for block in blocks], tuple(pages)
    except (ValueError, TypeError):  # never read, or damaged
        title, blocks, pages = _parse(path, suffix)
    cache.remember(memory, json.dumps([title, [asdict(block) for block in blocks], pages]))
    return title, blocks, pages


def _parse(path: Path, suffix: str) -> tuple[str, list[Block], tuple[int, ...]]:
    try:
        if suffix == ".pdf":
            return pdf_blocks(path)
        title, blocks = docx_blocks(path) if suffix == ".docx" else pptx_blocks(path)
    except UnreadableError:
        raise
    except Exception as error:
        # a damaged file fails in these libraries in any way: a missing key, a wrong type, endless nesting
        raise UnreadableError(f"a damaged {suffix} file") from error
    return title, blocks, ()
