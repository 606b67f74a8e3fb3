"""A run as it was at each of its steps, and the clock by which a replay goes on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from data.corpus import Corpus
from tests.conftest import Outcome, Promise
from tests.replayed import CHUNK, EVERY, SECONDS, STEPS, made_run
from tui_mm.cli.replay import parse_speed
from tui_mm.config import make_config
from tui_mm.dashboard.replay_clock import SLOWEST, Playback, fastest, usual_speed
from tui_mm.dashboard.replay_line import bar, scrub_line, speed_text, time_text
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.replay import LayeredSeries, ReplayFollower, _seen_from
from tui_mm.runs.run import Run, create_run
from tui_mm.runs.series import LossSeries
from tui_mm.runs.store import EvaluationRow, EventRow, LossChunk
from tui_mm.training.setup import build_trainer
from tui_mm.words import split_for
from tui_mm.worker.session import training_session

# -- the clock


def test_it_goes_on_by_its_speed_and_stops_at_the_end() -> None:
    begun = Playback(0.0, 10.0, speed=2.0, playing=True)
    assert begun.after(1.5).position == 3.0
    ended = begun.after(5.0)
    assert (ended.position, ended.playing, ended.is_at_end) == (10.0, False, True)
    assert begun.toggled().after(3.0).position == 0.0, "paused"
    assert ended.after(3.0) == ended
    assert ended.toggled() == begun, "played again from the start"


def test_it_begins_anew_at_the_end_where_it_is_to() -> None:
    looping = Playback(9.0, 10.0, speed=4.0, playing=True).looped()
    assert looping.after(0.5).position == 1.0
    assert looping.after(0.5).playing
    assert looping.looped().after(0.5).position == 10.0


def test_the_end_of_a_run_that_goes_on_is_none() -> None:
    live = Playback(9.0, 10.0, speed=4.0, playing=True, grows=True)
    there = live.after(1.0)
    assert (there.position, there.playing) == (10.0, True)
    assert there.within(11.0, grows=True).after(0.1).position == 10.4
    assert there.toggled().toggled().position == 10.0, "from where it is, not from the start"
    assert there.within(4.0, grows=False).position == 4.0, "it went back to a checkpoint"


def test_places_are_kept_within_the_run() -> None:
    clock = Playback(0.0, 10.0)
    assert [clock.at(x).position for x in (-1.0, 3.5, 99.0)] == [0.0, 3.5, 10.0]


def test_speeds_are_doubled_and_halved_within_what_is_of_use() -> None:
    clock = Playback(0.0, 100.0, speed=1.0)
    assert clock.faster(1).speed == 2.0
    assert clock.faster(-1).speed == 0.5
    assert clock.faster(-9).speed == SLOWEST == 0.25
    assert clock.faster(20).speed == 64.0
    assert fastest(86_400.0) == 32_768.0, "a day in three seconds"


@pytest.mark.parametrize(
    ("length", "speed"), [(0.01, 0.25), (10.0, 0.25), (30.0, 1.0), (60.0, 2.0), (667.0, 16.0), (86_400.0, 2048.0)]
)
def test_the_whole_takes_about_half_a_minute(length: float, speed: float) -> None:
    assert usual_speed(length) == speed
    if length >= 30:
        assert 20 < length / speed < 45


@settings(derandomize=True)
@given(
    st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1e-3, 1e4), st.lists(st.floats(0, 100), max_size=8),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_it_is_always_within_the_run_and_never_goes_back(
    position: float, length: float, speed: float, passed: list[float], loops: bool, grows: bool
) -> None:
    clock = Playback(min(position, length), length, speed, playing=True, loops=loops, grows=grows)
    for seconds in passed:
        later = clock.after(seconds)
        assert 0 <= later.position <= length
        assert later.position >= clock.position or (loops and not grows)
        clock = later


# -- the line


def test_what_the_line_says(tmp_path: Path) -> None:
    follower = ReplayFollower(made_run(Home(tmp_path)))
    follower.show(300)
    line = scrub_line(Playback(6.0, SECONDS, 1.0, playing=True), 0.5, STEPS, follower, 80)
    assert line.text == "►  1x ━━━━━━━━━━━━━━━●╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 300/600  6.0/12.0s loss 2.4189 dev 2.4124"
    assert [line.share_at(x) for x in (5, 6, line.bar + line.cells - 1, line.bar + line.cells)] == [None, 0, 1, None]
    plain = scrub_line(Playback(12.0, SECONDS, 0.25, loops=True), 1.0, STEPS, follower, 50, ascii_only=True)
    assert plain.text == "=  1/4x loop ################O 300/600 12.0/12.0s"
    assert plain.text.isascii()
    follower.show(0)
    wide = scrub_line(Playback(0.0, SECONDS, 4.0, grows=True), 0.0, STEPS, follower, 140).text
    assert wide.endswith("  0/600 live  0.0/12.0s loss      - dev 3.3500 best 3.3500 train 3.3000 lr -")
    follower.close()


def test_a_line_fits_and_the_bar_is_where_it_says(tmp_path: Path) -> None:
    follower = ReplayFollower(made_run(Home(tmp_path)))
    try:
        for step in (0, 1, 300, STEPS):
            follower.show(step)
            for width in range(20, 220):
                line = scrub_line(Playback(3.0, 4000.0, 0.25), step / STEPS, STEPS, follower, width)
                assert cell_len(line.text) <= width
                if width >= 40:
                    assert line.text[line.bar : line.bar + line.cells] == bar(step / STEPS, line.cells)
                    assert line.cells >= 10
    finally:
        follower.close()


@settings(derandomize=True)
@given(st.floats(-1, 2), st.integers(1, 300))
def test_a_bar_has_its_handle_where_the_run_is(share: float, cells: int) -> None:
    drawn = bar(share, cells)
    assert len(drawn) == cells
    assert abs(drawn.index("●") - min(1, max(0, share)) * (cells - 1)) <= 0.5 + 1e-9


def test_speeds_and_times_in_words() -> None:
    assert [speed_text(s) for s in (0.25, 0.5, 1, 64, 0.3, 2048, 1.5)] == [
        "1/4x", "1/2x", "1x", "64x", "0.3x", "2,048x", "1.5x",
    ]  # fmt: skip
    assert time_text(0.008, 0.031) == " 8/31ms"
    assert time_text(3.21, 9.6) == "3.2/9.6s"
    assert time_text(72, 330) == "1:12/5:30"
    assert time_text(72, 7200) == "   1:12/2:00:00"


@pytest.mark.parametrize(
    ("text", "speed"), [("4", 4), ("4x", 4), ("0.5", 0.5), (".5", 0.5), ("1/4", 0.25), ("1/4x", 0.25)]
)
def test_a_speed_is_read(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "x", "0", "1/0", "-1", "nan", "inf", "1e9", "99999999", "1/2/3", "2 x"])
def test_a_wrong_speed_is_said(text: str) -> None:
    with pytest.raises(click.UsageError, match=r"--speed: .* is not allowed; give a number from 0.001 to 1000000"):
        parse_speed(text)


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


# -- the command


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
