"""The dashboard through OpenSSH on the loopback interface: a line that drops, and another one that takes its place."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sshd import Line, Server, missing
from benchmarks.terminal import environment
from tests.conftest import Promise
from tests.leftovers import end_workers
from tests.person import Person, await_
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home
from tui_mm.runs.presence import is_watched
from tui_mm.runs.run import Run, find_run

pytestmark = [pytest.mark.ssh, pytest.mark.skipif(bool(missing()), reason=missing())]

STEPS = 12_000
SLEEPERS_STEPS = 60_000  # more than the quickest machine does while the line sleeps
SETTINGS = (
    "--block-size", "3", "--hidden", "64", "--embedding", "4", "--batch-size", "64", "--eval-every", "1000",
    "--lr", "0.002", "--threads", "1", "--device", "cpu", "--steps",
)  # fmt: skip
SLEPT_S = 5.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "sshd"
    folder.mkdir(mode=0o700)
    with Server(folder) as made:
        yield made


@pytest.fixture
def connect(server: Server, home: Path) -> Iterator[Callable[..., Person]]:
    """A person at a terminal who runs the program over there. ``port``: of a line to the server."""
    home.mkdir(exist_ok=True)
    people: list[Person] = []

    def start(*arguments: object, columns: int = 80, rows: int = 24, port: int | None = None) -> Person:
        program = server.program(home, port=port)
        people.append(Person([shlex.quote(str(a)) for a in arguments], home, columns, rows, program=program))
        return people[-1]

    yield start
    for person in people:
        person.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def nothing_is_left(home: Path) -> Iterator[None]:
    yield
    end_workers(home)


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Run]:
    """The same run of so many steps, trained by a command that nothing disturbs."""

    @cache
    def train(steps: int) -> Run:
        home = tmp_path_factory.mktemp("uncut")
        words = Path(__file__).with_name("words.txt")
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tui_mm", "train", "--data", words, *SETTINGS, str(steps), "--json"],
            env=environment(home), check=True, capture_output=True, cwd=home,
        )  # fmt: skip
        return find_run(Home(home), json.loads(done.stdout)["run"])

    return train


def in_training(person: Person) -> Run:
    person.sees("not trained yet")
    person.press("t")
    person.sees(r"● running \d")
    return find_run(Home.find(), "last")


def steps_of(run: Run) -> int:
    with run.store() as store:
        return store.steps


def lost_steps(run: Run, whole: Run) -> int:
    """How many steps of ``whole`` are missing in ``run`` or are others; their ends must agree to the bit."""
    with run.store() as a, whole.store() as b:
        losses, expected = a.losses(), b.losses()  # raises for a step lost or doubled
        assert [(e.step, e.train, e.dev) for e in a.evaluations()] == [
            (e.step, e.train, e.dev) for e in b.evaluations()
        ]
    arrays, others = (load_checkpoint(each.checkpoint("last")).arrays for each in (run, whole))
    assert arrays.keys() == others.keys()
    assert all(np.array_equal(arrays[name], others[name]) for name in arrays)
    assert len(losses) == len(expected) == whole.config().steps
    return int((losses != expected).sum())


def cut_the_client(person: Person, server: Server, line: Line) -> None:
    person.kill()


def cut_the_session(person: Person, server: Server, line: Line) -> None:
    for session in server.sessions():
        session.kill()


def cut_the_line(person: Person, server: Server, line: Line) -> None:
    line.cut()


@pytest.mark.parametrize("cut", [cut_the_client, cut_the_session, cut_the_line])
def test_a_training_goes_on_without_its_line_and_is_seen_again_over_another(
    connect: Callable[..., Person],
    server: Server,
    words_file: Path,
    uncut: Callable[[int], Run],
    cut: Callable[[Person, Server, Line], None],
    promised: Promise,
) -> None:
    with Line(server.port) as line:
        first = connect(words_file, *SETTINGS, STEPS, port=line.port)
        run = in_training(first)
        await_(lambda: steps_of(run) > 200)
        at, began = steps_of(run), time.monotonic()
        cut(first, server, line)
        await_(lambda: not is_watched(run.folder))
        noticed = time.monotonic() - began
        await_(lambda: steps_of(run) > at + 200)
        second = connect("attach", run.id)
        second.sees(r"● running \d")
        second.press("9")
        second.sees(r"step 0 ")  # with its history
        second.sees(f"✓ done {STEPS:,}")
        second.press("q")
        second.sees(f"run {run.id} is kept")
    promised(
        f"SSH: {cut.__name__.replace('_', ' ')}, and the run is that of an uncut one",
        tried=STEPS,
        lost=lost_steps(run, uncut(STEPS)),
        figure=f"cut after step {at:,}; its dashboard ended within {noticed:.1f} s",
    )


@pytest.mark.timeout(600)
def test_a_line_that_sleeps_shows_the_newest_when_it_wakes_up(
    connect: Callable[..., Person], server: Server, words_file: Path, uncut: Callable[[int], Run], promised: Promise
) -> None:
    """As under a closed laptop: no end learns of it. Meanwhile the run is watched over another line."""
    with Line(server.port) as line:
        sleeper = connect(words_file, *SETTINGS, SLEEPERS_STEPS, port=line.port, columns=200, rows=60)
        run = in_training(sleeper)
        line.stop()
        slept = time.monotonic()
        second = connect("attach", run.id)
        second.sees(r"● running \d")
        await_(lambda: time.monotonic() - slept > SLEPT_S)
        newest, before, began = steps_of(run), line.down, time.monotonic()
        assert newest < SLEEPERS_STEPS, "it has ended: the test says nothing"
        line.go_on()

        def is_shown() -> bool:
            found = re.search(r"(?:running|done) ([\d,]+) /", sleeper.row(0))
            return found is not None and int(found[1].replace(",", "")) >= newest

        sleeper.until(is_shown, f"step {newest:,}")
        took, received = time.monotonic() - began, line.down - before
        for person in (sleeper, second):
            person.sees(f"✓ done {SLEEPERS_STEPS:,}")
    lost = lost_steps(run, uncut(SLEEPERS_STEPS))
    promised(
        "SSH: a line that slept shows the newest state, not a backlog",
        tried=1,
        lost=int(took > 5 or received > 100_000) + lost,
        figure=f"after {SLEPT_S:g} s at 200x60: {received:,} B over the line in {took:.1f} s",
    )
