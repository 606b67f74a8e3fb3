"""A plotext figure to text. plotext draws on one global figure, so each build starts from a cleared one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotext


def build(draw: Callable[[Any], None], *, width: int, height: int, color: bool) -> str:
    """Text of ``height`` lines of ``width`` columns. ``draw`` is given plotext with a fresh figure; it must plot
    finite values only and no log axis (take log10 and name the ticks)."""
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plot_size(width, height)
    plotext.theme("clear")
    draw(plotext)
    text = str(plotext.build())
    return (text if color else str(plotext.uncolorize(text))).rstrip()
