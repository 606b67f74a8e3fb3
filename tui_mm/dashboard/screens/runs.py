"""All runs: open one, lay others over the loss chart, put some side by side, rename, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import DataTable, Input, Static
from textual.worker import get_current_worker

from tui_mm.dashboard.keysline import KeysLine
from tui_mm.dashboard.screens.ask import AskScreen, TextScreen
from tui_mm.dashboard.screens.run_columns import Column, columns_for, row_line
from tui_mm.dashboard.screens.run_marks import overlay_fault, to_compare
from tui_mm.dashboard.state import MAX_OVERLAYS
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.listing import RunList
from tui_mm.runs.row import RunRow
from tui_mm.runs.run import MAX_NAME, Run, name_fault, rename_run
from tui_mm.text import printable

_REFRESH_SECONDS = 1.0


@dataclass(frozen=True)
class RunsAnswer:
    """The run to open, None to stay with the one there is; the runs to lay over the loss chart; those to put side by
    side, if any; and the one to play back, if any. All by id."""

    open: str | None
    overlays: tuple[str, ...]
    compare: tuple[str, ...] = ()
    replay: str = ""


class RunsTable(DataTable[Text]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "open", tooltip="Show the run in the dashboard"),
        Binding("home", "scroll_top", "first", show=False),
        Binding("end", "scroll_bottom", "last", show=False),
    ]


class RunsScreen(ModalScreen[RunsAnswer]):
    """A table of the runs, newest first, brought up to date in a thread."""

    COVERS_ALL: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "overlay", "overlay", tooltip="Lay its loss over the chart, or take it away"),
        Binding("c", "compare", "compare", id="runs.compare",
                tooltip="The marked runs and the open one side by side, or the open one and this"),
        Binding("p", "replay", "replay", id="runs.replay",
                tooltip="Play the run back: its losses, names and embedding as they were"),
        Binding("n", "rename", "name", tooltip="Give the run a name"),
        Binding("d,delete", "delete", "delete", key_display="d", tooltip="Delete the run; asks first"),
        Binding("slash", "filter", "filter", key_display="/", tooltip="Only the runs that hold a text"),
        Binding("down", "to_table", show=False),  # out of the filter
        Binding("escape,r", "back", "back", key_display="esc", tooltip="Back to the dashboard"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    RunsScreen #runs { height: 1fr; border: round $primary; background: $surface; }
    RunsScreen DataTable { height: 1fr; background: $surface; scrollbar-size-vertical: 1; overflow-x: hidden; }
    RunsScreen #below { height: auto; min-height: 2; max-height: 5; padding: 0 1; }
    RunsScreen.-low #below { min-height: 3; }
    """

    class RowsRead(Message):
        def __init__(self, rows: list[RunRow]) -> None:
            super().__init__()
            self.rows = rows

    class Changed(Message):
        """A run was renamed or deleted."""

    class Refused(Message):
        """Something could not be done; the line says why."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    def __init__(
        self, home: Home, current: str | None, overlays: tuple[str, ...] = (), *, ascii_only: bool = False
    ) -> None:
        """``current``: the id of the run that the dashboard has open."""
        super().__init__()
        self.home = home
        self.current = current
        self.overlays = list(overlays)
        self._ascii = ascii_only
        self._list = RunList(home)
        self._rows: list[RunRow] | None = None  # None: not read yet
        self._shown: dict[str, RunRow] = {}  # those in the table, by id, in its order
        self._columns: list[Column] = []
        self._reading = False
        self._fault = ""  # why the runs cannot be read
        self._line = ""  # below the table now
        self._said = ""  # stands in place of the row's line until the cursor moves

    def compose(self) -> ComposeResult:
        with Vertical(id="runs"):
            text = Input(placeholder="part of a name, a data set, a state, an id", id="filter", compact=True)
            text.cursor_blink = False  # an idle screen sends nothing
            text.display = False
            yield text
            yield RunsTable(id="table", cursor_type="row", cell_padding=1)
            yield Static(id="below")
        yield KeysLine(show_palette=False, ascii_only=self._ascii)

    def on_mount(self) -> None:
        self._table.focus()
        self._say("reading the runs")
        self._refresh_rows()
        self.set_interval(_REFRESH_SECONDS, self._refresh_rows)

    @property
    def _table(self) -> RunsTable:
        return self.query_one(RunsTable)

    @property
    def row(self) -> RunRow | None:
        """The one under the cursor."""
        at = self._table.cursor_row
        rows = list(self._shown.values())
        return rows[at] if 0 <= at < len(rows) else None

    # -- reading

    def _refresh_rows(self) -> None:
        if not self._reading:
            self._reading = True
            self._read()

    @work(thread=True, group="read")
    def _read(self) -> None:
        try:
            rows = self._list.read()
        except RunError as error:
            self._post(self.Refused(str(error)))
        else:
            self._post(self.RowsRead(rows))
        finally:
            self._reading = False

    def _post(self, message: Message) -> None:
        if not get_current_worker().is_cancelled:
            self.post_message(message)

    @on(RowsRead)
    def _take(self, message: RowsRead) -> None:
        if message.rows == self._rows:
            return
        first = self._rows is None
        self._rows = message.rows
        sound = {row.id for row in message.rows}
        self.overlays = [ident for ident in self.overlays if ident in sound]
        if first:
            self._said = ""
        self._fill()

    @on(Refused)
    def _refuse(self, message: Refused) -> None:
        self._say(message.line)

    # -- showing

    def on_resize(self) -> None:
        narrow = self.size.width < 76
        self.set_class(narrow, "-low")
        self.query_one("#runs").border_title = "Runs, esc: back" if narrow else "Runs"
        self._fill()

    def _fill(self) -> None:
        """Bring the table up to the rows, the filter and the width; touches only what differs."""
        if self._rows is None or not self.size.width:
            return
        wanted = self.query_one("#filter", Input).value.casefold()
        shown = {row.id: row for row in self._rows if wanted in _searched(row)}
        columns = columns_for(self.size.width - 3, self._rows)  # border, scroll bar
        if columns != self._columns or list(shown) != list(self._shown):
            self._rebuild(shown, columns)
        else:
            self._update(shown)
        self._show_below()
        over = f", {len(self.overlays)} of {MAX_OVERLAYS} overlaid" if self.overlays else ""
        some = f"{len(shown)} of " if len(shown) != len(self._rows) else ""
        subtitle = f"{some}{len(self._rows)} run{'' if len(self._rows) == 1 else 's'}{over}"
        self.query_one("#runs").border_subtitle = subtitle

    def _rebuild(self, shown: dict[str, RunRow], columns: list[Column]) -> None:
        table, under = self._table, self.row
        at = table.cursor_row
        self._shown, self._columns = shown, columns
        with self.app.batch_update():
            table.clear(columns=True)
            for column in columns:
                table.add_column(column.header, key=column.label, width=column.width)
            for row in shown.values():
                table.add_row(*self._cells(row), key=row.id)
            if under is not None and under.id in shown:
                at = table.get_row_index(under.id)
            if shown:
                table.move_cursor(row=min(max(at, 0), len(shown) - 1), animate=False)

    def _update(self, shown: dict[str, RunRow]) -> None:
        table = self._table
        self._shown = shown
        for row in shown.values():
            for column, cell in zip(self._columns, self._cells(row), strict=True):
                if table.get_cell(row.id, column.label) != cell:
                    table.update_cell(row.id, column.label, cell)

    def _cells(self, row: RunRow) -> list[Text]:
        return [column.cell(row, self._mark(row)) for column in self._columns]

    def _mark(self, row: RunRow) -> str:
        if row.id == self.current:
            return ">" if self._ascii else "▸"
        if row.id in self.overlays:
            return "*" if self._ascii else "●"
        return ""

    def _show_below(self) -> None:
        line = printable(self._said or self._below())
        if line != self._line:
            self._line = line
            self.query_one("#below", Static).update(Text(line))

    def _below(self) -> str:
        if self._rows is not None and not self._rows:
            return f"no runs in {self.home.runs} yet; t in the dashboard trains one"
        if self.row is None:
            return "no run holds this text; escape shows all"
        return row_line(self.row, is_current=self.row.id == self.current)

    def _say(self, line: str) -> None:
        self._said = line
        self._show_below()

    @on(DataTable.RowHighlighted)
    def _moved(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if self._rows is not None:
            self._say("")

    # -- actions

    @on(DataTable.RowSelected)
    def _selected(self, event: DataTable.RowSelected) -> None:
        """Enter, or a second click."""
        event.stop()
        row = self.row
        if row is None:
            return
        if row.fault:
            self._say(row.fault)
        else:
            self._answer(None if row.id == self.current else row.id)

    def action_back(self) -> None:
        """Leave the filter first, if there is one, then the screen."""
        text = self.query_one("#filter", Input)
        if text.display:
            text.value = ""
            text.display = False
            self._table.focus()
        else:
            self._answer(None)

    def _answer(self, ident: str | None) -> None:
        self.dismiss(RunsAnswer(ident, tuple(i for i in self.overlays if i != (ident or self.current))))

    def action_overlay(self) -> None:
        row = self.row
        if row is None:
            return
        if row.id in self.overlays:
            self.overlays.remove(row.id)
            self._said = ""
        elif fault := overlay_fault(row, self.current, self.overlays):
            self._say(fault)
            return
        else:
            self.overlays.append(row.id)
            self._said = ""
        self._fill()

    def action_compare(self) -> None:
        chosen, fault = to_compare(self._rows or (), self.current, self.overlays, self.row)
        if fault:
            self._say(fault)
        else:
            self.dismiss(RunsAnswer(None, tuple(i for i in self.overlays if i != self.current), chosen))

    def action_replay(self) -> None:
        row = self.row
        if row is None:
            return
        if row.fault or not row.steps:
            self._say(row.fault or f"run {row.id} was not trained; there is nothing to play back")
            return
        self.dismiss(RunsAnswer(None, tuple(i for i in self.overlays if i != self.current), replay=row.id))

    def action_rename(self) -> None:
        row = self.row
        if row is None:
            return
        if row.fault:
            self._say(row.fault)
            return
        question = f"A name for run {row.id}; an empty one takes it away"
        check = partial(self._name_fault, row.id)
        asked = TextScreen(question, row.name or "", check=check, max_length=MAX_NAME)
        self.app.push_screen(asked, partial(self._rename_as_told, row))

    def _name_fault(self, ident: str, name: str) -> str:
        if not name:
            return ""
        taken = next((r.id for r in self._rows or () if r.name == name and r.id != ident), None)
        return name_fault(name) or (f"{name!r} is the name of run {taken} already; give another" if taken else "")

    def _rename_as_told(self, row: RunRow, name: str | None) -> None:
        if name is not None and name != (row.name or ""):
            self._do(lambda: rename_run(self.home, Run(self.home.runs / row.id), name or None))

    def action_delete(self) -> None:
        row = self.row
        if row is None:
            return
        if row.id == self.current:
            self._say("this run is open in the dashboard; open another, then delete it")
        elif row.is_live:
            self._say(f"run {row.id} is being trained; stop it before it is deleted")
        else:
            named = f" ({row.name})" if row.name else ""
            trained = f": {row.steps:,} steps" if row.steps else ""
            question = f"Delete run {row.id}{named}{trained}? It cannot be brought back."
            self.app.push_screen(AskScreen(question, yes="Delete", no="Keep"), partial(self._delete_as_told, row))

    def _delete_as_told(self, row: RunRow, sure: bool | None) -> None:
        if sure:
            self._do(Run(self.home.runs / row.id).delete)

    @work(thread=True, group="do")
    def _do(self, change: Callable[[], None]) -> None:
        """Carry out a change to a run where it holds nobody up, then read the runs anew."""
        try:
            change()
        except RunError as error:
            self._post(self.Refused(str(error)))
        self._post(self.Changed())

    @on(Changed)
    def _changed(self) -> None:
        self._refresh_rows()

    # -- the filter

    def action_filter(self) -> None:
        text = self.query_one("#filter", Input)
        text.display = True
        text.focus()

    def action_to_table(self) -> None:
        self._table.focus()

    @on(Input.Changed, "#filter")
    def _filter_changed(self) -> None:
        self._said = ""
        self._fill()

    @on(Input.Submitted, "#filter")
    def _filter_given(self, event: Input.Submitted) -> None:
        if not event.value:
            event.input.display = False
        self._table.focus()


def _searched(row: RunRow) -> str:
    return " ".join((row.id, row.name or "", row.status, row.data, row.model)).casefold()
