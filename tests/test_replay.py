"""A run as it was at each of its steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.corpus import Corpus
from tests.conftest import Promise
from tests.replayed import CHUNK, EVERY, SECONDS, STEPS, made_run
from tui_mm.config import make_config
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.replay import LayeredSeries, ReplayFollower, _seen_from
from tui_mm.runs.run import Run, create_run
from tui_mm.runs.series import LossSeries
from tui_mm.runs.store import EvaluationRow, EventRow, LossChunk
from tui_mm.training.setup import build_trainer
from tui_mm.words import split_for
from tui_mm.worker.session import training_session

# -- losses that can be cut

A_LOSS = st.floats(0, 10, width=32) | st.sampled_from([float("nan"), float("inf")])


@settings(derandomize=True, max_examples=30)
@given(st.lists(st.lists(A_LOSS, max_size=12), max_size=6), st.sampled_from([2, 4, 8]))
def test_losses_cut_anywhere_are_those_that_were_there(parts: list[list[float]], most: int) -> None:
    whole = LayeredSeries(max_buckets=most)
    for part in parts:
        whole.append(np.array(part, np.float32))
    losses = np.array([loss for part in parts for loss in part], np.float32)
    for step in range(len(losses) + 1):
        bucket = whole.bucket_at(step)
        cut = whole.cut(step, losses[step // bucket * bucket : step])
        assert_same(cut, LossSeries(losses[:step], max_buckets=most))
    assert_same(whole, LossSeries(losses, max_buckets=most))


def assert_same(one: LossSeries, other: LossSeries) -> None:
    assert (one.steps, one.bucket) == (other.steps, other.bucket)
    assert (one.first_bad or (0,))[0] == (other.first_bad or (0,))[0]
    found, wanted = (series.columns(np.arange(one.steps + 1)) for series in (one, other))
    for name in ("start", "low", "high", "bad"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-12)


def test_a_cut_can_go_on_without_the_whole_knowing() -> None:
    losses = np.arange(40, dtype=np.float32)
    whole = LayeredSeries(max_buckets=8)
    whole.append(losses)
    cut = whole.cut(8, losses[:0])
    cut.append(np.full(20, 99, np.float32))
    assert_same(whole.cut(8, losses[:0]), LossSeries(losses[:8], max_buckets=8))


# -- the run as it was


def seen_in(follower: RunFollower) -> dict[str, Any]:
    """All that panels and lines draw from."""
    edges = np.arange(follower.steps + 1)
    columns = follower.series.columns(edges)
    return {
        "losses": columns.mean.tolist(), "first bad": follower.series.first_bad, "lr": follower.lr,
        "seconds": follower.seconds, "evaluations": list(follower.evaluations), "best": follower.best,
        "events": [(e.step, e.kind) for e in follower.events], "speed": follower.steps_per_second,
        "snapshots": {kind: list(rows) for kind, rows in follower.snapshots.items()},
        "times": follower.at("seconds", edges).tolist(), "epochs": follower.at("epochs", edges).tolist(),
        "done": follower.done_by("seconds", np.linspace(0, 20, 50)).tolist(), "recent": follower.recent_loss,
    }  # fmt: skip


def test_it_shows_at_each_step_what_a_viewer_saw_then(corpus: Corpus) -> None:
    """A real training, looked at whenever something was written."""
    config = make_config(
        flags={"steps": 500, "block_size": 3, "embedding": 4, "hidden": 16, "batch_size": 8, "eval_every": 40,
               "threads": 1, "device": "cpu"}
    )  # fmt: skip
    splits = split_for(config, corpus)
    facts = {"data": {"examples": {"train": splits.train.examples}}, "model": {}}
    run = create_run(Home.find(), config, corpus, None, facts)
    viewer = RunFollower(run)
    seen: dict[int, dict[str, Any]] = {}

    def look(_: object = None) -> None:
        if viewer.poll() and viewer.status == "running":
            seen[viewer.steps] = seen_in(viewer)

    trainer = build_trainer(config, splits)
    with training_session(run, trainer, splits) as session:
        session.train(observe=look)
    viewer.poll()
    assert len(seen) > 10
    replay = ReplayFollower(run)
    for step in sorted(seen, key=lambda s: (s % 7, s)):  # to and fro
        replay.show(step)
        assert replay.steps == step
        found = seen_in(replay)
        if step == replay.total:  # by then it is done
            found["events"] = found["events"][: len(seen[step]["events"])]
        else:
            assert replay.status == "running"
            assert replay.samples == []
        np.testing.assert_equal(found, seen[step])
    replay.show(config.steps)
    np.testing.assert_equal(seen_in(replay), seen_in(viewer))
    assert (replay.status, replay.samples) == ("done", viewer.samples)
    assert len(replay.samples) == 20
    replay.close()
    viewer.close()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(Home(tmp_path / "kept"))


@pytest.fixture
def replay(run: Run) -> Iterator[ReplayFollower]:
    follower = ReplayFollower(run)
    yield follower
    follower.close()


@pytest.mark.parametrize("most", [8, 64, 1 << 17])
def test_every_step_of_a_run(run: Run, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where losses and times are kept for some steps alone, as of a run of millions."""
    monkeypatch.setattr("tui_mm.runs.replay._MAX_MARKS", most)
    with run.store() as store:
        losses, chunks = store.losses(), list(store.loss_chunks())
    replay = ReplayFollower(run, max_buckets=most)
    for step in range(STEPS, -1, -1 if most == 8 else -37):
        replay.show(step)
        assert_same(replay.series, LossSeries(losses[:step], max_buckets=most))
        assert replay.lr == (chunks[(step - 1) // CHUNK].lr if step else None)
        assert replay.seconds == pytest.approx(step * SECONDS / STEPS)
        assert [e.step for e in replay.evaluations] == list(range(0, step + 1, EVERY))
        assert all([s for s, _ in rows] == list(range(0, step + 1, EVERY)) for rows in replay.snapshots.values())
        assert replay.step_at(replay.time_of(step) + 1e-9) == step
    replay.close()


def test_moments_are_gone_through_both_ways(replay: ReplayFollower) -> None:
    found = [replay.steps]
    while found[-1] < STEPS:
        replay.show(replay.moment(1))
        found.append(replay.steps)
    assert found == [0, 100, 200, 300, 400, 500, 600] == replay.moments
    assert replay.moment(1) == STEPS
    replay.show(250)
    assert (replay.moment(-1), replay.moment(1)) == (200, 300)
    replay.show(0)
    assert replay.moment(-1) == 0


def test_events_are_seen_from_where_they_were(replay: ReplayFollower) -> None:
    def seen() -> list[str]:
        return [event.kind for event in replay.events]

    assert seen() == ["started"]
    replay.show(249)
    assert seen() == ["started"]
    replay.show(250)
    assert seen() == ["started", "paused"]
    replay.show(STEPS)
    assert seen() == ["started", "paused", "done"]


def test_what_a_killed_run_lost_is_seen_from_where_it_went_on() -> None:
    steps = [0, 500, 700, 480, 480, 900]
    assert _seen_from([EventRow(0.0, step, "", "") for step in steps]) == [0, 480, 480, 480, 480, 900]


def test_beyond_the_ends_is_at_the_ends(replay: ReplayFollower) -> None:
    assert not replay.show(-5)
    assert replay.steps == 0
    assert replay.show(10**9)
    assert replay.steps == STEPS
    assert not replay.show(STEPS)


def test_a_run_without_times_is_gone_through_by_its_steps(run: Run) -> None:
    with run.store() as store:
        store._run("UPDATE losses SET seconds = 0")
    replay = ReplayFollower(run)
    assert replay.duration == 0.6
    assert [replay.step_at(replay.time_of(step)) for step in (0, 1, 299, 600)] == [0, 1, 299, 600]
    assert replay.step_at(9.0) == STEPS
    replay.close()


def test_a_live_run_is_followed(run: Run) -> None:
    with run.training_lock(), run.store() as store:
        store.set(status="running")
        replay = ReplayFollower(run)
        replay.show(STEPS)
        assert replay.is_live
        assert not replay.poll()
        store.add_losses(LossChunk(STEPS + 1, np.full(50, 2.0, np.float32), 0.01, 11.0, 13.0))
        store.add_evaluation(EvaluationRow(STEPS + 50, 2.2, 2.3, False, 13.0))
        assert replay.poll()
        assert (replay.steps, replay.total, replay.duration) == (STEPS, STEPS + 50, 13.0), "it stays where it was"
        assert replay.moments[-1] == STEPS + 50
        replay.show(STEPS + 50)
        assert replay.evaluations[-1].step == STEPS + 50
        store.truncate(300, 300)
        assert replay.poll()
        assert (replay.steps, replay.total) == (300, 300), "it went back to a checkpoint"
    replay.poll()
    assert (replay.is_live, replay.status) == (False, "crashed")
    replay.close()


def test_steps_that_are_gone_are_said(run: Run, replay: ReplayFollower) -> None:
    with run.store() as store:
        store._run("DELETE FROM losses WHERE first_step > 400")
    with pytest.raises(RunError, match=r"0a1b2c3d: its losses end before step 500 now; it is damaged"):
        replay.show(500)


def test_scrubbing_through_two_million_steps(tmp_path: Path, promised: Promise) -> None:
    total, size = 2_000_000, 500
    run = made_run(Home(tmp_path), steps=1, status="stopped")
    losses = (2.2 + np.exp(-np.arange(total) / 1e5)).astype(np.float32)
    with run.store() as store, store.transaction():
        for first in range(2, total + 1, size):
            part = losses[first - 1 : first - 1 + size]
            end = first + len(part) - 1
            store.add_losses(LossChunk(first, part, 0.01, end / 3000, end / 2900))
    replay = ReplayFollower(run)
    kept = [replay._whole.layered, *replay._whole.layered._layers]
    memory = sum(a.nbytes for s in kept for a in (s._low, s._high, s._total, s._bad))
    assert memory < 14 << 20
    times = []
    for step in np.random.default_rng(2_000_000).integers(0, total + 1, 100).tolist():
        began = time.process_time()
        replay.show(step)
        times.append(time.process_time() - began)
        assert replay.series.steps == step
    median = float(np.median(times))
    late = sum(t > 0.05 for t in times)
    promised(
        "A run of 2,000,000 steps is scrubbed through in less than 50 ms a step", tried=len(times), lost=late,
        figure=f"{1000 * median:.1f} ms of a processor, {memory / 1e6:.0f} MB of losses",
    )  # fmt: skip
    replay.close()
