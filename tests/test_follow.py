"""A viewer follows a run: nothing missed, nothing read twice, and a resume seen as one."""

from __future__ import annotations

import numpy as np
import pytest

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run, create_run
from tui_mm.runs.store import EvaluationRow, LossChunk, SampleRow


@pytest.fixture
def run(corpus: Corpus) -> Run:
    return create_run(Home.find(), make_config("lecture"), corpus, None, {"data": {}, "model": {}})


def chunk(first: int, count: int, per_step: float = 0.01) -> LossChunk:
    end = (first + count - 1) * per_step
    return LossChunk(first, np.arange(first, first + count, dtype=np.float32), 0.1, end, 2 * end)


def test_it_takes_in_what_comes_and_says_whether_anything_came(run: Run) -> None:
    follower = RunFollower(run)
    with run.store() as store:
        assert follower.poll()
        assert not follower.poll()
        store.add_losses(chunk(1, 3000))
        store.add_evaluation(EvaluationRow(0, 3.3, 3.4, True, 0.1))
        store.add_event(0, "started", "started")
        assert follower.poll()
        store.add_losses(chunk(3001, 5))
        store.add_evaluation(EvaluationRow(3000, 2.3, 2.4, True, 0.2))
        store.add_evaluation(EvaluationRow(3005, 2.3, 2.5, False, 0.2))
        store.add_event(5, "paused", "paused")
        store.set_samples(5, [SampleRow("emma", "train")])
        assert follower.poll()
        assert not follower.poll()
    assert follower.steps == 3005
    assert follower.series.columns(np.array([0, 3000, 3004, 3005])).high.tolist() == [3000, 3004, 3005]
    assert [e.step for e in follower.evaluations] == [0, 3000, 3005]
    assert follower.best is not None
    assert follower.best.step == 3000
    assert [e.kind for e in follower.events] == ["started", "paused"]
    assert follower.samples == [SampleRow("emma", "train")]
    assert follower.lr == 0.1


def test_a_resume_that_forgets_steps_is_followed(run: Run) -> None:
    follower = RunFollower(run)
    with run.store() as store:
        store.add_losses(chunk(1, 100))
        follower.poll()
        store.truncate(40, 40)
        store.add_losses(LossChunk(41, np.full(10, -1, np.float32), 0.2, 0.5, 1.0))
        follower.poll()
        assert np.array_equal(follower.series.columns(np.arange(51)).mean, store.losses())
    assert follower.steps == 50


def test_speed_is_that_of_the_last_seconds(run: Run) -> None:
    follower = RunFollower(run)
    assert follower.steps_per_second is None
    with run.store() as store:
        store.add_losses(chunk(1, 1000, 0.01))
        store.add_losses(LossChunk(1001, np.ones(400, np.float32), 0.1, 10 + 4.0, 40.0))
        follower.poll()
    assert follower.steps_per_second == pytest.approx(100)
    assert follower.at("seconds", np.array([0, 500, 1000, 1400])) == pytest.approx([0, 10, 20, 40])
    assert follower.done_by("seconds", np.array([-1, 0, 9.99, 40, 99])).tolist() == [0, 0, 499, 1400, 1400]


def test_a_crash_is_seen_without_a_word_in_the_store(run: Run) -> None:
    follower = RunFollower(run)
    with run.training_lock():
        with run.store() as store:
            store.set(status="running")
        follower.poll()
        assert follower.status == "running"
        assert not follower.poll()
    assert follower.poll()
    assert follower.status == "crashed"


def test_epochs_are_counted_in_train_examples(corpus: Corpus) -> None:
    facts = {"data": {"examples": {"train": 640}}, "model": {}}
    run = create_run(Home.find(), make_config("lecture", flags={"batch_size": 32}), corpus, None, facts)
    follower = RunFollower(run)
    assert follower.epoch_size == 0
    assert follower.at("epochs", np.array([5])).tolist() == [0]
    with run.store() as store:
        store.add_losses(chunk(1, 100))
    follower.poll()
    assert follower.epoch_size == 640
    assert follower.at("epochs", np.array([0, 20, 50])).tolist() == [0, 1, 2.5]
    assert follower.done_by("epochs", np.array([0, 0.05, 1, 2.5, 99])).tolist() == [0, 1, 20, 50, 100]
    assert follower.done_by("steps", np.array([0, 1, 1.5, 99.9, 1e9])).tolist() == [0, 1, 1, 99, 100]


def test_counting_once_is_one_epoch(corpus: Corpus) -> None:
    facts = {"data": {"examples": {"train": 640}}, "model": {}}
    follower = RunFollower(create_run(Home.find(), make_config("bigram"), corpus, None, facts))
    follower.poll()
    assert follower.epochs_per_step == 1


@pytest.mark.parametrize(("model", "block_size", "steps_an_epoch"), [("gru", 16, 5), ("mlp", 3, 32), ("bow", 4, 8)])
def test_epochs_of_a_sequence_model_are_counted_in_its_rows(
    model: str, block_size: int, steps_an_epoch: int, corpus: Corpus
) -> None:
    """80 words to train on, of 512 characters: a batch of 16 is so many words, windows, or parts of words."""
    config = make_config(flags={"model": model, "block_size": block_size, "batch_size": 16})
    facts = {"data": {"words": 100, "examples": {"train": 512}}, "model": {}}
    follower = RunFollower(create_run(Home.find(), config, corpus, None, facts))
    follower.poll()
    assert 1 / follower.epochs_per_step == steps_an_epoch


def test_the_times_it_keeps_do_not_grow_with_the_run(run: Run) -> None:
    follower = RunFollower(run)
    with run.store() as store:
        with store.transaction():
            for first in range(1, 10_001, 2):
                store.add_losses(chunk(first, 2))
        follower.poll()
        assert len(follower._marks) <= 4096
        store.add_losses(chunk(10_001, 2))
        follower.poll()
    assert follower.at("seconds", np.array([5000, 10_002])) == pytest.approx([99.98, 200.02], abs=0.05)


def test_a_new_evaluation_is_read_and_old_ones_are_not_read_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = RunFollower(run)
    read: list[int] = []
    usual = follower._store.evaluations

    def evaluations(after_step: int) -> list[EvaluationRow]:
        found = usual(after_step)
        read.extend(e.step for e in found)
        return found

    monkeypatch.setattr(follower._store, "evaluations", evaluations)
    with run.store() as store:
        store.add_evaluation(EvaluationRow(0, 3.3, 3.4, True, 0.1))
        follower.poll()
        for first in (1, 2, 3):
            store.add_losses(chunk(first, 1))
            follower.poll()
        store.add_evaluation(EvaluationRow(3, 2.3, 2.4, True, 0.1))
        follower.poll()
    assert [e.step for e in follower.evaluations] == read == [0, 3]


def test_what_is_read_is_of_one_moment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is resumed while it is read is seen as it was before, and then as it is."""
    follower = RunFollower(run)
    with run.store() as store:
        store.add_losses(chunk(1, 10))
        store.add_losses(chunk(11, 10))
        usual = follower._store.meta

        def resume_meanwhile() -> dict[str, object]:
            found = usual()
            monkeypatch.undo()
            store.truncate(5, 5)
            store.add_losses(LossChunk(6, np.full(3, -1, np.float32), 0.2, 0.5, 1.0))
            return found

        monkeypatch.setattr(follower._store, "meta", resume_meanwhile)
        assert follower.poll()
        assert follower.steps == 20
        assert follower.poll()
        assert np.array_equal(follower.series.columns(np.arange(9)).mean, store.losses())


def test_missing_steps_are_one_clear_line_and_never_read_twice(run: Run) -> None:
    follower = RunFollower(run)
    with run.store() as store:
        store.add_losses(chunk(1, 10))
        store.add_losses(chunk(21, 10))
    for _ in range(2):
        with pytest.raises(RunError, match="expected step 11 and found 21"):
            follower.poll()
    assert follower.steps == 0


def test_snapshots_are_read_once_each(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = RunFollower(run)
    kept = {"names": [(0, ["a"]), (10, ["b"])], "embedding": [], "layers": [(10, {"x": 1})]}
    asked: list[tuple[str, int]] = []

    def snapshots(kind: str, after_step: int) -> list[tuple[int, object]]:
        asked.append((kind, after_step))
        return [each for each in kept[kind] if each[0] > after_step]

    monkeypatch.setattr(follower._store, "snapshots", snapshots, raising=False)
    follower.poll()
    kept["names"].append((20, ["c"]))
    with run.store() as store:
        store.add_losses(chunk(1, 1))
    follower.poll()
    assert follower.snapshots == kept
    assert asked[-3:] == [("names", 10), ("embedding", -1), ("layers", 10)]
