"""A viewer follows a run: nothing missed, nothing read twice, and a resume seen as one."""

from __future__ import annotations

import numpy as np
import pytest

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home
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
    assert np.array_equal(follower.losses, np.arange(1, 3006, dtype=np.float32))
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
        assert np.array_equal(follower.losses, store.losses())
    assert follower.steps == 50


def test_speed_is_that_of_the_last_seconds(run: Run) -> None:
    follower = RunFollower(run)
    assert follower.steps_per_second is None
    with run.store() as store:
        store.add_losses(chunk(1, 1000, 0.01))
        store.add_losses(LossChunk(1001, np.ones(400, np.float32), 0.1, 10 + 4.0, 40.0))
        follower.poll()
    assert follower.steps_per_second == pytest.approx(100)
    assert follower.seconds_at(np.array([0, 500, 1000, 1400])) == pytest.approx([0, 10, 20, 40])


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
