"""`compare` from end to end: what it prints, its one document, its one-line errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tui_mm.cli.app import run
from tui_mm.runs.home import Home
from tui_mm.runs.run import find_run

WORDS = Path(__file__).parent / "words.txt"
Cli = Callable[..., Any]
SMALL = ("--steps", 12, "--eval-every", 6, "--batch-size", 8, "--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with runs of three kinds, named after them."""
    folder = tmp_path_factory.mktemp("trained")
    for model, sizes in {
        "mlp": ("--hidden", 8, "--embedding", 4, "--block-size", 3),
        "bigram": (),
        "gru": ("--hidden", 8, "--embedding", 4, "--block-size", 8),
    }.items():
        given = ("--data", WORDS, "--model", model, *sizes, *SMALL, "--name", f"my {model}", "--home", folder, "--json")
        assert run(["train", *map(str, given)]) == 0
    return folder


@pytest.fixture
def three(trained: Path, home: Path) -> None:
    shutil.copytree(trained, home)


def columns(line: str) -> list[str]:
    return [part for part in line.split("  ") if part.strip()]


@pytest.mark.usefixtures("three")
def test_facts_differences_characters_and_names_stand_side_by_side(cli: Cli) -> None:
    done = cli("compare", "my mlp", "my bigram", "last", "--prefix", "em", "-n", 4)
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    sections = [section.split("\n") for section in done.out.rstrip().split("\n\n")]
    facts, differ, following, drawn = sections
    table = {line.split()[0]: columns(line)[1:] for line in facts[1:]}
    assert facts[0].split() == ["A", "B", "C"]
    assert [cell.strip() for cell in table["model"]] == ["mlp", "bigram", "gru"]
    assert [cell.strip() for cell in table["steps"]] == ["12", "1", "12"]
    assert [cell.strip() for cell in table["status"]] == ["done"] * 3
    assert all(0 < float(cell) < 5 for cell in table["train"] + table["dev"])
    fields = {line.split()[0]: line.split()[1:] for line in differ}
    assert fields["differs"] == ["A", "B", "C"]
    assert fields["block_size"] == ["3", "-", "8"]
    assert fields["hidden"] == ["8", "-", "8"]
    assert not {"batch_size", "steps", "data"} & set(fields), "the same in all"
    assert following[0] == "next after em, by the last checkpoints"
    assert [line.count("%") for line in following[2:]] == [3] * 9, "eight characters and the rest"
    assert "beginning with em" in drawn[0]
    assert [line.split()[0][:2] for line in drawn[3:7]] == ["em"] * 4
    assert [len(line.split()) >= 3 for line in drawn[3:7]] == [True] * 4


@pytest.mark.usefixtures("three")
def test_the_document_has_all_of_it(cli: Cli) -> None:
    done = cli("compare", "my mlp", "my bigram", "my gru", "--prefix", "el", "-n", 3, "--seed", 5, "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert (document["prefix"], document["seed"], document["checkpoint"]) == ("el", 5, "last")
    assert document["differences"]["model"] == ["mlp", "bigram", "gru"]
    assert document["differences"]["block_size"] == [3, None, 8]
    assert len(document["next"]) == 8
    for told in document["runs"]:
        kept = find_run(Home.find(), told["run"])
        assert told["name"] == f"my {told['model']['kind']}"
        assert told["config"] == kept.config().values()
        assert [each["step"] for each in told["evaluations"]] == ([0, 1] if "bigram" in told["name"] else [0, 6, 12])
        assert told["losses"]["dev"] == told["evaluations"][-1]["dev"]
        answer = told["answer"]
        assert sum(answer["next"]) + answer["rest"] == pytest.approx(1)
        assert len(answer["samples"]) == 3
    sampled = json.loads(cli("sample", "my gru", "-n", 3, "--prefix", "el", "--seed", 5, "--json").out)["samples"]
    assert [s["text"] for s in sampled] == [s["text"] for s in document["runs"][2]["answer"]["samples"]]


@pytest.mark.usefixtures("three")
def test_a_prefix_that_a_run_cannot_take_is_said_in_its_place(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("\n".join(["zz", "zzz", "xz", "zx", "xx", "zxz", "xzx", "xxz", "zzx", "xzz"]))
    cli("train", "--data", other, *SMALL, "--name", "other")
    done = cli("compare", "my mlp", "other", "--prefix", "em")
    assert done.code == 0
    assert "B: 'em': 'e', 'm' is not in this model's vocabulary" in done.out
    assert "em" in done.out.split("samples from seed")[1].split("\n")[3]
    document = json.loads(cli("compare", "my mlp", "other", "--prefix", "em", "--json").out)
    assert "samples" in document["runs"][0]["answer"]
    assert list(document["runs"][1]["answer"]) == ["fault"]


@pytest.mark.usefixtures("three")
def test_on_a_terminal_the_curves_are_overlaid(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("tui_mm.cli.compare.sys", terminal)
    shown = cli("compare", "my mlp", "my bigram", "my gru").out
    assert "capitals: dev, small letters: train mean" in shown
    assert "B my bigram, dev" in shown
    assert "└" in shown
    monkeypatch.setattr(terminal.stdout, "isatty", lambda: False)
    assert "└" not in cli("compare", "my mlp", "my bigram").out


@pytest.mark.usefixtures("three")
def test_the_best_checkpoints_are_asked_where_they_are_wanted(cli: Cli) -> None:
    document = json.loads(cli("compare", "my mlp", "my gru", "--checkpoint", "best", "--json").out)
    for told in document["runs"]:
        assert told["answer"]["step"] == told["losses"]["best_step"]


@pytest.mark.parametrize(
    ("references", "words"),
    [
        ((), ["0 runs", "2 to 5"]),
        (("my mlp",), ["1 run", "2 to 5"]),
        (("a", "b", "c", "d", "e", "f"), ["6 runs", "2 to 5"]),
        (("my mlp", "my mlp"), ["given twice", "each run once"]),
        (("my gru", "last"), ["last and my gru are the same run"]),
        (("my mlp", "nothing"), ["nothing", "no such run"]),
        (("my mlp", "my gru", "-n", "0"), ["-n"]),
        (("my mlp", "my gru", "--checkpoint", "first"), ["--checkpoint", "best"]),
    ],
)
@pytest.mark.usefixtures("three")
def test_wrong_use_is_one_clear_line_and_code_2(references: tuple[str, ...], words: list[str], cli: Cli) -> None:
    done = cli("compare", *references)
    assert done.code == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    for word in words:
        assert word in done.err


def test_words_and_names_send_no_commands_to_the_terminal(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\n".join(["\x1b[2J", "\x9b3m", "a\x07b", "x\u202ey", "[b]m[/b]"] * 5))
    for seed in (1, 2):
        cli("train", "--data", path, "--seed", seed, *SMALL)
    runs = [folder.name for folder in sorted(Home.find().runs.iterdir())]
    for done in (
        cli("compare", *runs, "--prefix", "\x1b"),
        cli("compare", *runs, "--json"),
        cli("compare", "\x1b", "b"),
    ):
        assert not any(c in done.out + done.err for c in "\x1b\x9b\x07\u202e")


def test_help_begins_with_examples(cli: Cli) -> None:
    assert cli("compare", "--help").out.startswith("Examples:")
    assert "compare" in cli("--help").out
