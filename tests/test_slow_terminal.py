"""Terminals that read slowly, stand still, answer late or not at all, and are left while they do."""

from __future__ import annotations

import math
import re
import signal
import statistics
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.viewer import steps_done
from tests.conftest import Promise
from tests.leftovers import end_workers
from tests.person import Person, await_
from tui_mm.runs.home import Home
from tui_mm.runs.run import find_run

ENDLESS = ("--steps", "10000000", "--hidden", "16", "--batch-size", "8", "--threads", "1", "--device", "cpu")
BETWEEN_S = 0.02  # two readings of a slow terminal
SLOW = 5_000.0  # bytes a second
MOST_AGE_S = 15.0  # a paint takes some six seconds, and a backlog would grow by half a second with every second

short_and_long = pytest.mark.parametrize(
    "seconds", [3.0, pytest.param(60.0, marks=[pytest.mark.faults, pytest.mark.timeout(400)])]
)


class SlowTerminal(Person):
    """Reads so many bytes a second: all of them, few, or none. May keep its answers back."""

    def __init__(self, arguments: list[str], home: Path, columns: int, rows: int, *, answers: bool = True) -> None:
        self._rate = math.inf
        self.everything = b""
        self._may_read = threading.Event()
        self._may_read.set()
        self._may_answer = threading.Event()
        self._may_answer.set()
        super().__init__(arguments, home, columns, rows, answers=answers)

    def __exit__(self, *_: object) -> None:
        self.reads_at(math.inf)
        super().__exit__(None, None, None)

    def reads_at(self, rate: float) -> None:
        self._rate = rate
        if rate:
            self._may_read.set()
        else:
            self._may_read.clear()

    def answers(self, whether: bool) -> None:
        if whether:
            self._may_answer.set()
        else:
            self._may_answer.clear()

    def _take(self, most: int = 1 << 16) -> bytes:
        data = self._read_at_its_rate(most)
        self.everything += data
        return data

    def _read_at_its_rate(self, most: int) -> bytes:
        self._may_read.wait()
        rate = self._rate
        if rate < math.inf:
            threading.Event().wait(BETWEEN_S)
            most = max(1, int(rate * BETWEEN_S))
        return super()._take(most)

    def _answer(self, data: bytes) -> None:
        if self._may_answer.is_set() or b"\x1b[6n" not in data:
            super()._answer(data)
        else:
            threading.Thread(target=self._answer_later, args=(data,), daemon=True).start()

    def _answer_later(self, data: bytes) -> None:
        self._may_answer.wait()
        super()._answer(data)

    @property
    def steps_shown(self) -> int:
        found = re.search(r"● running ([\d,]+) /", self.row(0))
        return int(found[1].replace(",", "")) if found else 0

    def watch(self, seconds: float, look: Callable[[], None] = lambda: None) -> None:
        """Draw what comes, for so long."""
        end = time.monotonic() + seconds

        def is_over() -> bool:
            look()
            return time.monotonic() > end

        self.until(is_over, "the end", timeout=seconds + 60)

    @property
    def modes(self) -> list[object]:
        """The terminal's, without what it has in its queues."""
        return termios.tcgetattr(self._child.fd)[:4]


@pytest.fixture
def sit(words_file: Path, home: Path) -> Iterator[Callable[..., SlowTerminal]]:
    seats: list[SlowTerminal] = []

    def start(columns: int = 120, rows: int = 40, *, answers: bool = True) -> SlowTerminal:
        home.mkdir(exist_ok=True)
        seats.append(SlowTerminal([str(words_file), *ENDLESS], home, columns, rows, answers=answers))
        return seats[-1]

    yield start
    for seat in seats:
        seat.__exit__()
    end_workers(home)


def in_training(terminal: SlowTerminal) -> SlowTerminal:
    terminal.sees("not trained yet")
    terminal.press("t")
    terminal.sees(r"● running \d")
    return terminal


@pytest.mark.faults
@short_and_long
def test_a_slow_terminal_shows_what_is_new(
    sit: Callable[..., SlowTerminal], home: Path, seconds: float, promised: Promise
) -> None:
    """At 200x60 more changes than 5 KB/s can carry: what is left out are paints, not the newest one."""
    terminal = in_training(sit(200, 60))
    terminal.watch(2)
    terminal.reads_at(SLOW)
    history: list[tuple[float, int]] = []  # when how many steps were done
    ages: list[float] = []  # of what is shown, whenever it is looked at

    def look() -> None:
        now, shown = time.monotonic(), terminal.steps_shown
        history.append((now, steps_done(home)))
        ages.append(now - next((at for at, done in history if done >= shown), now))

    before = terminal.received
    terminal.watch(seconds, look)
    assert terminal.received - before <= SLOW * (seconds + 1)
    promised(
        "A terminal that reads 5 KB/s shows the newest state, not a backlog",
        tried=len(ages),
        lost=sum(age > MOST_AGE_S for age in ages),
        figure=f"200x60, {seconds:g} s: what is shown is {statistics.mean(ages):.1f} s old, {max(ages):.1f} s at most",
    )


@short_and_long
@pytest.mark.parametrize("answers", [True, pytest.param(False, marks=pytest.mark.faults)], ids=["answering", "mute"])
def test_a_terminal_that_stands_still(
    sit: Callable[..., SlowTerminal], home: Path, seconds: float, answers: bool, promised: Promise
) -> None:
    """The training is timed meanwhile; then the terminal reads again; then the training is timed without a viewer."""
    terminal = in_training(sit(answers=answers))
    terminal.reads_at(0)

    def pace() -> float:
        first, began = steps_done(home), time.monotonic()
        threading.Event().wait(1)
        return (steps_done(home) - first) / (time.monotonic() - began)

    turns = int(seconds)
    stopped = statistics.median(pace() for _ in range(turns))
    before, newest, began = terminal.received, steps_done(home), time.monotonic()
    assert terminal.steps_shown < newest
    terminal.reads_at(math.inf)
    terminal.until(lambda: terminal.steps_shown >= newest, f"step {newest:,}")
    took, received = time.monotonic() - began, terminal.received - before
    what = "A stopped terminal" + ("" if answers else " that answers nothing")
    promised(
        f"{what} catches up with the newest state",
        tried=1,
        lost=int(took > 5 or received > 64_000),
        figure=f"{seconds:g} s stopped: {received:,} B in {took:.1f} s",
    )
    terminal.kill()
    ratio = stopped / statistics.median(pace() for _ in range(turns))
    promised(
        f"{what} does not slow the training",
        tried=turns,
        lost=turns if ratio < (0.5 if turns > 10 else 0.2) else 0,  # a busy machine's own unrest is in it
        figure=f"{ratio:.2f} of the steps/s without a viewer (medians)",
    )


@pytest.mark.faults
def test_over_a_line_with_a_late_answer_one_paint_is_under_way_and_keys_are_shown_at_once(
    sit: Callable[..., SlowTerminal],
) -> None:
    """As over SSH: everything is read here at once, and stands on the line. While nothing changes, nothing is asked."""
    terminal = sit(80, 24)
    terminal.sees("not trained yet")
    assert terminal.until_quiet(1)
    assert terminal.bytes_in(1) == 0
    in_training(terminal)
    terminal.answers(False)
    assert terminal.until_quiet(1.5), "one more paint, and then none while that is not taken in"
    shown, before = terminal.steps_shown, terminal.received
    terminal.press("7")
    terminal.until(lambda: terminal.received > before, "what the key changes")
    assert terminal.until_quiet(1.5)
    assert terminal.steps_shown == shown
    terminal.answers(True)
    terminal.until(lambda: terminal.steps_shown > shown, "more steps")


@pytest.mark.faults
def test_what_was_not_painted_for_a_terminal_far_behind_is_made_up_for(sit: Callable[..., SlowTerminal]) -> None:
    """A person who changes the size and the panel over a line that stands: then the screen is whole."""
    terminal = sit(120, 40)
    terminal.sees("not trained yet")
    assert terminal.until_quiet(1)
    terminal.answers(False)
    before = terminal.received
    for columns in (100, 120, 100, 120, 80):
        terminal.resize(columns, 24 if columns == 80 else 40)
        terminal.press("2" if columns == 100 else "4")
        terminal.watch(0.25)
    assert terminal.received - before < 80_000, "it stopped painting"
    terminal.press("1")
    terminal.answers(True)
    terminal.sees(r"vocabulary +\d+")
    terminal.until_quiet(1)
    made_up = terminal.text()
    terminal.resize(81, 24)
    terminal.until_quiet(0.5)
    terminal.resize(80, 24)
    terminal.until_quiet(1)
    assert terminal.text() == made_up


@pytest.mark.faults
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGTSTP])
def test_a_dashboard_that_was_stopped_goes_on_as_before(sit: Callable[..., SlowTerminal], how: signal.Signals) -> None:
    """By SIGTSTP, as a shell does, it lets go of the terminal; of a SIGSTOP it learns when it goes on."""
    terminal = sit(80, 24)
    usual = terminal.modes
    terminal.sees("not trained yet")
    assert terminal.until_quiet(1)
    screen, threads, raw, before = terminal.text(), terminal.process.num_threads(), terminal.modes, terminal.received
    terminal.process.send_signal(how)
    await_(lambda: terminal.process.status() == psutil.STATUS_STOPPED)
    assert terminal.modes == (raw if how == signal.SIGSTOP else usual)
    terminal.press("\x1b[1;1R")  # nobody has asked
    terminal.process.send_signal(signal.SIGCONT)
    terminal.until(lambda: terminal.received - before > 3_000, "the whole screen anew")
    assert terminal.until_quiet(1)
    assert terminal.text() == screen
    assert terminal.process.num_threads() == threads
    assert terminal.modes == raw
    terminal.press("?")
    terminal.sees("Every key|Leave; asks")
    terminal.press("\x1b")
    terminal.until(lambda: terminal.text() == screen, "the dashboard")


# -- leaving


def fill(terminal: SlowTerminal) -> None:
    """Change the panel until the program cannot write any more."""
    written, grown = terminal.process.io_counters().write_chars, math.inf
    while grown > 500:  # by less it grows all the time, by notes to itself
        for key in "2424":
            terminal.press(key)
            terminal.watch(0.1)
        before, written = written, terminal.process.io_counters().write_chars
        grown = written - before


@pytest.mark.parametrize(
    ("state", "how"),
    [
        ("reading", "SIGTERM"),
        ("stopped", "q"),
        pytest.param("stopped", "SIGTERM", marks=pytest.mark.faults),
        pytest.param("stopped", "SIGHUP", marks=pytest.mark.faults),
        pytest.param("reading", "SIGHUP", marks=pytest.mark.faults),
        pytest.param("reading", "q", marks=pytest.mark.faults),
    ],
)
def test_leaving_a_terminal(sit: Callable[..., SlowTerminal], state: str, how: str, promised: Promise) -> None:
    """Full to the brim, since it does not say how far it is: the process ends, and the usual modes are there again."""
    terminal = sit(120, 40, answers=state == "reading")
    usual = terminal.modes
    in_training(terminal)
    ident = find_run(Home.find(), "last").id
    assert terminal.modes != usual
    if state == "stopped":
        terminal.reads_at(0)
        fill(terminal)
    began = time.monotonic()
    if how == "q":
        terminal.press("q")
        threading.Event().wait(0.5)
        terminal.press("k")
    else:
        terminal.process.send_signal(getattr(signal, how))
    await_(lambda: not terminal.process.is_running() or terminal.process.status() == psutil.STATUS_ZOMBIE)
    took = time.monotonic() - began
    assert terminal.modes == usual
    terminal.reads_at(math.inf)
    terminal._reader.join(10)
    terminal._child.wait()
    assert terminal._child.exitstatus == {"q": 0, "SIGTERM": 143, "SIGHUP": 129}[how]
    left = terminal.everything
    assert left.rindex(b"\x1b[?1049l") > left.rindex(b"\x1b[?1049h")
    assert left.rindex(b"\x1b[?25h") > left.rindex(b"\x1b[?25l")
    assert len(left) - left.rindex(b"\x1b[?1049l") < 500, "nothing is painted behind it"
    run = find_run(Home.find(), ident)
    assert run.is_live(), "the training goes on"
    if how == "q":
        assert f"run {ident} goes on training" in left.decode(errors="replace")
    promised(
        f"{how} leaves a {state} terminal with its usual modes", tried=1, lost=int(took > 6), figure=f"in {took:.1f} s"
    )
