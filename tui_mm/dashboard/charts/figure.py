"""A plotext figure to text. plotext draws on one global figure, so each build starts from a cleared one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from tui_mm.dashboard.charts.look import Color, Look

LEAST_HEIGHT = 4
_ASCII = str.maketrans("│─┤├┬┴┼└┘┌┐", "|-+++++++++")  # plotext's frame
_ANSI = re.compile(r"\x1b\[[0-9;]*m")

Part = str | tuple[str, str, Color | None]
"""What a legend says of one thing: a text, or its mark, the text and the mark's colour."""


def legend_lines(parts: Sequence[Part], width: int, most: int | None = None, *, color: bool = False) -> list[str]:
    """What a chart shows, in lines of at most ``width`` cells, parts kept whole; the last of them go first where there
    are to be at most ``most`` lines. Only a part that is longer than a line is cut."""
    lines: list[str] = []
    room = 0
    for part in parts:
        mark, text, shade = part if isinstance(part, tuple) else ("", part, None)
        text = f"{mark} {text}" if mark else text
        if cell_len(text) > width:
            text = set_cell_size(text, width)
        size = cell_len(text)
        if mark and color and shade is not None:
            import plotext

            text = str(plotext.colorize(text[: len(mark)], shade)) + text[len(mark) :]
        if lines and size + 2 <= room:
            lines[-1] += f"  {text}"
            room -= size + 2
        elif most is None or len(lines) < most:
            lines.append(text)
            room = width - size
    return lines


def legend(parts: Sequence[Part], width: int) -> str:
    """All of it, without colours."""
    return "\n".join(legend_lines(parts, width))


def plot(draw: Callable[[Any], None], width: int, height: int, *, color: bool, ascii_only: bool = False) -> str:
    """A chart of that size, its frame in ASCII if that must do.

    ``draw`` is given plotext with a fresh figure; it must plot finite values only and no log axis (take log10 and name
    the ticks).
    """
    import plotext  # with the first chart, which comes after the first screen

    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plot_size(width, height)
    plotext.theme("clear")
    draw(plotext)
    text = str(plotext.build())
    text = (text if color else _ANSI.sub("", text)).rstrip()
    return text.translate(_ASCII) if ascii_only else text


def build(
    draw: Callable[[Any], None],
    parts: Sequence[Part],
    look: Look | None = None,
    *,
    width: int = 80,
    height: int = 22,
    color: bool = True,
) -> str:
    """A chart with its legend below, in ``height`` lines of at most ``width`` columns; the look, if one is given,
    stands for these three."""
    ascii_only = False
    if look is not None:
        width, height, color, ascii_only = look.width, look.height, look.colors is not None, look.ascii_only
    below = legend_lines(parts, width, color=color)
    height = max(LEAST_HEIGHT, height - len(below))
    return "\n".join([plot(draw, width, height, color=color, ascii_only=ascii_only), *below])
