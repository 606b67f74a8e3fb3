"""The diagnostics of lecture part 3: saturation of activations, and how fast parameters move. Pure functions."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from tui_mm.dashboard.charts.cells import PLAIN, Piece, fit, line, paint, style
from tui_mm.dashboard.charts.figure import build
from tui_mm.dashboard.charts.look import Look
from tui_mm.text import printable

GOOD = -3.0
"""log10 of update:data (``update_ratio``) that the lecture calls about right."""

FAST, SLOW = -2.0, -4.5
_UPDATE = "log10 update"
SATURATED = 0.05
HINTS = (
    "tanh: below 5% saturated is healthy; log10 of update:data near -3",
    "healthy: < 5% saturated, update near -3",
    "good: < 5%, near -3",
)

_BARS, _ASCII_BARS = " ▁▂▃▄▅▆▇█", " _.-:=+*#"
_LETTERS = string.ascii_uppercase + string.ascii_lowercase
_COLORS = ("train", "best", "dev", "warning")
_LEAST, _MOST = -9.0, 3.0  # an update ratio beyond them is drawn there


def finite(value: Any) -> float | None:
    """A number that can be drawn; None for None, NaN and infinity."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def speed_mark(ratio: float | None) -> str:
    """``^`` where the parameter moves too fast, ``v`` where too slow."""
    if ratio is None:
        return " "
    return "^" if ratio > FAST else "v" if ratio < SLOW else " "


def histogram_bars(shares: Sequence[Any], *, ascii_only: bool = False) -> str:
    """One character a share, the greatest full; a share above 0 is never blank, one that is no number is ``?``."""
    marks = _ASCII_BARS if ascii_only else _BARS
    values = [finite(s) for s in shares]
    most = max((v for v in values if v is not None), default=0.0)
    bars = ""
    for value in values:
        if value is None:
            bars += "?"
        elif value <= 0 or most <= 0:
            bars += " "
        else:
            bars += marks[max(1, round(value / most * (len(marks) - 1)))]
    return bars


def activation_lines(activations: Sequence[Mapping[str, Any]], look: Look) -> list[Text]:
    """A line each: how much is saturated, marked ``!`` above 5%, the histogram between its ends, mean and deviation."""
    drawn = []
    names = _width([str(a.get("name", "")) for a in activations], 4, look.width // 4)
    for a in activations:
        saturated = finite(a.get("saturated"))
        bad = saturated is not None and saturated > SATURATED
        share = "  -  " if saturated is None else f"{saturated:>5.1%}"
        pieces: list[Piece] = [
            (fit(str(a.get("name", "")), names, ascii_only=look.ascii_only), PLAIN),
            (f" {share:>6}{'!' if bad else ' '}", paint(look, "warning", bold=True) if bad else PLAIN),
            (" saturated " if look.width >= 70 else " ", PLAIN),
        ]
        ends = [f"{_short(a.get('low')):>5} ", f" {_short(a.get('high')):<5}"] if look.width >= 46 else ["", ""]
        bars = histogram_bars(a.get("histogram") or [], ascii_only=look.ascii_only)
        pieces += [(ends[0], paint(look, "baseline")), (bars, paint(look, "train")), (ends[1], paint(look, "baseline"))]
        pieces.append((f"  mean {_short(a.get('mean'))}  std {_short(a.get('std'))}", PLAIN))
        drawn.append(_cut(pieces, look.width))
    return drawn


def parameter_lines(parameters: Sequence[Mapping[str, Any]], look: Look) -> list[Text]:
    """A heading and a line each; the least telling columns go first where it is narrow."""
    ratios = [finite(p.get("update_ratio")) for p in parameters]
    columns: dict[str, list[str]] = {
        "name": [str(p.get("name", "")) for p in parameters],
        "shape": ["x".join(str(n) for n in p.get("shape") or []) for p in parameters],
        "std": [_short(p.get("std")) for p in parameters],
        "grad norm": [_short(p.get("grad_norm")) for p in parameters],
        "grad:data": [_short(_over(p.get("grad_std"), p.get("std"))) for p in parameters],
        _UPDATE: ["- " if r is None else f"{r:+.2f}{speed_mark(r)}" for r in ratios],
    }
    widths = {h: _width([h, *values], 3, 24 if h == "name" else 14) for h, values in columns.items()}
    for least in ("grad norm", "shape", "grad:data", "std"):
        if 2 + sum(widths.values()) + 2 * len(widths) > look.width:
            del widths[least]
    muted = paint(look, "baseline")

    def row(values: Mapping[str, str], letter: str, plain: Style, last: Style) -> Text:
        pieces: list[Piece] = [(f"{letter} ", last)]
        for h, width in widths.items():
            shown = printable(values[h])
            aligned = shown if h == "name" else " " * (width - cell_len(shown)) + shown
            pieces.append((fit(aligned, width, ascii_only=look.ascii_only) + "  ", last if h == _UPDATE else plain))
        return _cut(pieces, look.width)

    drawn = [row({h: h for h in widths}, " ", muted, muted)]
    for i, ratio in enumerate(ratios):
        far = speed_mark(ratio) != " "
        values = {h: column[i] for h, column in columns.items()}
        drawn.append(row(values, letter_of(i), PLAIN, paint(look, "warning", bold=True) if far else style(bold=True)))
    return drawn


def letter_of(index: int) -> str:
    return _LETTERS[index % len(_LETTERS)]


def ratio_chart(history: Sequence[tuple[int, Sequence[Mapping[str, Any]]]], look: Look) -> str:
    """log10 of update:data over steps, a letter a parameter, with a level line at -3.

    ``history``: (step, parameters) of each evaluation.
    """
    names: list[str] = []
    points: dict[str, list[tuple[int, float]]] = {}
    for step, parameters in history:
        for parameter in parameters:
            name, ratio = str(parameter.get("name", "")), finite(parameter.get("update_ratio"))
            if name not in points:
                names.append(name)
            points.setdefault(name, [])
            if ratio is not None:
                points[name].append((step, min(_MOST, max(_LEAST, ratio))))
    levels = [y for series in points.values() for _, y in series]
    if not levels:
        return "no update ratios yet: they come with the evaluations of a training"
    low = float(min(-5, math.floor(min(levels))))
    high = float(max(-1, math.ceil(max(levels))))
    last = max(1, *(step for step, _ in history))
    end = next(n * 10**d for d in count() for n in (1, 2, 4, 6) if n * 10**d >= last)  # few sizes, so few repaints

    def draw(plt: Any) -> None:
        plt.plot([0, end], [GOOD, GOOD], marker="-" if look.ascii_only else "┄", color=look.color("baseline"))
        for i, name in enumerate(names):
            if points[name]:
                xs, ys = zip(*points[name], strict=True)
                plt.scatter(xs, ys, marker=letter_of(i), color=look.color(_COLORS[i % len(_COLORS)]))
        plt.xlim(0, end)
        ticks = [0, end // 2, end] if end > 1 else [0, 1]
        plt.xticks(ticks, [f"{t:,}" for t in ticks])
        plt.ylim(low, high)
        whole = list(range(int(low), int(high) + 1, max(1, round((high - low) / max(2, look.height - 6)))))
        plt.yticks(whole, [str(t) for t in whole])

    parts = ["log10 update:data over steps"]
    parts += [f"{letter_of(i)} {fit(name, min(12, cell_len(printable(name))))}" for i, name in enumerate(names)]
    text = build(draw, parts, width=look.width, height=look.height, color=look.colors is not None)
    return _to_ascii(text) if look.ascii_only else text


_FRAME = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|||+++")


def _to_ascii(text: str) -> str:
    return text.translate(_FRAME)


def _short(value: Any) -> str:
    number = finite(value)
    return "-" if number is None else f"{number:.2g}"


def _over(above: Any, below: Any) -> float | None:
    a, b = finite(above), finite(below)
    return a / b if a is not None and b else None


def _width(texts: Sequence[str], least: int, most: int) -> int:
    return max(least, min(most, max((cell_len(printable(t)) for t in texts), default=0)))


def _cut(pieces: Sequence[Piece], width: int) -> Text:
    text = line(pieces)
    text.truncate(width)
    text.rstrip()
    return text
