"""How far a terminal is, and what is written to one that does not read: by value, and on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import termios
import threading
import tty
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_mm.dashboard.outbox import Outbox
from tui_mm.dashboard.pacing import MOST_BEHIND, Pacing

Boxes = Callable[[], tuple[Outbox, threading.Event, threading.Event]]
MEGABYTE = b"x" * 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pacing() -> Pacing:
    return Pacing(Clock())


def paint(pacing: Pacing, size: int = 1000) -> bool:
    pacing.give(size)
    return pacing.painted()


def answer(pacing: Pacing, after: float = 1.0) -> bool:
    """As over a slow line."""
    clock = pacing._clock
    assert isinstance(clock, Clock)
    clock.now += after
    return pacing.answered()


def test_the_next_paint_waits_for_the_answer_to_the_last(pacing: Pacing) -> None:
    assert pacing.may_paint(0)
    assert paint(pacing), "asks behind its first paint"
    assert pacing.is_waiting
    assert not pacing.may_paint(0)
    assert not answer(pacing), "nothing was painted since: nothing to ask"
    assert pacing.may_paint(0)


def test_nothing_painted_asks_nothing(pacing: Pacing) -> None:
    assert pacing.may_paint(0)
    assert not pacing.painted()
    assert not pacing.is_waiting
    assert pacing.may_paint(0)


def test_a_persons_keys_do_not_hold_up_what_paints_by_itself(pacing: Pacing) -> None:
    assert pacing.may_paint(0)
    paint(pacing)
    paint(pacing)  # a key's
    assert answer(pacing), "asks for the key's paint"
    assert pacing.may_paint(0), "though that has no answer yet"


def test_a_terminal_that_does_not_answer_is_watched_from_here(pacing: Pacing) -> None:
    assert pacing.may_paint(0)
    paint(pacing)
    assert not pacing.is_overdue(waiting=10), "the question stands in our own queue"
    assert not pacing.may_paint(10)
    assert not pacing.is_overdue(waiting=0)
    assert not pacing.is_waiting
    assert not pacing.may_paint(10)
    assert pacing.may_paint(0)
    assert not paint(pacing), "is not asked again"
    assert pacing.may_paint(0)
    assert answer(pacing), "very late: it does answer, then"
    assert not answer(pacing)
    assert pacing.may_paint(50_000)


def test_a_lost_answer_is_asked_for_again_more_and_more_seldom(pacing: Pacing) -> None:
    paint(pacing)
    answer(pacing)
    paint(pacing)
    assert pacing.patience == 5
    assert pacing.is_overdue(waiting=0)
    assert pacing.patience == 10
    assert pacing.is_overdue(waiting=0)
    assert pacing.patience == 20
    assert not answer(pacing)
    assert pacing.patience == 5
    assert not answer(pacing), "the second answer to it says nothing more"
    assert not pacing.is_waiting


def test_how_long_to_wait_for_an_answer_when_leaving(pacing: Pacing) -> None:
    assert pacing.haste == 0
    paint(pacing)
    answer(pacing, after=0.3)
    assert pacing.haste == 0
    paint(pacing)
    assert pacing.haste == pytest.approx(0.8)
    answer(pacing, after=60)
    paint(pacing)
    assert pacing.haste == 2


def test_too_far_behind_is_what_was_not_taken_in(pacing: Pacing) -> None:
    paint(pacing, MOST_BEHIND + 1)
    assert not pacing.is_behind(0), "nothing is known of it yet"
    assert pacing.is_behind(MOST_BEHIND + 1)
    answer(pacing)
    paint(pacing, MOST_BEHIND)
    assert not pacing.is_behind(0)
    paint(pacing, 1)
    assert pacing.is_behind(0)
    assert answer(pacing)
    assert not pacing.is_behind(0)


def test_a_prompt_terminal_is_asked_once_in_some_paints(pacing: Pacing) -> None:
    paint(pacing)
    assert not answer(pacing, after=0.01)
    for _ in range(3):
        assert pacing.may_paint(0)
        assert not paint(pacing, 3_000)
    assert pacing.may_paint(0)
    assert paint(pacing, 3_000), "12,000 bytes"
    assert not pacing.may_paint(0)
    answer(pacing, after=5)
    assert pacing.may_paint(0)
    assert paint(pacing, 1), "it is not prompt any more"


@given(st.lists(st.sampled_from(["paint", "key", "late answer", "prompt answer"]), max_size=80))
def test_little_of_what_it_paints_by_itself_is_ever_under_way(doings: list[str]) -> None:
    """Whatever keys and answers come between: what is not asked after and one paint more; and none is held for ever."""
    pacing = Pacing(Clock())
    question: int | None = None  # how many bytes of own paints stand before it
    own = taken = 0
    for doing in doings:
        asked = False
        if doing == "paint" and pacing.may_paint(0):
            own += 5_000
            asked = paint(pacing, 5_000)
        elif doing == "key":
            asked = paint(pacing, 10)
        elif doing.endswith("answer") and question is not None:
            taken, question = question, None
            asked = answer(pacing, 1.0 if doing == "late answer" else 0.01)
        if asked:
            assert question is None
            question = own
        assert pacing.is_waiting == (question is not None)
        assert own - taken <= 12_000 + 2 * 5_000
        assert question is not None or pacing.may_paint(0)


# -- what is on its way


class Line:
    """A raw pseudo-terminal."""

    def __init__(self) -> None:
        self.person, self.program = pty.openpty()
        tty.setraw(self.program)
        self._open = {self.person, self.program}

    def close(self, end: int) -> None:
        if end in self._open:
            self._open.remove(end)
            os.close(end)


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close(made.program)
    made.close(made.person)


@pytest.fixture
def boxes(line: Line) -> Iterator[Boxes]:
    made: list[Outbox] = []

    def make() -> tuple[Outbox, threading.Event, threading.Event]:
        drained, lost = threading.Event(), threading.Event()
        made.append(Outbox(line.program, drained.set, lost.set))
        return made[-1], drained, lost

    yield make
    for box in made:
        box.close(0)
        box.release()


def begun(box: Outbox) -> None:
    """Wait until the one great write that is in it has begun."""
    while box.waiting >= len(MEGABYTE):
        threading.Event().wait(0.01)


def test_putting_never_waits_and_what_is_read_is_what_was_put(boxes: Boxes, line: Line) -> None:
    box, drained, _ = boxes()
    data = os.urandom(100_000)
    for start in range(0, len(data), 1000):  # many more than any queue has places for; nobody reads
        box.put(data[start : start + 1000])
    assert box.waiting > 50_000
    drained.clear()
    read = b""
    while len(read) < len(data):
        read += os.read(line.person, 1 << 16)
    assert read == data
    assert drained.wait(10)
    assert box.waiting == 0
    assert box.close(10)


def test_a_terminal_that_reads_nothing_is_left_in_time_with_its_last_words(boxes: Boxes, line: Line) -> None:
    box, _, _ = boxes()
    box.put(MEGABYTE)
    begun(box)
    assert not box.discard()
    box.put(b"never begun")
    assert box.discard()
    box.put(b"the usual modes")
    assert not box.close(0.2)
    assert box.waiting <= len(MEGABYTE)
    box.put(b"after the end")
    termios.tcflush(line.program, termios.TCOFLUSH)
    assert box.force(b"<the usual modes>", 5)
    line.close(line.program)
    box.release()
    read = b""
    while b">" not in read:
        read += os.read(line.person, 1 << 16)
    assert len(read) < 64_000
    assert read.endswith(b"x<the usual modes>")


def test_a_full_line_cannot_be_forced(boxes: Boxes) -> None:
    box, _, _ = boxes()
    box.put(MEGABYTE)
    begun(box)
    assert not box.close(0.2)
    assert not box.force(MEGABYTE, 0.1)


def test_a_line_that_is_cut_is_told(boxes: Boxes, line: Line) -> None:
    box, _, lost = boxes()
    line.close(line.person)
    box.put(b"is anybody there?")
    assert lost.wait(10)
    box.put(b"no")
    assert box.waiting == 0
    assert not box.close(10)
    assert not box.force(b"nothing", 1)


def test_what_is_no_terminal_is_written_to_all_the_same() -> None:
    ours, theirs = os.pipe()
    box = Outbox(theirs, lambda: None, lambda: None)
    os.close(theirs)
    box.put(b"x" * 10_000)
    box.put(b"end")
    read = b""
    while not read.endswith(b"end"):
        read += os.read(ours, 1 << 16)
    assert len(read) == 10_003
    assert box.close(10)
    box.release()
    assert os.read(ours, 1) == b"", "it holds no end of its own open"
    os.close(ours)
