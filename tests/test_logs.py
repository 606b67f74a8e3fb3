"""`logs`: events with their times, the worker's lines, and what comes while it follows."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.corpus import Corpus
from tui_mm.cli.logs import _WorkerLog
from tui_mm.config import make_config
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run, find_run

COMMAND = [sys.executable, "-P", "-m", "tui_mm"]
LONG = ("--steps", "1000000", "--hidden", "16", "--batch-size", "8", "--threads", "1", "--device", "cpu")
PATIENCE_S = 60.0
Cli = Callable[..., Any]


@pytest.fixture
def run(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """With three events, a second between them, and a worker's log."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    run = create_run(Home.find(), make_config(), corpus, "one", {"data": {}, "model": {}})
    events = [
        (0, "started", "started at step 0", ""), (7, "paused", "paused at step 7", "ada on pts/3"),
        (9, "done", "done", ""),
    ]  # fmt: skip
    with run.store() as store, pytest.MonkeyPatch.context() as clock:
        for second, event in enumerate(events):
            clock.setattr("tui_mm.runs.store.time.time", lambda second=second: 1_700_000_000 + second)
            store.add_event(*event)
    (run.folder / "worker.log").write_bytes(b"a warning\nTraceback\n\x1b[2J\xff\nthe end")
    yield run
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("run")
def test_events_stand_with_their_times_and_the_workers_lines_behind_them(cli: Cli) -> None:
    done = cli("logs", "one")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "2023-11-14 22:13:20  started at step 0",
        "2023-11-14 22:13:21  ada on pts/3: paused at step 7",
        "2023-11-14 22:13:22  done",
        "worker.log           a warning",
        "worker.log           Traceback",
        "worker.log           \\x1b[2J\\xff",
        "worker.log           the end",
    ]


@pytest.mark.usefixtures("run")
def test_lines_are_the_last_of_both(cli: Cli) -> None:
    assert cli("logs", "one", "--lines", 1).out.splitlines() == [
        "2023-11-14 22:13:22  done", "worker.log           the end",
    ]  # fmt: skip
    assert cli("logs", "one", "-n", 0).out == ""


@pytest.mark.usefixtures("run")
def test_json_is_an_object_a_line(cli: Cli) -> None:
    lines = [json.loads(line) for line in cli("logs", "one", "--json", "-n", 2).out.splitlines()]
    assert lines == [
        {"kind": "event", "time": 1_700_000_001, "step": 7, "event": "paused", "message": "paused at step 7",
         "sender": "ada on pts/3"},
        {"kind": "event", "time": 1_700_000_002, "step": 9, "event": "done", "message": "done", "sender": ""},
        {"kind": "worker_log", "line": "\x1b[2J\\xff"},
        {"kind": "worker_log", "line": "the end"},
    ]  # fmt: skip


def test_events_send_no_commands_to_the_terminal(run: Run, cli: Cli) -> None:
    with run.store() as store:
        store.add_event(1, "asked", "\x1b[2Jlr\x9b3m\u202e\n0", "\x07eve")
    for done in (cli("logs", "one"), cli("logs", "one", "--json")):
        assert not any(c in done.out for c in "\x1b\x9b\x07\u202e")
        assert len(done.out.splitlines()) == 8


def test_a_run_to_which_nothing_happened_and_a_finished_one_end_at_once(corpus: Corpus, run: Run, cli: Cli) -> None:
    create_run(Home.find(), make_config(), corpus, "fresh", {"data": {}, "model": {}})
    for arguments in (("fresh",), ("fresh", "--follow")):
        done = cli("logs", *arguments)
        assert (done.code, done.out) == (0, "")
        assert "nothing has happened" in done.err
    with run.store() as store:
        store.set(status="done")
    assert cli("logs", "one", "-f").out == cli("logs", "one").out


def test_wrong_use_is_one_line(cli: Cli, run: Run) -> None:
    for arguments, words in (
        (("nothing",), "no such run"),
        (("one", "--lines", "-1"), "--lines"),
        (("one", "--lines", "x"), "--lines"),
        ((), "RUN"),
    ):
        done = cli("logs", *arguments)
        assert (done.code, done.out) == (2, "")
        assert len(done.err.splitlines()) == 1
        assert words in done.err
    assert cli("logs", "--help").out.startswith("Examples:")
    assert "logs" in cli("--help").out


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_log_that_grows_is_read_whole_whatever_it_holds(tmp_path_factory: Any, parts: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("log") / "worker.log"
    log = _WorkerLog(path)
    found: list[str] = list(log.lines(rest=False))
    for part in parts:
        with path.open("ab") as file:
            file.write(part)
        found += log.lines(rest=False)
    found += log.lines(rest=True)
    whole = b"".join(parts).split(b"\n")
    expected = [line.decode("utf-8", "backslashreplace").rstrip("\r") for line in whole]
    assert found == (expected if whole[-1] else expected[:-1])


def test_a_line_without_end_comes_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    path.write_bytes(b"x" * 40_000 + b"\n")
    assert [len(line) for line in _WorkerLog(path).lines(rest=False)] == [16_384, 16_384, 7_232]


# -- following


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def until(condition: Callable[[], Any], *processes: subprocess.Popen[str]) -> Any:
    give_up = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < give_up, "waited too long"
        for process in processes:
            assert process.poll() is None, process.communicate()
        select.select([], [], [], 0.01)
    return found


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it prints; fails when none comes."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
    assert ready, "nothing came"
    return process.stdout.readline()


def is_trained(name: str) -> bool:
    if not Home.find().runs.is_dir() or not any(len(p.name) == 8 for p in Home.find().runs.iterdir()):
        return False
    run = find_run(Home.find(), name)
    with run.store() as store:
        return store.last_chunk() is not None


def test_it_follows_a_training_to_its_end(words_file: Path) -> None:
    training = start("train", "--data", words_file, "--name", "live", *LONG)
    until(lambda: is_trained("live"), training)
    run = find_run(Home.find(), "live")
    following, left = (start("logs", "live", "--follow", "--json") for _ in range(2))
    for process in (following, left):
        assert json.loads(line_of(process))["event"] == "started"

    log = run.folder / "worker.log"
    log.write_text("one\ntw")
    assert json.loads(line_of(following)) == {"kind": "worker_log", "line": "one"}
    with log.open("a") as file:
        file.write("o\nrest")
    assert json.loads(line_of(following)) == {"kind": "worker_log", "line": "two"}
    with run.store() as store:
        store.add_event(5, "asked", "from elsewhere", "eve")
    assert json.loads(line_of(following))["message"] == "from elsewhere"

    left.send_signal(signal.SIGINT)  # as Ctrl-C does
    _, said = left.communicate(timeout=PATIENCE_S)
    assert (left.returncode, said) == (130, "")

    training.send_signal(signal.SIGTERM)
    training.communicate(timeout=PATIENCE_S)
    out, err = following.communicate(timeout=PATIENCE_S)
    assert (following.returncode, err) == (0, "")
    last = [json.loads(line) for line in out.splitlines()]
    assert {"kind": "worker_log", "line": "rest"} in last
    assert "stopped" in [line.get("event") for line in last]


def test_ctrl_c_is_not_lost_where_an_exception_would_be(run: Run, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the midst of taking an object away, as of a lock that was looked at, Python ignores what is raised."""

    class Lock:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with run.store() as store:
        store.set(status="running")
    monkeypatch.setattr("tui_mm.cli.logs.time.sleep", lambda seconds: bool(Lock()))
    with run.training_lock():
        done = cli("logs", run.id, "--follow")
    assert (done.code, done.err) == (130, "")


def test_a_crash_ends_it_and_is_said(run: Run) -> None:
    """The process that holds the run's lock is killed: nothing is written to the store."""
    with run.store() as store:
        store.set(status="running")
    hold = f"with Run(Path({str(run.folder)!r})).training_lock(): print('held', flush=True); signal.pause()"
    trains = subprocess.Popen(
        [sys.executable, "-c", f"import signal; from pathlib import Path; from tui_mm.runs.run import Run\n{hold}"],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert line_of(trains) == "held\n"
    following = start("logs", run.id, "-f")
    assert "started" in line_of(following)
    trains.kill()
    trains.communicate()
    _, err = following.communicate(timeout=PATIENCE_S)
    assert following.returncode == 0
    assert err.splitlines() == [
        f"makemore-tui: run {run.id} has crashed: whoever trained it is gone; go on with: makemore-tui resume {run.id}"
    ]


def test_a_run_that_is_deleted_meanwhile_is_one_line(run: Run) -> None:
    with run.training_lock():
        with run.store() as store:
            store.set(status="running")
        following = start("logs", run.id, "-f")
        assert "started" in line_of(following)
        shutil.rmtree(run.folder)
        out, err = following.communicate(timeout=PATIENCE_S)
    assert following.returncode == 2
    assert err.splitlines() == [f"makemore-tui: error: run {run.id}: was deleted while its log was followed"]
    assert "Traceback (" not in out


def test_it_waits_without_work(run: Run, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    """It looks at the store some ten times a second, and reads it only after a change."""
    waits: list[float] = []
    reads: list[int] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5:
            with run.store() as store:
                store.set(status="done")
                store.add_event(9, "done", "the very last")

    from tui_mm.runs.store import RunStore

    events = RunStore.events
    monkeypatch.setattr("tui_mm.cli.logs.time.sleep", wait)
    monkeypatch.setattr(RunStore, "events", lambda store, after=0: reads.append(after) or events(store, after))
    with run.training_lock():
        with run.store() as store:
            store.set(status="running")
        done = cli("logs", "one", "-f")
    assert done.code == 0
    assert "the very last" in done.out
    assert len(waits) == 5
    assert min(waits) >= 0.05
    assert reads == [0, 3, 3], "at the beginning, at the first look, and after the change"


def test_a_reader_that_has_enough_ends_it_quietly(run: Run) -> None:
    done = subprocess.run(
        f"'{sys.executable}' -P -m tui_mm logs {run.id} | head -n 1", shell=True, capture_output=True, text=True,
        check=False, env=os.environ,
    )  # fmt: skip
    assert done.stdout.endswith("started at step 0\n")
    assert done.stderr == ""
