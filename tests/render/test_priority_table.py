"""A table is one table at any width, and says which columns it hides."""

import io

import pytest
from rich.cells import cell_len

from harness.render.text.priority_table import PriorityColumn, PriorityTable, broken, split_columns
from harness.render.text.safe_console import SafeConsole

LONG = "lora(task=sentiment)+lora(task=questions)"
TABLE = PriorityTable(
    [
        PriorityColumn("strategy", [LONG, "zero_shot"]),
        PriorityColumn("accuracy", ["0.85 [0.81, 0.88]", "0.70 [0.65, 0.74]"], right=True),
        PriorityColumn("wide", ["1,000,000 to 2,000,000"] * 2, 2, right=True),
        PriorityColumn("total s", ["58", "10"], 3, right=True),
    ]
)


def printed(part, width):
    console = SafeConsole(width=width, file=io.StringIO())
    console.print(part)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [34, 40, 48, 60, 80, 100, 120])
def test_a_table_is_whole_at_any_width(width):
    text = printed(TABLE, width)
    lines = text.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert all(number in text for number in ("0.85 [0.81, 0.88]", "0.70 [0.65, 0.74]"))
    assert text.count("strategy") == 1
    hidden = text.partition("Hidden columns: ")[2].partition(".")[0].split(", ") if "Hidden" in text else []
    assert hidden + [title for title in ("wide", "total s") if title not in hidden]


def test_a_column_that_has_room_is_shown_though_a_more_important_one_has_none():
    text = printed(TABLE, 60)
    assert "Hidden columns: wide." in text
    assert " 58" in text


def test_chosen_columns_win_over_ranks():
    text = printed(PriorityTable(TABLE.columns, chosen=("TOTAL_S",)), 200)
    assert "1,000,000" not in text
    assert " 58" in text


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (41, [LONG]),
        (30, ["lora(task=sentiment)+", "lora(task=questions)"]),
        (16, ["lora(", "task=sentiment)+", "lora(", "task=questions)"]),
    ],
)
def test_a_long_name_is_broken_between_its_steps(width, lines):
    assert broken(LONG, width).splitlines() == lines


def test_a_list_of_columns_may_have_blanks():
    assert split_columns("p50 s, macro_f1,") == ("p50 s", "macro_f1")


def test_no_line_ends_in_blanks_unless_a_terminal_asks_for_them():
    text = printed(TABLE, 60) + printed("word " * 40, 42)
    assert text == "".join(line.rstrip() + "\n" for line in text.splitlines())
