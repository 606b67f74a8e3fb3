"""The dashboard from end to end: a real terminal, a real worker, a person's keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.person import Person, await_
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, all_runs, find_run
from tui_mm.training.suggestions import smooth, suggest

SMALL = ("--block-size", "3", "--hidden", "16", "--batch-size", "8", "--threads", "1", "--device", "cpu")


@pytest.fixture
def sit(words_file: Path, home: Path) -> Iterator[Callable[..., Person]]:
    """A dashboard on the small list of words, in a terminal of a size."""
    seats: list[Person] = []

    def start(*flags: str, columns: int = 120, rows: int = 36) -> Person:
        home.mkdir(exist_ok=True)
        person = Person([str(words_file), *SMALL, *flags], home, columns, rows)
        seats.append(person)
        return person

    yield start
    for person in seats:
        person.__exit__(None, None, None)


def test_from_start_to_end(sit: Callable[..., Person]) -> None:
    """Sweeps, applies the rate, trains, pauses, goes on, samples, resizes, quits; then the run is there."""
    person = sit("--steps", "8000")
    person.sees(r"vocabulary +\d+")
    person.press("l")
    person.sees("V valley")
    person.press("\r")
    person.sees("t trains with it")
    person.press("t")
    person.sees(r"● running \d")
    person.press(" ")
    person.sees("▮▮ paused")
    person.press(" ")
    person.sees("● running")
    person.press("s")
    person.press("em")
    person.sees(r"em[a-z]+ +(new|train|dev|test)")
    person.resize(80, 24)
    person.sees(" 3 Samples .* 9")
    person.resize(120, 36)
    person.press("\x1b")
    person.sees("✓ done 8,000 / 8,000")
    person.press("q")
    ident = person.sees("run ([0-9a-f]{8}) is kept")[1]
    run = find_run(Home.find(), ident)
    assert run.status() == "done"
    with run.store() as store:
        assert len(store.losses()) == 8_000
        exponents, losses = store.sweep_points()
    assert len(exponents) == 1000
    assert run.config().lr == pytest.approx(suggest(exponents, smooth(losses)).valley, rel=0.01)


def test_a_closed_terminal_does_not_end_the_training(sit: Callable[..., Person]) -> None:
    person = sit("--steps", "8000", columns=80, rows=24)
    person.sees("not trained yet")
    person.press("t")
    person.sees("running")
    run = find_run(Home.find(), "last")
    person.hang_up()
    await_(lambda: run.status() == "done")
    with run.store() as store:
        assert len(store.losses()) == 8_000


def test_quitting_while_it_trains_asks_and_can_let_it_go_on(sit: Callable[..., Person]) -> None:
    person = sit("--steps", "8000", columns=80, rows=24)
    person.sees("not trained yet")
    person.press("t")
    person.sees("running")
    person.press("q")
    person.sees("A training is under way")
    person.press("k")
    ident = person.sees("run ([0-9a-f]{8}) goes on training")[1]
    run = find_run(Home.find(), ident)
    await_(lambda: run.status() == "done")


def test_a_draft_that_a_killed_dashboard_left_is_gone_at_the_next_start(sit: Callable[..., Person]) -> None:
    first = sit()
    first.sees("not trained yet")
    draft = only_run()
    first.kill()
    await_(lambda: not draft.is_live())  # its worker sees that, and ends
    second = sit()
    second.sees("not trained yet")
    await_(lambda: draft not in all_runs(Home.find()))


def only_run() -> Run:
    (run,) = all_runs(Home.find())
    return run
