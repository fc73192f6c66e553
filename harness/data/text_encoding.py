"""The encoding of a text file, told from its bytes."""

import codecs
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from harness.errors import HarnessError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WESTERN = "cp1252"
SPREADSHEET = (WESTERN, "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "big5", "cp949")
"""What spreadsheets write that write no Unicode, by the language of the system."""
SAMPLE_LINES = 2000


@dataclass(frozen=True)
class DecodedText:
    """A file's text.

    Attributes:
        encoding: a guess, as Python names it; empty: UTF-8, or by its byte order mark.
    """

    text: str
    encoding: str = ""


def decode(content: bytes, path: Path) -> DecodedText:
    """Decode a file: by its byte order mark, as UTF-8, else as what its letters look most like.

    Raises:
        HarnessError: it is damaged UTF-8 or a damaged Unicode file, or like no text.
    """
    mark = next((encoding for mark, encoding in MARKS if content.startswith(mark)), "utf-8")
    try:
        return DecodedText(content.decode(mark))
    except UnicodeDecodeError as error:
        if mark != "utf-8" or _is_mostly_utf8(content):
            line = content.count(b"\n", 0, error.start) + 1
            raise HarnessError(
                f"{path} isn't {mark.removesuffix('-sig').upper()}: byte 0x{content[error.start]:02x} in line {line}. "
                "Save it as UTF-8."
            ) from error
    encoding = _guess(content)
    try:
        return DecodedText(content.decode(encoding), encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise HarnessError(f"{path} is in no encoding that can be told: save it as UTF-8.") from error


def _is_mostly_utf8(content: bytes) -> bool:
    """Tell a damaged UTF-8 file from one in another encoding, where next to no bytes are letters of UTF-8."""
    text = content.decode(errors="replace")
    damaged = text.count("\N{REPLACEMENT CHARACTER}")
    letters = len(text) - damaged - len(text.encode("ascii", "ignore"))
    return letters > damaged


def _guess(content: bytes) -> str:
    lines = [line for line in content.split(b"\n") if not line.isascii()][:SAMPLE_LINES]
    matches = from_bytes(b"\n".join(lines), cp_isolation=list(SPREADSHEET))
    best = matches.best()
    if best is None:
        return ""
    equals = [match for match in matches if match.chaos <= best.chaos and match.coherence >= best.coherence]
    return WESTERN if any(WESTERN in match.could_be_from_charset for match in equals) else best.encoding
