"""The benchmarks run and say what they should; how fast anything is, no test asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.gpu import captured_row
from benchmarks.machine import gpu_name
from benchmarks.report import met_text, report
from benchmarks.row import Row, Target
from benchmarks.scale import write_list
from benchmarks.timing import interleaved
from data.corpus import Corpus, read_words
from tui_mm.compiler.cache import ProgramCache
from tui_mm.compiler.compilation import Graphs
from tui_mm.training.engines.compiled import BlockShape
from tui_mm.training.engines.graphs import GraphEngine, Work
from tui_mm.training.trainer import Trainer

REPOSITORY = Path(__file__).resolve().parent.parent
FIELDS = {
    "name": str,
    "unit": str,
    "measured": float,
    "reference": float,
    "ratio": float,
    "target": str,
    "met": bool,
    "note": str,
    "repeats": list,
    "reference_repeats": list,
}


def test_the_program_prints_every_row_as_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--skip-large", "--json"],
        cwd=REPOSITORY,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},  # a GPU has rows of its own
        capture_output=True,
        encoding="utf-8",
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["gpu"] is None
    assert set(answer) == {"machine", "data", "gpu", "repeats", "quick", "rows"}
    assert set(answer["machine"]) == {"cpu", "cores", "usable_cores", "system", "torch", "python"}
    assert answer["data"]["name"] == "names"
    assert answer["data"]["lecture_list"] is False
    assert (answer["repeats"], answer["quick"]) == (1, True)
    rows: list[dict[str, Any]] = answer["rows"]
    *steps, replicas, windows, whole, speedrun, default = rows
    qualities = speedrun, default
    assert [row["name"] for row in (*steps, replicas, windows, whole)] == [
        "training, lecture's 10/200",
        "the same, compiled",
        "pause of the change to compiled",
        "64 replicas, lecture's 10/200",
        "windows of 3",
        "bytes to windows of 3",
    ]
    assert [row["name"].rpartition(", ")[2] for row in qualities] == ["speedrun", "default"]
    assert all(row["name"].startswith("time to dev loss ") for row in qualities)
    assert [row["target"] for row in rows] == [
        "at least 1.7 ×",
        "at least 4 ×",
        "at most 0.3 s",
        "at least 4 ×",
        "at least 50 ×",
        None,
        "at least 20 ×",
        None,
    ]
    for row in rows:
        assert set(row) == set(FIELDS)
        # A quick run is too short for the dev loss, and for a compiler.
        empty = {"measured", "ratio"} if row in (*qualities, *steps[1:]) else set()
        empty |= {"reference", "ratio"} if row is steps[2] else set()
        empty |= {"target", "met"} if row["target"] is None else set()
        for name, kind in FIELDS.items():
            assert isinstance(row[name], kind) or (name in empty and row[name] is None), (row["name"], name)
        assert len(row["reference_repeats"]) == (row is not steps[2])
    assert all(row["measured"] > 0 and row["reference"] > 0 for row in (steps[0], replicas, windows, whole))


def test_the_row_of_a_gpu_compares_blocks_with_the_loop(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU: nothing is captured, the work itself stands for its replay."""
    taken: list[int] = []

    def supply(trainer: Trainer, cache: ProgramCache) -> Graphs:
        shape = BlockShape.of(*trainer.minibatch_shape)

        def capture(work: Work) -> Work:
            taken.append(trainer.step)
            return work

        return Graphs(lambda model, optimizer: GraphEngine(model, optimizer, trainer.config, shape, capture))

    monkeypatch.setattr("benchmarks.ours.supply_for", supply)
    row = captured_row(corpus, 1, True, "cpu")
    assert taken, "another engine took the steps"
    assert (row.target_text, len(row.repeats), len(row.reference_repeats)) == ("at least 5 ×", 1, 1)
    assert min(row.repeats + row.reference_repeats) > 0


def test_a_machine_without_a_gpu_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_name() is None


def test_a_row_compares_medians() -> None:
    faster = Row("a", "steps/s", [1.0, 300.0, 200.0], [100.0, 90.0, 110.0], Target("ratio", 1.7))
    assert (faster.measured, faster.reference, faster.ratio, faster.met) == (200, 100, 2, True)
    shorter = Row("b", "s", [0.5], [4.0], Target("ratio", 20))
    assert (shorter.ratio, shorter.met) == (8, False)
    assert shorter.cells() == ("b", "500.00 ms", "4.00 s", "8.00 ×", "at least 20 ×", "not met")


def test_a_row_without_a_figure_is_not_met() -> None:
    missed = Row("c", "s", [], [4.0], Target("ratio", 20))
    assert missed.met is False
    assert missed.cells()[1:4] == ("not reached", "4.00 s", "–")


def test_a_limit_is_of_the_measured_value() -> None:
    assert Row("d", "GB", [1.0], target=Target("limit", 1)).met is True
    over = Row("d", "GB", [1.004], target=Target("limit", 1))
    assert over.cells() == ("d", "1.004 GB", "–", "–", "at most 1 GB", "not met")
    assert Row("e", "s", [1.0]).met is None


def test_a_growth_is_judged_against_the_reference() -> None:
    flat = Row("f", "MB", [109.0], [100.0], Target("growth", 1.1))
    assert flat.cells() == ("f", "109 MB", "100 MB", "0.917 ×", "at most 1.1 × as much", "met")
    assert Row("f", "MB", [111.0], [100.0], Target("growth", 1.1)).met is False
    assert Row("f", "MB", [111.0], target=Target("growth", 1.1)).met is False


ROWS = [
    Row("fast", "s", [0.1], target=Target("limit", 1), note="soon"),
    Row("slow", "s", [2.0], target=Target("limit", 1), note="late"),
    Row("plain", "s", [3.0], note="so be it"),
]


def test_a_report_says_what_is_not_met(capsys: pytest.CaptureFixture[str]) -> None:
    report(ROWS, {"quick": False}, "; load before 0.5", as_json=False, below="more")
    lines = capsys.readouterr().out.split("\n")
    assert lines[0].endswith("; load before 0.5")
    assert [line.split("|")[-2].strip() for line in lines[2:7] if "|" in line] == [
        "met?",
        "-" * 9,
        "met",
        "not met",
        "–",
    ]
    assert lines[8:11] == ["- fast: soon.", "- slow: late.", "- plain: so be it."]
    assert lines[12:] == ["more", "", "1 of 2 targets met; not met: slow", ""]
    assert met_text(ROWS[:1]) == "1 of 1 targets met"
    assert met_text(ROWS[2:]) == ""


def test_a_report_as_json_has_the_facts_and_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    report(ROWS, {"quick": True}, "", as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"machine", "quick", "rows"}
    assert answer["quick"] is True
    assert [row["met"] for row in answer["rows"]] == [True, False, None]


def test_repeats_take_turns() -> None:
    calls: list[str] = []

    def measure(side: str) -> float:
        calls.append(side)
        return len(calls)

    pair = interleaved(lambda: measure("reference"), lambda: measure("ours"), 3)
    assert calls == ["reference", "ours"] * 3
    assert (pair.reference, pair.ours) == ([1, 3, 5], [2, 4, 6])


def test_the_large_list_holds_the_words_in_shuffled_order(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    write_list(path, corpus, 10_000)
    assert 10_000 <= path.stat().st_size <= 10_000 + corpus.lengths.max()
    words = list(read_words(path).words())
    known = list(corpus.words())
    assert sorted(words[: len(known)]) == sorted(known)
    assert words[: len(known)] != known
    assert words[: len(known)] != words[len(known) : 2 * len(known)]
    assert set(words) == set(known)


@pytest.mark.parametrize("repeats", ["4", "0", "-5", "many"])
def test_too_few_repeats_are_refused(repeats: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--repeats", repeats])
    assert stopped.value.code == 2
    assert "give a whole number from 5 on" in capsys.readouterr().err


def test_words_that_cannot_be_used_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dotted = tmp_path / "dotted.txt"
    dotted.write_text("a.b\ncd\n", encoding="utf-8")
    for source, says in (("lecture-names", "makemore-tui data fetch lecture-names"), (str(dotted), "words with '.'")):
        assert main(["--data", source]) == 2
        captured = capsys.readouterr()
        assert says in captured.err
        assert captured.out == ""
