"""A widget that shows a chart's text and repaints only the cells that changed."""

from __future__ import annotations

from rich.text import Text
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tui_mm.text import printable


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
        regions = []
        for y in changed:
            strip = self._strip(lines[y]) if y < len(lines) else Strip([])
            before = self._strips[y] if y < len(self._strips) else Strip([])
            begin, end = changed_cells(before, strip)
            regions.append(Region(begin, y, min(end, self.size.width) - begin, 1))
            if y < len(lines):
                self._strips[y : y + 1] = [strip]
        del self._strips[len(lines) :]
        self._lines = lines
        if regions:
            self.refresh(*(region for region in regions if region.width > 0))
        return len(changed)

    def say(self, text: str) -> int:
        """Put words, made printable, in place of what is shown: broken at spaces to the width there is."""
        lines = Text(printable(text)).wrap(self.app.console, max(1, self.size.width))
        return self.show(Text("\n").join(lines))

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


def changed_cells(before: Strip, after: Strip) -> tuple[int, int]:
    """The first cell that differs and the one behind the last; the whole line where characters are wide."""
    size = max(before.cell_length, after.cell_length)
    old, new = ([(c, s.style or None) for s in strip for c in s.text] for strip in (before, after))
    if len(old) != before.cell_length or len(new) != after.cell_length:
        return 0, size
    blank = (" ", None)
    old += [blank] * (size - len(old))
    new += [blank] * (size - len(new))
    differ = [x for x in range(size) if old[x] != new[x]]
    return (differ[0], differ[-1] + 1) if differ else (0, 0)
