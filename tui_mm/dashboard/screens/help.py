"""The help: every key there is, made from the bindings themselves, so that none can be missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui_mm.dashboard.panels.base import Panel

Sections = Sequence[tuple[str, list[Binding]]]
CLOSING = (
    "A training goes on when you leave, if you let it: q asks. To select text with the mouse, hold shift (in some "
    "terminals alt or option) and drag; the terminal copies."
)
_TWO_COLUMNS_FROM = 110
_KEY_COLUMNS = 12


def help_sections(
    app_bindings: Iterable[BindingType],
    panel_classes: Sequence[type[Panel]],
    screens: Sequence[tuple[str, Iterable[BindingType]]] = (),
) -> list[tuple[str, list[Binding]]]:
    """The app's bindings, those of each panel that has any, those of ``screens`` that are explained, by the titles
    given, and what is everywhere in a Textual program."""
    sections = [("Keys", _expanded(app_bindings))]
    for number, panel in enumerate(panel_classes, start=1):
        own = [b for c in panel.__mro__ if issubclass(c, Panel) for b in vars(c).get("BINDINGS", ())]
        if own:
            sections.append((f"{panel.TITLE} ({number} or tab first)", _expanded(own)))
    sections += [(title, [b for b in _expanded(own) if b.tooltip]) for title, own in screens]
    palette = Binding(App.COMMAND_PALETTE_BINDING, "command_palette", "palette", tooltip="Every command, by its name")
    general = [replace(b, description=b.description.lower()) for b in _expanded([*Screen.BINDINGS, *App.BINDINGS])]
    taken = {b.key for b in sections[0][1]}
    sections.append(("Everywhere", [b for b in (*general, palette) if b.key not in taken and not b.system]))
    return sections


def _expanded(bindings: Iterable[BindingType]) -> list[Binding]:
    """One binding a key, whatever way they were written."""
    return list(Binding.make_bindings(bindings))


def help_lines(bindings: Sequence[Binding], display: Callable[[Binding], str]) -> list[tuple[str, str, str]]:
    """(keys, what it does, in more words). Keys of one action share a line, and so do the hidden numbers."""
    numbers = [b for b in bindings if b.key.isdecimal() and not b.show]
    lines: list[tuple[str, str, str]] = []
    by_action: dict[tuple[str, str], list[Binding]] = {}
    for binding in bindings:
        if len(numbers) < 2 or binding not in numbers:
            by_action.setdefault((binding.action, binding.description), []).append(binding)
        elif binding == numbers[0]:
            by_action[("numbers", "the panels")] = numbers
    for (action, description), same in by_action.items():
        if action == "numbers":
            names = ", ".join(b.description for b in same)
            lines.append((f"{display(same[0])} to {display(same[-1])}", description, names))
        else:
            keys = ", ".join(dict.fromkeys(display(b) for b in same))
            lines.append((keys, description or action.split("(")[0].replace("_", " "), same[0].tooltip))
    return lines


def help_texts(
    sections: Sections, display: Callable[[Binding], str], columns: int, closing: str = CLOSING
) -> list[RenderableType]:
    """The sections, flowed into ``columns`` of about the same height, and ``closing`` behind them."""
    parts = [(title, help_lines(bindings, display)) for title, bindings in sections]
    whole = sum(len(lines) + 2 for _, lines in parts)
    flowed: list[list[RenderableType]] = [[] for _ in range(columns)]
    done = 0
    for title, lines in parts:
        column = flowed[min(columns - 1, done * columns // max(1, whole))]
        column += [Text(title, style="bold underline"), _grid(lines), Text()]
        done += len(lines) + 2
    flowed[-1].append(Text(closing))
    return [Group(*column) for column in flowed]


def _grid(lines: Sequence[tuple[str, str, str]]) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=_KEY_COLUMNS)
    grid.add_column(ratio=1)
    for keys, short, long in lines:
        said = Text(short, style="bold")
        if long:
            said.append(f"  {long}", style="not bold")
        grid.add_row(Text(keys, style="bold"), said)
    return grid


class HelpScreen(ModalScreen[None]):
    """Scrolls with the arrows and page keys; in two columns where there is room."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "close", "Close"),
    ]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen #help { width: 100%; max-width: 160; height: auto; max-height: 100%; border: round $primary;
        padding: 0 1; background: $surface; scrollbar-size-vertical: 1; }
    HelpScreen Horizontal { height: auto; padding-right: 1; }
    HelpScreen Static { width: 1fr; height: auto; }
    HelpScreen #second { margin-left: 3; }
    """

    def __init__(self, sections: Sections, closing: str = CLOSING) -> None:
        super().__init__()
        self._sections = sections
        self._last_words = closing

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"), Horizontal():
            yield Static(id="first")
            yield Static(id="second")

    def on_mount(self) -> None:
        frame = self.query_one("#help")
        frame.border_title = "Help"
        frame.border_subtitle = "arrows scroll, escape closes"
        frame.focus()
        self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        columns = 2 if self.size.width >= _TWO_COLUMNS_FROM else 1
        texts = help_texts(self._sections, self.app.get_key_display, columns, self._last_words)
        self.query_one("#first", Static).update(texts[0])
        second = self.query_one("#second", Static)
        second.display = len(texts) > 1
        if len(texts) > 1:
            second.update(texts[1])

    def action_close(self) -> None:
        self.dismiss(None)
