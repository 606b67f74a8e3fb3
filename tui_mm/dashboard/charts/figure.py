"""A plotext figure to text. plotext draws on one global figure, so each build starts from a cleared one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import plotext

_LEAST_HEIGHT = 4


def legend(parts: Sequence[str], width: int) -> str:
    """What a chart shows, in lines of at most ``width``, parts kept whole."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}  {part}" if lines[-1] else part
        if len(longer) > width and lines[-1]:
            lines.append(part)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def build(draw: Callable[[Any], None], parts: Sequence[str], *, width: int, height: int, color: bool) -> str:
    """A chart with its legend below, in ``height`` lines of at most ``width`` columns.

    ``draw`` is given plotext with a fresh figure; it must plot finite values only and no log axis (take log10 and
    name the ticks). ``parts`` are what the legend says.
    """
    below = legend(parts, width)
    height = max(_LEAST_HEIGHT, height - below.count("\n") - 1)
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plot_size(width, height)
    plotext.theme("clear")
    draw(plotext)
    text = str(plotext.build())
    return (text if color else str(plotext.uncolorize(text))).rstrip() + "\n" + below
