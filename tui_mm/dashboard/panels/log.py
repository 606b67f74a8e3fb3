"""The Log panel: what happened, when."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui_mm.dashboard.panels.base import Panel
from tui_mm.text import printable

_MOST = 500  # lines shown


class LogPanel(Panel):
    """The run's events, the lines its worker printed, and what the dashboard itself has to say."""

    NAME = "log"
    TITLE = "Log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"scroll('{key}')", description, show=False, id=f"log_{key}", tooltip=tooltip)
        for key, description, tooltip in (
            ("up", "line up", "An earlier line of the log"),
            ("down", "line down", "A later line of the log"),
            ("pageup", "page up", "Earlier lines of the log"),
            ("pagedown", "page down", "Later lines of the log"),
            ("home", "first line", "The first line of the log"),
            ("end", "last line", "The last line of the log, and follow it again"),
        )
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(id="events", markup=False)

    def draw(self) -> None:
        follower = self.state.follower
        events = follower.events if follower else []
        lines = sorted([(e.time, e.message) for e in events] + self.state.notes)
        shown = Text("\n".join(f"{_clock(at)}  {printable(message)}" for at, message in lines[-_MOST:]))
        static, scroll = self.query_one("#events", Static), self.query_one(VerticalScroll)
        if str(static.content) == shown.plain:
            return
        follow = scroll.is_vertical_scroll_end
        static.update(shown)
        if follow:
            scroll.scroll_end(animate=False)

    def action_scroll(self, key: str) -> None:
        scroll = self.query_one(VerticalScroll)
        {
            "up": scroll.scroll_up,
            "down": scroll.scroll_down,
            "pageup": scroll.scroll_page_up,
            "pagedown": scroll.scroll_page_down,
            "home": scroll.scroll_home,
            "end": scroll.scroll_end,
        }[key](animate=False)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
