"""The help: all keys there are, grouped, at every size."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui_mm.dashboard.app import DashboardApp
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.panels.every import ALL_PANELS
from tui_mm.dashboard.screens.help import HelpScreen, help_lines, help_sections

pytestmark = pytest.mark.usefixtures("prompt_pilot")


class OnePanel(Panel):
    NAME = "one"
    TITLE = "One"
    BINDINGS = [Binding("up,k", "move(-1)", "higher", id="higher", tooltip="[A] row up")]  # noqa: RUF012


class TwoPanel(OnePanel):
    NAME = "two"
    TITLE = "Two"
    BINDINGS = [("x", "cross", "cross")]  # noqa: RUF012


class BarePanel(Panel):
    NAME = "bare"
    TITLE = "Bare"


APP = [
    Binding("t", "train", "train", tooltip="Start it"),
    *(Binding(str(n), f"panel('p{n}')", f"P{n}", show=False) for n in range(1, 10)),
    Binding("escape", "leave_input", show=False),
]


def shown(binding: Binding) -> str:
    return App[None]().get_key_display(binding)


def text_of(app: App[None]) -> str:
    """All that is on the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def test_sections_are_the_apps_the_panels_that_have_keys_and_textuals() -> None:
    sections = dict(help_sections(APP, [OnePanel, BarePanel, TwoPanel]))
    assert [title.split(" (")[0] for title in sections] == ["Keys", "One", "Two", "Everywhere"]
    assert [b.key for b in sections["One (1 or tab first)"]] == ["up", "k"]
    assert {b.key for b in sections["Two (3 or tab first)"]} == {"x", "up", "k"}
    everywhere = {b.key for b in sections["Everywhere"]}
    assert {"tab", "shift+tab", "ctrl+q", "ctrl+p"} <= everywhere


def test_keys_of_one_action_share_a_line_and_hidden_numbers_are_merged() -> None:
    sections = dict(help_sections(APP, [OnePanel]))
    assert help_lines(sections["Keys"], shown) == [
        ("t", "train", "Start it"),
        ("1 to 9", "the panels", "P1, P2, P3, P4, P5, P6, P7, P8, P9"),
        ("esc", "leave input", ""),
    ]
    assert help_lines(sections["One (1 or tab first)"], shown) == [("↑, k", "higher", "[A] row up")]


def test_no_key_of_the_dashboard_is_missing() -> None:
    sections = help_sections(DashboardApp.BINDINGS, ALL_PANELS)
    listed = {b.key for _, bindings in sections for b in bindings}
    for binding in Binding.make_bindings(DashboardApp.BINDINGS):
        assert binding.key in listed
    for panel in ALL_PANELS:
        for binding in Binding.make_bindings(vars(panel).get("BINDINGS", ())):
            assert binding.key in listed


@pytest.mark.parametrize("size", [(50, 15), (80, 24), (120, 36), (200, 60), (300, 100)])
def test_it_scrolls_through_all_of_it(size: tuple[int, int]) -> None:
    async def scene() -> None:
        app: App[None] = App()
        async with app.run_test(size=size) as pilot:
            app.push_screen(HelpScreen(help_sections(APP, [OnePanel, TwoPanel])))
            await pilot.pause()
            seen = text_of(app)
            frame = app.screen.query_one("#help", VerticalScroll)
            assert app.screen.query_one("#second", Static).display == (size[0] >= 110)
            for _ in range(20):
                if frame.scroll_y >= frame.max_scroll_y:
                    break
                await pilot.press("pagedown")
                await pilot.pause()
                seen += text_of(app)
            for word in ("train", "1 to 9", "[A] row up", "cross", "drag"):
                assert word in seen

    asyncio.run(scene())


@pytest.mark.parametrize("key", ["escape", "question_mark", "q"])
def test_only_its_own_keys_close_it(key: str) -> None:
    async def scene() -> None:
        app: App[None] = App()
        async with app.run_test() as pilot:
            closed: list[Any] = []
            app.push_screen(HelpScreen(help_sections(APP, [OnePanel])), closed.append)
            await pilot.press("t", "x", "1", "enter", "space")  # keys meant for other things
            assert isinstance(app.screen, HelpScreen)
            await pilot.press(key)
            assert closed == [None]

    asyncio.run(scene())


def test_it_folds_when_the_terminal_changes() -> None:
    async def scene() -> None:
        app: App[None] = App()
        async with app.run_test(size=(200, 60)) as pilot:
            app.push_screen(HelpScreen(help_sections(APP, [OnePanel])))
            await pilot.pause()
            second = app.screen.query_one("#second", Static)
            assert second.display
            await pilot.resize_terminal(50, 15)
            await pilot.pause()
            assert not second.display
            assert "train" in text_of(app)

    asyncio.run(scene())
