"""Gates and explanations as they are printed: short rows at 80 columns, a summary, improvements, commands to copy."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from harness.compare.release.gate import GateLimits
from harness.compare.release.outcome import explain, gate
from harness.compare.release.repeats import RepeatSummary, pair_runs
from harness.compare.release.run_noise import Noise
from harness.render.release import explanation_report
from harness.render.release.gate_report import markdown_summary, report, summary_line
from harness.render.release.noise_report import pair_report
from harness.render.release.noise_report import report as report_noise
from tests.compare.release_builders import LATER, V1, measured, noise_of, pairing, share, trial_rows

CHAIN = "rag(k=3)+lora(rank=8,epochs=3)"


def printed(parts, width=80):
    console = Console(file=io.StringIO(), width=width)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))
    return console.file.getvalue()


@pytest.fixture
def gated(tmp_path):
    """One system that improved, one that got worse."""
    before = [trial_rows(), trial_rows("qa", strategy=CHAIN)]
    after = [trial_rows(right=share(0.9), at=LATER), trial_rows("qa", share(0.3), strategy=CHAIN, at=LATER, fatter=0.8)]
    return gate(V1, pairing(tmp_path, before, after), GateLimits(), noise_of("latency", 0.01))


def test_each_system_has_a_heading_and_short_rows_at_80_columns(gated):
    lines = printed(report(gated)).splitlines()
    for heading in ("mood · zero_shot", f"qa · {CHAIN}"):
        start = lines.index(heading)
        rows = lines[start + 3 : start + 7]
        assert [row.split("  ")[0] for row in rows][1:] == ["latency", "memory answering", "tokens a question"]
        assert all("→" in row and "[" in row for row in rows)
    assert max(map(len, lines)) <= 80
    assert "Hidden columns" not in "\n".join(lines)


def test_a_gate_sums_up_each_aspect_and_names_what_improved(gated):
    line = "quality 1 of 2 fail (1 improved) · speed 1 of 2 inconclusive · memory pass (1 improved) · tokens pass"
    assert summary_line(gated.verdict.checks) == line
    for text in (" ".join(printed(report(gated)).split()), markdown_summary(gated)):
        assert line in text
        assert "Improved: mood · zero" in text.replace("\\_", "_")
    assert {check.figure for check in gated.verdict.checks if check.improved} == {"accuracy", "memory while answering"}


def test_what_is_not_checked_is_off_in_the_summary(tmp_path):
    pairs = pairing(tmp_path, [trial_rows()], [trial_rows(at=LATER)])
    outcome = gate(V1, pairs, GateLimits(slowdown=None, memory=None), Noise())
    assert summary_line(outcome.verdict.checks) == "quality pass · speed off · memory off · tokens pass"


def test_advised_commands_have_the_names_of_suite_and_baseline(tmp_path):
    outcome = gate(V1, pairing(tmp_path, [trial_rows()], [trial_rows(at=LATER)]), GateLimits(), Noise())
    text = " ".join(printed(report(outcome)).split())
    assert "run 'harness repeat quick --against v1'" in text
    assert "SUITE" not in text


def test_an_explanation_is_whole_at_80_columns(tmp_path):
    after = trial_rows("qa", strategy=CHAIN, at=LATER, model="a-model-with-a-long-name-that-fills-its-cell", seed=4)
    pairs = pairing(tmp_path, [trial_rows("qa", strategy=CHAIN), trial_rows()], [after, trial_rows(at=LATER)])
    lines = printed(explanation_report.report(explain("v1", "quick", pairs))).splitlines()
    table = lines[: next(i for i, line in enumerate(lines) if line.startswith("Can move"))]
    assert max(map(len, table)) <= 80
    text = "\n".join(lines)
    assert "Hidden columns" not in text
    assert "Can move quality, speed and memory: model." in text
    assert "(in qa ·" in text


def test_runs_in_turn_and_their_noise_are_whole_at_80_columns():
    rounds = [
        (measured(strategy=CHAIN, slower=1 + i / 5), measured(strategy=CHAIN, slower=(1 + i / 5) * 1.1)) for i in (0, 1)
    ]
    noise = noise_of("memory while answering", 0.01)
    summary = RepeatSummary(noise=noise, suite="quick", answers=4, same_answers=3)
    lines = printed([*pair_report(pair_runs(rounds, noise).pairs), *report_noise(summary)]).splitlines()
    assert f"mood · {CHAIN}" in lines
    assert max(len(line) for line in lines if line.startswith("  ")) <= 80
    assert any("latency" in line and "+10.0% [+10.0%, +10.0%]" in line for line in lines)
    assert any("memory while answering" in line and "1.0%" in line for line in lines)
