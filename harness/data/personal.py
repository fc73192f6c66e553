"""Likely personal data in texts: found by patterns and check digits, masked, or replaced by their kind.

Names, addresses and dates of birth have no pattern and are not found; other texts that fit a pattern may be.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import regex

from harness.metrics.words import LETTER


@dataclass(frozen=True)
class Pattern:
    """One kind of personal data.

    Attributes:
        kind: also what it is replaced by, in angle brackets.
        expression: finds candidates; letters of scripts without spaces may stand right beside one.
        is_valid: whether a candidate's check digits and ranges are right.
        source: where form and check are defined.
    """

    kind: str
    expression: Any
    is_valid: Callable[[str], bool]
    source: str


@dataclass(frozen=True)
class PersonalDataMatch:
    """A span of a text: `text[start:end]` is likely of the kind."""

    kind: str
    start: int
    end: int


def find_matches(text: str) -> list[PersonalDataMatch]:
    """Find likely personal data, in the order of the text; of overlapping matches the earlier pattern's counts."""
    matches: list[PersonalDataMatch] = []
    for pattern in PATTERNS:
        for match in pattern.expression.finditer(text):
            start, end = match.span()
            free = all(end <= earlier.start or start >= earlier.end for earlier in matches)
            if free and pattern.is_valid(match[0]):
                matches.append(PersonalDataMatch(pattern.kind, start, end))
    return sorted(matches, key=lambda span: span.start)


def anonymise(text: str) -> tuple[str, Counter[str]]:
    """Replace likely personal data by their kind, such as ``<EMAIL>``; count the replacements by kind."""
    matches = find_matches(text)
    parts: list[str] = []
    end = 0
    for match in matches:
        parts += [text[end : match.start], f"<{match.kind}>"]
        end = match.end
    return "".join([*parts, text[end:]]), Counter(span.kind for span in matches)


def mask(text: str) -> str:
    """Mask a text: the first character stays, other letters and digits become stars."""
    return text[:1] + regex.sub(r"[\p{L}\p{M}\p{N}]", "*", text[1:])


def _always(_: str) -> bool:
    return True


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _luhn(text: str) -> bool:
    """Check 13 to 19 digits by the Luhn formula; all digits alike is no number."""
    digits = [int(d) for d in reversed(_digits(text))]
    doubled = [d if position % 2 == 0 else d * 2 - 9 * (d > 4) for position, d in enumerate(digits)]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    """Check an account number: letters as two digits, the first four signs last, remainder 1 modulo 97."""
    plain = text.replace(" ", "")
    number = "".join(str(int(c, 36)) for c in plain[4:] + plain[:4])
    return 15 <= len(plain) <= 34 and int(number) % 97 == 1


def _ip(text: str) -> bool:
    """Accept addresses of hosts: neither loopback nor unspecified nor multicast."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


def _phone(text: str) -> bool:
    return 8 <= len(_digits(text)) <= 15


def _spanish(text: str) -> bool:
    """Check the letter of a Spanish number: the remainder modulo 23; X, Y and Z stand for 0, 1 and 2 in front."""
    plain = text.replace("-", "")
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return plain[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def _french(text: str) -> bool:
    """Check the key of a French number: 97 less the remainder modulo 97; Corsica's 2A and 2B stand for 19 and 18."""
    plain = text.replace(" ", "").replace("2A", "19").replace("2B", "18")
    return int(plain[-2:]) == 97 - int(plain[:-2]) % 97


_LOCAL_PART = rf"[\w--{LETTER}].!\#$%\&'*+/=?\^`{{\|}}\~\-"
"""Characters of an e-mail address before its @; without those scripts, whose words stand beside it without a space."""
PATTERNS: Sequence[Pattern] = (
    Pattern(
        "EMAIL",
        regex.compile(
            rf"(?V1)(?<![{_LOCAL_PART}])[{_LOCAL_PART}]+@"
            r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
        ),
        _always,
        "HTML Standard, 4.10.5.1.5 (E-mail state), with a dot in the domain",
    ),
    Pattern(
        "IBAN",
        re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.ASCII),
        _iban,
        "ISO 13616-1 (form), ISO/IEC 7064 MOD 97-10 (check digits)",
    ),
    Pattern(
        "CREDIT_CARD",
        re.compile(r"(?<![\d.-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d-])", re.ASCII),
        _luhn,
        "ISO/IEC 7812-1: 13 to 19 digits, first digit of the payment industries, Luhn check (annex B)",
    ),
    Pattern(
        "NATIONAL_ID",
        re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])", re.ASCII),
        _always,
        "US social security number: Social Security Administration, POMS RM 10201.035",
    ),
    Pattern(
        "NATIONAL_ID",
        re.compile(
            r"\b(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b",
            re.ASCII,
        ),
        _always,
        "UK National Insurance number: HMRC, National Insurance Manual NIM39110",
    ),
    Pattern(
        "NATIONAL_ID",
        re.compile(r"\b(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]\b", re.ASCII),
        _spanish,
        "Spanish DNI and NIE with their check letter: Ministerio del Interior, Real Decreto 1553/2005",
    ),
    Pattern(
        "NATIONAL_ID",
        re.compile(r"\b[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}\b", re.ASCII),
        _french,
        "French NIR with its key: INSEE, Décret 82-103",
    ),
    Pattern(
        "IP_ADDRESS",
        re.compile(
            r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:]|\.\d)", re.ASCII
        ),
        _ip,
        "RFC 791 (IPv4), RFC 4291 section 2.2 (IPv6); read by Python's ipaddress",
    ),
    Pattern(
        "PHONE",
        re.compile(r"(?<![\w+.])\+[1-9]\d{0,2}(?:[ .\-/]?\(?\d{1,5}\)?){2,6}(?!\w)", re.ASCII),
        _phone,
        "ITU-T E.164: international form, a plus sign and at most 15 digits",
    ),
    Pattern(
        "PHONE",
        re.compile(r"(?<![\w+.-])(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?![\w-])", re.ASCII),
        _always,
        "North American Numbering Plan, NPA-NXX-XXXX with separators: nanpa.com",
    ),
)
KINDS: Sequence[str] = tuple(dict.fromkeys(pattern.kind for pattern in PATTERNS))


def count_kinds(texts: Sequence[str]) -> Iterator[tuple[str, int, int, str]]:
    """Count likely personal data in texts.

    Yields:
        (kind, occurrences, texts with at least one, the first one masked) for each kind that occurs.
    """
    matches = [[(match.kind, text[match.start : match.end]) for match in find_matches(text)] for text in texts]
    for kind in KINDS:
        by_text = [[content for name, content in text_matches if name == kind] for text_matches in matches]
        occurrences = [content for contents in by_text for content in contents]
        if occurrences:
            yield kind, len(occurrences), sum(map(bool, by_text)), mask(occurrences[0])
