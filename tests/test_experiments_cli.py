"""`experiment` and `experiments` on the command line."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome
from tui_mm.cli.experiment import _Telling
from tui_mm.experiments.catalog import EXPERIMENTS
from tui_mm.experiments.kept import all_experiments
from tui_mm.experiments.result import Row
from tui_mm.runs.home import Home

Cli = Callable[..., Outcome]


def test_one_is_run_shown_and_kept(cli: Cli, words_file: Path) -> None:
    done = cli("experiment", "part1-e03", "--data", words_file)
    assert done.code == 0, done.err
    experiment = EXPERIMENTS["part1-e03"]
    for text in (experiment.title, experiment.asks, "added", "Least on dev with", "61 words", "evaluated once"):
        assert text in done.out
    assert "the lecture" not in done.out, "these are not its words"
    assert "   1  0.001: train" in done.err
    (kept,) = all_experiments(Home.find())
    assert f"kept as experiment {kept.id}" in done.out
    shown = cli("experiments", "show", kept.id[:5])
    assert shown.code == 0
    assert "Least on dev with" in shown.out
    assert shown.out.split("seed")[1].splitlines()[2:] == done.out.split("seed")[1].splitlines()[2:-1]


def test_json_is_exactly_one_document(cli: Cli, words_file: Path) -> None:
    done = cli("experiment", "part1-e02", "--data", words_file, "--json", "--seed", 5, "--threads", 1)
    document = json.loads(done.out)
    assert document["experiment"] == "part1-e02"
    assert [row["model"] for row in document["rows"]] == ["bigram, 1 added", "bigram, 0.3 added", "trigram, 1 added"]
    assert document["answer"].startswith("The bigram has")
    assert document["data"]["words"] == 61
    assert (document["seed"], document["test_evaluations"], document["status"]) == (5, 2, "done")
    assert document["seconds"] > 0
    again = json.loads(cli("experiments", "show", "last", "--json").out)
    assert again == document
    assert json.loads(cli("experiments", "--json").out)["experiments"][0]["id"] == document["id"]


def test_the_lectures_figures_stand_beside_ours_for_its_words_alone(cli: Cli, lecture_path: Path) -> None:
    whole = cli("experiment", "part1-e02", "--data", lecture_path)
    assert "the lecture (train, dev, test)" in whole.out
    assert "(2.4543) (2.4530) (2.4580)" in whole.out
    document = json.loads(cli("experiment", "part1-e02", "--data", lecture_path, "--json").out)
    assert document["rows"][1]["lecture"]["dev"] == {"value": 2.453, "stated": False}
    scaled = cli("experiment", "part1-e02", "--data", lecture_path, "--scale", 0.5)
    assert "the lecture (" not in scaled.out
    assert "no figure of the lecture compares" in scaled.out


def test_the_lectures_list_is_taken_where_it_was_fetched(cli: Cli, lecture_path: Path, home: Path) -> None:
    assert json.loads(cli("experiment", "part1-e02", "--json").out)["data"]["source"] == "names"
    (home / "datasets" / "lecture-names.txt").write_bytes(lecture_path.read_bytes())
    assert json.loads(cli("experiment", "part1-e02", "--json").out)["data"]["source"] == "lecture-names"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("part1-e7",), "experiment: 'part1-e7' is not one; give one of part1-e01"),
        (("overfitt",), "did you mean overfit?"),
        (("overfit", "--scale", "0"), "--scale: 0 is not allowed; give a number above 0, at most 1"),
        (("overfit", "--scale", "nan"), "--scale: nan is not allowed"),
        (("overfit", "--seed", "-1"), "--seed: -1 is not allowed; give a whole number from 0 to 9,223"),
        (("overfit", "--data", "none.txt"), "none.txt: no such file"),
        (("overfit", "--level", "letter"), "level: 'letter' is not allowed; give one of character, word"),
        (("overfit", "--id", "zz"), "zz: there are no experiments in"),
        ((), "Missing argument 'NAME'"),
    ],
)
def test_what_is_wrong_is_one_line(cli: Cli, arguments: tuple[str, ...], line: str) -> None:
    done = cli("experiment", *arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert line in done.err
    assert all_experiments(Home.find()) == []


def test_too_few_words_leave_nothing_behind(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    path.write_text("a\nb\n")
    done = cli("experiment", "part1-e02", "--data", path)
    assert done.code == 2
    assert "give an experiment at least 10 words" in done.err
    assert all_experiments(Home.find()) == []


def test_they_are_listed_and_deleted(cli: Cli, words_file: Path) -> None:
    empty = cli("experiments")
    assert empty.code == 0
    assert all(name in empty.out for name in EXPERIMENTS)
    ids = [json.loads(cli("experiment", "part1-e02", "--data", words_file, "--json").out)["id"] for _ in "ab"]
    (Home.find().root / "experiments" / ids[0] / "experiment.json").write_bytes(b"{")
    listed = cli("experiments")
    assert all(ident in listed.out for ident in ids)
    assert "damaged" in listed.out and "done" in listed.out
    assert {e["status"] for e in json.loads(cli("experiments", "--json").out)["experiments"]} == {"damaged", "done"}
    shown = cli("experiments", "show", ids[0])
    assert shown.code == 2
    assert "cannot be used" in shown.err
    deleted = cli("experiments", "delete", *ids)
    assert deleted.out == f"experiment {ids[0]} deleted\nexperiment {ids[1]} deleted\n"
    assert all_experiments(Home.find()) == []


def test_words_of_a_text_are_a_list_too(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("The cat sat on the mat. The dog sat on the cat. " * 20)
    done = cli("experiment", "part1-e02", "--data", path, "--level", "word", "--min-count", 1, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["data"]["words"] == 40


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_rows_that_are_done(
    number: signal.Signals, code: int, cli: Cli, words_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To this very process, in the middle. One of its own is stopped in test_experiment_screen.py."""
    usual = _Telling.row

    def row(telling: _Telling, found: Row, at: int) -> None:
        usual(telling, found, at)
        if at == 3:
            signal.raise_signal(number)

    monkeypatch.setattr(_Telling, "row", row)
    done = cli("experiment", "part1-e03", "--data", words_file, "--json")
    assert done.code == code
    document = json.loads(done.out)
    assert (document["status"], len(document["rows"]), document["answer"]) == ("stopped", 3, "")
    assert "stopped; the rows that were done are kept" in done.err
    assert all_experiments(Home.find())[0].read().status == "stopped"
    assert "stopped" in cli("experiments", "show", "last").out
