"""The columns of the table of runs, by the width there is, and a run in a line. Pure functions of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len
from rich.text import Text

from tui_mm.runs.row import RunRow
from tui_mm.text import nats, printable

_PADDING = 2  # of a cell, both sides together
_LEAST = 8  # cells of a name
_NARROW, _NORMAL, _WIDE = 72, 105, 140  # cells from which there are more columns


@dataclass(frozen=True)
class Column:
    label: str
    width: int
    show: Callable[[RunRow], str] | None  # None: the mark
    right: bool = False  # numbers stand at the right

    @property
    def header(self) -> Text:
        return self._text(self.label)

    def cell(self, row: RunRow, mark: str) -> Text:
        return self._text(mark if self.show is None else printable(self.show(row)))

    def _text(self, text: str) -> Text:
        return Text(text.rjust(self.width) if self.right else text, no_wrap=True, overflow="ellipsis")


def columns_for(width: int, rows: Sequence[RunRow]) -> list[Column]:
    """Those that fit into ``width`` cells, the more telling first; name and data share what is left."""
    found = [
        Column("", 1, None),
        Column("run", 8, lambda r: r.id),
        Column("state", 8, lambda r: r.status),
        Column("best dev", 8, lambda r: _loss(r.best_dev), right=True),
    ]
    if width < _NARROW:
        left = width - _taken(found) - _PADDING
        return [*found, Column("name / data", max(_LEAST, left), lambda r: r.name or _data(r))]
    more = [Column("steps", 9, lambda r: "" if r.fault else f"{r.steps:,}", right=True)]
    if width >= _NORMAL:
        more.insert(0, Column("model", 6, lambda r: r.model))
        more.append(Column("started", 16, lambda r: when(r.started)))
    if width >= _WIDE:
        found.append(Column("dev", 8, lambda r: _loss(r.dev), right=True))
        more.insert(1, Column("parameters", 10, lambda r: _count(r.parameters), right=True))
        more.insert(3, Column("time", 8, lambda r: clock(r.seconds) if r.seconds else "", right=True))
    left = width - _taken(found) - _taken(more) - 2 * _PADDING
    data = min(_widest(_data(r) for r in rows), left // 2)
    name = min(_widest(r.name or "" for r in rows), left - data)
    return [*found, Column("name", name, lambda r: r.name or ""), Column("data", data, _data), *more]


def row_line(row: RunRow, *, is_current: bool = False) -> str:
    """What a run is, for below the table, or its fault; not made printable yet."""
    if row.fault:
        return row.fault
    of = f" of {row.total_steps:,}" if row.total_steps else ""
    size = f" of {row.parameters:,} parameters" if row.parameters is not None else ""
    parts = [
        (row.name or f"run {row.id}") + (", open now" if is_current else ""),
        _data(row),
        row.model + size,
        f"{row.steps:,}{of} steps" + (f" in {clock(row.seconds)}" if row.seconds else ""),
    ]
    if row.dev is not None:
        parts.append(f"dev {_loss(row.dev)}")
    return "; ".join([*parts, when(row.started)])


def when(started: str) -> str:
    """The time of the day here; "" for none."""
    return datetime.fromisoformat(started).astimezone().strftime("%Y-%m-%d %H:%M") if started else ""


def clock(seconds: float) -> str:
    """0.4 s, 12 s, 3:05, 1:02:03."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _taken(columns: Sequence[Column]) -> int:
    return sum(column.width + _PADDING for column in columns)


def _widest(texts: Iterable[str]) -> int:
    return max([_LEAST, *(cell_len(printable(text)) for text in texts)])


def _loss(value: float | None) -> str:
    return "" if value is None else nats(value)


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _data(row: RunRow) -> str:
    """The name of the data set, or the last part of a path."""
    return row.data.rstrip("/").rpartition("/")[2]
