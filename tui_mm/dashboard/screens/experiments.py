"""The experiments that are kept: look at one, or delete it."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui_mm.dashboard.charts.cells import fit
from tui_mm.dashboard.keysline import KeysLine
from tui_mm.dashboard.screens.ask import AskScreen
from tui_mm.experiments.catalog import EXPERIMENTS
from tui_mm.experiments.kept import KeptExperiment, all_experiments
from tui_mm.runs.home import Home, RunError
from tui_mm.text import printable

_DATA = 16  # cells of a word list's name


class ExperimentsScreen(ModalScreen[KeptExperiment | None]):
    """Newest first. Gives back the one to be looked at."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", id="experiments.open", tooltip="Look at the experiment"),
        Binding("d,delete", "delete", "delete", key_display="d", id="experiments.delete",
                tooltip="Delete the experiment; asks first"),
        Binding("escape", "back", "back", key_display="esc", id="experiments.back", tooltip="Back to the dashboard"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    ExperimentsScreen #kept { height: 1fr; border: round $primary; background: $surface; }
    ExperimentsScreen OptionList { height: 1fr; border: none; background: $surface; scrollbar-size-vertical: 1; }
    ExperimentsScreen #below { height: auto; max-height: 5; padding: 0 1; }
    ExperimentsScreen.-ascii #kept { border: ascii $primary; }
    """

    def __init__(self, home: Home, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.home = home
        self._ascii = ascii_only
        self._kept: list[KeptExperiment] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="kept"):
            yield OptionList(id="list", markup=False)
            yield Static(id="below")
        yield KeysLine(show_palette=False, ascii_only=self._ascii)

    def on_mount(self) -> None:
        self.set_class(self._ascii, "-ascii")
        self.query_one("#kept").border_title = "Experiments kept"
        self._read()
        self._list.focus()

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    @property
    def _chosen(self) -> KeptExperiment | None:
        at = self._list.highlighted
        return None if at is None or at >= len(self._kept) else self._kept[at]

    def _read(self) -> None:
        at = self._list.highlighted or 0
        try:
            self._kept = all_experiments(self.home)[::-1]
            self._say("" if self._kept else "none yet: the palette (ctrl+p) runs one, each by its name")
        except RunError as error:
            self._kept = []
            self._say(str(error))
        self._list.clear_options()
        self._list.add_options([Option(Text(_line(kept, ascii_only=self._ascii), no_wrap=True)) for kept in self._kept])
        if self._kept:
            self._list.highlighted = min(at, len(self._kept) - 1)

    def _say(self, line: str) -> None:
        self.query_one("#below", Static).update(Text(printable(line)))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        if self._chosen is not None:
            self.dismiss(self._chosen)

    def action_delete(self) -> None:
        kept = self._chosen
        if kept is None:
            return
        asked = AskScreen(f"Delete experiment {kept.id}? It cannot be brought back.", yes="Delete", no="Keep")
        self.app.push_screen(asked, partial(self._delete_as_told, kept))

    def _delete_as_told(self, kept: KeptExperiment, sure: bool | None) -> None:
        if not sure:
            return
        try:
            if kept.is_live():
                self._say(f"experiment {kept.id} is running; stop it (enter, x) before it is deleted")
                return
            kept.delete()
        except RunError as error:
            self._say(str(error))
            return
        self._read()

    def action_back(self) -> None:
        self.dismiss(None)


def _line(kept: KeptExperiment, *, ascii_only: bool) -> str:
    try:
        record = kept.read()
    except RunError as error:
        return printable(f"{kept.id}  damaged   {error}")
    when = datetime.fromisoformat(record.created).astimezone().strftime("%Y-%m-%d %H:%M")
    data = fit((record.words.name if record.words else record.data).rpartition("/")[2], _DATA, ascii_only=ascii_only)
    return printable(f"{kept.id}  {record.status:<8}  {when}  {data}  {EXPERIMENTS[record.name].title}")
