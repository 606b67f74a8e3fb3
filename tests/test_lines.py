"""The head line and the foot line, by value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.dashboard.lines import foot_line, head_line
from tui_mm.dashboard.state import ViewState
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home
from tui_mm.runs.run import create_run
from tui_mm.runs.store import EvaluationRow, LossChunk


def state_at(corpus: Corpus, done: int, *, rate: float, lr: float = 0.1, loss: float = 2.3, **flags: Any) -> ViewState:
    """A run under way, ``done`` steps of 1,000 far."""
    config = make_config(flags={"steps": 1000, **flags})
    run = create_run(Home.find(), config, corpus, None, {"data": {}, "model": {}})
    with run.store() as store, store.transaction():
        losses = np.full(done, loss, np.float32)
        store.add_losses(LossChunk(1, losses, lr, done / rate, done / rate))
        store.add_evaluation(EvaluationRow(done, loss, loss, True, done / rate))
        store.set(status="running")
    follower = RunFollower(run)
    follower.poll()
    follower.status = "running"  # no worker holds it
    return ViewState(config, follower=follower)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_what_stands_in_the_foot_line_keeps_its_place(corpus: Corpus, width: int) -> None:
    lines = [
        foot_line(state_at(corpus, done, rate=rate, lr=lr), width)
        for done, rate, lr in ((7, 88.0, 0.1), (70, 8888.0, 0.000123), (999, 9999.0, 9.25e-9))
    ]
    assert {len(line) for line in lines} == {len(lines[0])}
    for part in ("%", "steps/s", "left", "lr", "loss", "dev"):
        assert len({line.index(part) for line in lines}) == 1, part
    assert lines[-1].count("━") > lines[0].count("━")
    assert " 99%" in lines[-1], "not done is not 100%"


def test_the_loss_is_that_of_the_last_minibatches_and_the_evaluation_stands_behind(corpus: Corpus) -> None:
    state = state_at(corpus, 300, rate=1000.0, loss=3.0)
    assert state.follower is not None
    with state.follower.run.store() as store, store.transaction():
        store.add_losses(LossChunk(301, np.full(50, 2.0, np.float32), 0.1, 0.35, 0.35))
    state.follower.poll()
    state.follower.status = "running"
    assert state.follower.recent_loss == 2.5, "of the last hundred steps"
    line = foot_line(state, 160)
    assert [line.split(f" {name} ")[1][:6] for name in ("loss", "dev", "best", "train")] == ["2.5000", *["3.0000"] * 3]
    diverged = state_at(corpus, 300, rate=1000.0, loss=float("nan"))
    assert "loss nan" in foot_line(diverged, 120)


def test_narrow_lines_have_no_bar_and_end_with_a_whole_part(corpus: Corpus) -> None:
    state = state_at(corpus, 500, rate=1000.0)
    assert foot_line(state, 50).split() == ["50%", "1,000", "steps/s", "0:00:00", "left", "lr", "0.1"]
    assert all(len(foot_line(state, width)) <= width for width in range(20, 200))


def test_a_count_has_no_speed(corpus: Corpus) -> None:
    assert "steps/s" not in foot_line(state_at(corpus, 1, rate=429.0, model="bigram"), 120)


def test_without_words_both_lines_say_so(tmp_path: Path) -> None:
    state = ViewState(make_config(), fault=f"{tmp_path}: no such file")
    assert head_line(state, 80).endswith("no words")
    assert foot_line(state, 80) == "no words: o chooses a list"
    assert head_line(ViewState(make_config()), 80).endswith("loading")
    assert cell_len(foot_line(state, 20)) <= 20
