"""Characters, styles and widths of charts that are made of text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

from rich.cells import cell_len, set_cell_size
from rich.color import Color as RichColor
from rich.style import Style
from rich.text import Text

from tui_mm.dashboard.charts.look import Color, Look
from tui_mm.text import printable

Piece = tuple[str, Style]

PLAIN = Style()


@lru_cache(maxsize=256)
def style(
    color: Color | None = None, *, bold: bool = False, underline: bool = False, reverse: bool = False, dim: bool = False
) -> Style:
    """A style in one of a look's colours; the other marks stay where there are no colours. In reverse, the text is
    black or white, whichever is legible: a theme's background may be as bright as the colour."""
    if reverse and isinstance(color, tuple):
        red, green, blue = color
        text = "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else "#ffffff"
        return Style(color=text, bgcolor=_rich_color(color), bold=bold, underline=underline, dim=dim)
    return Style(color=_rich_color(color), bold=bold, underline=underline, reverse=reverse, dim=dim)


def _rich_color(color: Color | None) -> RichColor | None:
    if color is None:
        return None
    if isinstance(color, tuple):
        return RichColor.from_rgb(*color)
    # plotext's names of the sixteen: its orange is what others call yellow, its gray is bright black
    name = color.rstrip("+").replace("orange", "yellow")
    if name == "gray":
        return RichColor.parse("bright_black")
    return RichColor.parse(f"bright_{name}" if color.endswith("+") else name)


def paint(look: Look, kind: str, *, bold: bool = False) -> Style:
    """The style of a kind of mark in ``Colors``."""
    return style(look.color(kind), bold=bold)


def line(pieces: Iterable[Piece]) -> Text:
    """One row; neighbours of the same style become one run, which keeps what is sent short."""
    text = Text(end="", no_wrap=True)
    for shared, run in groupby(pieces, key=lambda piece: piece[1]):
        text.append("".join(piece[0] for piece in run), shared)
    return text


def rows(lines: Iterable[Text]) -> Text:
    return Text("\n").join(lines)


def fit(text: str, width: int, *, ascii_only: bool = False) -> str:
    """``text``, made printable, in exactly ``width`` cells: padded, or cut with an ellipsis."""
    text = printable(text)
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    dots = ".." if ascii_only else "…"
    if width <= len(dots):
        return set_cell_size(text, max(0, width))
    return set_cell_size(text, width - len(dots)) + dots


def wrap(text: str, width: int, *, indent: int = 0) -> list[str]:
    """``text``, which is printable, in lines of at most ``width`` cells, those after the first indented. It is broken
    at its spaces, and where a word is wider than a line."""
    lines, line = [], ""
    for word in text.split(" "):
        while word and cell_len(line) + cell_len(word) > width:
            if line.strip():
                lines.append(line.rstrip())
                line = " " * indent
                continue
            room = max(1, width - cell_len(line))
            part = next((word[:n] for n in range(len(word), 1, -1) if cell_len(word[:n]) <= room), word[:1])
            lines.append(line + part)
            line, word = " " * indent, word[len(part) :]
        line += f"{word} "
    return [*lines, line.rstrip()]


def glyph(symbol: str, *, ascii_only: bool = False) -> str:
    """A character of the words in one or two cells: what cannot be seen gets a sign."""
    if symbol == " ":
        return "_" if ascii_only else "␣"
    shown = printable(symbol)
    if cell_len(shown) in (1, 2) and len(shown) == 1:
        return shown
    if not ascii_only and unicodedata.category(symbol).startswith("M"):
        return "◌" + symbol  # a combining mark needs something to stand on
    return "?" if ascii_only else "�"


def label(symbol: str, most: int = 12, *, ascii_only: bool = False) -> str:
    """A character in one or two cells, or a word in at most ``most``."""
    if len(symbol) == 1:
        return glyph(symbol, ascii_only=ascii_only)
    shown = printable(symbol)
    return shown if cell_len(shown) <= most else fit(symbol, most, ascii_only=ascii_only)


def is_vowel(symbol: str) -> bool:
    """Of the Latin letters, with or without accents; y counts. No word is one."""
    return len(symbol) == 1 and unicodedata.normalize("NFD", symbol)[0].lower() in "aeiouy"
