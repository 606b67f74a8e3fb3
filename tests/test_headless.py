"""`--headless`: the very same app without a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from tui_mm.cli.headless import parse_keys, parse_size
from tui_mm.dashboard.panels.log import LogPanel
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home
from tui_mm.runs.run import all_runs
from tui_mm.settings import Settings

SMALL = (
    "--block-size", 3, "--embedding", 4, "--hidden", 16, "--batch-size", 8, "--steps", 300, "--threads", 1,
    "--device", "cpu",
)  # fmt: skip


def test_sizes_and_keys_are_read() -> None:
    assert parse_size("80x24") == (80, 24)
    assert parse_keys(["l", "s e m", "ctrl+p escape", "shift+left"]) == [
        "l", "s", "e", "m", "ctrl+p", "escape", "shift+left",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "80", "80X24", "0x0", "5x5", "99999x24", "-80x24", "80x24x3", "axb"])
def test_a_wrong_size_is_said(text: str) -> None:
    with pytest.raises(click.UsageError, match="give columns and rows from 20x8 to 1000x400"):
        parse_size(text)


def test_a_wrong_key_is_said() -> None:
    with pytest.raises(click.UsageError, match="'nokey' is no key"):
        parse_keys(["s nokey"])


def test_it_trains_presses_keys_takes_a_picture_and_prints_what_train_prints(
    words_file: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    picture = tmp_path / "a.svg"
    found = cli(
        "--headless", "--data", words_file, *SMALL, "--size", "100x30", "--press", "l s e m escape",
        "--screenshot", picture,
    )  # fmt: skip
    assert found.code == 0, found.err
    document = json.loads(found.out)
    assert document["status"] == "done"
    assert document["steps"] == 300
    drawn = picture.read_text(encoding="utf-8").replace("&#160;", " ")
    assert drawn.startswith("<svg")
    assert "✓ done 300 / 300" in drawn
    plain = json.loads(cli("train", "--data", words_file, *SMALL, "--json").out)
    assert plain.keys() == document.keys()
    assert plain["losses"] == document["losses"]
    watched, alone = (load_checkpoint(run.checkpoint("last")).arrays for run in all_runs(Home.find()))
    assert all(np.array_equal(watched[name], alone[name]) for name in alone)


def test_a_key_that_pauses_ends_it_with_a_checkpoint(words_file: Path, cli: Callable[..., Any]) -> None:
    mine = Settings(theme="nord", temperature=0.5)
    mine.save(Home.find())
    found = cli("--headless", "--data", words_file, *SMALL, "--steps", 1_000_000, "--press", "space")
    assert Settings.load(Home.find()) == (mine, ""), "it begins with the usual settings, and leaves a person's alone"
    assert found.code == 0, found.err
    document = json.loads(found.out)
    assert document["status"] == "stopped"
    assert 0 < document["steps"] < 1_000_000
    (run,) = all_runs(Home.find())
    assert run.checkpoint("last").exists()


def test_divergence_is_a_failure(words_file: Path, cli: Callable[..., Any]) -> None:
    found = cli(
        "--headless", "--data", words_file, *SMALL, "--optimizer", "sgd", "--lr", 1e30, "--schedule", "constant"
    )
    assert found.code == 1
    assert json.loads(found.out)["status"] == "diverged"


def test_words_that_cannot_be_read_are_one_line(cli: Callable[..., Any], tmp_path: Path) -> None:
    found = cli("--headless", "--data", tmp_path / "none.txt")
    assert found.code == 2
    assert found.out == ""
    assert found.err.count("\n") == 1
    assert "no such file" in found.err


def test_a_panel_that_raises_is_a_failure(
    words_file: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: LogPanel) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(LogPanel, "draw", broken)
    found = cli("--headless", "--data", words_file, *SMALL, "--press", "9")
    assert found.code == 1
    assert "raised" in found.err


def test_leaving_by_a_key_ends_it(words_file: Path, cli: Callable[..., Any]) -> None:
    found = cli("--headless", "--data", words_file, *SMALL, "--steps", 1_000_000, "--press", "q s")
    assert found.code == 0, found.err
    assert json.loads(found.out)["steps"] < 1_000_000


@pytest.mark.parametrize("arguments", [("--size", "80x24"), ("--press", "l"), ("--screenshot", "a.svg")])
def test_what_goes_with_headless_goes_with_nothing_else(arguments: tuple[str, str], cli: Callable[..., Any]) -> None:
    found = cli(*arguments)
    assert found.code == 2
    assert f"{arguments[0]} goes with --headless" in found.err
