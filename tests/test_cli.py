"""The commands, in this process: what they print, their one-line errors, their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tui_mm.config import FIELDS
from tui_mm.runs.home import Home
from tui_mm.runs.run import find_run

SMALL = ("--steps", 60, "--hidden", 16, "--embedding", 4, "--batch-size", 16, "--device", "cpu", "--threads", 1)
Cli = Callable[..., Any]


def test_train_json_is_one_document_with_all_that_is_promised(cli: Cli, words_file: Path) -> None:
    done = cli("train", "--data", words_file, *SMALL, "--json", "--name", "mine")
    assert done.code == 0
    document = json.loads(done.out)
    assert document["data"] == document["data"] | {"name": str(words_file), "words": 61, "distinct": 61}
    assert set(document["data"]["examples"]) == {"train", "dev", "test"}
    assert document["model"]["kind"] == "mlp"
    assert document["model"]["parameters"] > 0
    assert document["steps"] == 60
    assert set(document["losses"]) >= {"initial", "first_batch", "train", "dev", "best_dev"}
    assert all(isinstance(v, int | float) for v in document["losses"].values())
    assert document["steps_per_second"] > 0
    assert document["seconds"] > 0
    assert document["device"] == "cpu"
    assert len(document["samples"]) == 20
    assert document["name"] == "mine"
    assert "step 60/60" in done.err
    assert find_run(Home.find(), "mine").id == document["run"]


def test_train_prints_lines_and_samples_where_there_is_no_terminal(cli: Cli, words_file: Path) -> None:
    done = cli("train", "--data", words_file, *SMALL)
    assert done.code == 0
    assert done.err == ""
    assert "61 words" in done.out
    assert "samples:" in done.out
    assert "\x1b" not in done.out
    assert 1 <= done.out.count("step 60/60") <= 2  # the second with the last evaluation


def test_the_plain_command_trains_on_the_bundled_names(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its defaults, with fewer steps so that this does not take ten seconds."""
    monkeypatch.setattr("tui_mm.config.PRESETS", {"default": {"steps": 20, "eval_every": 10}})
    done = cli()
    assert done.code == 0
    assert done.out.startswith("names: ")
    assert len(done.out.split("samples:")[1].strip().splitlines()) == 21


def test_sample_is_seeded_prefixed_and_says_what_is_seen(cli: Cli, words_file: Path) -> None:
    cli("train", "--data", words_file, *SMALL)
    first = cli("sample", "last", "-n", 5, "--prefix", "em", "--seed", 3, "--json")
    again = cli("sample", "last", "-n", 5, "--prefix", "em", "--seed", 3, "--json")
    other = cli("sample", "last", "-n", 5, "--prefix", "em", "--seed", 4, "--json")
    assert first.code == 0
    assert first.out == again.out != other.out
    names = json.loads(first.out)["samples"]
    assert len(names) == 5
    for name in names:
        assert name["text"].startswith("em")
        assert name["seen_in"] in ("train", "dev", "test", None)
        assert all(0 < p <= 1 for p in name["probabilities"])
    words = set(words_file.read_text().split())
    assert all((n["text"] in words) == (n["seen_in"] is not None) for n in names)
    plain = cli("sample", "last", "-n", 3, "--temperature", 0.5, "--top-k", 3, "--top-p", 0.9)
    assert len(plain.out.splitlines()) == 3


def test_part_ones_names_come_from_bigram_counts(cli: Cli, lecture_path: Path) -> None:
    cli("train", "--preset", "bigram", "--data", lecture_path, "--train-fraction", 1, "--dev-fraction", 0)
    done = cli("sample", "last", "-n", 5, "--seed", 2147483647, "--json")
    texts = [name["text"] for name in json.loads(done.out)["samples"]]
    assert texts == ["mor", "axx", "minaymoryles", "kondlaisah", "anchshizarie"]


def test_eval_counts_the_looks_at_test(cli: Cli, words_file: Path) -> None:
    cli("train", "--data", words_file, *SMALL, "--json")
    dev = json.loads(cli("eval", "last", "--json").out)
    assert dev["split"] == "dev"
    assert "test_evaluations" not in dev
    assert [json.loads(cli("eval", "last", "--split", "test", "--json").out)["test_evaluations"] for _ in "ab"] == [
        1,
        2,
    ]
    said = cli("eval", "last", "--split", "test")
    assert "tested 3 times" in said.out
    summary = json.loads(cli("runs", "show", "last", "--json").out)
    assert dev["loss"] == pytest.approx(summary["losses"]["dev"], abs=1e-6)


def test_sweep_gives_curve_and_suggestions(cli: Cli, words_file: Path) -> None:
    done = cli("sweep", "--data", words_file, "--preset", "lecture-small", "--points", 200, "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert len(document["exponents"]) == len(document["losses"]) == len(document["smoothed"]) == 200
    assert (document["exponents"][0], document["exponents"][-1]) == (-3.0, 0.0)
    assert set(document["suggestions"]) == {"valley", "steepest", "minimum"}
    chart = cli("sweep", "--data", words_file, "--preset", "lecture-small", "--points", 200)
    assert "valley" in chart.out
    assert cli("runs").out.startswith("no runs")


def test_rates_are_trained_at_with_several_seeds_each(cli: Cli, words_file: Path) -> None:
    asked = ("sweep", "--data", words_file, "--preset", "lecture-small", "--threads", "1", "--train-steps", 40)
    asked += ("--points", 5, "--seeds", 3, "--to", 2)
    done = cli(*asked, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["exponents"] == [-3.0, -1.75, -0.5, 0.75, 2.0]
    assert found["seeds"] == [2147483647, 2147483648, 2147483649]
    assert (found["train_steps"], found["measured"]) == (40, "dev")
    assert [len(row) for row in found["losses"]] == [3] * 5
    assert found["diverged"][-1] == 3, "a rate of 100 is too high"
    assert found["losses"][-1] == [None] * 3
    assert found["best"] == pytest.approx(10**-0.5)
    assert found["as_good"][0] <= found["best"] <= found["as_good"][1]
    k = found["exponents"].index(-0.5)
    assert found["low"][k] <= found["median"][k] <= found["high"][k]
    assert "step 40/40" in done.err
    chart = cli(*asked)
    assert "dev loss over the exponent e" in chart.out
    assert "3 of 3" in chart.out
    assert chart.out.splitlines()[-1] == "try: --lr 0.32"
    train = cli(*asked, "--train-fraction", "1", "--dev-fraction", "0", "--json")
    assert json.loads(train.out)["measured"] == "train", "without a dev split"
    assert cli("runs").out.startswith("no runs")


def test_runs_are_listed_shown_and_deleted(cli: Cli, words_file: Path) -> None:
    assert "no runs" in cli("runs").out
    ids = [json.loads(cli("train", "--data", words_file, *SMALL, "--json").out)["run"] for _ in range(2)]
    listed = cli("runs").out
    assert all(i in listed for i in ids)
    assert [r["run"] for r in json.loads(cli("runs", "--json").out)["runs"]] == ids
    shown = cli("runs", "show", ids[0]).out
    for word in ("status    done", "parameters", "config", "started at step 0", "done at step 60"):
        assert word in shown
    assert f"run {ids[0]} deleted" in cli("runs", "delete", ids[0]).out
    assert ids[0] not in cli("runs").out
    assert ids[1] in cli("runs").out


def test_a_damaged_run_is_listed_as_such_beside_the_others(cli: Cli, words_file: Path, home: Path) -> None:
    ids = [json.loads(cli("train", "--data", words_file, *SMALL, "--json").out)["run"] for _ in range(2)]
    for file in (home / "runs" / ids[0]).glob("run.db*"):
        file.write_bytes(b"garbage" * 1000)
    listed = cli("runs")
    assert listed.code == 0
    assert "damaged" in listed.out
    assert ids[1] in listed.out
    for command in (("runs", "show"), ("sample",), ("eval",), ("resume",)):
        done = cli(*command, ids[0])
        assert done.code == 2, command
        assert ids[0] in done.err


def test_home_may_stand_before_or_after_the_subcommand(cli: Cli, words_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    cli("train", "--data", words_file, *SMALL, "--home", other, "--name", "there")
    assert "there" in cli("runs", "--home", other).out
    assert cli("runs", "show", "there", "--home", other).code == 0
    assert cli("runs", "--home", other, "show", "there").code == 0
    assert cli("runs", "show", "there").code == 2


def test_resume_of_a_done_run_only_shows_it(cli: Cli, words_file: Path) -> None:
    first = json.loads(cli("train", "--data", words_file, *SMALL, "--json").out)
    again = cli("resume", "last", "--json")
    assert again.code == 0
    assert json.loads(again.out) == first
    assert "nothing to resume" in again.err


def test_a_diverged_training_fails_with_code_1(cli: Cli, words_file: Path) -> None:
    done = cli("train", "--data", words_file, *SMALL, "--optimizer", "sgd", "--lr", 1e30, "--json")
    assert done.code == 1
    assert json.loads(done.out)["status"] == "diverged"
    assert "training failed" in done.err
    assert "sweep" in done.err
    assert "Traceback" not in done.err


def test_data_show_tells_a_list_in_numbers(cli: Cli, words_file: Path) -> None:
    done = cli("data", "show", words_file)
    assert done.code == 0
    for word in ("61, 61 distinct", "emma olivia", "train", "bigram counts", "words by length"):
        assert word in done.out
    document = json.loads(cli("data", "show", words_file, "--json").out)
    assert document["words"] == 61
    assert "lecture-names" in cli("data", "show").out


def test_data_show_takes_a_list_too_short_to_split(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("emma")
    assert "1, 1 distinct" in cli("data", "show", path).out


def test_the_lectures_list_in_numbers(cli: Cli, lecture_path: Path) -> None:
    document = json.loads(cli("data", "show", lecture_path, "--json").out)
    assert document["bigram_loss"] == pytest.approx(2.454014, abs=1e-6)
    assert {n: s["examples"] for n, s in document["splits"].items()} == {
        "train": 182_625,
        "dev": 22_655,
        "test": 22_866,
    }


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n\t\n", "only blank lines"),
    "latin": ("emma\nzoë\n".encode("latin-1"), "line 2: is not utf-8"),
    "nul": (b"emma\nol\0ivia\n", "line 2: holds a NUL byte"),
    "few": (b"emma\nolivia\n", "cannot be split"),
}


@pytest.mark.parametrize("kind", [*BAD_FILES, "missing", "folder"])
def test_every_bad_list_is_one_clear_line(kind: str, cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / f"{kind}.txt"
    expected = {"missing": "no such file", "folder": "is a folder"}.get(kind)
    if kind in BAD_FILES:
        raw, expected = BAD_FILES[kind]
        path.write_bytes(raw)
    elif kind == "folder":
        path.mkdir()
    done = cli("train", "--data", path, *SMALL)
    assert done.code == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert str(expected) in done.err
    assert str(path) in done.err


UNUSUAL = {
    "crlf": "emma\r\nolivia\r\n",
    "byte order mark": "\ufeffemma\nolivia",
    "scripts": "EMMA\nZoë\n李小龙\n👩‍👩‍👧 a b\na.b\n..\n",
    "blank lines and repeats": "emma\n\n\nemma\n",
    "a long line": "x" * 100_000 + "\na",
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_lists_work(text: str, cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(text.encode())
    done = cli("train", "--data", path, "--train-fraction", 1, "--dev-fraction", 0, *SMALL, "--steps", 5, "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["samples"]) == 20


def test_other_encodings_are_named(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("zoë\nnoël\nchloë\nemma\nada\nlia\nkim\n".encode("latin-1"))
    shown = cli("data", "show", path, "--encoding", "latin-1")
    assert shown.code == 0
    assert "zoë" in shown.out
    assert cli("train", "--data", path, "--encoding", "latin-1", *SMALL, "--json").code == 0


def test_escape_sequences_in_words_never_reach_the_terminal(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\n".join(["\x1b[2Jred", "\x9b31m", "a\x07b", "x\u202ey", "[bold]m[/bold]", "\x1b]0;t\x07"] * 10))
    outputs = [
        cli("data", "show", path),
        cli("train", "--data", path, *SMALL),
        cli("sample", "last"),
        cli("sample", "last", "--json"),
        cli("runs"),
        cli("runs", "show", "last"),
        cli("runs", "show", "last", "--json"),
        cli("sample", "last", "--prefix", "\x1b]q"),
        cli("train", "--data", "no\x1b[2Jfile"),
    ]
    for done in outputs:
        text = done.out + done.err
        assert text
        assert not any(c in text for c in "\x1b\x9b\x07\u202e")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--lr", "-1"), ["--lr", "above 0"]),
        (("train", "--foo"), ["--foo", "--help"]),
        (("train", "--preset", "lectur"), ["did you mean lecture?"]),
        (("train", "--device", "cuda:99"), ["--device", "cpu"]),
        (("train", "--config", "none.toml"), ["none.toml"]),
        (("train", "--name", "last"), ["--name"]),
        (("trian",), ["trian", "--help"]),
        (("sample", "last"), ["no runs"]),
        (("sample", "last", "-n", "0"), ["-n"]),
        (("sample", "last", "-n", "x"), ["-n / --count: 'x' is not allowed; give a whole number from 1 to 1,000,000"]),
        (
            ("logs", "last", "-n", "1 is not 2"),
            ["-n / --lines: '1 is not 2' is not allowed; give a whole"],
        ),
        (("speedrun", "--target", "x"), ["--target: 'x' is not allowed; give a number;"]),
        (("replay", "last", "--at", "-1"), ["--at: -1 is not allowed; give a whole number from 0 on"]),
        (("sweep", "--train-steps", "x"), ["--train-steps: 'x' is not allowed; give a whole number;"]),
        (("sample",), ["RUN"]),
        (("eval", "last", "--split", "all"), ["--split", "train", "dev", "test"]),
        (("sweep", "--from", "1", "--to", "0"), ["--from"]),
        (("sweep", "--model", "bigram"), ["no learning rate"]),
        (("sweep", "--model", "bigram", "--train-steps", "5"), ["learns by counting", "give mlp"]),
        (("sweep", "--train-steps", "0"), ["--train-steps: 0", "from 1 to 1,000,000"]),
        (("sweep", "--train-steps", "5", "--seeds", "65"), ["--seeds: 65", "from 1 to 64"]),
        (("sweep", "--train-steps", "5", "--points", "1"), ["--points: 1", "from 2 to 1,000"]),
        (("sweep", "--train-steps", "5", "--points", "1000", "--seeds", "64"), ["replicas: 64,000", "1 to 4,096"]),
        (("sweep", "--seeds", "3"), ["--seeds goes with --train-steps"]),
        (("resume", "abc"), ["no runs"]),
        (("runs", "delete", "abc"), ["no runs"]),
        (("data", "fetch", "nothing"), ["nothing", "lecture-names"]),
        (("train", "--data", "lecture-names"), ["data fetch lecture-names"]),
        (("train", "--hidden", "65536", "--embedding", "4096", "--block-size", "256"), ["parameters", "smaller"]),
    ],
)
def test_wrong_use_is_one_clear_line_and_code_2(arguments: tuple[str, ...], words: list[str], cli: Cli) -> None:
    done = cli(*arguments)
    assert done.code == 2, done.err
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


@pytest.mark.parametrize("sampling", [("--temperature", "-1"), ("--top-k", "-1"), ("--top-p", "0"), ("--prefix", "É")])
def test_wrong_sampling_is_one_clear_line(sampling: tuple[str, str], cli: Cli, words_file: Path) -> None:
    cli("train", "--data", words_file, *SMALL)
    done = cli("sample", "last", *sampling)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1


def test_eval_of_a_split_that_is_not_there(cli: Cli, words_file: Path) -> None:
    cli("train", "--data", words_file, "--preset", "five-words", "--steps", 5)
    done = cli("eval", "last")
    assert done.code == 2
    assert "no dev words" in done.err


def test_help_begins_with_examples_and_names_every_hyperparameter(cli: Cli) -> None:
    for command in ((), ("train",), ("sweep",), ("sample",), ("eval",), ("runs",), ("resume",), ("data",)):
        done = cli(*command, "--help")
        assert done.code == 0
        assert done.out.startswith("Examples:"), command
    shown = cli("train", "--help").out
    for name in FIELDS:
        assert f"--{name.replace('_', '-')} " in shown


def test_version(cli: Cli) -> None:
    from tui_mm import __version__

    assert __version__ in cli("--version").out
