"""Every panel and screen as text, compared with what is kept in __snapshots__/test_snapshots.ambr.

After a change that is meant: ``pytest tests/test_snapshots.py --snapshot-update``, then read the difference.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from textual.color import Color

from tests.still import CONFIG, NOWHERE, Moment, Seat, held, still_evaluation, still_losses
from tests.still import still_words as words_of
from tui_mm.dashboard.panels.base import Panel
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run
from tui_mm.runs.store import LossChunk
from tui_mm.words import data_facts, model_facts

SMALL, USUAL = (80, 24), (120, 36)
SIZES = [(50, 15), SMALL, USUAL, (200, 60)]


pytestmark = pytest.mark.usefixtures("noon")


def of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def screen(seat: Seat) -> str:
    """What stands on the terminal, every row of it, and no machine's paths."""
    text = seat.screen
    rows = text.split("\n")
    assert len(rows) == seat.app.size.height
    assert all(row.isprintable() for row in rows)
    return text


def run_of(home: Home, ident: str, at: str, *, steps: int, status: str, name: str | None = None) -> Run:
    """A run that is kept, of ``steps`` steps, made at a time of the first day of 2026."""
    words = words_of()
    facts = {
        "data": data_facts(CONFIG, words.splits, words.statistics.distinct),
        "model": model_facts(CONFIG, words.splits.vocabulary),
    }
    made = create_run(home, CONFIG, words.corpus, name, facts)
    with made.store() as store, store.transaction():
        store.set(id=ident, created=f"2026-01-01T{at}:00+00:00", status=status)
        if steps:
            store.add_losses(LossChunk(1, still_losses(steps, steps), 0.01, steps / 500, steps / 400))
            for step in range(0, steps + 1, 100):
                store.add_evaluation(still_evaluation(step, is_bad=False))
    return Run(made.folder.rename(home.runs / ident))


@pytest.fixture
def filled(tmp_path: Path) -> Home:
    home = Home(tmp_path / "kept")
    run_of(home, "00000001", "08:00", steps=1000, status="done", name="baseline")
    run_of(home, "00000002", "09:30", steps=400, status="stopped")
    run_of(home, "00000003", "10:15", steps=200, status="diverged", name="李 hot")
    run_of(home, "00000004", "11:45", steps=0, status="created")
    damaged = home.runs / "00000005"
    damaged.mkdir()
    (damaged / "run.db").write_bytes(b"no store")
    return home


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_each_panel_alone(snapshot: SnapshotAssertion) -> None:
    async def scene() -> None:
        async with held("training", SMALL) as seat:
            for panel in seat.app.main.query(Panel):
                await seat.app.action_panel(panel.NAME)
                await seat.settle()
                assert screen(seat) == snapshot(name=panel.NAME)

    play(scene())


@pytest.mark.parametrize("ascii_only", [False, True], ids=["unicode", "ascii"])
def test_the_dashboard_at_every_size(ascii_only: bool, snapshot: SnapshotAssertion) -> None:
    async def scene() -> None:
        async with held("training", SIZES[-1], ascii_only=ascii_only) as seat:
            for size in SIZES:
                await seat.resize(*size)
                shown = screen(seat)
                assert shown == snapshot(name=of(size))
                assert shown.isascii() or not ascii_only

    play(scene())


@pytest.mark.parametrize("moment", ["no words", "refused", "untrained", "done", "not finite"])
def test_before_during_and_after_a_training(moment: Moment, snapshot: SnapshotAssertion) -> None:
    async def scene() -> None:
        async with held(moment, USUAL) as seat:
            assert screen(seat) == snapshot(name=of(USUAL))
            for key, name in (("2", "loss"), ("3", "samples"), ("5", "embedding")):
                await seat.resize(*SMALL)
                await seat.press(key)
                assert screen(seat) == snapshot(name=name)

    play(scene())


def test_a_dashboard_of_a_size_and_one_that_came_to_it_look_alike() -> None:
    """Neither the way to a size nor the panels shown on it leave a trace."""

    async def scene() -> None:
        shown: list[dict[str, str]] = []
        for others in ([], [(50, 15)]):
            async with held("training", USUAL) as seat:
                seen = {}
                for key in "123456789":
                    for other in others:
                        await seat.resize(*other)
                    await seat.press(key)
                    await seat.resize(*USUAL)
                    seen[key] = screen(seat)
                shown.append(seen)
        assert shown[0] == shown[1]

    play(scene())


# -- colours

PLACEHOLDERS = ("the beginning of a name", "Search for commands", "~/words.txt", "not used by")
"""Rows of what is not there or not used: an empty input, a field that the model does not look at."""
LEAST_CONTRAST = 3.0


def cells(seat: Seat) -> Iterator[tuple[str, str, Style]]:
    """(row, text, style) of what stands on the terminal and is not veiled by a question over it."""
    over = seat.app.screen
    for y, strip in enumerate(over._compositor.render_strips()):
        x = 0
        for segment in strip:
            if segment.text.strip() and segment.style is not None and over.get_widget_at(x, y)[0] is not over:
                yield strip.text, segment.text, segment.style
            x += segment.cell_length


def colors_of(style: Style) -> tuple[Color, Color]:
    """Foreground and background as they are shown."""
    assert style.color is not None
    assert style.bgcolor is not None
    front, behind = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
    return (behind, front) if style.reverse else (front, behind)


def luminance(color: Color) -> float:
    """Relative, as WCAG 2 has it."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in color.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def is_text(text: str) -> bool:
    """Letters and figures; what charts are drawn with may be faint."""
    return any(c.isalnum() for c in text)


async def shown(seat: Seat) -> AsyncIterator[str]:
    """One screen after another."""
    for key in ("1", "4", "5", "6", "7", "8", "9"):
        await seat.press(key)
        yield f"panel {key}"
    for name, key in SCREENS.items():
        await seat.press(key)
        yield name
        await seat.press("escape")


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
def test_text_can_be_read_in_both_themes(theme: str) -> None:
    async def scene() -> None:
        faint: dict[tuple[str, str], float] = {}
        async with held("training") as seat:
            seat.app.theme = theme
            await seat.settle()
            async for place in shown(seat):
                for row, text, style in cells(seat):
                    front, behind = colors_of(style)
                    ratio = contrast(front, behind)
                    if is_text(text) and ratio < LEAST_CONTRAST and not any(p in row for p in PLACEHOLDERS):
                        faint[place, text.strip()] = round(ratio, 2)
        assert faint == {}

    play(scene())


def test_no_color_is_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def scene() -> None:
        async with held("training") as seat:
            assert not seat.app.state.color
            async for place in shown(seat):
                for _, text, style in cells(seat):
                    for color in colors_of(style):
                        assert color.r == color.g == color.b, (place, text)

    play(scene())


# -- screens

SCREENS = {"set-up": "e", "help": "question_mark", "quit": "q", "word list": "o", "rate": "L", "palette": "ctrl+p"}


@pytest.mark.parametrize("size", [SMALL, USUAL], ids=of)
@pytest.mark.parametrize("name", SCREENS)
def test_each_screen(
    name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    lists = tmp_path / "lists"
    (lists / "more").mkdir(parents=True)
    for list_name in ("cities.txt", "names.txt"):
        (lists / list_name).write_text("one\ntwo\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tui_mm.dashboard.screens.words._working_folder", lambda: Path("lists"))

    async def scene() -> None:
        async with held("training", size) as seat:
            await seat.press(SCREENS[name])
            assert len(seat.app.screen_stack) == 2
            assert screen(seat) == snapshot(name=of(size))

    play(scene())


@pytest.mark.parametrize("size", [SMALL, USUAL], ids=of)
def test_the_runs(size: tuple[int, int], filled: Home, snapshot: SnapshotAssertion) -> None:
    async def scene() -> None:
        for home, name in ((NOWHERE, "none"), (filled, "five")):
            async with held("training", size, home=home) as seat:
                await seat.press("r")
                assert screen(seat) == snapshot(name=f"{name} {of(size)}")

    play(scene())
