"""A widget that shows a chart's text and repaints only the rows that changed."""

from __future__ import annotations

from rich.text import Text
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget


class ChartView(Widget):
    """Lines of text with ANSI colours, one strip each."""

    DEFAULT_CSS = """
    ChartView { width: 1fr; height: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[str | Text] = []
        self._strips: list[Strip] = []

    def show(self, text: str | Text) -> int:
        """Put ``text`` (a string may hold ANSI colours) in place of what is shown; returns how many rows that
        changed."""
        lines: list[str | Text] = [*text.split("\n")]
        changed = [
            y
            for y in range(max(len(lines), len(self._lines)))
            if y >= len(lines) or y >= len(self._lines) or lines[y] != self._lines[y]
        ]
        for y in changed:
            if y < len(lines):
                self._strips[y : y + 1] = [self._strip(lines[y])]
        del self._strips[len(lines) :]
        self._lines = lines
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))
        return len(changed)

    def _strip(self, line: str | Text) -> Strip:
        text = Text.from_ansi(line) if isinstance(line, str) else line.copy()
        text.end = ""
        return Strip(text.render(self.app.console))

    @property
    def text(self) -> str:
        """What is shown, without colours."""
        return "\n".join(strip.text for strip in self._strips)

    def render_line(self, y: int) -> Strip:
        width, style = self.size.width, self.rich_style
        if y >= len(self._strips):
            return Strip.blank(width, style)
        return self._strips[y].apply_style(style).adjust_cell_length(width, style)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width
