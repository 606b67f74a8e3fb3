"""The Log panel: its lines, folded, and which of them are in sight."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui_mm.config import make_config
from tui_mm.dashboard.panels.log import LogPanel
from tui_mm.dashboard.state import ViewState

pytestmark = pytest.mark.usefixtures("prompt_pilot")

LINE = "a line that is longer than the panel is wide, and 李小龙 in it"


class Seat(App[None]):
    CSS = "LogPanel { height: 1fr; border: round $border; padding: 0 1; }"

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.state = state

    def compose(self) -> ComposeResult:
        yield LogPanel(self.state)

    @property
    def rows(self) -> list[str]:
        return str(self.query_one("#events", Static).content).split("\n")


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_a_long_line_is_folded_under_its_time_and_anew_at_another_width() -> None:
    async def scene() -> None:
        state = ViewState(make_config(), notes=[(0.0, LINE), (1.0, "short\x1b[2J")])
        app = Seat(state)
        async with app.run_test(size=(34, 20)) as pilot:
            await pilot.pause()
            app.query_one(LogPanel).draw()
            assert len(app.rows) == 4
            assert all(row.startswith("  ") for row in app.rows[1:3])
            assert " ".join(row.strip() for row in app.rows[:3])[10:] == LINE
            assert app.rows[3].endswith("  short\\x1b[2J")
            await pilot.resize_terminal(70, 20)
            await pilot.pause()
            app.query_one(LogPanel).draw()
            assert len(app.rows) == 3
            assert app.rows[1].startswith(" " * 10)
            await pilot.resize_terminal(120, 20)
            await pilot.pause()
            app.query_one(LogPanel).draw()
            assert [row[10:] for row in app.rows] == [LINE, "short\\x1b[2J"]

    play(scene())


def test_the_last_line_is_followed_until_a_person_scrolls_up() -> None:
    async def scene() -> None:
        state = ViewState(make_config(), notes=[(float(n), f"line {n}") for n in range(30)])
        app = Seat(state)
        async with app.run_test(size=(60, 10)) as pilot:
            await pilot.pause()
            panel, scroll = app.query_one(LogPanel), app.query_one(VerticalScroll)
            panel.focus()
            panel.draw()
            await pilot.pause()
            assert scroll.is_vertical_scroll_end
            await pilot.press("home")
            state.note("one more")
            panel.draw()
            await pilot.pause()
            assert scroll.scroll_y == 0
            assert app.rows[-1].endswith("one more")
            await pilot.press("end")
            state.note("and another")
            panel.draw()
            await pilot.pause()
            assert scroll.is_vertical_scroll_end

    play(scene())
