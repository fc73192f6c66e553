"""Damaged journals and ledgers: what is damaged is asked again, or named; no other answer and no other sum is read."""

import pytest

from harness.endpoints.checked_lines import seal, unseal
from harness.endpoints.journal import Journal
from harness.endpoints.ledger import Ledger
from harness.endpoints.wire import Reply
from harness.errors import HarnessError
from tests.store.faults import PAGE, cuts, unreadable

COUNT = 60


@pytest.fixture
def written(tmp_path):
    """A journal of answered questions, and the answers by key."""
    journal = Journal(tmp_path / "t1.jsonl")
    replies = {f"k{i}": Reply(outcome="answered", text=f"answer {i} {'x' * 300}") for i in range(COUNT)}
    for key, reply in replies.items():
        journal.write_sent(key, 0.01)
        journal.write_reply(key, reply, 0.005)
    return journal.path, replies


def check(path, replies):
    """Each answer is the right one or is asked again; return how many are there."""
    journal = Journal(path)
    read = {key: reply for key in replies if (reply := journal.reply(key)) is not None}
    assert all(replies[key] == reply for key, reply in read.items())
    return len(read), journal.lost


def test_any_damaged_byte_of_a_journal_costs_the_question_and_changes_no_answer(written):
    path, replies = written
    content = path.read_bytes()
    for place in range(0, len(content), 37):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 7]) + content[place + 1 :])
        answered, lost = check(path, replies)
        assert answered >= COUNT - 2
        assert answered + lost <= COUNT
    path.write_bytes(content)
    assert check(path, replies) == (COUNT, 0)


def test_a_journal_cut_at_any_page_gives_the_answers_before_the_cut(written):
    path, replies = written
    assert path.stat().st_size > 4 * PAGE
    answered = [check(path, replies)[0] for _ in cuts(path)]
    assert answered == sorted(answered, reverse=True)
    assert answered[-1] == 0


def test_a_journal_or_ledger_that_gives_eio_is_named(written, tmp_path):
    path, _ = written
    ledger = tmp_path / "spent"
    Ledger(ledger, 1.0).reserve(0.5)
    for file, read in ((path, Journal), (ledger, lambda file: Ledger(file, 1.0))):
        with unreadable(file), pytest.raises(HarnessError, match=f"{file} cannot be read"):
            read(file)


def test_a_journal_of_lines_without_checksums_is_read(written):
    path, replies = written
    path.write_text("".join(f"{unseal(line)}\n" for line in path.read_text().splitlines()))
    assert check(path, replies) == (COUNT, 0)


def test_any_damaged_byte_of_a_ledger_is_an_error(tmp_path):
    path = tmp_path / "spent"
    ledger = Ledger(path, 1.0)
    for _ in range(3):
        ledger.reserve(0.125)
    content = path.read_bytes()
    assert Ledger(path, 1.0).spent_usd == 0.375
    newlines = {place for place, byte in enumerate(content) if byte == ord("\n")}
    for place in set(range(len(content))) - newlines:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(HarnessError, match="cannot be read"):
            Ledger(path, 1.0)
    path.write_bytes(content[:-30])
    with pytest.raises(HarnessError, match="cannot be read"):
        Ledger(path, 1.0)


@pytest.mark.parametrize("line", ["", "x", "a\u2028b", "ends in 0123456789abcdef"])
def test_a_sealed_line_is_unsealed(line):
    assert unseal(seal(line)) == line
    assert unseal(seal(line)[:-1]) is None
