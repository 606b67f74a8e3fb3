"""One hyperparameter as a row of the set-up screen: its name, an editor, a note, and what is wrong with it.

A row is one widget that paints its name and notes into its own padding: a form of a widget for each of these would
take a second to open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.events import Click, Key
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from tui_mm.config import FIELDS, allowed
from tui_mm.text import printable

LABEL_WIDTH = 17
EDITOR_WIDTH = 18
_NOTE_WIDTH = 24  # left to the note by an editor of texts, which takes the rest
_CSS = """
ROW { height: 1; width: 1fr; border: none; background: $surface; }
ROW:focus { border: none; background: $surface; }
"""


@dataclass(frozen=True)
class Said:
    """What is said about a field's text: it differs from the preset's, is not used under a choice, or is wrong."""

    changed: bool = False
    preset: str = ""
    unused_by: str = ""
    fault: str = ""

    @property
    def note(self) -> str:
        if self.unused_by:
            return f"not used by {self.unused_by}"
        return f"preset: {printable(self.preset)}" if self.changed else ""


class TextField(Input):
    """A field that takes a number or a text."""

    DEFAULT_CSS = _CSS.replace("ROW", "TextField")

    def __init__(self, field: str, text: str) -> None:
        super().__init__(printable(text), compact=True, select_on_focus=False, id=f"field-{field}")
        self.cursor_blink = False  # an idle screen sends nothing
        self.field = field
        self.said = Said()
        self._raw, self._shown = text, printable(text)

    @property
    def text(self) -> str:
        """What the field has now; characters that cannot be shown are kept until the text is changed."""
        return self._raw if self.value == self._shown else self.value

    @text.setter
    def text(self, text: str) -> None:
        self._raw, self._shown = text, printable(text)
        self.value = self._shown

    def show(self, said: Said) -> None:
        if said != self.said:
            self.said = said
            _arrange(self)

    def on_resize(self) -> None:
        _arrange(self)

    def render_lines(self, crop: Region) -> list[Strip]:
        return _furnish(self, crop, super().render_lines)


class ChoiceField(Widget, can_focus=True):
    """A field that takes one of a few texts."""

    class Changed(Message):
        """Another one was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space,enter", "turn(1)", "next choice", id="choice-next", tooltip="Take the next choice"),
        Binding("left", "turn(-1)", "choice before", id="choice-before", tooltip="Take the choice before"),
    ]
    DEFAULT_CSS = _CSS.replace("ROW", "ChoiceField")

    def __init__(self, field: str, text: str, *, ascii_only: bool = False) -> None:
        super().__init__(id=f"field-{field}")
        self.field = field
        self.said = Said()
        self._text = text
        self._arrows = ("<", ">") if ascii_only else ("◂", "▸")

    @property
    def text(self) -> str:
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self.refresh()
            self.post_message(self.Changed())

    def show(self, said: Said) -> None:
        if said != self.said:
            self.said = said
            _arrange(self)

    def on_resize(self) -> None:
        _arrange(self)

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        before, after = self._arrows
        text = f"{before} {self._text} {after}" if y == 0 else ""
        return Strip([Segment(text, self.rich_style)]).adjust_cell_length(width, self.rich_style)

    def render_lines(self, crop: Region) -> list[Strip]:
        return _furnish(self, crop, super().render_lines)

    def action_turn(self, by: int) -> None:
        options = FIELDS[self.field].choices
        self.text = options[(options.index(self._text) + by) % len(options)]

    def on_key(self, event: Key) -> None:
        """A letter takes the next choice that begins with it."""
        options = FIELDS[self.field].choices
        here = options.index(self._text)
        for option in (*options[here + 1 :], *options[:here]):
            if event.character and option.startswith(event.character.lower()):
                event.stop()
                self.text = option
                return

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and offset.y == 0:
            self.action_turn(-1 if offset.x == 0 else 1)


FieldRow = TextField | ChoiceField


def make_row(field: str, text: str, *, ascii_only: bool) -> FieldRow:
    return ChoiceField(field, text, ascii_only=ascii_only) if FIELDS[field].choices else TextField(field, text)


def help_of(field: str) -> Text:
    """A field explained, with what it takes."""
    return Text.assemble((f"{field}: ", "bold"), f"{FIELDS[field].help}; {allowed(field)}")


def _editor_width(row: FieldRow) -> int:
    room = row.outer_size.width - LABEL_WIDTH
    is_text = FIELDS[row.field].kind is str and not FIELDS[row.field].choices
    return min(room, max(EDITOR_WIDTH, room - _NOTE_WIDTH)) if is_text else min(room, EDITOR_WIDTH)


def _fault_lines(row: FieldRow) -> list[str]:
    if not row.said.fault:
        return []
    text = Text(f"! {printable(row.said.fault)}")
    return [line.plain for line in text.wrap(row.app.console, max(10, row.outer_size.width - 2))]


def _arrange(row: FieldRow) -> None:
    """Give the row the padding and the height that its parts take, and paint it anew."""
    if row.outer_size.width <= LABEL_WIDTH:
        return  # not laid out yet
    right = row.outer_size.width - LABEL_WIDTH - _editor_width(row)
    row.styles.padding = (0, right, 0, LABEL_WIDTH)
    row.styles.height = 1 + len(_fault_lines(row))
    row.refresh()


def _furnish(row: FieldRow, crop: Region, render: Callable[[Region], list[Strip]]) -> list[Strip]:
    """The lines of an editor with the row's name, note and fault painted around it."""
    width = row.outer_size.width
    faults = _fault_lines(row)
    lines = range(crop.y, crop.bottom)
    strips = [
        _first_line(row, strip, width) if y == 0 else _fault_line(row, faults, y - 1, width)
        for y, strip in zip(lines, render(Region(0, crop.y, width, crop.height)), strict=True)
    ]
    background = Color.parse(row.app.theme_variables["background"])
    for line_filter in row.get_line_filters():  # such as that of NO_COLOR
        strips = [strip.apply_filter(line_filter, background) for strip in strips]
    return [strip.crop(crop.x, crop.right) for strip in strips]


def _first_line(row: FieldRow, strip: Strip, width: int) -> Strip:
    plain, muted = _style(row, "foreground"), _style(row, "muted")
    if row.said.unused_by:
        plain = muted = muted + Style(dim=True)
    here = plain + Style(bold=True, reverse=True) if row.has_focus else plain
    name = Strip([Segment("* " if row.said.changed else "  ", plain), Segment(row.field, here)])
    editor = strip.crop(LABEL_WIDTH, LABEL_WIDTH + _editor_width(row))
    if row.said.unused_by:
        editor = editor.apply_style(Style(dim=True))
    room = max(0, width - LABEL_WIDTH - editor.cell_length - 1)
    about = FIELDS[row.field].help
    note = row.said.note or (about if cell_len(about) <= room else "")
    if cell_len(note) > room:
        note = set_cell_size(note, max(0, room - 2)) + ".."
    parts = (name.adjust_cell_length(LABEL_WIDTH, plain), editor, Strip([Segment(f" {note}", muted)]))
    return Strip.join(parts).adjust_cell_length(width, plain)


def _fault_line(row: FieldRow, lines: list[str], index: int, width: int) -> Strip:
    style = _style(row, "text-error")
    text = f"  {lines[index]}" if index < len(lines) else ""
    return Strip([Segment(text, style)]).adjust_cell_length(width, style)


def _style(row: FieldRow, name: str) -> Style:
    """Of text around an editor: a theme's colour, or "muted", on the screen's background. (Component classes would be
    matched for every row again at every change of its classes.)"""
    variables = row.app.theme_variables
    background, foreground = Color.parse(variables["background"]), Color.parse(variables["foreground"])
    color = background.blend(foreground, 0.65) if name == "muted" else Color.parse(variables[name])
    return Style(color=color.rich_color, bgcolor=background.rich_color)
