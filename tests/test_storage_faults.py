"""A disk that is full: the training waits, says so, and goes on to the same bits. Real disks, of memory."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.corpus import Corpus
from tests.conftest import Promise
from tests.disk import Disk, mounted
from tests.test_processes import start, until
from tests.test_session import assert_same, config, new_run, stored
from tui_mm.dashboard.lines import head_line
from tui_mm.dashboard.state import ViewState
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.faults import StorageError
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.listing import list_runs
from tui_mm.runs.notice import NoticeFile
from tui_mm.runs.run import Run, find_run
from tui_mm.settings import Settings
from tui_mm.worker import protocol as ask
from tui_mm.worker.client import WorkerClient
from tui_mm.worker.loading import resume_trainer
from tui_mm.worker.session import TrainingSession, training_session
from tui_mm.worker.trouble import WaitEndedError

PATIENCE_S = 60.0


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A disk of twelve megabytes with the home on it."""
    with mounted(tmp_path / "disk", "size=12m") as found:
        monkeypatch.setenv("MAKEMORE_HOME", str(found.root / "home"))
        yield found


@pytest.fixture
def whole(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """What an undisturbed run of ``settings`` comes to, on another disk."""
    return undisturbed(corpus, tmp_path, monkeypatch, steps=600)


def undisturbed(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **flags: Any) -> Run:
    with monkeypatch.context() as patch:
        patch.setenv("MAKEMORE_HOME", str(tmp_path / "elsewhere"))
        run, session = new_run(corpus, config(**flags))
        session.train()
    return run


class World:
    """Fills the disk once a step is reached, and frees it when the training has been seen to wait."""

    def __init__(self, disk: Disk, session: TrainingSession, at: list[int], leave: int) -> None:
        self.disk, self.session, self.at, self.leave = disk, session, at, leave
        self.follower = RunFollower(session.run)
        self.unkept: list[int] = []  # how many steps were in memory alone at each wait
        self.lines: list[str] = []
        self._is_full = False
        session.patience.tell = self.lines.append

    def go_on(self) -> bool:
        """Between blocks."""
        if self.at and self.session.trainer.step >= self.at[0] and not self._is_full:
            self.session.flush()
            self.disk.fill(self.leave)
            self._is_full = True
            if self.leave:  # enough for metrics
                self.session.checkpoint("last")
        return False

    def look(self) -> bool:
        """While it waits: is not to end, and is seen by others."""
        if not self._is_full:
            return False  # seen already, and freed
        run, step = self.session.run, self.session.trainer.step
        self.follower.poll()
        assert self.follower.status == run.status() == "waiting"
        assert self.follower.waits_for.startswith(f"the disk is full: {run.folder}; the training waits")
        assert [row.status for row in list_runs(Home.find())] == ["waiting"]
        for which in ("best", "last"):
            assert load_checkpoint(run.checkpoint(which)).values["trainer"]["step"] <= step  # raises if damaged
        assert list(run.folder.glob("*.part")) == []
        assert len(stored(run)[0]) <= step
        self.unkept.append(step - len(stored(run)[0]))
        self.at.pop(0)
        self._is_full = False
        self.disk.free()
        return False


@pytest.mark.parametrize(
    ("during", "flags", "leave"),
    [("metrics", {"eval_every": 100_000}, 0), ("a checkpoint", {"eval_every": 100, "hidden": 1500}, 400_000)],
)
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.faults)])
def test_a_full_disk_is_waited_out_to_the_same_bits(
    during: str,
    flags: dict[str, int],
    leave: int,
    times: int,
    corpus: Corpus,
    disk: Disk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    promised: Promise,
) -> None:
    if during == "metrics":
        monkeypatch.setattr("tui_mm.worker.session.FLUSH_SECONDS", 0.0)  # so that few steps do
    flags = {"steps": 300 * (times + 1), **flags}
    whole = undisturbed(corpus, tmp_path, monkeypatch, **flags)
    run, opened = new_run(corpus, config(**flags))
    draw = random.Random(7)
    at = [int(200 * (i + 0.2 + 0.6 * draw.random())) for i in range(times)]
    with training_session(run, opened.trainer, opened.splits) as session:
        world = World(disk, session, at, leave)
        assert session.train(should_stop=world.go_on, should_end=world.look) is not None
        world.follower.poll()
    assert run.status() == world.follower.status == "done"
    assert world.follower.waits_for == ""
    assert len(world.unkept) == times
    assert all(bool(steps) == (during == "metrics") for steps in world.unkept), world.unkept
    with run.store() as store:
        waited = [event for event in store.events() if event.kind == "waited"]
    assert len(waited) == times
    assert waited[0].message.startswith("the disk is full: waited ")
    assert len(world.lines) == 2 * times
    assert_same(whole, run)
    promised(
        f"A disk that is full during {during}: the training waits and ends with the same bits", tried=times, lost=0
    )


def test_a_stop_while_it_waits_ends_it_at_once_and_it_goes_on_to_the_same_bits(
    corpus: Corpus, disk: Disk, whole: Run, promised: Promise
) -> None:
    run, opened = new_run(corpus, config(steps=600))
    with training_session(run, opened.trainer, opened.splits) as session:
        world = World(disk, session, [250], 0)
        with pytest.raises(WaitEndedError, match=f"stopped while the disk is full.*resume {run.id}"):
            session.train(should_stop=world.go_on, should_end=lambda: run.status() == "waiting")
    assert run.status() == "stopped"
    with pytest.raises(RunError, match=r"a run cannot be kept there \(.*free space"):
        create(corpus)
    assert [row.status for row in list_runs(Home.find())] == ["stopped"]
    resumed = resume_trainer(run)
    disk.fill()  # what the store gave back when it was closed
    with pytest.raises(RunError, match=r"the disk is full.*free space"), training_session(run, *resumed):
        pass
    disk.free()
    with training_session(run, *resume_trainer(run)) as session, run.store() as store:
        assert store.get("status") == "stopped"
        assert "stopped while the disk is full" in store.events()[-1].message
        assert session.train() is not None
    assert_same(whole, run)
    assert [folder.name for folder in Home.find().runs.iterdir()] == [run.id], "the run that did not fit is still there"
    promised("A training that waits for its disk is stopped at once, and resumed to the same bits", tried=1, lost=0)


def create(corpus: Corpus) -> None:
    new_run(corpus, config())


def test_orders_to_a_worker_that_waits(corpus: Corpus, disk: Disk, promised: Promise) -> None:
    """It is stopped by an order that has no space in the inbox."""
    run, _ = new_run(corpus, config(steps=100_000_000, eval_every=10_000_000))
    client = WorkerClient(run)
    try:
        client.start_worker()
        client.send(ask.Start())
        until(lambda: len(stored(run)[0]) > 100)
        disk.fill()
        until(lambda: run.status() == "waiting")
        with pytest.raises(StorageError, match="the disk is full"):
            for _ in range(10_000):  # the last pages of the log may have space for some
                client.send(ask.Sample())
        number = client.send(ask.Stop())
        until(lambda: run.status() == "stopped")
        until(lambda: client.exit_code is not None)
        assert client.exit_code in (0, 128 + signal.SIGTERM)
        assert client.answer(number) in ({}, None)
    finally:
        end(client)
    lines = client.last_lines()
    assert not any("Traceback" in line for line in lines), lines
    promised("A worker that waits for its disk is stopped by an order that does not fit", tried=1, lost=0)


def end(client: WorkerClient) -> None:
    process = client._process
    client.close()
    if process is not None:
        process.kill()
        process.wait()


@pytest.mark.faults
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.faults)]
)
def test_in_the_foreground_it_says_so_waits_and_is_stopped_by_a_signal(
    number: signal.Signals, code: int, words_file: Path, disk: Disk
) -> None:
    process = train(words_file)
    run = until(lambda: the_run(), process)
    until(lambda: len(stored(run)[0]) > 100, process)
    disk.fill()
    until(lambda: run.status() == "waiting", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, err
    assert out.count(f"the disk is full: {run.folder}; the training waits, and goes on when there is space") == 1
    assert f"run {run.id}: stopped while the disk is full" in out
    assert "Traceback" not in err
    assert run.status() == "stopped"


def train(words_file: Path, **options: Any) -> subprocess.Popen[str]:
    return start(
        "train", "--data", words_file, "--steps", 100_000_000, "--hidden", 16, "--batch-size", 8, "--threads", 1,
        "--device", "cpu", "--eval-every", 10_000_000, **options,
    )  # fmt: skip


def the_run() -> Run | None:
    try:
        return find_run(Home.find(), "last")
    except RunError:
        return None


@pytest.mark.faults
def test_a_limit_on_the_size_of_files_is_waited_out_too(words_file: Path, home: Path) -> None:
    """``ulimit -f``, which another process can raise."""
    process = train(words_file)
    try:
        run = until(lambda: the_run(), process)
        until(lambda: len(stored(run)[0]) > 100, process)
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        size = max(path.stat().st_size for path in run.folder.iterdir())
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))
        until(lambda: run.status() == "waiting", process)
        notice = run.notice()
        assert notice is not None
        assert notice.message.startswith("the limit on a file's size is reached")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        until(lambda: run.status() == "running", process)
    finally:
        process.terminate()
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143, err
    with run.store() as store:
        assert [event.kind for event in store.events()] == ["started", "waited", "stopped"]
    assert len(stored(run)[0]) == load_checkpoint(run.checkpoint("last")).values["trainer"]["step"]


def test_a_viewer_says_what_a_run_waits_for(corpus: Corpus) -> None:
    """Believed only while the run's worker is there."""
    run, _ = new_run(corpus, config())
    notice = NoticeFile(run.folder)
    blocks = (run.folder / "notice").stat().st_blocks
    size = (run.folder / "notice").stat().st_size
    follower = RunFollower(run)
    with run.training_lock():
        notice.say("waiting", f"the disk is full: {'x' * 5000}/home; the training waits")
        now = (run.folder / "notice").stat()
        assert (now.st_size, now.st_blocks) == (size, blocks), "it must take no new space"
        assert follower.poll()
        assert follower.status == run.status() == "waiting"
        assert follower.waits_for.startswith("the disk is full: xxx")
        line = head_line(ViewState(run.config(), Settings(), follower=follower), 120)
        assert line.endswith("▮▮ the disk is full")
        notice.clear()
        follower.poll()
        assert (follower.status, follower.waits_for) == ("created", "")
        notice.say("waiting", "the disk is full: here")
    assert run.status() == "created"
    with run.store() as store:
        store.set(status="running")
    assert run.status() == "crashed"
    assert not run.end_waiting()
    notice.say("stopped", "the disk was full")
    assert run.status() == "stopped"
    for garbage in (b"", b"{", b"[1]", b"\xff" * 1024, b'{"status": 1, "message": "", "pid": 1}', b"[" * 1024):
        (run.folder / "notice").write_bytes(garbage)
        assert run.notice() is None
    follower.close()
    notice.close()
