"""Likely personal data in texts: found by patterns and check digits, shown masked, replaced by what kind it is.

What a pattern cannot know (names, addresses, dates of birth) is not found; what merely looks like one of these may be.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True)
class Pattern:
    """One kind of personal data.

    Attributes:
        kind: also what it is replaced by, in angle brackets.
        expression: finds candidates.
        holds: tells the real ones by their check digits and ranges.
        source: where form and check are defined.
    """

    kind: str
    expression: re.Pattern[str]
    holds: Callable[[str], bool]
    source: str


@dataclass(frozen=True)
class PersonalDataMatch:
    """A place in a text: `text[start:end]` is likely of the kind."""

    kind: str
    start: int
    end: int


def find(text: str) -> list[PersonalDataMatch]:
    """Find likely personal data, in the order of the text; what two patterns claim goes to the earlier pattern."""
    taken: list[PersonalDataMatch] = []
    for pattern in PATTERNS:
        for match in pattern.expression.finditer(text):
            start, end = match.span()
            free = all(end <= other.start or start >= other.end for other in taken)
            if free and pattern.holds(match[0]):
                taken.append(PersonalDataMatch(pattern.kind, start, end))
    return sorted(taken, key=lambda found: found.start)


def anonymised(text: str) -> tuple[str, Counter[str]]:
    """Replace likely personal data by their kind, such as ``<EMAIL>``; count the replacements by kind."""
    found = find(text)
    parts: list[str] = []
    end = 0
    for one in found:
        parts += [text[end : one.start], f"<{one.kind}>"]
        end = one.end
    return "".join([*parts, text[end:]]), Counter(one.kind for one in found)


def masked(text: str) -> str:
    """Show the form of a text without what it says: the first sign stays, other letters and digits become stars."""
    return text[:1] + re.sub(r"[^\W_]", "*", text[1:])


def _always(_: str) -> bool:
    return True


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _luhn(text: str) -> bool:
    """Check 13 to 19 digits by the Luhn formula; all alike is nobody's."""
    digits = [int(d) for d in reversed(_digits(text))]
    doubled = [d if place % 2 == 0 else d * 2 - 9 * (d > 4) for place, d in enumerate(digits)]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    """Check an account number: letters as two digits, the first four signs last, remainder 1 modulo 97."""
    plain = text.replace(" ", "")
    number = "".join(str(int(c, 36)) for c in plain[4:] + plain[:4])
    return 15 <= len(plain) <= 34 and int(number) % 97 == 1


def _ip(text: str) -> bool:
    """Take addresses of hosts; a machine's own (loopback) and the unspecified one are nobody's."""
    try:
        found = ip_address(text)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified or found.is_multicast)


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


PATTERNS: Sequence[Pattern] = (
    Pattern(
        "EMAIL",
        re.compile(
            r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]+@"
            r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
        ),
        _always,
        "HTML Standard, 4.10.5.1.5 (E-mail state), with a dot in the domain",
    ),
    Pattern(
        "IBAN",
        re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        _iban,
        "ISO 13616-1 (form), ISO/IEC 7064 MOD 97-10 (check digits)",
    ),
    Pattern(
        "CREDIT_CARD",
        re.compile(r"(?<![\d.-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d-])"),
        _luhn,
        "ISO/IEC 7812-1: 13 to 19 digits, first digit of the payment industries, Luhn check (annex B)",
    ),
    Pattern(
        "NATIONAL_ID",
        re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"),
        _always,
        "US social security number: Social Security Administration, POMS RM 10201.035",
    ),
    Pattern(
        "NATIONAL_ID",
        re.compile(
            r"\b(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b",
        ),
        _always,
        "UK National Insurance number: HMRC, National Insurance Manual NIM39110",
    ),
    Pattern(
        "NATIONAL_ID",
        re.compile(r"\b(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]\b"),
        _spanish,
        "Spanish DNI and NIE with their check letter: Ministerio del Interior, Real Decreto 1553/2005",
    ),
    Pattern(
        "NATIONAL_ID",
        re.compile(r"\b[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}\b"),
        _french,
        "French NIR with its key: INSEE, Décret 82-103",
    ),
    Pattern(
        "IP_ADDRESS",
        re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:]|\.\d)"),
        _ip,
        "RFC 791 (IPv4), RFC 4291 section 2.2 (IPv6); read by Python's ipaddress",
    ),
    Pattern(
        "PHONE",
        re.compile(r"(?<![\w+.])\+[1-9]\d{0,2}(?:[ .\-/]?\(?\d{1,5}\)?){2,6}(?!\w)"),
        _phone,
        "ITU-T E.164: international form, a plus sign and at most 15 digits",
    ),
    Pattern(
        "PHONE",
        re.compile(r"(?<![\w+.-])(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?![\w-])"),
        _always,
        "North American Numbering Plan, NPA-NXX-XXXX with separators: nanpa.com",
    ),
)
KINDS: Sequence[str] = tuple(dict.fromkeys(pattern.kind for pattern in PATTERNS))


def kinds(texts: Sequence[str]) -> Iterator[tuple[str, int, int, str]]:
    """Count likely personal data in texts.

    Yields:
        (kind, occurrences, texts with at least one, the first one masked) for each kind that occurs.
    """
    found = [[(one.kind, text[one.start : one.end]) for one in find(text)] for text in texts]
    for kind in KINDS:
        own = [[value for name, value in each if name == kind] for each in found]
        every = [value for each in own for value in each]
        if every:
            yield kind, len(every), sum(map(bool, own)), masked(every[0])
