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
from tui_mm.dashboard.charts.figure import LEAST_HEIGHT, build, legend_lines
from tui_mm.dashboard.charts.look import Look
from tui_mm.text import printable

GOOD = -3.0
"""log10 of update:data (``update_ratio``) that the lecture calls about right."""

FAST, SLOW = -2.0, -4.5
_UPDATE = "log10 update"
SATURATED = 0.05
NO_RATIOS = "no update ratios yet: they come with the evaluations of a training"

_BARS, _ASCII_BARS = " ▁▂▃▄▅▆▇█", " _.-:=+*#"
_LETTERS = string.ascii_uppercase + string.ascii_lowercase
_COLORS = ("train", "best", "dev", "warning")
_LEAST, _MOST = -9.0, 3.0  # an update ratio beyond them is drawn there
_LEAST_SPAN = -4, -2  # of the chart's y axis
_BESIDE = 6  # columns that letters of one row take at most


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


def hints(parameters: Sequence[Mapping[str, Any]], step: int) -> list[str]:
    """What is healthy, and what the marks in the table are; the longest first."""
    ratios = [finite(p.get("update_ratio")) for p in parameters]
    at = f"   step {step:,}"
    if parameters and all(r is None for r in ratios) and any(finite(p.get("grad_norm")) for p in parameters):
        still = "the next step moves nothing: its rate is as good as 0"
        return [
            f"tanh: below 5% saturated is healthy; {still}{at}",
            *(f"healthy: < 5% saturated; {text}" for text in (still + at, still, "no updates: rate 0")),
            "no updates: rate 0",
        ]
    marks = " (^ faster, v slower)" if any(speed_mark(r) != " " for r in ratios) else ""
    long = f"tanh: below 5% saturated is healthy; log10 of update:data near -3{marks}"
    short = f"healthy: < 5% saturated, update near -3{marks}"
    return [long + at, short + at, short, f"good: < 5%, near -3{marks}", "good: < 5%, near -3"]


def activation_lines(activations: Sequence[Mapping[str, Any]], look: Look) -> list[Text]:
    """A line each: how much is saturated, marked ``!`` above 5%, the histogram between its ends, mean and deviation.

    Where it is narrow, the least telling parts go whole.
    """
    bars = [histogram_bars(a.get("histogram") or [], ascii_only=look.ascii_only) for a in activations]
    lows, highs = _column(activations, "low"), _column(activations, "high")
    means, deviations = _column(activations, "mean"), _column(activations, "std")
    names = _width([str(a.get("name", "")) for a in activations], 4, look.width // 4)
    room = look.width - names - 8 - 1 - max(map(len, bars), default=0)
    sizes = {"ends": _wide(lows) + _wide(highs) + 2, "word": 10, "mean": 7 + _wide(means), "std": 6 + _wide(deviations)}
    shown = set()
    for part, size in sizes.items():
        if size <= room:
            shown.add(part)
            room -= size
    muted, drawn = paint(look, "baseline"), []
    for a, bar, low, high, mean, std in zip(activations, bars, lows, highs, means, deviations, strict=True):
        saturated = finite(a.get("saturated"))
        bad = saturated is not None and saturated > SATURATED
        share = "-" if saturated is None else f"{saturated:.1%}"
        pieces: list[Piece] = [
            (fit(str(a.get("name", "")), names, ascii_only=look.ascii_only), PLAIN),
            (f" {share:>6}{'!' if bad else ' '}", paint(look, "warning", bold=True) if bad else PLAIN),
            (" saturated " if "word" in shown else " ", PLAIN),
            (f"{low:>{_wide(lows)}} " if "ends" in shown else "", muted),
            (bar, paint(look, "train")),
            (f" {high:<{_wide(highs)}}" if "ends" in shown else "", muted),
            (f"  mean {mean:<{_wide(means)}}" if "mean" in shown else "", PLAIN),
            (f"  std {std}" if "std" in shown else "", PLAIN),
        ]
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


def ratio_chart(history: Sequence[tuple[int, Sequence[Mapping[str, Any]]]], total: int, look: Look) -> str:
    """log10 of update:data over the steps of a training of ``total``, a letter a parameter, with a level line at -3;
    "" where there is none.

    ``history``: (step, parameters) of each evaluation.
    """
    names = list(dict.fromkeys(str(p.get("name", "")) for _, parameters in history for p in parameters))
    points = [
        (step, names.index(str(p.get("name", ""))), min(_MOST, max(_LEAST, ratio)))
        for step, parameters in history
        for p in parameters
        if (ratio := finite(p.get("update_ratio"))) is not None
    ]
    if not points:
        return ""
    low = min(_LEAST_SPAN[0], math.floor(min(y for *_, y in points)))
    high = max(_LEAST_SPAN[1], math.ceil(max(y for *_, y in points)))
    last = max(1, *(step for step, _ in history))
    end = next(n * 10**d for d in count() for n in (1, 2, 4, 6) if n * 10**d >= last)  # few sizes, so few repaints
    end = max(last, min(end, total))
    parts = ["log10 update:data over steps"]
    parts += [f"{letter_of(i)} {fit(name, min(12, cell_len(printable(name))))}" for i, name in enumerate(names)]
    height = max(2, max(LEAST_HEIGHT, look.height - len(legend_lines(parts, look.width))) - 3)  # less frame and ticks
    apart = math.ceil((high - low) / (height - 1))
    whole = [y for y in range(low, high + 1) if (y - GOOD) % apart == 0]
    width = max(2, look.width - 2 - max(len(str(y)) for y in whole))
    columns, levels = (width - 1) / end, (height - 1) / (high - low)
    to_columns = max(1, width - min(_BESIDE, len(names))) / end  # letters beside the last one's have room
    spots = [(round(x * to_columns), letter, round((y - low) * levels)) for x, letter, y in points]
    cells = _side_by_side(spots, len(names), width)

    def middle(y: float) -> float:
        """Of the row it is in: plotext rounds a half another way."""
        return low + round((y - low) * levels) / levels

    def draw(plt: Any) -> None:
        plt.plot([0, end], [middle(GOOD)] * 2, marker="-" if look.ascii_only else "┄", color=look.color("baseline"))
        for i in range(len(names)):
            placed = [(x / columns, low + y / levels) for x, letter, y in cells if letter == i]
            if placed:
                xs, ys = zip(*placed, strict=True)
                plt.scatter(xs, ys, marker=letter_of(i), color=look.color(_COLORS[i % len(_COLORS)]))
        plt.xlim(0, end)
        ticks = [0, end // 2, end] if end > 1 else [0, 1]
        plt.xticks(ticks, [f"{t:,}" for t in ticks])
        plt.ylim(low, high)
        plt.yticks([middle(y) for y in whole], [str(y) for y in whole])

    return build(draw, parts, look)


def _side_by_side(points: Sequence[tuple[int, int, int]], letters: int, width: int) -> list[tuple[int, int, int]]:
    """(column, letter, row), none over another: evaluations that are too near to the one before are left out, and
    letters of one row stand beside each other."""
    by_column: dict[int, dict[int, int]] = {}
    for column, letter, row in points:
        by_column.setdefault(column, {})[letter] = row
    taken: dict[tuple[int, int], int] = {}
    kept = -width - _BESIDE
    for column in sorted(by_column):
        if column - kept <= min(_BESIDE, letters):
            continue
        kept = column
        for letter, row in by_column[column].items():
            near = (*range(column, width), *range(max(0, width - letters), column))
            free = next((x for x in near if (x, row) not in taken), None)
            if free is not None:
                taken[free, row] = letter
    return [(column, letter, row) for (column, row), letter in taken.items()]


def _short(value: Any) -> str:
    number = finite(value)
    return "-" if number is None else f"{number:.2g}"


def _over(above: Any, below: Any) -> float | None:
    a, b = finite(above), finite(below)
    return a / b if a is not None and b else None


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return [_short(row.get(name)) for row in rows]


def _wide(texts: Sequence[str]) -> int:
    return max(map(len, texts), default=0)


def _width(texts: Sequence[str], least: int, most: int) -> int:
    return max(least, min(most, max((cell_len(printable(t)) for t in texts), default=0)))


def _cut(pieces: Sequence[Piece], width: int) -> Text:
    text = line(pieces)
    text.truncate(width)
    text.rstrip()
    return text
