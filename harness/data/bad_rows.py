"""How many rows of a table may be left out because they cannot be used, and the sentence that names them."""

from collections.abc import Sequence

from harness.data.table_rows import RowFault, TableRows
from harness.errors import HarnessError

MAX_BAD_ROWS = 0.01
MOST_NAMED = 5
MOST_CHARACTERS = 200
"""Of a reason: a row may hold a long text."""


def check(table: TableRows, faults: Sequence[RowFault], share: float) -> list[str]:
    """Return a sentence that names the rows that are left out; nothing where there are none.

    Args:
        table: what was read.
        faults: rows that cannot be used, those of the table included.
        share: of the rows that may be left out, in [0, 1]: at least one row, unless it is 0.

    Raises:
        HarnessError: there are more, or no other row: names the first.
    """
    if not faults:
        return []
    total = len(table.rows) + len(table.faults)
    allowed = max(1, int(share * total)) if share else 0
    ordered = sorted(faults)
    if len(faults) > allowed or len(faults) == total:
        first = f"{table.name}, {table.unit} {ordered[0].line}: {ordered[0].reason}"
        if total == 1:
            raise HarnessError(f"{first}.")
        limit = f"max_bad_rows = {share:g} lets {allowed} be left out"
        raise HarnessError(f"{first}. {_count(len(faults))} of {total} can't be used; {limit}.")
    named = "; ".join(f"{table.unit} {fault.line}: {_shortened(fault.reason)}" for fault in ordered[:MOST_NAMED])
    others = f"; and {len(faults) - MOST_NAMED} more" if len(faults) > MOST_NAMED else ""
    return [f"{_count(len(faults))} of {table.name} left out, as they can't be used ({named}{others})."]


def _count(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _shortened(reason: str) -> str:
    return reason if len(reason) <= MOST_CHARACTERS else f"{reason[:MOST_CHARACTERS]} …"
