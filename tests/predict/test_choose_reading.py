"""The benchmark behind the default reading: both readings of a validation split, a line a system, none made twice."""

import json

from tests.benchmarks import choose_reading


def test_a_system_is_measured_once_by_both_readings(tiny_suite, tiny_folders, tmp_path, capsys):
    out = tmp_path / "lines.jsonl"
    arguments = ["--out", str(out), "--suite", str(tiny_suite), "--model", str(tiny_folders()), "--seeds", "0", "1"]
    choose_reading.main([*arguments, "--strategy", "zero_shot"])
    (line,) = [json.loads(text) for text in out.read_text().splitlines()]
    assert line["key"][1:3] == ["moods", "zero_shot"]
    assert line["items"] == 4
    assert 0 <= line["raw"] <= 1 >= line["calibrated"] >= 0
    choose_reading.main([*arguments, "--strategy", "zero_shot", "few_shot(k=2)"])
    assert [json.loads(text)["key"][2] for text in out.read_text().splitlines()] == [
        "zero_shot",
        *["few_shot(k=2)"] * 2,
    ]
    assert "calibrated minus raw over 1 tasks" in capsys.readouterr().out
