"""The list of runs: what a row holds, in which order, and what is read again."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.listing import RunList, list_runs
from tui_mm.runs.row import RunRow
from tui_mm.runs.run import Run, create_run, rename_run
from tui_mm.runs.store import EvaluationRow, LossChunk, RunStore
from tui_mm.runs.summary import summarize


@pytest.fixture
def place(home: Path) -> Home:
    return Home.find()


def make(place: Home, corpus: Corpus, name: str | None = None) -> Run:
    facts = {"data": {"name": corpus.name}, "model": {"kind": "mlp", "parameters": 3481}}
    return create_run(place, make_config("lecture"), corpus, name, facts)


def train(run: Run, devs: list[float | None], *, steps: int = 30, status: str = "done") -> None:
    with run.store() as store:
        store.add_losses(LossChunk(1, np.zeros(10, np.float32), 0.1, 1.0, 1.0))
        store.add_losses(LossChunk(11, np.zeros(steps - 10, np.float32), 0.1, 2.0, 2.5))
        least = math.inf
        for step, dev in enumerate(devs):
            is_best = dev is not None and dev < least
            least = min(least, dev) if dev is not None and is_best else least
            store.add_evaluation(EvaluationRow(step, 2.0, dev, is_best, 3.0))
        store.set(status=status)


def test_a_row_says_what_the_summary_says(place: Home, corpus: Corpus) -> None:
    run = make(place, corpus, "mine")
    train(run, [2.5, 2.25, 2.75])
    (row,) = list_runs(place)
    assert row == RunRow(
        id=run.id, name="mine", status="done", data=corpus.name, model="mlp", parameters=3481, steps=30,
        total_steps=200_000, train=2.0, dev=2.75, best_dev=2.25, started=row.started, seconds=3.0,
    )  # fmt: skip
    summary = summarize(run)
    assert (row.steps, row.seconds, row.dev, row.best_dev) == (
        summary["steps"], summary["seconds"], summary["losses"]["dev"], summary["losses"]["best_dev"],
    )  # fmt: skip


def test_newest_first_and_the_damaged_last(place: Home, corpus: Corpus) -> None:
    bad, first, second, gone = (make(place, corpus) for _ in range(4))
    (bad.folder / "run.db").write_bytes(b"garbage" * 1000)
    (gone.folder / "run.db").unlink()
    rows = list_runs(place)
    assert [row.id for row in rows[:2]] == [second.id, first.id]
    assert {row.id for row in rows[2:]} == {bad.id, gone.id}
    for row in rows[2:]:
        assert row.status == "damaged"
        assert row.id in row.fault
    assert not any(row.fault for row in rows[:2])


@pytest.mark.parametrize(
    "wrong",
    [{"data": None}, {"model": 3}, {"config": []}, {"created": "once"}, {"model": {"kind": "mlp", "parameters": "x"}}],
    ids=str,
)
def test_a_store_that_holds_other_things_is_a_damaged_run(
    wrong: dict[str, object], place: Home, corpus: Corpus
) -> None:
    run = make(place, corpus)
    with run.store() as store:
        store.set(**wrong)
    (row,) = list_runs(place)
    assert row.status == "damaged"
    assert row.id in row.fault
    assert row.started == ""


def test_losses_that_are_no_numbers_are_none(place: Home, corpus: Corpus) -> None:
    nan, none, infinite = (make(place, corpus) for _ in range(3))
    train(nan, [2.5, math.nan], status="diverged")
    train(none, [None])
    train(infinite, [math.inf])
    found = {row.id: row for row in list_runs(place)}
    assert (found[nan.id].dev, found[nan.id].best_dev) == (None, 2.5)
    assert (found[none.id].dev, found[none.id].best_dev) == (None, None)
    assert (found[infinite.id].dev, found[infinite.id].best_dev) == (None, None)


def test_at_work_with_a_free_lock_is_a_crash_and_seen_without_a_word_in_the_store(place: Home, corpus: Corpus) -> None:
    run = make(place, corpus)
    train(run, [2.5], status="running")
    runs = RunList(place)
    with run.training_lock():
        (row,) = runs.read()
        assert row.status == "running"
        assert row.is_live
    (row,) = runs.read()
    assert row.status == "crashed"
    assert not row.is_live


def test_only_stores_that_were_written_to_are_opened_again(
    place: Home, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make(place, corpus), make(place, corpus)
    for file in place.runs.glob("*/run.db*"):
        os.utime(file, (1e9, 1e9))  # not written to lately
    runs = RunList(place)
    runs.read()
    opened: list[str] = []
    usual = RunStore.__init__

    def count(self: RunStore, path, **keywords) -> None:  # type: ignore[no-untyped-def]
        opened.append(path.parent.name)
        usual(self, path, **keywords)

    monkeypatch.setattr(RunStore, "__init__", count)
    runs.read()
    assert opened == []
    rename_run(place, first, "first")
    train(second, [2.0])
    opened.clear()
    assert {row.id: (row.name, row.best_dev) for row in runs.read()} == {
        first.id: ("first", None),
        second.id: (None, 2.0),
    }
    assert sorted(opened) == sorted([first.id, second.id])
    first.delete()
    assert [row.id for row in runs.read()] == [second.id]


def test_no_home_is_no_runs_and_an_unreadable_one_is_said(
    place: Home, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list_runs(place) == []
    make(place, corpus)

    def refuse(self: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(RunError, match="Permission denied"):
        list_runs(place)
