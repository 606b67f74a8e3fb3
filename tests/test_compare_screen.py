"""Runs side by side in the dashboard: which are compared, what is asked, what follows them, and how it looks."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.binding import Binding
from textual.widgets import Input

from tests.still import (
    CONFIG,
    Seat,
    StillApp,
    StillClient,
    held,
    still_evaluation,
    still_losses,
    still_words,
)
from tests.test_snapshots import cells, colors_of, contrast, is_text
from tui_mm.config import LECTURE_SEED
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.overlays import overlay
from tui_mm.dashboard.screens.compare import CompareScreen, Section
from tui_mm.dashboard.screens.help import HelpScreen
from tui_mm.dashboard.screens.runs import RunsScreen
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run
from tui_mm.runs.store import EvaluationRow, LossChunk
from tui_mm.words import data_facts, model_facts
from tui_mm.worker import protocol as ask

OWN = "0a1b2c3d"  # of the run that the dashboard has open
SEED = LECTURE_SEED + 10


pytestmark = pytest.mark.usefixtures("noon")


def keep(home: Home, ident: str, name: str | None, *, steps: int = 400, status: str = "done", **flags: Any) -> Run:
    """A run that is kept, made at a time of the first day of 2026 that its id decides."""
    words, config = still_words(), CONFIG.but(**flags)
    facts = {
        "data": data_facts(config, words.splits, words.statistics.distinct),
        "model": model_facts(config, words.splits.vocabulary),
    }
    made = create_run(home, config, words.corpus, name, facts)
    with made.store() as store, store.transaction():
        store.set(id=ident, created=f"2026-01-01T0{ident[-1]}:00:00+00:00", status=status)
        if config.counts:
            store.add_losses(LossChunk(1, still_losses(1, 1), 0.0, 0.01, 0.01))
            store.add_evaluation(EvaluationRow(0, 3.3, 3.3, False, 0.0))
            store.add_evaluation(EvaluationRow(1, 2.4, 2.45, True, 0.02))
        else:
            store.add_losses(LossChunk(1, still_losses(steps, steps), 0.01, steps / 500, steps / 400))
            for step in range(0, steps + 1, 100):
                store.add_evaluation(still_evaluation(step, is_bad=False))
    return Run(made.folder.rename(home.runs / ident))


@pytest.fixture
def place(tmp_path: Path) -> Home:
    """Three runs of different kinds, and the one that is open; newest first in the list: gru, counts, wide, open."""
    home = Home(tmp_path / "kept")
    keep(home, OWN[:-1] + "1", "open", steps=700)
    (home.runs / (OWN[:-1] + "1")).rename(home.runs / OWN)
    keep(home, "00000002", "wide", steps=1000, hidden=300, lr=0.1)
    keep(home, "00000003", "counts", model="bigram", steps=1)
    keep(home, "00000004", "gru", model="gru", steps=400)
    return home


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


IDS = ("00000002", "00000003", "00000004")


async def compared(seat: Seat, idents: tuple[str, ...] = IDS) -> CompareScreen:
    """The screen of these runs, once it stands."""
    seat.app.compare(idents)
    await seat.settle()
    screen = seat.app.screen
    assert isinstance(screen, CompareScreen)
    return screen


def questions(app: StillApp) -> list[ask.Compare]:
    return [command for command in app.sent if isinstance(command, ask.Compare)]


def text_of(screen: CompareScreen, name: str) -> str:
    return screen.query_one(f"#{name}", Section).view.text


# -- the way to it and back


def test_runs_are_marked_in_the_list_and_put_side_by_side(place: Home) -> None:
    async def scene() -> None:
        async with held("done", (120, 36), home=place) as seat:
            await seat.press("r")
            await seat.press("space", "down", "space", "c")
            screen = seat.app.screen
            assert isinstance(screen, CompareScreen)
            assert [run.id for run in screen._runs] == ["00000004", "00000003", OWN]
            for part in ("A  gru", "B  counts  bigram", "C  open", "2.4500", "A gru  B counts, dev 2.450  C open"):
                assert part in seat.screen, part
            await seat.press("escape")
            assert len(seat.app.screen_stack) == 1
            assert [o.label for o in seat.app.state.overlays] == ["gru", "counts"], "the marks are on the chart, too"

    play(scene())


def test_the_key_of_the_dashboard_compares_what_lies_over_the_chart_or_leads_to_the_list(place: Home) -> None:
    async def scene() -> None:
        async with held("done", (120, 36), home=place) as seat:
            await seat.press("C")
            assert isinstance(seat.app.screen, RunsScreen)
            assert "mark 2 to 5 runs" in seat.app.said[-1]
            await seat.press("escape")
            assert overlay(seat.app.state, place, ["00000003"]) == []
            await seat.press("C")
            assert isinstance(seat.app.screen, CompareScreen)
            assert [run.id for run in seat.app.screen._runs] == ["00000003", OWN]
            await seat.press("r")
            assert isinstance(seat.app.screen, RunsScreen)
            assert seat.app.screen.overlays == ["00000003"]

    play(scene())


def test_the_palette_and_the_help_have_it(place: Home) -> None:
    async def scene() -> None:
        async with held("done", (80, 24), home=place) as seat:
            titles = {command.title: command.help for command in seat.app.get_system_commands(seat.app.screen)}
            assert "side by side" in titles["compare runs (C)"]
            await seat.press("question_mark")
            assert isinstance(seat.app.screen, HelpScreen)
            sections = dict(seat.app.screen._sections)
            (own,) = (bindings for title, bindings in sections.items() if title.startswith("Compare"))
            assert {b.key for b in own} == {b.key for b in Binding.make_bindings(CompareScreen.BINDINGS)}
            assert "c" in {b.key for title, found in sections.items() if title.startswith("Runs") for b in found}

    play(scene())
    bindings = [b for b in CompareScreen.BINDINGS if isinstance(b, Binding)]
    assert all(b.id and b.tooltip and b.description for b in bindings)
    keys = [key for b in bindings for key in b.key.split(",")]
    assert len(keys) == len(set(keys))


# -- what it shows and asks


def test_every_section_has_its_part_and_the_models_are_asked_once(place: Home) -> None:
    async def scene() -> None:
        async with held("done", (120, 36), home=place) as seat:
            screen = await compared(seat)
            (asked,) = questions(seat.app)
            assert (asked.runs, asked.prefix, asked.seed, asked.checkpoint) == (IDS, "", SEED, "last")
            assert asked.count == asked.likeliest >= 8
            rows = [line.split() for line in text_of(screen, "settings").split("\n")]
            assert rows[1:] == [
                ["model", "mlp", "bigram", "gru"], ["hidden", "300", "-", "32"], ["lr", "0.1", "-", str(CONFIG.lr)],
            ]  # fmt: skip
            assert "step 400" in text_of(screen, "drawn")
            assert "40%" in text_of(screen, "following")
            assert "B counts, dev 2.450" in text_of(screen, "curves")
            await asyncio.sleep(0)
            screen._look()
            await seat.settle()
            assert len(questions(seat.app)) == 1, "nothing has changed"

    play(scene())


def test_the_prefix_is_asked_for_letter_by_letter_and_escape_leaves_it_first(place: Home) -> None:
    async def scene() -> None:
        async with held("done", (120, 36), home=place) as seat:
            screen = await compared(seat)
            await seat.press("p", "e", "l", "g", "b")
            assert screen.query_one(Input).value == "elgb"
            assert [q.prefix for q in questions(seat.app)][-4:] == ["e", "el", "elg", "elgb"]
            assert questions(seat.app)[-1].seed == SEED
            assert all(line.split()[0].startswith("elgb") for line in text_of(screen, "drawn").split("\n")[2:-1])
            await seat.press("enter")
            assert questions(seat.app)[-1].seed == SEED + 1
            await seat.press("escape")
            assert isinstance(seat.app.screen, CompareScreen)
            assert isinstance(seat.focused, Section)
            await seat.press("s", "Z")
            assert "B: 'Z': is not in this model's vocabulary" in " ".join(text_of(screen, "drawn").split())
            await seat.press("escape", "escape")
            assert len(seat.app.screen_stack) == 1

    play(scene())


def test_keys_draw_with_other_seeds_ask_other_weights_and_change_the_chart_as_the_loss_panel_does(place: Home) -> None:
    async def scene() -> None:
        async with held("done", (120, 36), home=place) as seat:
            screen, settings = await compared(seat), seat.app.state.settings
            before = text_of(screen, "drawn")
            seeds = []
            for key in ("g", "g", "G"):
                await seat.press(key)
                seeds.append(questions(seat.app)[-1].seed)
            assert seeds == [SEED + 1, SEED + 2, SEED]
            assert text_of(screen, "drawn") == before
            assert f"seed {SEED} (g)" in seat.screen
            for checkpoint in ("best", "last"):
                await seat.press("b")
                assert questions(seat.app)[-1].checkpoint == checkpoint
                assert f"{checkpoint} weights" in seat.screen
            asked = len(questions(seat.app))
            legend = {"both": "capitals: dev", "dev": "  dev", "train": "log scale"}
            for parts in ("both", "dev", "train", "both"):
                assert screen._parts == parts
                assert legend[parts] in text_of(screen, "curves")
                await seat.press("v")
            await seat.press("y", "u")
            assert (settings.loss_scale, settings.loss_axis) == ("linear", "epochs")
            assert "linear scale over epochs" in text_of(screen, "curves")
            await seat.press("u", "u", "y")
            assert (settings.loss_scale, settings.loss_axis) == ("log", "steps")
            assert len(questions(seat.app)) == asked, "nothing of the chart asks the models"

    play(scene())


# -- following


def test_it_follows_a_run_that_goes_on_and_asks_at_its_evaluations_alone(place: Home) -> None:
    async def scene() -> None:
        live = keep(place, "00000005", "live", steps=300, status="running")
        async with held("done", (120, 36), home=place) as seat:
            with live.training_lock(), live.store() as store:
                screen = await compared(seat, ("00000002", "00000005"))
                assert "300 of 1,000" in seat.screen
                store.add_losses(LossChunk(301, still_losses(400, 400)[300:], 0.01, 0.8, 1.0))
                screen._look()
                await seat.settle()
                assert len(questions(seat.app)) == 1
                assert "300 of 1,000" in seat.screen, "steps alone change nothing"
                store.add_evaluation(EvaluationRow(400, 2.1, 1.9876, True, 1.0))
                screen._look()
                await seat.settle()
                assert len(questions(seat.app)) == 2
                assert "400 of 1,000" in seat.screen
                assert "1.9876" in seat.screen
                store.set(status="done")
                screen._look()
                await seat.settle()
                assert len(questions(seat.app)) == 3, "its last checkpoint has been kept meanwhile"

    play(scene())


def test_while_the_open_run_trains_the_worker_is_not_asked_more_often_than_its_pace_allows(place: Home) -> None:
    async def scene() -> None:
        async with held("training", (120, 36), home=place) as seat:
            screen = await compared(seat)
            seat.app._paces["compare"].due = math.inf  # however slow the machine is
            with Run(place.runs / "00000002").store() as store:
                store.add_evaluation(EvaluationRow(1100, 2.0, 2.0, False, 9.0))
            screen._look()
            await seat.settle()
            assert len(questions(seat.app)) == 1
            assert screen._due, "it is asked as soon as it may be"
            seat.app._paces["compare"].due = 0.0
            seat.app._paces["compare"].asked = None
            screen._look()
            await seat.settle()
            assert len(questions(seat.app)) == 2
            await seat.press("g")
            assert len(questions(seat.app)) == 3, "a person is not made to wait"

    play(scene())


def test_nothing_is_painted_when_nothing_changed(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with held("done", (120, 36), home=place) as seat:
            screen = await compared(seat)
            shown: list[str] = []
            monkeypatch.setattr(ChartView, "show", lambda view, _: shown.append(str(view.id)) or 0)
            screen._look()
            await seat.settle()
            assert shown == []
            assert not any(field.cursor_blink for field in screen.query(Input))

    play(scene())


def test_the_panels_under_it_are_left_until_it_is_left(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with held("training", (120, 36), home=place) as seat:
            await compared(seat)
            drawn: list[object] = []
            monkeypatch.setattr(seat.app, "_show", drawn.append)
            seat.app.show_all()
            assert drawn == []
            await seat.press("escape")
            assert len(drawn) == 9

    play(scene())


def test_a_run_that_is_deleted_meanwhile_or_cannot_be_read_is_said_in_its_line(place: Home) -> None:
    async def scene() -> None:
        broken = place.runs / "00000006"
        broken.mkdir()
        (broken / "run.db").write_bytes(b"no store")
        async with held("done", (120, 36), home=place) as seat:
            screen = await compared(seat, ("00000002", "00000006"))
            assert "run.db: is damaged" in " ".join(seat.screen.split())
            assert "no curves" in text_of(screen, "curves")
            assert "run.db: is damaged" in " ".join(text_of(screen, "settings").split())
            await seat.press(*"1234vyuzgb")
            await seat.press("escape")
            assert len(seat.app.screen_stack) == 1

    play(scene())


def test_a_worker_that_refuses_or_is_not_there_is_said(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object, **__: object) -> dict[str, Any]:
        raise ask.CommandError("run 0a1b2c3d is trained in another terminal by a command that takes no orders")

    async def scene() -> None:
        async with held("no words", (120, 36), home=place) as seat:
            screen = await compared(seat)
            assert "as soon as torch has loaded" in text_of(screen, "drawn")
            assert "B counts, dev 2.450" in text_of(screen, "curves"), "what is kept is shown all the same"
            await seat.press(*"gGbvz", "p", "e", "escape", "escape")
        async with held("done", (120, 36), home=place) as seat:
            with monkeypatch.context() as patch:
                patch.setattr(StillClient, "ask", refused)
                screen = await compared(seat)
                for name in ("drawn", "following"):
                    assert "takes no orders" in " ".join(text_of(screen, name).split())
            await seat.press("g")
            assert "takes no orders" not in seat.screen

    play(scene())


# -- how it looks


@pytest.mark.parametrize(("small", "large", "ascii_only"), [((80, 24), (200, 60), False), ((50, 15), (120, 36), True)])
def test_it_folds_and_every_section_is_reached_at_every_size(
    small: tuple[int, int], large: tuple[int, int], ascii_only: bool, place: Home
) -> None:
    async def scene() -> None:
        async with held("done", small, home=place, ascii_only=ascii_only) as seat:
            screen = await compared(seat)
            for size, count in ((small, 1), (large, 4), (small, 1)):
                asked = questions(seat.app)
                await seat.resize(*size)
                for number, name in enumerate(("curves", "settings", "following", "drawn"), start=1):
                    await seat.press(str(number))
                    section = screen.query_one(f"#{name}", Section)
                    while not (section.view.text and seat.focused is section):  # when it has found its place
                        await seat.settle()
                    assert sum(each.display for each in screen.query(Section)) == count
                    assert all(letter in seat.screen for letter in ("A", "B", "C", "counts"))
                    assert not ascii_only or seat.screen.isascii()
                if size == large:
                    assert questions(seat.app)[-1].count > asked[-1].count, "there is room for more names"
                    await seat.press("z")
                    assert [each.id for each in screen.query(Section) if each.display] == ["drawn"]
                    await seat.press("z")
                else:
                    assert questions(seat.app) == asked

    play(scene())


@pytest.mark.parametrize("no_color", [True, False], ids=["no colour", "light theme"])
def test_it_is_legible_without_colours_and_in_a_light_theme(
    no_color: bool, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")

    async def scene() -> None:
        async with held("done", (120, 36), home=place) as seat:
            seat.app.theme = "textual-light"
            await compared(seat)
            for _, text, style in cells(seat):
                front, behind = colors_of(style)
                assert not no_color or front.r == front.g == front.b, text
                assert not is_text(text) or text.strip() == "the beginning" or contrast(front, behind) >= 3, text

    play(scene())


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_screen_as_text(size: tuple[int, int], place: Home, snapshot: SnapshotAssertion) -> None:
    async def scene() -> None:
        async with held("done", size, home=place) as seat:
            await compared(seat)
            await seat.press("p", "e", "m", "escape")
            assert all(row.isprintable() for row in seat.screen.split("\n"))
            assert seat.screen == snapshot(name="loss")
            if size == (80, 24):
                for number in "234":
                    await seat.press(number)
                    assert seat.screen == snapshot(name=number)

    play(scene())
