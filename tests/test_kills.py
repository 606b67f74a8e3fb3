"""SIGKILL of a run's worker, of its dashboard, of both: nothing is lost, it is shown, and it goes on exactly."""

from __future__ import annotations

import json
import random
import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from benchmarks.terminal import PROGRAM
from tests.person import Person, await_
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, find_run

SETTINGS = (
    "--block-size", "3", "--hidden", "64", "--embedding", "4", "--batch-size", "128", "--eval-every", "250",
    "--lr", "0.002", "--threads", "1", "--device", "cpu",
)  # fmt: skip
SHOWN_S = 1.0  # a crash stands on the screen after a tenth of a second; a machine with other things to do takes longer


def workers_of(run: Run) -> list[psutil.Process]:
    """Also one that is starting and does not hold the run yet."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "tui_mm.worker" in (line := process.info["cmdline"] or []) and str(run.folder) in line
    ]


def recorded(run: Run) -> int:
    """How many steps stand in the store. Raises RunError when one is missing or double."""
    with run.store() as store:
        return len(store.losses())


def checkpointed(run: Run) -> int:
    """From which step on a worker that is started goes on: what was recorded beyond it is trained again."""
    path = run.checkpoint("last")
    return int(load_checkpoint(path).values["trainer"]["step"]) if path.exists() else 0


def kept_status(run: Run) -> str:
    with run.store() as store:
        return str(store.get("status"))


class Watcher:
    """A person with one dashboard after another on the same run."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.screen: Person | None = None
        self.run: Run | None = None

    def open(self, *arguments: str) -> Person:
        self.screen = Person(arguments, self._home, 120, 36)
        return self.screen

    def head(self) -> str:
        assert self.screen is not None
        return self.screen.row(0)

    def until_head(self, pattern: str) -> tuple[float, re.Match[str]]:
        """When the head line came to hold it."""
        assert self.screen is not None
        at = self.screen.until(lambda: re.search(pattern, self.head()) is not None, pattern)
        found = re.search(pattern, self.head())
        assert found is not None
        return at, found

    def train(self) -> None:
        """Start the training, or go on with it, unless it goes on or is done."""
        assert self.screen is not None
        self.until_head(r"[●▮!○✓] (?!loading)\w+")
        while not self._goes_on():
            self.screen.press("t")
            try:
                self.screen.until(self._goes_on, "running", timeout=10)
            except RuntimeError:
                continue  # a worker that was killed before it had read what it was asked: ask again

    def _goes_on(self) -> bool:
        """On the screen, and in truth: it may just have been killed."""
        seen = re.search("● running|✓ done", self.head())
        return seen is not None and self.run is not None and self.run.status() in ("running", "done")

    def close(self) -> None:
        if self.screen is not None:
            self.screen.__exit__(None, None, None)
        for worker in workers_of(self.run) if self.run else []:
            worker.kill()


@pytest.fixture
def watcher(home: Path) -> Iterator[Watcher]:
    home.mkdir(exist_ok=True)
    watching = Watcher(home)
    yield watching
    watching.close()


def whole(run: Run) -> tuple[Any, list[tuple[int, float, float | None, bool]]]:
    with run.store() as store:
        return store.losses(), [(e.step, e.train, e.dev, e.is_best) for e in store.evaluations()]


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kinds", "steps"),
    [
        pytest.param(["worker", "both", "dashboard"], 4_000, id="3"),
        pytest.param(["worker", "dashboard", "both", "worker", "both"] * 4, 40_000, id="20", marks=pytest.mark.faults),
    ],
)
def test_killed_at_random_moments_under_a_dashboard(
    kinds: list[str],
    steps: int,
    words_file: Path,
    watcher: Watcher,
    cli: Callable[..., Any],
    promised: Callable[..., None],
) -> None:
    """While it starts, trains, evaluates and writes. Each time it is opened again if need be, with its whole history,
    and goes on; the end is that of a training which nobody disturbed."""
    settings = (*SETTINGS, "--steps", str(steps))
    undisturbed = cli("train", "--data", words_file, *settings, "--json")
    assert undisturbed.code == 0, undisturbed.err
    reference = find_run(Home.find(), json.loads(undisturbed.out)["run"])
    losses, evaluations = whole(reference)

    draw = random.Random(20)
    watcher.open(str(words_file), *settings).sees("not trained yet")
    run = watcher.run = find_run(Home.find(), "last")
    assert run != reference
    watcher.train()
    watcher.screen.until(lambda: recorded(run) > 0, "the first step")
    shown: list[float] = []
    for number, kind in enumerate(kinds):
        starts = number % 3 == 2 and len(kinds) > 3
        if starts:
            watcher.screen.press("t")  # and it is killed while a worker starts, or soon after
            time.sleep(2 * draw.random())
        else:
            watcher.train()
            goal = int((number + draw.random()) / len(kinds) * 0.6 * steps)
            watcher.screen.until(lambda goal=goal: recorded(run) >= goal, f"step {goal:,}")  # type: ignore[misc]
        was, before = run.status(), recorded(run)
        assert before < steps, "it is done already: the test says nothing"
        least = min(before, checkpointed(run)) if starts else before
        victims = workers_of(run) if kind != "dashboard" else []
        victims += [watcher.screen.process] if kind != "worker" else []
        draw.shuffle(victims)
        killed = time.monotonic()
        for victim in victims:
            victim.send_signal(signal.SIGKILL)
        if kind == "worker" and was == "running":
            at, found = watcher.until_head(r"! crashed ([\d,]+) /")
            shown.append(at - killed)
        if kind != "worker":
            watcher.screen.kill()
            if kind == "both":
                await_(lambda: not run.is_live())
            after = recorded(run)
            watcher.open("attach", run.id)
            _, found = watcher.until_head(r"(running|crashed|stopped|done) ([\d,]+) /")
            seen = int(found[2].replace(",", ""))
            assert seen == after if kind == "both" else seen >= least, f"{kind}: {after:,} recorded, {seen:,} seen"
        if was == "running" and kind == "both":
            await_(lambda: kept_status(run) == "crashed")  # a worker is there again, at the last checkpoint
        assert recorded(run) >= least, f"{kind}: of {least:,} steps some are lost"
        assert np.array_equal(whole(run)[0], losses[: recorded(run)]) or run.is_live()
        kept = whole(run)[1]
        assert kept == evaluations[: len(kept)]
    watcher.train()
    watcher.screen.until(lambda: "✓ done" in watcher.head(), "its end", timeout=300)

    assert all(map(np.array_equal, whole(run), whole(reference)))
    first, second = (load_checkpoint(r.checkpoint("last")).arrays for r in (reference, run))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert shown, "no worker was killed while it trained"
    assert max(shown) < SHOWN_S
    promised(
        "Worker, dashboard or both killed: no recorded step is lost or doubled, and the end is the same to the bit",
        tried=len(kinds),
        lost=0,
        figure=f"a crash is shown after {sorted(shown)[len(shown) // 2]:.2f} s, {max(shown):.2f} s at most",
    )


def test_a_dashboard_that_is_killed_leaves_a_terminal_that_can_be_used(
    words_file: Path, home: Path, promised: Callable[..., None]
) -> None:
    """In a shell without job control, which sets nothing itself: what is typed is seen again, line by line, the mouse
    sends nothing, the cursor is there, and the usual screen is back."""
    home.mkdir()
    command = shlex.join([*PROGRAM, str(words_file), *SETTINGS])
    inside = f"{command}; sleep 1; stty -a; echo over; read -r line; echo got $line"
    with Person(["-c", inside], home, 120, 36, program=["sh"]) as person:
        person.sees("not trained yet")
        modes = person._screen.mode  # what programs ask of a terminal, those of DEC five bits up
        assert modes & {1000 << 5, 1006 << 5}
        assert 25 << 5 not in modes
        (dashboard,) = (p for p in person.process.children() if "tui_mm" in p.cmdline())
        dashboard.kill()
        person.sees("the dashboard was killed; a training goes on without it: makemore-tui attach")
        person.sees("over")
        assert not modes & {1000 << 5, 1003 << 5, 1006 << 5, 1004 << 5, 2004 << 5}
        assert 25 << 5 in modes
        shown = person.text()
        for mode in ("isig", "icanon", "echo", "icrnl", "opost"):
            assert re.search(rf"(?<![-\w]){mode}\b", shown), f"{mode} is not set again"
        person.press("typed\r")
        person.sees("got typed")
    promised("After a dashboard is killed the terminal is as before", tried=1, lost=0, figure="modes and termios")
