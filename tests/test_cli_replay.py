"""`replay` at the command line: what is refused, and the picture that needs no terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data.corpus import Corpus
from tests.conftest import Outcome
from tests.replayed import made_run
from tui_mm.config import make_config
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(Home(tmp_path / "kept"))


def test_without_a_terminal_it_says_what_to_do(run: Run, cli: Callable[..., Outcome]) -> None:
    found = cli("replay", "last", "--home", run.folder.parent.parent)
    assert (found.code, found.out) == (2, "")
    assert found.err.count("\n") == 1
    assert "a replay needs a terminal; without one, give --screenshot FILE" in found.err


@pytest.mark.parametrize("arguments", [("--size", "80x24"), ("--press", "5")])
def test_what_goes_with_a_picture_goes_with_nothing_else(
    arguments: tuple[str, str], cli: Callable[..., Outcome]
) -> None:
    found = cli("replay", "last", *arguments)
    assert found.code == 2
    assert f"{arguments[0]} goes with --screenshot" in found.err


def refused(cli: Callable[..., Outcome], run: Run, *arguments: object) -> str:
    picture = run.folder.parent.parent / "a.svg"
    found = cli("replay", run.id, "--home", run.folder.parent.parent, "--screenshot", picture, *arguments)
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1), found.err
    assert not picture.exists()
    return found.err


def test_runs_that_cannot_be_replayed_are_one_line(run: Run, cli: Callable[..., Outcome], corpus: Corpus) -> None:
    assert "--at: 601 is not allowed; run 0a1b2c3d has 600 steps: give 0 to 600" in refused(cli, run, "--at", 601)
    assert "--speed: 'fast' is not allowed" in refused(cli, run, "--speed", "fast")
    with run.store() as store:
        store.set(config={"steps": -1})
    assert "config" in refused(cli, run)
    (run.folder / "run.db").write_bytes(b"no store at all" * 100)
    refused(cli, run)
    fresh = create_run(Home(run.folder.parent.parent), make_config(), corpus, None, {"data": {}, "model": {}})
    said = refused(cli, fresh)
    assert f"run {fresh.id}: has no steps yet, there is nothing to replay; train it: makemore-tui resume" in said


def test_a_picture_needs_no_terminal_and_loads_no_torch(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "a.svg"
    code = (
        "import sys; from tui_mm.cli.app import run; code = run(sys.argv[1:]); "
        "sys.exit(code or ('torch' in sys.modules) * 77)"
    )
    home = run.folder.parent.parent
    arguments = (
        "replay",
        "last",
        "--home",
        home,
        "--at",
        300,
        "--size",
        "110x30",
        "--screenshot",
        picture,
        "--press",
        "9",
    )
    found = subprocess.run(
        [sys.executable, "-P", "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    drawn = picture.read_text(encoding="utf-8").replace("&#160;", " ")
    assert drawn.startswith("<svg")
    assert "replay of 0a1b2c3d" in drawn
    assert "300/600" in drawn
    assert "paused at step 250" in drawn
    assert not (run.folder / "worker.log").exists(), "a worker was started"


def test_a_picture_that_cannot_be_written_is_said(run: Run, cli: Callable[..., Outcome]) -> None:
    found = cli("replay", "last", "--home", run.folder.parent.parent, "--screenshot", run.folder / "none" / "a.svg")
    assert found.code == 2
    assert "cannot be written" in found.err
