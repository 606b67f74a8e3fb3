"""The Log panel: what happened, when."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui_mm.dashboard.panels.base import Panel
from tui_mm.text import printable

_MOST = 500  # lines shown


class LogPanel(Panel):
    """The run's events, and what the dashboard itself has to say."""

    NAME = "log"
    TITLE = "Log"

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(id="events")

    def draw(self) -> None:
        follower = self.state.follower
        events = follower.events if follower else []
        lines = sorted([(e.time, e.message) for e in events] + self.state.notes)
        shown = "\n".join(f"{_clock(at)}  {printable(message)}" for at, message in lines[-_MOST:])
        if shown != getattr(self, "_shown", None):
            self._shown = shown
            self.query_one("#events", Static).update(Text(shown))
            self.query_one(VerticalScroll).scroll_end(animate=False)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
