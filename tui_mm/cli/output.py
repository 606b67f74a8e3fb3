"""How the commands write: plain text, tables and JSON; no control characters, whatever the words hold."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click

from data.levels import CHARACTER, Level
from tui_mm.text import printable


def say(text: str = "", *, err: bool = False) -> None:
    """A line of our own making, which may hold colours; words in it must have gone through ``printable``."""
    click.echo(text, err=err)


def print_json(document: Any) -> None:
    """Exactly one document. ASCII only, so that no control character of a word reaches the terminal raw."""
    click.echo(json.dumps(document, allow_nan=False, indent=2))


def print_table(rows: Sequence[Sequence[str]], header: Sequence[str] | None = None) -> None:
    """Columns padded to their widest entry; cells are made printable."""
    table = [[printable(cell) for cell in row] for row in ([header, *rows] if header else rows)]
    if not table:
        return
    widths = [max(_width(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        say("  ".join(cell + " " * (w - _width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip())


def print_samples(samples: Sequence[tuple[str, str | None]], level: Level, indent: str = "") -> None:
    """What a model drew, each marked new or by the split that it stands in; sentences have the mark before them."""
    marked = [(text, f"in {seen}" if seen else "new") for text, seen in samples]
    print_table([(indent + text, mark) if level == CHARACTER else (indent + mark, text) for text, mark in marked])


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def use_color(stream: Any = None) -> bool:
    stream = stream or sys.stdout
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def ascii_only() -> bool:
    """Whether the output's encoding lacks what the charts are drawn with."""
    try:
        "⠤◆┄─".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return os.environ.get("TERM") in ("dumb", "linux")


def terminal_width() -> int:
    return max(40, min(shutil.get_terminal_size((100, 24)).columns, 160))
