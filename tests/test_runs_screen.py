"""The screen of all runs, and the questions it asks of its own, driven by Textual's pilot over real run folders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from data.corpus import Corpus
from tui_mm.config import make_config
from tui_mm.dashboard.screens.ask import AskScreen, TextScreen
from tui_mm.dashboard.screens.run_columns import clock, columns_for
from tui_mm.dashboard.screens.run_marks import to_compare
from tui_mm.dashboard.screens.runs import RunsAnswer, RunsScreen
from tui_mm.dashboard.state import MAX_OVERLAYS
from tui_mm.runs.home import Home
from tui_mm.runs.listing import list_runs
from tui_mm.runs.row import RunRow
from tui_mm.runs.run import Run, all_runs, create_run
from tui_mm.runs.store import EvaluationRow, LossChunk

pytestmark = pytest.mark.usefixtures("prompt_pilot")

PATIENCE_S = 30.0
SIZES = [(50, 15), (80, 24), (120, 36), (200, 60), (300, 100)]


class Tiny(App[None]):
    AUTO_FOCUS = None


class Seat:
    """A person before a screen, and what it was left with."""

    def __init__(self, app: Tiny, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot
        self.answers: list[Any] = []

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    @property
    def text(self) -> str:
        """All that is on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    @property
    def screen(self) -> RunsScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, RunsScreen))


@asynccontextmanager
async def before(screen: RunsScreen, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Seat]:
    app = Tiny()
    async with app.run_test(size=size) as pilot:
        seat = Seat(app, pilot)
        app.push_screen(screen, seat.answers.append)
        await pilot.pause()
        await seat.until(lambda: screen._rows is not None)
        await pilot.pause()
        yield seat


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


@pytest.fixture
def place(home: Path) -> Home:
    return Home.find()


def make(place: Home, corpus: Corpus, name: str | None = None, *, dev: float = 2.5, data: str = "names") -> Run:
    """A run that was trained."""
    facts = {"data": {"name": data}, "model": {"kind": "mlp", "parameters": 3481}}
    run = create_run(place, make_config("lecture"), corpus, name, facts)
    with run.store() as store:
        store.add_losses(LossChunk(1, np.zeros(1234, np.float32), 0.1, 1.0, 1.0))
        store.add_evaluation(EvaluationRow(1234, 2.0, dev, True, 1.5))
        store.set(status="done")
    return run


def test_state_best_dev_and_name_are_seen_at_every_size(place: Home, corpus: Corpus) -> None:
    run = make(place, corpus, "mine", dev=2.1234)
    make(place, corpus, data="/some/where/pokemon.txt")

    async def scene() -> None:
        async with before(RunsScreen(place, None)) as seat:
            for size in SIZES:
                await seat.pilot.resize_terminal(*size)
                await seat.pilot.pause()
                words = [run.id, "done", "2.1234", "mine", "pokemon.txt", "2 runs", "open", "overlay"]
                words += ["1,234"] if size[0] >= 80 else []
                words += ["started", "parameters", "3,481", "mlp", "1.5 s"] if size[0] >= 160 else []
                assert [word for word in words if word not in seat.text] == [], size

    play(scene())


def test_the_columns_fill_no_more_than_there_is() -> None:
    rows = [RunRow("0123abcd", "李" * 40, "done", "x" * 300, "mlp"), RunRow("0123abce")]
    for width in range(45, 300):
        assert sum(c.width + 2 for c in columns_for(width, rows)) <= width


def test_enter_opens_the_run_and_escape_or_r_goes_back(place: Home, corpus: Corpus) -> None:
    old, new = make(place, corpus), make(place, corpus)

    async def scene(keys: list[str], answer: RunsAnswer) -> None:
        async with before(RunsScreen(place, new.id)) as seat:
            await seat.press(*keys)
            assert seat.answers == [answer]

    play(scene(["down", "enter"], RunsAnswer(old.id, ())))
    play(scene(["enter"], RunsAnswer(None, ())))  # the one that is open
    play(scene(["end", "home", "escape"], RunsAnswer(None, ())))
    play(scene(["down", "space", "r"], RunsAnswer(None, (old.id,))))
    play(scene(["down", "space", "enter"], RunsAnswer(old.id, ())))  # no run is laid over itself


def test_up_to_five_runs_are_laid_over_and_taken_away(place: Home, corpus: Corpus) -> None:
    runs = [make(place, corpus) for _ in range(MAX_OVERLAYS + 2)][::-1]
    current, others = runs[0].id, [run.id for run in runs[1:]]

    async def scene() -> None:
        async with before(RunsScreen(place, current, (others[0], "deadbeef"))) as seat:
            assert seat.text.count("●") == 1  # a run that is gone is forgotten
            await seat.press("space")
            assert "is the one the chart is of" in seat.text
            await seat.press("down")
            assert "is the one the chart is of" not in seat.text
            for _ in others[1:]:
                await seat.press("down", "space")
            assert f"{MAX_OVERLAYS} runs are laid over the chart already" in seat.text
            assert seat.text.count("●") == MAX_OVERLAYS
            assert f"{MAX_OVERLAYS} of {MAX_OVERLAYS} overlaid" in seat.text
            await seat.press("up", "space", "down", "space", "escape")
            assert seat.answers == [RunsAnswer(None, (*others[:4], others[5]))]

    play(scene())


def test_p_plays_a_run_back_if_it_was_trained(place: Home, corpus: Corpus) -> None:
    untrained, trained = make(place, corpus), make(place, corpus)
    with untrained.store() as store:
        store.truncate(0, -1)

    async def scene() -> None:
        async with before(RunsScreen(place, untrained.id)) as seat:
            await seat.press("down", "p")
            assert f"run {untrained.id} was not trained; there is nothing to play back" in seat.text
            await seat.press("up", "p")
            assert seat.answers == [RunsAnswer(None, (), replay=trained.id)]

    play(scene())


def test_c_puts_the_marked_runs_and_then_the_open_one_side_by_side(place: Home, corpus: Corpus) -> None:
    current, one, two = (run.id for run in [make(place, corpus) for _ in range(3)][::-1])

    async def scene() -> None:
        async with before(RunsScreen(place, current)) as seat:
            await seat.press("c")
            assert "one run is not enough" in seat.text
            await seat.press("down", "space", "down", "space", "c")
            assert seat.answers == [RunsAnswer(None, (one, two), (one, two, current))]

    play(scene())


def test_which_runs_are_compared() -> None:
    rows = [RunRow(ident, status="done", model="mlp", steps=10) for ident in ("now", "a", "b", "c", "d", "e")]
    now, a, b = rows[:3]
    fresh, live, bad = RunRow("new", status="created"), RunRow("live", status="running"), RunRow("bad", fault="damaged")
    rows += [fresh, live, bad]
    for current, overlays, under, chosen in (
        ("now", ("a", "b"), now, ("a", "b", "now")),
        ("now", (), a, ("a", "now")),  # the run under the cursor beside the open one
        ("now", ("a",), b, ("a", "now")),
        ("new", ("a",), b, ("b", "a")),  # the open one was not trained
        (None, ("a", "b"), now, ("a", "b")),
        ("live", ("a",), a, ("a", "live")),
        ("new", ("a", "b", "c", "d", "e"), a, ("a", "b", "c", "d", "e")),
    ):
        assert to_compare(rows, current, overlays, under) == (chosen, "")
    for current, overlays, under, fault in (
        ("now", (), now, "one run is not enough"),
        ("now", (), None, "one run is not enough"),
        ("now", (), fresh, "was not trained yet"),
        ("now", (), bad, "damaged"),
        ("new", (), fresh, "was not trained yet"),
        ("now", ("a", "b", "c", "d", "e"), a, "6 runs with the open one are too many"),
    ):
        found, said = to_compare(rows, current, overlays, under)
        assert found == ()
        assert fault in said


def test_marks_are_ascii_where_asked(place: Home, corpus: Corpus) -> None:
    old, new = make(place, corpus), make(place, corpus)

    async def scene() -> None:
        async with before(RunsScreen(place, new.id, (old.id,), ascii_only=True)) as seat:
            assert f"*  {old.id}" in seat.text
            assert f">  {new.id}" in seat.text

    play(scene())


def test_a_run_is_renamed_with_errors_at_the_field(place: Home, corpus: Corpus) -> None:
    make(place, corpus, "taken")
    run = make(place, corpus, "mine")

    async def scene() -> None:
        async with before(RunsScreen(place, None)) as seat:
            await seat.press("n")
            field = seat.app.screen.query_one(Input)
            assert field.value == "mine"
            for wrong, reason in (("taken", "already"), ("last", "not allowed"), (" x", "not allowed")):
                field.value = wrong
                await seat.press("enter")
                assert isinstance(seat.app.screen, TextScreen)
                assert reason in seat.text
            field.value = ""
            await seat.press(*"[b]q")
            assert "not allowed" not in seat.text
            await seat.press("enter")
            await seat.until(lambda: "[b]q" in seat.text)
            assert {row.id: row.name for row in list_runs(place)}[run.id] == "[b]q"
            await seat.press("n", "x", "escape")
            assert isinstance(seat.app.screen, RunsScreen)
            await seat.press("n", *["backspace"] * 4, "enter")
            await seat.until(lambda: "[b]q" not in seat.text)
            assert seat.answers == []

    play(scene())


def test_a_name_that_was_taken_meanwhile_is_said(place: Home, corpus: Corpus) -> None:
    make(place, corpus)

    async def scene() -> None:
        async with before(RunsScreen(place, None)) as seat:
            await seat.press("n", *"mine")
            seat.screen._reading = True  # so that the screen does not learn of it
            make(place, corpus, "mine")
            await seat.press("enter")
            await seat.until(lambda: "is the name of run" in seat.text)

    play(scene())


def test_deleting_asks_and_only_a_clear_yes_deletes(place: Home, corpus: Corpus) -> None:
    keep, gone = make(place, corpus), make(place, corpus)

    async def scene() -> None:
        async with before(RunsScreen(place, None, (gone.id,))) as seat:
            for no in ("n", "escape", "enter"):
                await seat.press("d")
                assert isinstance(seat.app.screen, AskScreen)
                assert gone.id in seat.text
                await seat.press("d", "space", "x", "q")  # keys meant for other things
                assert isinstance(seat.app.screen, AskScreen)
                await seat.press(no)
                assert isinstance(seat.app.screen, RunsScreen)
            assert len(all_runs(place)) == 2
            await seat.press("d", "y")
            await seat.until(lambda: gone.id not in seat.text)
            assert all_runs(place) == [keep]
            await seat.press("d", "left", "enter")
            await seat.until(lambda: "no runs in" in seat.text)
            await seat.press("enter", "space", "n", "d", "escape")
            assert seat.answers == [RunsAnswer(None, ())]

    play(scene())


def test_the_open_run_and_one_in_training_are_not_deleted(
    place: Home, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_mm.runs.folder._LOCK_SECONDS", 0.05)
    live, current = make(place, corpus), make(place, corpus)

    async def scene() -> None:
        async with before(RunsScreen(place, current.id)) as seat:
            await seat.press("d")
            assert "open in the dashboard" in seat.text
            await seat.press("down")
            with live.training_lock():
                await seat.press("d", "y")  # its store does not say yet that it is at work
                await seat.until(lambda: "being trained by another process" in seat.text)
                with live.store() as store:
                    store.set(status="running")
                await seat.until(lambda: "running" in seat.text)
                await seat.press("d")
                assert isinstance(seat.app.screen, RunsScreen)
                assert "is being trained" in seat.text
            await seat.until(lambda: "crashed" in seat.text)
        assert len(all_runs(place)) == 2

    play(scene())


def test_a_damaged_run_is_listed_said_and_deleted(place: Home, corpus: Corpus) -> None:
    bad, good = make(place, corpus), make(place, corpus)
    for file in bad.folder.glob("run.db*"):
        file.write_bytes(b"garbage" * 1000)

    async def scene() -> None:
        async with before(RunsScreen(place, None), (120, 36)) as seat:
            assert "damaged" in seat.text
            await seat.press("end")
            assert "run.db: is damaged" in " ".join(seat.text.split())
            await seat.press("enter", "space", "n")
            assert seat.answers == []
            assert isinstance(seat.app.screen, RunsScreen)
            assert "●" not in seat.text
            await seat.press("delete", "y")
            await seat.until(lambda: "damaged" not in seat.text)
            assert all_runs(place) == [good]

    play(scene())


def test_a_run_without_losses_is_not_laid_over(place: Home, corpus: Corpus) -> None:
    facts = {"data": {"name": "names"}, "model": {"kind": "mlp"}}
    create_run(place, make_config("lecture"), corpus, None, facts)

    async def scene() -> None:
        async with before(RunsScreen(place, None)) as seat:
            await seat.press("space")
            assert "no losses yet" in seat.text
            assert seat.screen.overlays == []

    play(scene())


def test_what_changes_is_seen_and_the_cursor_stays_on_its_run(place: Home, corpus: Corpus) -> None:
    run, other = make(place, corpus, "mine"), make(place, corpus)

    async def scene() -> None:
        async with before(RunsScreen(place, None)) as seat:
            await seat.press("down")
            assert seat.screen.row is not None
            assert seat.screen.row.id == run.id
            newest = make(place, corpus, "newest")
            other.delete()
            await seat.until(lambda: newest.id in seat.text and other.id not in seat.text)
            with run.store() as store:
                store.add_evaluation(EvaluationRow(2000, 2.0, 1.9876, True, 2.0))
            await seat.until(lambda: "1.9876" in seat.text)
            assert seat.screen.row.id == run.id

    play(scene())


def test_nothing_is_painted_when_nothing_changed(place: Home, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    make(place, corpus)

    async def scene() -> None:
        async with before(RunsScreen(place, None)) as seat:
            screen = seat.screen
            filled: list[int] = []
            monkeypatch.setattr(screen, "_fill", lambda: filled.append(1))
            read: list[int] = []
            usual = screen._list.read
            monkeypatch.setattr(screen._list, "read", lambda: read.append(1) or usual())
            await seat.until(lambda: len(read) >= 2)
            await seat.pilot.pause()
            assert filled == []

    play(scene())


def test_the_filter_keeps_what_holds_its_text(place: Home, corpus: Corpus) -> None:
    make(place, corpus, "First try")
    make(place, corpus, data="pokemon")

    async def scene() -> None:
        async with before(RunsScreen(place, None)) as seat:
            await seat.press("slash", *"first")
            assert "1 of 2 runs" in seat.text
            assert "pokemon" not in seat.text
            await seat.press("down", "n")
            assert seat.app.screen.query_one(Input).value == "First try"
            await seat.press("escape", "escape")
            assert "pokemon" in seat.text
            await seat.press("slash", *"zzz", "enter")
            assert "no run holds this text" in seat.text
            await seat.press("space", "d", "n", "enter", "escape", "escape")
            assert seat.answers == [RunsAnswer(None, ())]

    play(scene())


def test_names_and_data_are_not_markup_and_send_no_commands(place: Home, corpus: Corpus) -> None:
    make(place, corpus, "[bold]x[/] 李小龙", data="a\x1b[2Jb")

    async def scene() -> None:
        async with before(RunsScreen(place, None), (120, 36)) as seat:
            assert "[bold]x[/] 李小龙" in seat.text
            assert "a\\x1b[2Jb" in seat.text
            assert "\x1b" not in seat.text
            await seat.press("d")
            assert "[bold]x[/]" in seat.text

    play(scene())


def test_an_unreadable_home_is_said(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    place.make()
    monkeypatch.setattr("tui_mm.runs.run.Path.is_dir", lambda _: (_ for _ in ()).throw(PermissionError(13, "Denied")))

    async def scene() -> None:
        app = Tiny()
        async with app.run_test() as pilot:
            seat = Seat(app, pilot)
            app.push_screen(RunsScreen(place, None), seat.answers.append)
            await seat.until(lambda: "cannot be read (Denied)" in seat.text)
            await seat.press("enter", "space", "n", "d", "escape")
            assert seat.answers == [RunsAnswer(None, ())]

    play(scene())


def test_no_cursor_blinks(place: Home, corpus: Corpus) -> None:
    make(place, corpus)

    async def scene() -> None:
        async with before(RunsScreen(place, None)) as seat:
            await seat.press("n")
            fields = [field for screen in seat.app.screen_stack for field in screen.query(Input)]
            assert len(fields) == 2
            assert not any(field.cursor_blink for field in fields)

    play(scene())


def test_clock() -> None:
    assert [clock(s) for s in (0.44, 12.4, 59.4, 59.6, 185, 3723)] == [
        "0.4 s", "12 s", "59 s", "1:00", "3:05", "1:02:03",
    ]  # fmt: skip
