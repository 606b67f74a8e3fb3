"""The dashboard on a terminal: what its screen shows, and how fast its run goes on.

Relies on the head line, the number keys and the keys t, space and s alone, so that panels may come and go.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.terminal import PATIENCE_S, Terminal, TerminalError
from tui_mm.runs.home import Home
from tui_mm.runs.run import all_runs, find_run
from tui_mm.runs.store import RunStore
from tui_mm.worker.client import WorkerClient
from tui_mm.worker.protocol import Start

_RUNNING = re.compile(r"● running [\d,]+ /")
_CORNER = re.compile("[╭┌┏╔]")  # of a border: heavy where a panel has the focus, say
_SETTLED_S = 0.5
_POLL_S = 0.002
_COMPILE_S = 600.0  # that a training may wait for its first step

Title = tuple[tuple[str, bool], ...]
"""A panel's upper border: letters, and whether each is in reverse, as the current one of several tabs is."""


class Viewer(Terminal):
    """The dashboard, opened."""

    def __init__(
        self,
        arguments: Sequence[str],
        home: Path,
        columns: int = 120,
        rows: int = 40,
        *,
        program: Sequence[str] | None = None,
        answers: bool = True,
    ) -> None:
        self._home = Home(home)
        super().__init__(arguments, home, columns, rows, program=program, answers=answers)

    def until_painted(self) -> float:
        return self.until(lambda: "makemore-tui" in self.row(0), "the head line")

    def until_shows(self, text: str) -> float:
        """Somewhere below the head line."""
        return self.until(lambda: any(text in self.row(y) for y in range(1, self.rows)), f"{text!r} on the screen")

    def until_ready(self) -> None:
        """The worker has loaded torch and serves the run, and the first samples are there."""
        self.until_painted()
        give_up = time.monotonic() + PATIENCE_S
        while not (runs := all_runs(self._home)) or not runs[-1].is_live():
            self.catch_up()  # tells if the program has ended
            if time.monotonic() > give_up:
                raise TerminalError(f"waited {PATIENCE_S:g} s for the worker; the screen:\n{self.text()}")
            time.sleep(0.05)
        self.until_quiet(_SETTLED_S)

    def until_says(self, status: str) -> None:
        self.until(lambda: status in self.row(0), f"{status!r} in the head line")

    def until_running(self) -> None:
        self.until(lambda: bool(_RUNNING.search(self.row(0))), "a training under way in the head line")

    def train_by_inbox(self) -> None:
        """What ``t`` does, where keys go into the input."""
        client = WorkerClient(find_run(self._home, "last"))
        client.send(Start())
        client.close()
        self.until_running()

    # -- the keys

    def find_input(self, letter: str) -> tuple[int, int]:
        """Types a letter into the sampling console, and returns its row and column. While nothing is trained."""
        self.press("s")
        self.until_quiet(_SETTLED_S)
        self.press(letter)
        self.until_quiet(_SETTLED_S)
        y, after = self.cursor
        before = self.row(y)[:after].rstrip()  # Textual puts the cursor a cell further where a value ends
        if not before.endswith(letter) or after - len(before) > 1:
            raise TerminalError(
                f"{letter!r} does not stand before the cursor at {y}, {after}; the screen:\n{self.text()}"
            )
        return y, len(before) - 1

    def panel_titles(self) -> dict[str, Title]:
        """The number keys that show a panel of their own on a narrow terminal, with its title. While nothing is
        trained."""
        titles: dict[str, Title] = {}
        for key in "123456789":
            self.press(key)
            self.until_quiet(_SETTLED_S)
            title = self.panel_title()
            if title and title not in titles.values():  # else no such panel
                titles[key] = title
        if len(titles) < 2:
            raise TerminalError(f"the keys 1 to 9 show {len(titles)} panels; the screen:\n{self.text()}")
        return titles

    def panel_title(self) -> Title:
        """Of the topmost panel; empty where there is none."""
        y = next((y for y in range(1, self.rows) if _CORNER.search(self.row(y))), None)
        return () if y is None else tuple(zip(self.row(y), self.reversed(y), strict=True))


def wait_for_steps(home: Path, training: subprocess.Popen[bytes]) -> None:
    """Until the home's newest run has taken its first ones, for which it may wait for a compiler."""
    give_up = time.monotonic() + _COMPILE_S
    while time.monotonic() < give_up:
        if (code := training.poll()) is not None:
            raise TerminalError(f"the training ended with exit code {code} before its first steps")
        if runs := all_runs(Home(home)):
            with runs[-1].store() as store:
                if store.last_chunk() is not None:
                    return
        time.sleep(0.05)
    raise TerminalError(f"waited {_COMPILE_S:g} s for the first steps of a run")


def steps_per_second(home: Path, seconds: float, settle: float) -> float:
    """Of the home's newest run by the wall clock, from ``settle`` seconds from now on.

    Read from its store, from one flush of steps to another, so that both ends are known to some milliseconds.
    """
    time.sleep(settle)
    with find_run(Home(home), "last").store() as store:
        first, started = _next_flush(store)
        time.sleep(seconds)
        last, ended = _next_flush(store)
    return (last - first) / (ended - started)


def steps_done(home: Path) -> int:
    """Of the home's newest run."""
    with find_run(Home(home), "last").store() as store:
        return store.steps


def _next_flush(store: RunStore) -> tuple[int, float]:
    """The steps done and the time, at the moment at which the store has got more of them."""
    before = store.steps
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        seen = store.changes()
        steps = store.steps
        if steps > before:
            return steps, time.monotonic()
        while store.changes() == seen and time.monotonic() < give_up:
            time.sleep(_POLL_S)
    raise TerminalError(f"waited {PATIENCE_S:g} s for steps after {before:,}: the training has ended or hangs")
