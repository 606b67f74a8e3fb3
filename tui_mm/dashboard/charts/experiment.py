"""An experiment's chart: lines, bars, or intervals beside zero. Pure text; what cannot be drawn is said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.cells import cell_len

from tui_mm.dashboard.charts.axis import loss_range, loss_ticks
from tui_mm.dashboard.charts.cells import fit
from tui_mm.dashboard.charts.figure import Part, build
from tui_mm.dashboard.charts.look import Color, Look
from tui_mm.experiments.result import Chart, Series
from tui_mm.text import nats, printable

_LINES_HEIGHT = 14
_VALUE = 9  # cells of a number beside a bar
_EIGHTHS = " ▏▎▍▌▋▊▉"
_MARKS = ("●", "◆", "▲", "■", "○")
_ASCII_MARKS = ("o", "+", "x", "#", "@")
_FLOOR = 0.15  # of the spread of bars, by which the least one is longer than nothing


def experiment_height(chart: Chart, most: int) -> int:
    """Lines that a chart takes: one for each bar, and a usual height for lines; at most ``most``."""
    wanted = _LINES_HEIGHT if chart.kind == "lines" else len(chart.labels) + 1
    return max(2, min(most, wanted))


def experiment_chart(chart: Chart, look: Look) -> str:
    """In ``look.height`` lines of at most ``look.width`` cells; ANSI colours if the look has any."""
    if not any(y is not None for series in chart.series for y in series.y):
        return "nothing to draw yet"
    if chart.kind == "lines":
        return _lines(chart, look)
    return _bars(chart, look) if chart.kind == "bars" else _intervals(chart, look)


# -- lines


def _lines(chart: Chart, look: Look) -> str:
    drawn = [(series, *_points(series, log_x=chart.log_x, log_y=chart.log_y)) for series in chart.series]
    drawn = [(series, x, y) for series, x, y in drawn if x]
    if not drawn:
        return "nothing to draw yet"
    every_x = [at for _, x, _ in drawn for at in x]
    every_y = np.array([value for _, _, y in drawn for value in y])
    low, high = min(every_x), max(every_x)
    if low == high:
        low, high = low - 0.5, high + 0.5
    must = every_y if chart.log_y else np.array([min(every_y)])  # on a log axis no value flattens the others
    window = loss_range(every_y, every_y, must)
    marks = _ASCII_MARKS if look.ascii_only else _MARKS
    colors = _colors(look, len(drawn))

    def draw(plt: Any) -> None:
        plt.xaxes(True, False)
        plt.yaxes(True, False)
        for (_, x, y), color in zip(drawn, colors, strict=True):
            top = [min(value, window[1]) for value in y]
            plt.plot(x, top, marker="." if look.ascii_only else "braille", color=color)
        for (_, x, y), mark, color in zip(drawn, marks, colors, strict=False):
            plt.scatter(x, [min(value, window[1]) for value in y], marker=mark, color=color)
        plt.xlim(low, high)
        places = _x_places(sorted(set(every_x)), low, high, max(2, look.width // 9))
        plt.xticks(places, [_x_name(at, log=chart.log_x) for at in places])
        plt.ylim(*window)
        ticks = loss_ticks(window, max(2, look.height // 3), log=chart.log_y)
        plt.yticks([at for at, _ in ticks], [name.rjust(5) for _, name in ticks])

    parts: list[Part] = [f"{printable(chart.y_title)} over {printable(chart.x_title)}"]
    parts += [(mark, printable(s.name), color) for (s, _, _), mark, color in zip(drawn, marks, colors, strict=False)]
    return build(draw, parts, look)


def _points(series: Series, *, log_x: bool, log_y: bool) -> tuple[list[float], list[float]]:
    found = [
        (math.log10(x) if log_x else x, math.log10(y) if log_y else y)
        for x, y in zip(series.x, series.y, strict=True)
        if y is not None and math.isfinite(y) and (x > 0 or not log_x) and (y > 0 or not log_y)
    ]
    return [x for x, _ in found], [y for _, y in found]


def _x_places(places: Sequence[float], low: float, high: float, most: int) -> list[float]:
    """The points themselves, as many as have room for their names."""
    kept: list[float] = []
    for at in places:
        if not kept or (at - kept[-1]) / (high - low) >= 1 / most:
            kept.append(at)
    return kept


def _x_name(at: float, *, log: bool) -> str:
    value = 10**at if log else at
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


# -- bars and intervals


def _bars(chart: Chart, look: Look) -> str:
    series = chart.series[0]
    values = [y for y in series.y if y is not None]
    low, high = min(values), max(values)
    begin = max(0.0, low - _FLOOR * (high - low or high or 1.0)) if low >= 0 else low
    names, room = _label_room(chart, look.width)
    least = min(range(len(series.y)), key=lambda i: math.inf if series.y[i] is None else float(series.y[i] or 0.0))
    lines = []
    for i, (label, y) in enumerate(zip(chart.labels, series.y, strict=True)):
        share = 0.0 if y is None or high == begin else (y - begin) / (high - begin)
        bar = _bar(share, room, ascii_only=look.ascii_only)
        text = "" if y is None else _number(y, nats(y))
        color = look.color("best" if i == least and len(values) > 1 else "train")
        lines.append(f"{fit(label, names, ascii_only=look.ascii_only)} {text:>{_VALUE}} {_painted(bar, color)}")
    shown = lines[: max(1, look.height - 1)]
    begins = "" if begin == 0 else f"; bars begin at {nats(begin)}"
    return "\n".join([*shown, f"{printable(chart.y_title)}{begins}{_left_out(lines, shown)}"[: look.width]])


def _intervals(chart: Chart, look: Look) -> str:
    series = chart.series[0]
    ends = [(y - s, y + s) for y, s in zip(series.y, series.spread, strict=True) if y is not None]
    low, high = min(0.0, *(a for a, _ in ends)), max(0.0, *(b for _, b in ends))
    span = high - low or 1.0
    names, room = _label_room(chart, look.width)
    room = max(3, room)

    def column(value: float) -> int:
        return min(room - 1, max(0, round((room - 1) * (value - low) / span)))

    left, right, dash, mark, zero = "||-*:" if look.ascii_only else "├┤─●┊"
    lines = []
    for label, y, spread in zip(chart.labels, series.y, series.spread, strict=True):
        cells = [" "] * room
        cells[column(0.0)] = zero
        if y is not None:
            first, last = column(y - spread), column(y + spread)
            for at in range(first, last + 1):
                cells[at] = dash
            cells[first], cells[last] = left, right
            cells[column(y)] = mark
        text = "" if y is None else _number(y, f"{y:+.4f}")
        color = look.color("best" if y is not None and y + spread < 0 else "train")
        bar = "".join(cells).rstrip()
        lines.append(f"{fit(label, names, ascii_only=look.ascii_only)} {text:>{_VALUE}} {_painted(bar, color)}")
    shown = lines[: max(1, look.height - 1)]
    legend = f"{printable(chart.y_title)}; {zero} is no difference, left of it is lower{_left_out(lines, shown)}"
    return "\n".join([*shown, legend[: look.width]])


def _number(value: float, text: str) -> str:
    return text if len(text) <= _VALUE else f"{value:.2e}"


def _label_room(chart: Chart, width: int) -> tuple[int, int]:
    """Cells of the labels, and of the bars beside them and their values."""
    widest = max((cell_len(printable(label)) for label in chart.labels), default=1)
    names = max(1, min(widest, (width - _VALUE) // 2))
    return names, max(1, width - names - _VALUE - 2)


def _left_out(lines: Sequence[str], shown: Sequence[str]) -> str:
    return f"; {len(lines) - len(shown)} more have no room" if len(shown) < len(lines) else ""


def _bar(share: float, width: int, *, ascii_only: bool) -> str:
    if ascii_only:
        return "#" * round(share * width)
    whole, part = divmod(round(8 * width * share), 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")


def _colors(look: Look, count: int) -> list[Color | None]:
    if look.colors is None:
        return [None] * count
    own = [look.colors.train, look.colors.dev, *look.colors.overlays]
    return [own[i % len(own)] for i in range(count)]


def _painted(text: str, color: Color | None) -> str:
    if color is None or not text:
        return text
    import plotext  # with the first chart, which comes after the first screen

    return str(plotext.colorize(text, color))
