"""Terminal tables have one style, set up in one place; foreign text in them is no markup."""

import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.render.text.tables import TableColumn, indented, markdown_table, new_table

RENDER = Path(__file__).parents[2] / "harness" / "render"


def printed(part, width=40):
    console = Console(width=width, file=io.StringIO())
    console.print(part)
    return console.file.getvalue()


def test_tables_are_set_up_in_one_module():
    pattern = re.compile(r"(?<!\w)Table\(|from rich import box")
    code = {path: path.read_text(encoding="utf-8") for path in RENDER.rglob("*.py")}
    assert [path.name for path, text in code.items() if pattern.search(text)] == ["tables.py"]


def test_numbers_stand_right_below_a_title_that_is_no_markup():
    table = new_table([TableColumn("name"), TableColumn("[b]s", right=True, no_wrap=True)])
    table.add_row(Text("a [red]name"), Text("3.4"))
    assert printed(indented(table)).splitlines() == [
        "  name         [b]s",
        "  ─────────────────",
        "  a [red]name   3.4",
    ]


def test_words_fold_and_numbers_stay_whole():
    table = new_table([TableColumn("name"), TableColumn("score", right=True, no_wrap=True)])
    table.add_row(Text("averyverylongname"), Text("0.52"))
    lines = printed(table, 16).splitlines()
    assert max(map(len, lines)) <= 16
    assert any(line.endswith("0.52") for line in lines)
    assert "".join(line.split()[0] for line in lines[2:] if line.split()) == "averyverylongname"


def test_a_markdown_cell_cannot_be_left():
    text = markdown_table(["a|b"], [":---"], [["1|2"]])
    assert text == "| a\\|b |\n| :--- |\n| 1\\|2 |"
