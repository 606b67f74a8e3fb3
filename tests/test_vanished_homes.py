"""Homes and run folders that are deleted, replaced, unmounted or made read-only under a training. For real."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data.corpus import Corpus
from tests.conftest import Outcome, Promise
from tests.disk import mount, mounted, unmount
from tests.test_processes import PATIENCE_S, until
from tests.test_session import assert_same, config, new_run, stored
from tests.test_storage_faults import end, the_run, train
from tui_mm.runs.faults import StorageError
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home
from tui_mm.runs.listing import list_runs
from tui_mm.runs.run import Run
from tui_mm.words import data_facts, model_facts
from tui_mm.worker import protocol as ask
from tui_mm.worker.client import WorkerClient
from tui_mm.worker.loading import resume_trainer
from tui_mm.worker.session import training_session


def other_run(corpus: Corpus, steps: int = 40) -> Run:
    run, session = new_run(corpus, config(steps=steps))
    session.train()
    with run.store() as store:  # as the command line makes it
        splits, settings = session.splits, run.config()
        store.set(data=data_facts(settings, splits, len(corpus)), model=model_facts(settings, splits.vocabulary))
    return run


def endless(corpus: Corpus) -> Run:
    return new_run(corpus, config(steps=100_000_000, eval_every=10_000_000))[0]


@contextmanager
def worker_of(run: Run) -> Iterator[tuple[WorkerClient, RunFollower]]:
    """A process that trains it, and a viewer."""
    client, follower = WorkerClient(run), RunFollower(run)
    try:
        client.start_worker()
        client.send(ask.Start())
        until(lambda: len(stored(run)[0]) > 50)
        follower.poll()
        assert follower.status == "running"
        yield client, follower
    finally:
        follower.close()
        end(client)


def take_away(folder: Path) -> None:
    """At once, as renaming is, and then its files."""
    aside = folder.with_name(".deleted")
    folder.rename(aside)
    shutil.rmtree(aside)


def replace(folder: Path) -> None:
    """By a copy of itself, as a restored backup is: its files are others."""
    aside = folder.with_name(".replaced")
    shutil.copytree(folder, aside)
    gone = folder.with_name(".deleted")
    folder.rename(gone)
    aside.rename(folder)
    shutil.rmtree(gone)


@pytest.mark.parametrize("happens", [take_away, pytest.param(replace, marks=pytest.mark.faults)])
def test_a_run_folder_that_goes_under_a_live_worker_ends_it(
    happens: Callable[[Path], None], corpus: Corpus, cli: Callable[..., Outcome], promised: Promise
) -> None:
    other, run = other_run(corpus), endless(corpus)
    with worker_of(run) as (client, follower):
        before = time.monotonic()
        happens(run.folder)
        until(lambda: client.exit_code is not None)
        seconds = time.monotonic() - before
        assert client.exit_code == 2
        with pytest.raises(StorageError, match=r"run\.db: (is not there|is another file).*deleted, moved or unmounted"):
            follower.poll()
    listed = cli("runs")
    assert listed.code == 0, listed.err
    assert other.id in listed.out
    assert (run.id in listed.out) == run.folder.exists()
    assert len(stored(other)[0]) == 40
    promised(
        f"A run folder that is {'deleted' if happens is take_away else 'replaced'} under its worker ends it; other "
        "runs are unharmed", tried=1, lost=0, figure=f"after {seconds:.1f} s",
    )  # fmt: skip


def test_a_restored_copy_is_gone_on_with(corpus: Corpus) -> None:
    """While the worker of the folder before still writes into that, nothing comes into the one that took its place."""
    run, opened = new_run(corpus, config(steps=300))
    whole = other_run(corpus, 300)
    with training_session(run, opened.trainer, opened.splits) as session:

        def swap() -> bool:
            if session.trainer.step >= 100 and not swapped:
                session.flush()
                replace(run.folder)
                swapped.append(session.trainer.step)
            return False

        swapped: list[int] = []
        with pytest.raises(StorageError, match="is another file"):
            session.train(should_stop=swap)
    assert len(stored(run)[0]) == swapped[0]
    with training_session(run, *resume_trainer(run)) as session:
        assert session.train() is not None
    assert_same(whole, run)


@pytest.mark.faults
def test_in_the_foreground_it_is_one_line_and_not_zero(words_file: Path) -> None:
    process = train(words_file)
    run = until(the_run, process)
    until(lambda: len(stored(run)[0]) > 50, process)
    take_away(run.folder)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert err.strip().startswith(f"makemore-tui: error: {run.folder / 'run.db'}: is not there")
    assert len(err.strip().splitlines()) == 1


@pytest.mark.faults
def test_a_home_that_is_unmounted_ends_its_workers(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Outcome]
) -> None:
    root = tmp_path / "stick"
    with mounted(root, "size=16m"):
        monkeypatch.setenv("MAKEMORE_HOME", str(root / "home"))
        run = endless(corpus)
        with worker_of(run) as (client, follower):
            unmount(root)
            until(lambda: client.exit_code is not None)
            assert client.exit_code == 2
            with pytest.raises(StorageError, match="unmounted"):
                follower.poll()
    assert cli("runs").code == 0
    shown = cli("runs", "show", run.id)
    assert shown.code == 2
    assert len(shown.err.splitlines()) == 1


@pytest.fixture
def failing_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """On a disk that the system makes read-only when it is told to, as it does after a fault of the disk."""
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("needs the program mkfs.ext4")
    image, root = tmp_path / "image", tmp_path / "ext4"
    with image.open("wb") as file:
        file.truncate(24 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    root.mkdir()
    mount(image, root, "-o", "loop")
    monkeypatch.setenv("MAKEMORE_HOME", str(root / "home"))
    yield root
    unmount(root)


@pytest.mark.faults
def test_a_home_that_becomes_read_only_ends_the_training_and_is_still_read(
    failing_home: Path, corpus: Corpus, cli: Callable[..., Outcome], promised: Promise
) -> None:
    other, run = other_run(corpus), endless(corpus)
    with worker_of(run) as (client, follower):
        kept = len(stored(run)[0])
        mount("none", failing_home, "-o", "remount,abort")
        until(lambda: client.exit_code is not None)
        assert client.exit_code == 2
        follower.poll()
        assert follower.status in ("crashed", "failed")
        assert follower.steps >= kept
        with pytest.raises(StorageError, match="the file system is read-only"):
            client.send(ask.Start())
    assert_only_reading_works(other, run, cli)
    promised("A home that becomes read-only ends the training; what was kept is still read", tried=1, lost=0)


def test_a_home_that_is_read_only_is_read(
    corpus: Corpus, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Outcome]
) -> None:
    other, stopped = other_run(corpus), new_run(corpus, config(steps=300))
    stopped[1].train(should_stop=lambda: stopped[1].trainer.step >= 100)
    root = tmp_path / "seen"
    root.mkdir()
    mount(home, root, "--bind")
    try:
        mount("none", root, "-o", "remount,bind,ro")
        monkeypatch.setenv("MAKEMORE_HOME", str(root))
        there = [Run(root / "runs" / run.id) for run in (other, stopped[0])]
        assert_only_reading_works(there[0], there[1], cli)
        assert not [path.name for path in there[0].folder.iterdir() if "-wal" in path.name or "probe" in path.name]
    finally:
        unmount(root)


def assert_only_reading_works(done: Run, cut: Run, cli: Callable[..., Outcome]) -> None:
    assert len(stored(done)[0]) == 40
    listed = cli("runs")
    assert listed.code == 0, listed.err
    assert {row.id: row.fault for row in list_runs(Home.find())} == {done.id: "", cut.id: ""}
    for command in (["runs", "show", done.id], ["sample", done.id, "-n", "2"], ["eval", done.id],
                    ["compare", done.id, cut.id]):  # fmt: skip
        said = cli(*command)
        if command[0] == "compare" and not cut.checkpoint("last").exists():
            assert "no such checkpoint" in said.out + said.err
            continue
        assert said.code == 0, said.err
    for command in (["resume", cut.id], ["runs", "rename", done.id, "mine"], ["runs", "delete", done.id, "--yes"],
                    ["train", "--steps", "3"], ["eval", done.id, "--split", "test"]):  # fmt: skip
        said = cli(*command)
        assert said.code == 2, (command, said)
        assert len(said.err.splitlines()) == 1, said.err
        assert "read-only" in said.err or "Read-only" in said.err or "writable" in said.err, said.err
    assert done.folder.exists()
