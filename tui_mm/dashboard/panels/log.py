"""The Log panel: what happened, when."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui_mm.runs.store import EventRow
from tui_mm.text import printable


class LogPanel(VerticalScroll):
    BORDER_TITLE = "Log"

    def compose(self) -> ComposeResult:
        yield Static(id="events")

    def show_events(self, events: list[EventRow], notes: list[tuple[float, str]]) -> None:
        """The run's events, and what the dashboard itself has to say: (time, line)."""
        lines = sorted([(e.time, e.message) for e in events] + notes)
        shown = "\n".join(f"{_clock(at)}  {printable(message)}" for at, message in lines[-200:])
        self.query_one("#events", Static).update(Text(shown))
        self.scroll_end(animate=False)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
