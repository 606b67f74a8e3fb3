"""Texts from elsewhere on the command line: what the commands print of them are characters to be seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import WORDS, Promise
from tests.hostile import NASTY, change, set_meta, settle, sound_experiment, sound_run
from tui_mm.runs.home import Home
from tui_mm.runs.run import all_runs

Cli = Callable[..., Any]
USABLE = [text for text in NASTY if "\0" not in text]


def check(found: Any, codes: tuple[int, ...] = (0,)) -> str:
    """All that a command wrote, after a look at every character."""
    written: str = found.out + found.err
    assert found.code in codes, written[-1000:]
    for line in written.split("\n"):
        strange = {c for c in line if not (c.isprintable() or c in "\u200c\u200d") or c in "\u3164\u2800\u115f"}
        assert not strange, line
    assert "Traceback" not in written
    return written


@pytest.mark.parametrize("level", ["character", "word"])
def test_words_from_elsewhere_are_trained_on_and_shown(
    level: str, cli: Cli, tmp_path: Path, home: Path, promised: Promise
) -> None:
    words = tmp_path / "\x1b[2J[@click=app.quit]q[\u202e.txt"
    lines = [f"{text}{word}".replace("\n", "").replace("\r", "") for text in USABLE for word in WORDS[:8]]
    words.write_text((".\n\n" if level == "word" else "\n").join(lines), encoding="utf-8")
    of = ("--data", words, "--level", level, "--min-count", 1)
    check(cli("data", "show", words, "--level", level, "--min-count", 1))
    seen = check(cli("train", *of, "--model", "bigram"))
    if level == "character":
        check(cli("train", *of, "--model", "mlp", "--steps", 3, "--hidden", 8, "--batch-size", 8))
    first, *_ = runs = all_runs(Home(home))
    prefix = "\x1b" if level == "character" else "emma \x1b[2J"
    for command in (
        ("runs",), ("runs", "show", first.id), ("runs", "--json"), ("sample", first.id), ("sample", first.id, "--json"),
        ("sample", first.id, "--prefix", prefix), ("eval", first.id), ("logs", first.id), ("logs", first.id, "--json"),
        ("compare", *(run.id for run in runs), "--prefix", prefix), ("resume", first.id),
        ("export", first.id, "--to", "jsonl", "--output", tmp_path / "run.jsonl"),
    ):  # fmt: skip
        seen += check(cli(*command), (0, 2))
    assert "\\x1b" in seen
    promised("No word printed by a command is one itself", tried=15, lost=0, figure=f"commands, level {level}")


def test_whatever_a_run_says_is_printed_as_text(cli: Cli, home: Path, promised: Promise) -> None:
    place, tried = Home(home), 0
    for text in NASTY:
        run = sound_run(place, None)
        with run.store() as store, store.transaction():
            told = store.meta()
            store.set(name=text, torch=text,
                      data=told["data"] | {"name": text, "source": text, "examples": {text[:16]: 3}})  # fmt: skip
            store.add_event(3, text, text, text)
        change(run, "UPDATE samples SET text = ?, seen_in = ?", text, text)
        (run.folder / "worker.log").write_text(text, encoding="utf-8")
        settle(run.folder / "run.db")
        for command in (("runs",), ("runs", "show", run.id), ("runs", "show", run.id, "--json"), ("logs", run.id),
                        ("logs", run.id, "--json"), ("resume", run.id), ("sample", run.id), ("attach", run.id),
                        ("replay", run.id), ("stop", run.id), ("runs", "rename", run.id, text or "x")):  # fmt: skip
            check(cli(*command), (0, 2))
            tried += 1
        check(cli("runs", "delete", run.id))
    promised("Nothing that a run says is printed as a command", tried=tried, lost=0, figure="commands")


WRONG: dict[str, Any] = {
    "data": {"name": "words"}, "model": {"kind": "mlp"}, "created": "0001-01-01T00:00:00", "config": {"steps": 3},
    "status": NASTY[0][:9], "finished": "a\n", "threads": 10**30, "device": "cuda:99; rm", "name": ["x"],
    "generation": -1,
}  # fmt: skip


@pytest.mark.parametrize("key", WRONG)
def test_a_run_that_lacks_what_a_run_has_is_shown_or_refused(key: str, cli: Cli, home: Path) -> None:
    run = sound_run(Home(home))
    set_meta(run, key, WRONG[key])
    for command in (("runs",), ("runs", "--json"), ("runs", "show", run.id), ("runs", "show", run.id, "--json"),
                    ("logs", run.id), ("sample", run.id), ("resume", run.id), ("eval", run.id), ("stop", run.id),
                    ("export", run.id, "--to", "csv")):  # fmt: skip
        written = check(cli(*command), (0, 2))
        assert written


def test_values_that_json_does_not_have_are_refused(cli: Cli, home: Path) -> None:
    run = sound_run(Home(home))
    for value in (float("nan"), float("inf")):
        set_meta(run, "data", {"name": "words", "words": value, "source": "x"})
        for command in (("runs", "--json"), ("runs", "show", run.id, "--json")):
            check(cli(*command), (0, 2))


def test_whatever_an_experiment_says_is_printed_as_text(cli: Cli, home: Path, promised: Promise) -> None:
    place, tried = Home(home), 0
    for text in NASTY:
        kept = sound_experiment(place)
        file = kept.folder / "experiment.json"
        document = json.loads(file.read_text())
        result = document["result"]
        result |= {"answer": text, "notes": [text]}
        result["columns"][0]["title"] = result["chart"]["x_title"] = result["chart"]["y_title"] = text
        result["chart"]["labels"] = [text] * len(result["chart"]["labels"])
        result["rows"][0]["smoothing"] = text
        document |= {"fault": text, "data": text, "words": {"name": text, "sha256": text, "words": 3, "vocabulary": 3}}
        file.write_text(json.dumps(document))
        for command in (("experiments",), ("experiments", "show", kept.id), ("experiments", "show", kept.id, "--json")):
            check(cli(*command))
            tried += 1
    promised("Nothing that an experiment says is printed as a command", tried=tried, lost=0, figure="commands")


def test_errors_quote_what_was_given_as_text(cli: Cli, tmp_path: Path, words_file: Path, promised: Promise) -> None:
    tried, small = 0, ("--data", words_file, "--model", "bigram")
    for text in USABLE:
        config = tmp_path / "run.toml"
        config.write_text(f"{json.dumps(text)} = 3\n", encoding="utf-8")
        for command in (("train", "--data", text), ("train", "--model", text), ("train", "--name", text, *small),
                        ("train", "--config", config), ("runs", "show", "--", text), ("data", "fetch", "--", text),
                        ("train", *small, "--encoding", text), ("--preset", text), ("experiment", "--", text),
                        ("compare", text, text), ("export", text, "--to", text), (text,), (f"--{text}",)):  # fmt: skip
            check(cli(*command), (0, 1, 2))
            tried += 1
    promised("No error quotes what was given as a command", tried=tried, lost=0, figure="errors")
