"""What an experiment finds: a table, a chart and an answer, as plain values that JSON holds. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

Format = Literal["text", "count", "loss", "change", "share", "seconds", "milliseconds", "mebibytes", "number", "names"]
"""How a column's values are written; ``names`` is a list of texts, which stands below the table."""

Line = Annotated[str, Meta(max_length=1000)]
Passage = Annotated[str, Meta(max_length=20_000)]
"""Texts as long as they may be in a file: a table is padded to its widest cell, and what is shown is broken into lines.
"""
_MAX_ROWS, _MAX_COLUMNS, _MAX_POINTS = 1000, 64, 100_000

Row = dict[str, Any]
"""Values by the names of columns; one that is missing or None was not taken."""


@dataclass(frozen=True)
class Column:
    """Of a table. ``timed``: differs from one time to the next, and between machines."""

    name: Line
    title: Line
    format: Format = "text"
    timed: bool = False


@dataclass(frozen=True)
class Series:
    """Points of a chart. ``y`` may hold None where there is nothing; ``spread``: half of an interval around it."""

    name: Line
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    spread: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or len(self.spread) not in (0, len(self.y)):
            raise ValueError(f"series {self.name!r}: x, y and spread differ in length")


@dataclass(frozen=True)
class Chart:
    """lines: series over a numeric x axis, either axis plain or logarithmic.

    bars: one series; x are places in ``labels``.
    intervals: the same with a spread each, beside a line at 0.
    """

    kind: Literal["lines", "bars", "intervals"]
    x_title: Line
    y_title: Line
    series: tuple[Series, ...]
    labels: tuple[Line, ...] = ()
    log_x: bool = False
    log_y: bool = False

    def __post_init__(self) -> None:
        if self.kind == "lines":
            return
        named = len(self.series) == 1 and len(self.series[0].y) == len(self.labels)
        if not named or (self.kind == "intervals" and len(self.series[0].spread) != len(self.labels)):
            raise ValueError(f"a chart of {self.kind} needs one series with a label, and a spread, for each point")


@dataclass(frozen=True)
class ExperimentResult:
    """All that an experiment found so far. ``test_evaluations``: how often it looked at the test split."""

    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    chart: Chart | None = None
    answer: Passage = ""
    notes: tuple[Line, ...] = ()
    test_evaluations: Annotated[int, Meta(ge=0, le=1_000_000)] = 0

    def __post_init__(self) -> None:
        if self.rows and not self.columns:
            raise ValueError("rows need columns")


def check_result(result: ExperimentResult) -> None:
    """Raises ValueError for one that came from a file and holds what no experiment finds, or too much of it."""
    if len(result.rows) > _MAX_ROWS or len(result.columns) > _MAX_COLUMNS or len(result.notes) > _MAX_ROWS:
        raise ValueError("more rows, columns or notes than any experiment has")
    if result.chart is not None:
        points = sum(len(series.x) for series in result.chart.series)
        if points > _MAX_POINTS or len(result.chart.series) > _MAX_COLUMNS:
            raise ValueError("more points than any chart has")
    lists = {column.name for column in result.columns if column.format == "names"}
    shown = {column.name for column in result.columns} - lists
    for row in result.rows:
        for name, value in row.items():
            if name in lists and value is not None and not _is_list_of_texts(value):
                raise ValueError(f"{name[:20]!r} is no list of texts")
            if not _is_plain(value, 0 if name in shown else 2):
                raise ValueError(f"{name[:20]!r} has a value that no column has")


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_plain(value: Any, depth: int) -> bool:
    """Whether it is a text, a number, none, or a list of such, not nested beyond ``depth``; numbers fit 64 bits."""
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(each, depth - 1) for each in value)
    if isinstance(value, int):
        return value.bit_length() < 64
    return value is None or isinstance(value, float) or (isinstance(value, str) and len(value) <= 1000)


def line_chart(
    rows: Sequence[Row], x: str, series: Sequence[tuple[str, str]], titles: tuple[str, str], *, log_x: bool = False
) -> Chart:
    """A line for each (column, name) over the column ``x``, of the rows that have both."""
    lines = []
    for column, name in series:
        points = [(float(r[x]), finite(r.get(column))) for r in rows if r.get(x) is not None]
        points = [(at, value) for at, value in points if value is not None]
        lines.append(Series(name, tuple(at for at, _ in points), tuple(value for _, value in points)))
    return Chart("lines", *titles, tuple(lines), log_x=log_x)


def bar_chart(rows: Sequence[Row], label: str, column: str, titles: tuple[str, str]) -> Chart:
    """A bar for each row that has the column."""
    shown = [(str(row[label]), float(row[column])) for row in rows if finite(row.get(column)) is not None]
    places = tuple(float(i) for i in range(len(shown)))
    return Chart("bars", *titles, (Series(column, places, tuple(v for _, v in shown)),), tuple(n for n, _ in shown))


def interval_chart(rows: Sequence[Row], label: str, column: str, spread: str, titles: tuple[str, str]) -> Chart:
    """An interval for each row that has both columns."""
    shown = [r for r in rows if finite(r.get(column)) is not None and finite(r.get(spread)) is not None]
    series = Series(
        column,
        tuple(float(i) for i in range(len(shown))),
        tuple(float(r[column]) for r in shown),
        tuple(float(r[spread]) for r in shown),
    )
    return Chart("intervals", *titles, (series,), tuple(str(r[label]) for r in shown))


def finite(value: Any) -> float | None:
    """A number that can be drawn and kept, else None."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def row_of(rows: Sequence[Row], column: str, value: Any) -> Row | None:
    """The first row with that value."""
    return next((row for row in rows if row.get(column) == value), None)


def best(rows: Sequence[Row], column: str) -> Row | None:
    """The row with the least finite value of a column."""
    taken = [row for row in rows if finite(row.get(column)) is not None]
    return min(taken, key=lambda row: float(row[column]), default=None)
