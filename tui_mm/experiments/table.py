"""A result's table as text: how values are written, with the lecture's figures beside them. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from tui_mm.experiments.figures import Figures
from tui_mm.experiments.result import Column, ExperimentResult, Format, Row, finite
from tui_mm.text import nats, printable

_LEFT: tuple[Format, ...] = ("text", "names")
COMPUTED_NOTE = "figures in parentheses: not stated by the lecture; computed for its names.txt apart from this program"


@dataclass(frozen=True)
class Table:
    """``right``: whether a column is of numbers, which stand at the right; ``names``: by row, what stands below."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    names: tuple[tuple[str, str], ...] = ()


def table_of(result: ExperimentResult, figures: Figures) -> Table:
    """Columns without any value are left out; the lecture's figures stand in one column at the end."""
    lists = [c for c in result.columns if c.format == "names"]
    shown = [c for c in result.columns if c not in lists and any(row.get(c.name) is not None for row in result.rows)]
    header = [column.title for column in shown]
    rows = [[cell(column.format, row.get(column.name)) for column in shown] for row in result.rows]
    right = [column.format not in _LEFT for column in shown]
    compared = [c for c in shown if any(c.name in _of_row(figures, result.columns, row) for row in result.rows)]
    if compared:
        header.append("the lecture" if len(compared) == 1 else f"the lecture ({', '.join(c.title for c in compared)})")
        right.append(False)
        for cells, row in zip(rows, result.rows, strict=True):
            cells.append(_told(compared, figures, result.columns, row))
    key = result.columns[0].name if result.columns else ""
    return Table(
        tuple(header),
        tuple(map(tuple, rows)),
        tuple(right),
        tuple((str(row.get(key)), cell("names", row[c.name])) for c in lists for row in result.rows if row.get(c.name)),
    )


def table_lines(table: Table) -> list[str]:
    """The table in lines, printable, with the lists of names below."""
    cells = [[printable(text) for text in row] for row in (table.header, *table.rows)]
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(table.header))]
    lines = [
        "  ".join(
            " " * (width - cell_len(text)) + text if right else text + " " * (width - cell_len(text))
            for text, width, right in zip(row, widths, table.right, strict=True)
        ).rstrip()
        for row in cells
    ]
    widest = max((cell_len(printable(name)) for name, _ in table.names), default=0)
    for name, names in table.names:
        shown = printable(name)
        lines.append(f"{shown}{' ' * (widest - cell_len(shown))}  {printable(names)}")
    return lines


def row_text(columns: Sequence[Column], row: Row) -> str:
    """A row in a line, each value with its column's title."""
    first, *rest = columns
    parts = [
        f"{column.title} {cell(column.format, row[column.name])}" for column in rest if row.get(column.name) is not None
    ]
    return f"{cell(first.format, row.get(first.name))}: {', '.join(parts)}"


def notes_of(result: ExperimentResult, figures: Figures, scale: float) -> list[str]:
    """What is to be said below the table and the answer."""
    notes = list(result.notes)
    if any(not f.stated for row in result.rows for f in _of_row(figures, result.columns, row).values()):
        notes.append(COMPUTED_NOTE)
    if scale != 1:
        notes.append(f"scaled: {scale:g} of the steps were trained, so no figure of the lecture compares")
    if result.test_evaluations:
        times = "once" if result.test_evaluations == 1 else f"{result.test_evaluations} times, once for each model"
        notes.append(f"the test split was evaluated {times}, at the end")
    return notes


def lecture_values(result: ExperimentResult, figures: Figures, row: Row) -> dict[str, dict[str, Any]]:
    """By column, the lecture's figure for a row and whether the lecture states it: for JSON."""
    found = _of_row(figures, result.columns, row)
    return {column: {"value": figure.value, "stated": figure.stated} for column, figure in found.items()}


def cell(format: Format, value: Any) -> str:
    """A value as it is written; "" for none."""
    if value is None:
        return ""
    if format == "names":
        return "  ".join(str(name) or '""' for name in value)
    number = finite(value)
    if format == "text" or number is None:
        return str(value)
    match format:
        case "count":
            return f"{number:,.0f}"
        case "loss":
            return nats(number)
        case "change":
            return f"{number:+.4f}"
        case "share":
            return f"{100 * number:.1f}%"
        case "seconds" | "mebibytes":
            return f"{number:,.1f}"
        case "milliseconds":
            return f"{number:,.3g}" if number < 1000 else f"{number:,.0f}"
        case _:
            return f"{number:.4g}"


def _of_row(figures: Figures, columns: Sequence[Column], row: Row) -> dict[str, Any]:
    return dict(figures.get(str(row.get(columns[0].name)), {}))


def _told(compared: Sequence[Column], figures: Figures, columns: Sequence[Column], row: Row) -> str:
    found = _of_row(figures, columns, row)
    parts = []
    for column in compared:
        figure = found.get(column.name)
        text = "-" if figure is None else cell(column.format, figure.value)
        parts.append(text if figure is None or figure.stated else f"({text})")
    return "" if not found else " ".join(parts)
