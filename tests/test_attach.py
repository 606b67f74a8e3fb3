"""Runs that outlive the terminal: several viewers of one worker, and commands from elsewhere. Real processes all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.terminal import PROGRAM
from tests.person import Person, await_
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home
from tui_mm.runs.presence import Presence, is_watched
from tui_mm.runs.run import Run, find_run

SMALL = ("--block-size", "3", "--hidden", "16", "--batch-size", "8", "--threads", "1", "--device", "cpu")
LONG = "10000000"
LINE = (sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])")  # killed, it takes its terminal with it
ENDED = ("done", "stopped", "crashed", "failed")


@pytest.fixture
def sit(home: Path) -> Iterator[Callable[..., Person]]:
    """A person at a terminal of a size who types a command."""
    home.mkdir(exist_ok=True)
    seats: list[Person] = []

    def start(*arguments: object, columns: int = 120, rows: int = 36, line: Sequence[str] = ()) -> Person:
        program = [*line, *PROGRAM]
        person = Person([str(a) for a in arguments], home, columns, rows, program=program)
        seats.append(person)
        return person

    yield start
    for person in seats:
        person.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def nothing_is_left(home: Path) -> Iterator[None]:
    """Workers have sessions of their own: no test leaves one behind."""
    yield
    for run in home.glob("runs/*"):
        if Run(run).is_live():
            call("stop", run.name, home=home)
            await_(partial(lambda left: not left.is_live(), Run(run)))


def call(*arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "tui_mm", *map(str, arguments), "--home", str(home)], capture_output=True,
        text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def detached(words_file: Path, home: Path, steps: str = LONG) -> Run:
    done = call("train", "--data", words_file, *SMALL, "--steps", steps, "--detach", "--json", home=home)
    assert done.returncode == 0, done.stderr
    run = find_run(Home.find(), json.loads(done.stdout)["run"])
    assert run.status() in ("running", "done")
    return run


def steps_of(run: Run) -> int:
    with run.store() as store:
        return store.steps


def events_of(run: Run) -> list[tuple[str, bool]]:
    """What happened, and whether somebody is named who asked for it."""
    with run.store() as store:
        return [(event.message, bool(event.sender)) for event in store.events()]


def test_two_viewers_see_one_training_from_its_start_and_what_the_other_asked_for(
    sit: Callable[..., Person], words_file: Path, home: Path
) -> None:
    run = detached(words_file, home)
    await_(lambda: steps_of(run) > 500)
    large, small = sit("attach", run.id, columns=120, rows=36), sit("attach", columns=80, rows=24)
    for person in (large, small):
        person.sees(r"● running \d")
        person.sees(r"step 0 ")  # the history, from its start
    large.press("9")
    small.press(" ")
    small.sees("▮▮ paused")
    large.sees("▮▮ paused")
    large.sees(rf"pts/\d+ \({small.process.pid}\): pause")
    small.press("9")
    at = steps_of(run)
    large.press("n")
    small.sees(rf"pts/\d+ \({large.process.pid}\): step 1 ")
    assert f"({small.process.pid}): pause" not in small.text()  # its own, which it has seen
    small.sees(rf"▮▮ paused {at + 1:,} /")
    large.hang_up()
    small.press(" ")
    small.sees("● running")
    small.kill()
    at = steps_of(run)
    await_(lambda: steps_of(run) > at + 100)
    assert run.status() == "running"


def test_the_plain_dashboard_offers_the_training_that_goes_on(
    sit: Callable[..., Person], words_file: Path, home: Path
) -> None:
    run = detached(words_file, home)
    person = sit(columns=80, rows=24)
    person.sees("A training goes on")
    person.sees(rf"Watch {run.id}: mlp on words.txt, running, step")
    person.press("\r")
    person.sees(r"● running \d")
    other = sit(columns=80, rows=24)
    other.sees("A training goes on")
    other.press("\x1b")
    other.sees("not trained yet")
    other.until(lambda: "A training goes on" not in other.text(), "no question")


def test_the_result_is_that_of_a_training_nobody_left(
    sit: Callable[..., Person], words_file: Path, home: Path, promised: Callable[..., None]
) -> None:
    """Begun in a terminal that goes, paused and let go on from others, watched by one that is killed."""
    whole = call("train", "--data", words_file, *SMALL, "--steps", "6000", "--json", home=home)
    reference = find_run(Home.find(), json.loads(whole.stdout)["run"])
    first = sit("train", "--data", words_file, *SMALL, "--steps", "6000", "--name", "left", line=LINE)
    first.sees("run [0-9a-f]{8}")
    run = find_run(Home.find(), "left")
    await_(lambda: steps_of(run) > 0)
    first.kill()  # the line; a training in the foreground outlives its terminal, too
    assert call("pause", run.id, home=home).returncode == 0
    assert run.status() == "paused"
    viewer = sit("attach", run.id)
    viewer.sees("▮▮ paused")
    viewer.kill()
    assert call("resume", run.id, home=home).returncode == 0
    await_(lambda: run.status() in ENDED)
    assert run.status() == "done"
    with reference.store() as a, run.store() as b:
        same = np.array_equal(a.losses(), b.losses()) and a.samples() == b.samples()
    one, two = (load_checkpoint(r.checkpoint("last")).arrays for r in (reference, run))
    same &= all(np.array_equal(one[name], two[name]) for name in one)
    promised("a training outlives its terminal, to the same bits", tried=1, lost=int(not same))


def test_a_terminal_that_trains_shows_what_others_ask_for_and_obeys(
    sit: Callable[..., Person], words_file: Path, home: Path
) -> None:
    person = sit("train", "--data", words_file, *SMALL, "--steps", LONG, "--name", "front", columns=80, rows=24)
    person.sees("run [0-9a-f]{8}")
    run = find_run(Home.find(), "front")
    await_(lambda: steps_of(run) > 0)
    viewer = sit("attach", run.id)
    viewer.sees(r"\d of \d+ new, step")  # it answers while it trains
    viewer.press(" ")
    person.sees(rf"pts/\d+ \({viewer.process.pid}\): pause")
    viewer.sees("▮▮ paused")
    stopped = call("stop", run.id, home=home)
    assert stopped.returncode == 0, stopped.stderr
    assert f"run {run.id} is stopped at step {steps_of(run):,}; go on with: makemore-tui resume" in stopped.stdout
    person.sees("checkpoint kept")
    viewer.sees("stopped")
    viewer.press("3g")
    viewer.sees(r"\d of \d+ new, step")  # a worker of its own answers now


def test_a_replay_is_gone_to_and_come_back_from(sit: Callable[..., Person], words_file: Path, home: Path) -> None:
    run = detached(words_file, home)
    person = sit("attach", run.id)
    person.sees(r"● running \d")
    person.press(" ")
    person.sees("▮▮ paused")
    person.press("r")
    person.sees("p replay")
    person.press("p")
    person.sees("space play/pause")
    person.sees(r"/[0-9,]+ live ")
    person.press("q")
    person.sees("▮▮ paused")  # with nobody else there it would have been stopped
    person.press(" ")
    person.sees("● running")


def test_commands_from_elsewhere(words_file: Path, home: Path) -> None:
    run = detached(words_file, home)
    again = call("resume", run.id, "--detach", home=home)
    assert (again.returncode, again.stdout) == (2, "")
    assert "being trained already" in again.stderr
    paused = call("pause", run.id, home=home)
    assert (
        paused.stdout == f"run {run.id} is paused at step {steps_of(run):,}; go on with: makemore-tui resume {run.id}\n"
    )
    assert run.status() == "paused"  # and stays so, though nobody watches
    assert call("pause", run.id, home=home).returncode == 0
    gone_on = call("resume", run.id, "--json", home=home)
    assert json.loads(gone_on.stdout)["status"] == "running"
    assert call("stop", run.id, home=home).returncode == 0
    idle = call("stop", run.id, home=home)
    assert (idle.returncode, idle.stdout) == (0, f"run {run.id} is not being trained: it is stopped\n")
    assert call("attach", home=home).stderr.startswith("makemore-tui: error: nothing is being trained;")
    await_(lambda: not run.is_live())  # its worker has gone
    assert call("resume", run.id, "--detach", home=home).returncode == 0
    assert run.status() == "running"
    asked = ["start", "pause", "pause", "start", "stop", "start"]
    assert [message for message, has_sender in events_of(run) if has_sender] == asked


def test_a_worker_that_did_not_begin_says_why(words_file: Path, home: Path) -> None:
    done = call("train", "--data", words_file, *SMALL, "--device", "cuda:77", "--detach", home=home)
    assert done.returncode == 2
    assert "cuda:77" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_is_watched_while_any_viewer_is_there(tmp_path: Path) -> None:
    assert not is_watched(tmp_path)
    first, second = Presence(tmp_path), Presence(tmp_path)
    assert is_watched(tmp_path)
    first.end()
    first.end()
    assert is_watched(tmp_path)
    second.end()
    assert not is_watched(tmp_path)
    assert (tmp_path / "viewers").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_gone_has_no_viewers(tmp_path: Path) -> None:
    Presence(tmp_path / "gone").end()
    assert not is_watched(tmp_path / "gone")


def test_viewers_that_are_a_link_to_elsewhere_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "viewers").symlink_to(tmp_path / "elsewhere")
    Presence(tmp_path).end()
    assert not (tmp_path / "elsewhere").exists()
