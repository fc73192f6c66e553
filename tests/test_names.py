"""Names are the field's: few pronouns and participles, no public class name twice, no file name twice."""

import ast
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BANNED = frozenset(
    """one found told said made own kept place asked known wanted given every others rest there here way held done taken
    shown named seen both some what whole""".split()  # noqa: SIM905 - shorter than a list of as many texts
)
"""Pronouns and participles that say nothing of what they hold."""
EMPTY = frozenset(["item", "items", "data", "result", "results", "value", "obj", "info", "tmp"])
"""Nouns that say little: no better than a pronoun where they stand for one."""
MOST_BANNED = 0.006
MOST_EMPTY = 0.0157
"""Share of empty nouns when the pronouns had been replaced: it may fall, not rise."""


def trees():
    files = [file for folder in ("harness", "strategies") for file in sorted((ROOT / folder).rglob("*.py"))]
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}


def names(trees):
    """Count variables and parameters, every occurrence."""
    nodes = (node for tree in trees.values() for node in ast.walk(tree))
    return Counter(
        node.id if isinstance(node, ast.Name) else node.arg for node in nodes if isinstance(node, ast.Name | ast.arg)
    )


@pytest.fixture(scope="module")
def code():
    return trees()


def test_few_names_are_pronouns_or_participles(code):
    counts = names(code)
    banned = {name: count for name, count in counts.most_common() if name in BANNED}
    assert sum(banned.values()) <= MOST_BANNED * counts.total(), banned


def test_empty_nouns_did_not_take_their_place(code):
    counts = names(code)
    assert sum(counts[name] for name in EMPTY) <= MOST_EMPTY * counts.total()


def test_no_public_class_name_is_used_twice(code):
    files = defaultdict(list)
    for file, tree in code.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                files[node.name].append(file.relative_to(ROOT).as_posix())
    assert not {name: where for name, where in files.items() if len(where) > 1}


def test_no_file_name_is_used_twice(code):
    stems = Counter(file.stem for file in code if file.stem != "__init__" and "harness" in file.parts)
    assert not [stem for stem, count in stems.items() if count > 1]


def test_a_counter_sees_what_it_should(tmp_path):
    tree = ast.parse("def f(one):\n    found = [one for rows in one]\n    return found\n")
    assert sum(count for name, count in names({tmp_path: tree}).items() if name in BANNED) == 5
