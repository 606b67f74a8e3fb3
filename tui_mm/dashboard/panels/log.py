"""The Log panel: what happened, when."""

from __future__ import annotations

from datetime import datetime
from heapq import merge
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState
from tui_mm.text import printable

if TYPE_CHECKING:
    from tui_mm.runs.store import EventRow

_MOST = 500  # lines shown
_TIME = 10  # cells of a time and what is left before the message
_BROAD = 50  # from this width on, a message stands in a column of its own


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

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._drawn: object = None

    def draw(self) -> None:
        scroll = self.query_one(VerticalScroll)
        follower, notes = self.state.follower, self.state.notes
        events = follower.events if follower else []
        width = scroll.scrollable_content_region.width
        drawn = (follower, len(events), len(notes), width)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        happened = [(e.time, _said(e)) for e in events[-_MOST:] if not self._is_own(e)]
        # of each in their order, whatever the clock did meanwhile
        lines = [*merge(happened, notes[-_MOST:], key=lambda line: line[0])][-_MOST:]
        shown = Text("\n").join(row for at, message in lines for row in self._rows(at, printable(message), width))
        follow = scroll.is_vertical_scroll_end
        self.query_one("#events", Static).update(shown)
        if follow:
            scroll.scroll_end(animate=False)

    def _is_own(self, event: EventRow) -> bool:
        """What was asked for here: what comes of it stands in the log, too."""
        return bool(event.sender) and event.sender == self.state.viewer

    def _rows(self, at: float, message: str, width: int) -> list[Text]:
        """A line of the log, folded; what follows its first row is indented, so that the times stand out."""
        indent = _TIME if width >= _BROAD else 2
        line = Text(f"{_clock(at):<{_TIME}}{message}")
        first, *more = line.wrap(self.app.console, max(_TIME + 1, width)) or [line]
        if not more:
            return [first]
        rest = line[len(first.plain) :]
        rest = Text(rest.plain.lstrip())
        return [first, *(Text(" " * indent) + row for row in rest.wrap(self.app.console, max(4, width - indent)))]

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


def _said(event: EventRow) -> str:
    return f"{event.sender}: {event.message}" if event.sender else event.message


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
