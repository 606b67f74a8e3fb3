"""File systems without shared memory, without locks, with slow syncs; what is on the disk when; who may read what."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data.corpus import Corpus
from tests.conftest import Outcome, Promise
from tests.test_processes import COMMAND, PATIENCE_S, start, until
from tests.test_session import assert_same, config, new_run, stored
from tests.test_storage_faults import end
from tui_mm.config import make_config
from tui_mm.experiments.kept import create_experiment
from tui_mm.runs import database
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run
from tui_mm.runs.store import RunStore
from tui_mm.worker import protocol as ask
from tui_mm.worker.client import WorkerClient
from tui_mm.worker.session import training_session

KEEP = """
import sys
from pathlib import Path
from tui_mm.runs.store import RunStore
with RunStore(Path(sys.argv[1]), create=sys.argv[2] == "create") as store:
    assert store.get("before") == (None if sys.argv[2] == "create" else 1)
    store.set(after=[store.has_log])
"""


def traced(*options: str, program: list[str]) -> list[str]:
    """A command line that runs a program under strace; skips the test where there is none, or where it may not."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs the program strace")
    tried = subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("strace may not trace here")
    return [strace, "-f", "-qq", *options, *program]


# --- without shared memory


@pytest.mark.parametrize("made", ["there", "elsewhere", "elsewhere, by a process that was killed"])
def test_a_store_without_shared_memory_has_a_rollback_journal_and_loses_nothing(made: str, tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    if made == "elsewhere":
        with RunStore(path, create=True) as store:
            store.set(before=1)
    elif made != "there":
        killed = f"import os\n{KEEP}\nstore = RunStore(Path(sys.argv[1])); store.set(before=1); os._exit(0)"
        subprocess.run([sys.executable, "-c", killed, path, "create"], check=True)
        assert path.with_name("run.db-wal").stat().st_size
    program = [sys.executable, "-c", KEEP, str(path), "create" if made == "there" else "open"]
    without = ["-o", "/dev/null", "-P", f"{path}-shm", "-e", "trace=mmap", "-e", "inject=mmap:error=ENODEV"]
    done = subprocess.run(traced(*without, program=program), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [found.name for found in tmp_path.iterdir()] == ["run.db"]
    with RunStore(path) as store:
        assert store.get("after") == [False]


def without_log(run: Run) -> Run:
    """As a file system without shared memory would have it."""
    with sqlite3.connect(run.folder / "run.db") as db:
        assert db.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    return run


@pytest.mark.faults
def test_readers_that_hold_up_the_writer_are_waited_for(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, promised: Promise
) -> None:
    """Without a log a reader in the middle of its reading lets nobody commit."""
    whole, session = new_run(corpus, config(steps=1400))
    session.train()
    run, opened = new_run(corpus, config(steps=1400))
    without_log(run)
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.02)
    lines: list[str] = []
    with training_session(run, opened.trainer, opened.splits) as session:
        assert not session.store.has_log
        session.patience.tell = lines.append
        reader = sqlite3.connect(run.folder / "run.db", isolation_level=None)
        reads = []

        def read() -> bool:
            if session.trainer.step >= 300 * (len(reads) + 1) and not reader.in_transaction:
                reads.append(session.trainer.step)
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM losses").fetchall()
            return False

        def look() -> bool:
            if reader.in_transaction:
                assert run.status() == "waiting"
                reader.execute("COMMIT")
            return False

        assert session.train(should_stop=read, should_end=look) is not None
        reader.close()
    assert run.status() == "done"
    assert_same(whole, run)
    with run.store() as store:
        waits = [event.message for event in store.events() if event.kind == "waited"]
    assert len(waits) == len(reads) == 4
    assert waits[0].startswith("another process holds run.db: waited ")
    assert len(lines) == 8
    promised("Without a write-ahead log, readers that hold up the training are waited for", tried=len(waits), lost=0)


@pytest.mark.faults
def test_viewers_and_orders_without_a_log(corpus: Corpus, promised: Promise) -> None:
    """A process that trains, a viewer that looks all the time, and orders."""
    run, _ = new_run(corpus, config(steps=1000))
    client = WorkerClient(without_log(run))
    try:
        client.start_worker()
        client.send(ask.Start())
        until(lambda: len(stored(run)[0]) > 50)
        samples = [client.send(ask.Sample(count=2)) for _ in range(20)]
        until(lambda: all(client.answer(number) is not None for number in samples))
        until(lambda: run.status() == "done")
    finally:
        end(client)
    assert len(stored(run)[0]) == 1000
    assert "Traceback" not in "\n".join(client.last_lines())
    promised("A run without a write-ahead log is trained, watched and commanded as others are", tried=1, lost=0)


# --- what is on the disk when


@pytest.mark.faults
def test_nothing_is_in_a_checkpoint_before_it_is_in_the_store_on_the_disk(
    words_file: Path, tmp_path: Path, promised: Promise
) -> None:
    """By the order of the system's calls: when a checkpoint takes its name, all that was written to the store's log was
    synced after it was written, as was the checkpoint; and its folder is synced before anything else is written."""
    log = tmp_path / "calls"
    program = [*COMMAND, "train", "--data", str(words_file), "--steps", "1000", "--hidden", "16", "--threads", "1",
               "--device", "cpu"]  # fmt: skip
    calls = "trace=pwrite64,write,fsync,fdatasync,rename,renameat,renameat2"
    done = subprocess.run(
        traced("-y", "--seccomp-bpf", "-s", "0", "-o", str(log), "-e", calls, program=program),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    unsynced: set[str] = set()
    owed: Path | None = None  # a folder in which a name changed
    renames = 0
    for line in log.read_text(errors="replace").splitlines():
        call = re.match(r"\d+ +(\w+)\((?:\d+<([^>]*)>)?", line)
        if call is None:
            continue
        name, path = call[1], call[2] or ""
        if name.startswith("rename") and ".safetensors" in line:
            first, last = re.findall(r'"([^"]+)"', line)
            assert not [p for p in unsynced if p.endswith("-wal")], line
            assert first not in unsynced, line
            owed = Path(last).parent
            renames += 1
        elif name in ("write", "pwrite64"):
            assert owed is None or not path.startswith(str(owed)), line
            unsynced.add(path)
        elif name in ("fsync", "fdatasync"):
            unsynced.discard(path)
            owed = None if owed is not None and path == str(owed) else owed
    assert owed is None
    assert renames > 3
    promised("No checkpoint is on the disk before the steps it was taken after", tried=renames, lost=0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("milliseconds", "log"),
    [
        pytest.param(50, True, marks=pytest.mark.faults),
        pytest.param(50, False, marks=pytest.mark.faults),
        pytest.param(300, True, marks=pytest.mark.faults),
        pytest.param(300, False, marks=pytest.mark.faults),
    ],
)
def test_a_disk_that_syncs_slowly_loses_nothing(
    milliseconds: int, log: bool, corpus: Corpus, cli: Callable[..., Outcome], promised: Promise
) -> None:
    steps = 4000 if milliseconds < 100 else 10_000
    seconds = []
    runs: list[Run] = []
    for slow in (False, True):
        run, _ = new_run(corpus, config(steps=steps, eval_every=steps // 4))
        runs.append(run if log else without_log(run))
        delay = f"inject=fsync,fdatasync:delay_exit={1000 * milliseconds if slow else 1}"
        options = ("--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", delay)
        done = subprocess.run(
            traced(*options, program=[*COMMAND, "resume", run.id]), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        with run.store() as store:
            assert store.has_log == log
            times = [event.time for event in store.events()]
        seconds.append(times[-1] - times[0])  # from its start to its end, without loading torch
    assert_same(*runs)
    assert len(stored(runs[1])[0]) == steps
    kind = "a write-ahead log" if log else "a rollback journal"
    figure = f"{steps:,} steps took {seconds[1]:.1f} s instead of {seconds[0]:.1f} s"
    promised(f"Syncs that take {milliseconds} ms, with {kind}: nothing is lost", tried=1, lost=0, figure=figure)


# --- quotas


@pytest.mark.faults
def test_a_quota_that_is_used_up_is_waited_out(corpus: Corpus, promised: Promise) -> None:
    """As the system says it; SQLite tells it as any other failure to write."""
    run, _ = new_run(corpus, config(steps=100_000_000, eval_every=10_000_000))
    client = WorkerClient(run)
    try:
        client.start_worker()
        client.send(ask.Start())
        until(lambda: len(stored(run)[0]) > 50)
        with run.store() as store:
            worker = int(store.get("pid"))
        files = (run.folder / "run.db-wal", run.folder / "run.db", run.folder / f".probe-{worker}")
        refused = traced(
            *(part for path in files for part in ("-P", str(path))), "-o", "/dev/null", "-e", "trace=write,pwrite64",
            "-e", "inject=write,pwrite64:error=EDQUOT", "-p", str(worker), program=[],
        )  # fmt: skip
        tracer = subprocess.Popen(refused)
        until(lambda: run.status() == "waiting")
        notice = run.notice()
        tracer.terminate()
        tracer.wait()
        kept = len(stored(run)[0])
        until(lambda: run.status() == "running" and len(stored(run)[0]) > kept)
    finally:
        end(client)
    assert notice is not None
    assert notice.message.startswith(f"the disk quota is used up: {run.folder}; the training waits")
    assert "Traceback" not in "\n".join(client.last_lines())
    promised("A disk quota that is used up is waited out", tried=1, lost=0)


# --- locks


@contextmanager
def without_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        yield


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said_in_one_line(
    number: int, corpus: Corpus, cli: Callable[..., Outcome], words_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise two processes could train one run, or a crash look like a training."""
    run, _ = new_run(corpus, config())
    with without_locks(monkeypatch, number):
        for command in (["resume", run.id], ["runs", "delete", run.id, "--yes"], ["train", "--data", words_file]):
            said = cli(*command)
            assert said.code == 2, said
            assert len(said.err.splitlines()) == 1
            assert "has no locks" in said.err
            assert "--home" in said.err
        assert cli("runs").code == 0
    assert run.folder.exists()
    assert sorted(path.name for path in run.folder.iterdir() if path.name == "lock") in ([], ["lock"])


def test_locks_that_the_system_refuses(corpus: Corpus) -> None:
    run, _ = new_run(corpus, config())
    program = traced("-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK",
                     program=[*COMMAND, "resume", run.id])  # fmt: skip
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "has no locks (No locks available)" in done.stderr


# --- who may read


@pytest.mark.parametrize("umask", [0o777, *(pytest.param(mask, marks=pytest.mark.faults) for mask in (0o000, 0o022))])
def test_everything_in_the_home_is_its_owners_alone(
    umask: int, words_file: Path, home: Path, promised: Promise
) -> None:
    before = os.umask(umask)
    try:
        words_file.chmod(0o644)
        process = start("train", "--data", words_file, "--steps", 100_000_000, "--hidden", 16, "--threads", 1,
                        "--eval-every", 1000)  # fmt: skip
        run = until(lambda: next((Run(p) for p in (home / "runs").glob("????????")), None) if home.exists() else None)
        until(lambda: (run.folder / "best.safetensors").exists(), process)
        client = WorkerClient(run)  # a viewer, and its file
        seen = modes(home)
        client.close()
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
        client = WorkerClient(run)
        client.start_worker()
        client.send(ask.Sample(count=1))
        until(lambda: run.is_live())
        seen |= modes(home)
        end(client)
        create_experiment(Home.find(), "part1-e01", make_config(flags={"data": str(words_file)}))
        seen |= modes(home)
    finally:
        os.umask(before)
    names = {Path(name).name for name in seen}
    expected = {"run.db", "run.db-wal", "run.db-shm", "words.txt", "lock", "notice", "last.safetensors",
                "best.safetensors", "worker.log", "viewers", "experiment.json", "runs", "home"}  # fmt: skip
    assert expected <= names, expected - names
    wrong = {name: oct(mode) for name, (mode, is_folder) in seen.items() if mode != (0o700 if is_folder else 0o600)}
    assert not wrong
    promised(f"With a umask of {umask:04o}, folders are 0700 and files 0600", tried=len(seen), lost=0)


def modes(home: Path) -> dict[str, tuple[int, bool]]:
    found = {}
    for path in (home, *home.rglob("*")):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue  # a checkpoint that takes its name at this moment
        found[str(path)] = (stat.S_IMODE(mode), stat.S_ISDIR(mode))
    return found
