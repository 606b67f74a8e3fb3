"""Run folders that a dashboard makes before anything is trained."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.runs.drafts import begin_draft, discard_drafts, is_draft
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, all_runs, create_run


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def draft_of(corpus: Corpus, maker: int, **values: str) -> Run:
    run = begin_draft(Home.find(), make_config(), corpus, {})
    with run.store() as store:
        store.set(draft=maker, **values)
    return run


def test_a_draft_whose_dashboard_is_gone_is_deleted(corpus: Corpus, gone: int) -> None:
    draft_of(corpus, gone)
    assert discard_drafts(Home.find()) == 1
    assert all_runs(Home.find()) == []


def test_one_that_is_looked_at_stays(corpus: Corpus) -> None:
    run = draft_of(corpus, os.getpid())
    assert is_draft(run)
    assert discard_drafts(Home.find()) == 0
    assert all_runs(Home.find()) == [run]


@pytest.mark.parametrize("status", ["running", "stopped", "done", "diverged"])
def test_one_that_was_trained_is_no_draft(status: str, corpus: Corpus, gone: int) -> None:
    run = draft_of(corpus, gone, status=status)
    assert not is_draft(run)
    assert discard_drafts(Home.find()) == 0


def test_one_that_a_worker_serves_stays(corpus: Corpus, gone: int) -> None:
    run = draft_of(corpus, gone)
    with run.training_lock():
        assert discard_drafts(Home.find()) == 0


def test_other_runs_and_damaged_ones_are_left_alone(corpus: Corpus, gone: int) -> None:
    home = Home.find()
    create_run(home, make_config(), corpus, None, {})
    damaged = draft_of(corpus, gone)
    (damaged.folder / "run.db").write_bytes(b"garbage" * 100)
    assert discard_drafts(home) == 0
    assert len(all_runs(home)) == 2
