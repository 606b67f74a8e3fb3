"""What follows what as a heat map: the words' bigram shares beside the model's. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from data.bigrams import BigramCounts
from tui_mm.dashboard.charts.cells import PLAIN, Piece, fit, label, line, paint, rows, style
from tui_mm.dashboard.charts.look import Color, Look

EDGES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Shares at which the next shade begins."""

DIFFERENCES = (0.02, 0.1)
"""Differences of shares at which the next mark begins."""

_SHADES, _ASCII_SHADES = " ·░▒▓█", " .:+#@"
_MORE, _ASCII_MORE = "+▲", "+#"
_LESS, _ASCII_LESS = "-▼", "-="
_GAP = 2  # columns between two tables
_NAME, _HEAD = 12, 5  # of a word at most, before its row and over its column
_AROUND = 4  # rows that are no part of a table: title, heading, the cell in words, legend


@dataclass(frozen=True, eq=False)
class Table:
    """values (n, n): shares of what follows, or differences of shares; NaN, shown as ``?``, where nothing is known."""

    titles: Sequence[str]  # the longest that fits is shown
    values: NDArray[np.float64]
    is_difference: bool = False


@dataclass(frozen=True)
class Grid:
    """How tables are laid out: columns a cell, the row names' columns, and how many cells are seen."""

    cell: int
    name: int
    rows: int
    columns: int


def data_shares(bigrams: BigramCounts, ids: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts (n, n) among ``ids`` and the shares they have of all that follows their first; NaN in a row without
    counts.
    """
    counts = np.zeros((len(ids), len(ids)), dtype=np.int64)
    shares = np.full(counts.shape, np.nan)
    for y, first in enumerate(ids):
        following = bigrams.row(first)
        counts[y] = [following.get(second, 0) for second in ids]
        total = sum(following.values())
        if total:
            shares[y] = counts[y] / total
    return counts, shares


def most_frequent(bigrams: BigramCounts, count: int) -> list[int]:
    """The ``count`` most frequent ids, in id order; the boundary, which ends every word, is among them."""
    often = np.bincount(bigrams.second, bigrams.counts, minlength=bigrams.vocab_size)
    chosen: list[int] = np.sort(np.argsort(-often, kind="stable")[:count]).tolist()
    return chosen


def model_shares(table: Sequence[Sequence[Any]], count: int) -> NDArray[np.float64]:
    """(count, count) of an answer's table; NaN where it has no number."""
    shares = np.full((count, count), np.nan)
    for y, row in enumerate(table[:count]):
        shares[y, : len(row)] = [np.nan if p is None else p for p in row[:count]]
    return shares


def grid(symbols: Sequence[str], tables: int, width: int, height: int) -> Grid:
    """The largest cells with which ``tables`` tables stand side by side whole; the least where they cannot."""
    widest = max((cell_len(label(s, _NAME)) for s in symbols), default=1)
    name = widest + 1
    room = (width - _GAP * (tables - 1)) // tables - name
    cell = 2 if widest == 2 or room >= 2 * len(symbols) else 1
    if any(len(s) > 1 for s in symbols):  # words: what follows takes a head that can be read, and a space
        cell = min(widest, _HEAD) + 1
    return Grid(cell, name, max(1, min(len(symbols), height - _AROUND)), max(1, min(len(symbols), room // cell)))


def window(start: int, cursor: int, size: int, total: int) -> int:
    """Where a window of ``size`` begins so that it holds ``cursor``, moved as little as can be."""
    start = min(max(start, cursor - size + 1), cursor)
    return max(0, min(start, total - size))


def heat_maps(
    symbols: Sequence[str],
    tables: Sequence[Table],
    cursor: tuple[int, int],
    start: tuple[int, int],
    laid_out: Grid,
    below: Sequence[str],
    look: Look,
) -> Text:
    """Tables side by side from row and column ``start`` on; the cell at ``cursor`` and its names are reversed."""
    names = [label(s, laid_out.name - 1, ascii_only=look.ascii_only) for s in symbols]
    heads = [label(s, max(1, laid_out.cell - 1), ascii_only=look.ascii_only) for s in symbols]
    width = laid_out.name + laid_out.cell * laid_out.columns
    columns = range(start[1], min(len(symbols), start[1] + laid_out.columns))
    muted, chosen = paint(look, "baseline"), style(look.color("cursor"), bold=True, reverse=True)
    titles: list[Piece] = []
    heading: list[Piece] = []
    for i, table in enumerate(tables):
        last = i == len(tables) - 1
        room = look.width - i * (width + _GAP) if last else width
        title = next((t for t in table.titles if len(t) <= room), table.titles[-1])
        titles.append((title[:room] if last else title[:room].ljust(width + _GAP), style(bold=True)))
        heading.append((" " * laid_out.name, PLAIN))
        for x in columns:
            heading.append((set_cell_size(heads[x], laid_out.cell), chosen if x == cursor[1] else muted))
        heading.append((" " * _GAP, PLAIN))
    lines = [line(titles), line(heading)]
    codes = [_codes(table) for table in tables]
    palettes = [_palette(table, look, ascii_only=look.ascii_only) for table in tables]
    for y in range(start[0], min(len(symbols), start[0] + laid_out.rows)):
        pieces: list[Piece] = []
        for table, code, palette in zip(tables, codes, palettes, strict=True):
            pieces.append((set_cell_size(names[y], laid_out.name - 1), chosen if y == cursor[0] else muted))
            pieces.append((" ", PLAIN))
            row = code[y, columns.start : columns.stop].tolist()
            if len(row) > 1 and all(c == -1 for c in row):  # one mark says it: a whole row of them is noise
                row[1:] = [len(DIFFERENCES) if table.is_difference else 0] * (len(row) - 1)
            if y == cursor[0] and cursor[1] in columns:
                at = columns.index(cursor[1])
                mark, _ = _palette(table, look, ascii_only=True)[row[at]]  # a full block reversed would look empty
                pieces += _cells(row[:at], palette, laid_out.cell)
                pieces.append((mark * laid_out.cell, chosen))
                pieces += _cells(row[at + 1 :], palette, laid_out.cell)
            else:
                pieces += _cells(row, palette, laid_out.cell)
            pieces.append((" " * _GAP, PLAIN))
        lines.append(line(pieces))
    for parts, how in ((below, PLAIN), (_legend(tables, look.ascii_only), muted)):
        lines.append(line([(fit(_whole(parts, look.width), look.width, ascii_only=look.ascii_only), how)]))
    for row in lines:
        row.rstrip()
        row.truncate(look.width)
    return rows(lines)


def _whole(parts: Sequence[str], width: int) -> str:
    """As many of the first parts as fit whole."""
    fitting = range(len(parts), 1, -1)
    return next((text for n in fitting if cell_len(text := "  ".join(parts[:n])) <= width), parts[0])


def _cells(codes: Sequence[int], palette: Sequence[Piece], size: int) -> list[Piece]:
    """Neighbours of the same code as one piece."""
    runs = ((palette[code], len(list(run))) for code, run in groupby(codes))
    return [(mark * (size * count), how) for (mark, how), count in runs]


def levels(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """0 to 5: which shade each share has."""
    return np.searchsorted(EDGES, shares, side="right")


def _codes(table: Table) -> NDArray[np.int64]:
    """Places in the table's palette; -1, its last, for what is not known."""
    if table.is_difference:
        sizes = np.searchsorted(DIFFERENCES, np.abs(table.values), side="right")
        codes = len(DIFFERENCES) + np.where(table.values < 0, -sizes, sizes)
    else:
        codes = levels(table.values)
    return np.where(np.isnan(table.values), -1, codes)


def _palette(table: Table, look: Look, *, ascii_only: bool) -> list[Piece]:
    """A mark and its style for every code."""
    unknown = ("?", paint(look, "baseline"))
    if table.is_difference:
        more, less = (_ASCII_MORE, _ASCII_LESS) if ascii_only else (_MORE, _LESS)
        low, high = paint(look, "dev"), paint(look, "train")
        return [*((m, low) for m in reversed(less)), (" ", PLAIN), *((m, high) for m in more), unknown]
    if look.colors is None:
        styles = [PLAIN] * len(_SHADES)
    else:
        faint, strong = look.colors.band, look.colors.train
        styles = [style(_between(faint, strong, i / len(EDGES))) for i in range(len(_SHADES))]
    return [*zip(_ASCII_SHADES if ascii_only else _SHADES, styles, strict=True), unknown]


def _between(faint: Color, strong: Color, share: float) -> Color:
    if isinstance(faint, str) or isinstance(strong, str):
        return faint if share < 0.5 else strong
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(faint, strong, strict=True))
    return red, green, blue


def _legend(tables: Sequence[Table], ascii_only: bool) -> list[str]:
    if any(t.is_difference for t in tables):
        more, less = (_ASCII_MORE, _ASCII_LESS) if ascii_only else (_MORE, _LESS)
        low, high = (f"{d:.0%}" for d in DIFFERENCES)
        text = f"model more: {more[0]} {low}, {more[1]} {high}; less: {less[0]} {low}, {less[1]} {high}"
    else:
        shades = _ASCII_SHADES if ascii_only else _SHADES
        text = "share from " + "  ".join(f"{s} {edge:.0%}" for s, edge in zip(shades[1:], EDGES, strict=True))
    return [text, *(["? unknown"] if any(np.isnan(t.values).any() for t in tables) else [])]
