"""The loss chart as a drawing that stands by itself: for a README, a paper or a slide.

Its text is text, it loads nothing from elsewhere, and where a viewer prefers dark it is dark. Programs that know no
style sheets take the light colours, which stand on each element too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.dashboard.charts.axis import loss_ticks, scaled, x_ticks
from tui_mm.dashboard.charts.loss import Curve, LossPicture
from tui_mm.text import nats, printable

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 72, 924, 84, 448
COLUMNS = (RIGHT - LEFT) // 2
"""How many columns a curve is best given."""
_ROW = 24  # of the legend
_TITLE, _SUBTITLE = 80, 130  # characters that fit
_MOST_MARKS = 60  # dev losses that have a mark each
_COLORS = {  # of what, in light and in dark surroundings
    "paper": ("#ffffff", "#0d1117"),
    "text": ("#1f2328", "#e6edf3"),
    "muted": ("#59636e", "#9198a1"),
    "grid": ("#d1d9e0", "#30363d"),
    "band": ("#b6d4fe", "#274b7a"),
    "train": ("#0a58ca", "#6ea8fe"),
    "dev": ("#b54708", "#f5a65b"),
    "best": ("#1a7f37", "#4ac26b"),
    "bad": ("#cf222e", "#ff7b72"),
}
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif"


def loss_svg(picture: LossPicture, title: str, subtitle: str) -> str:
    """The losses of ``picture.run``, whose columns divide the window evenly, and the baselines."""
    run = picture.run
    assert run is not None, "a drawing is of a run"
    place = _Place(picture)
    parts = [*_axes(picture, place), *_baselines(picture, place)]
    legend: list[tuple[str, str, str]] = []  # sign, colour, text
    if run.level is not None:
        name, loss = run.level
        parts += _level(place, loss, "train", f"{name} {nats(loss)}, counted in one step", own=True)
    else:
        parts += [*_band(run, place), *_mean(run, place), *_dev(run, place), *_edges(run, place)]
        legend = [("line", "train", "train, mean"), ("band", "band", "min to max")]
        if run.dev:
            legend.append(("dev", "dev", "dev"))
        if run.best is not None:
            legend.append(("star", "best", f"best dev {nats(run.best[1])} at step {run.best[0]:,.0f}"))
        if run.first_bad is not None:
            step, loss = run.first_bad
            legend.append(("cross", "bad", f"{loss:g}: not finite from step {step:,}"))
        if any(where.any() for where in _is_off(run, place)):
            legend.append(("triangle", "train", "beyond the axis"))
    title, subtitle = _cut(title, _TITLE), _cut(subtitle, _SUBTITLE)
    signs, height = _legend(legend)
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" font-family="{_FONT}" font-size="13">',
        f"<title>{_safe(title)}: loss over steps</title>",
        f"<desc>{_safe(subtitle)}. {_safe(_said(run))}</desc>",
        f"<style>{_styles()}</style>",
        f'<clipPath id="chart"><rect x="{LEFT - 6}" y="{TOP}" width="{RIGHT - LEFT + 12}" '
        f'height="{BOTTOM - TOP}"/></clipPath>',
        f'<rect width="{WIDTH}" height="{height}" {_fill("paper")}/>',
        _text(LEFT, 34, title, size=20, weight="600"),
        _text(LEFT, 58, subtitle, "muted"),
    ]
    return "\n".join([*head, *parts, *signs, "</svg>", ""])


class _Place:
    """From steps and losses to places in the drawing."""

    def __init__(self, picture: LossPicture) -> None:
        self.window, self.losses, self.log = picture.window, picture.losses, picture.log

    def x(self, step: float) -> float:
        low, high = self.window
        return LEFT + (step - low) / (high - low) * (RIGHT - LEFT)

    def y_of(self, at: float) -> float:
        """Of a place on the loss axis."""
        low, high = self.losses
        return BOTTOM - (at - low) / (high - low) * (BOTTOM - TOP)

    def ys(self, losses: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
        """Of losses; not far off it, and NaN stays."""
        at = self.y_of(scaled(np.asarray(losses, np.float64), log=self.log))  # type: ignore[arg-type]
        return np.asarray(np.clip(at, TOP - WIDTH, BOTTOM + WIDTH), np.float64)

    def y(self, loss: float) -> float:
        return float(self.ys([loss])[0])

    def columns(self, curve: Curve) -> NDArray[np.float64]:
        """Of each column, in the middle of its steps; a step stands where it ends."""
        low, high = self.window
        size = (high - low) / len(curve.columns.mean)
        steps = low + (np.arange(len(curve.columns.mean)) + 0.5) * size + 0.5
        return np.asarray(LEFT + (np.minimum(steps, high) - low) / (high - low) * (RIGHT - LEFT), np.float64)


def _axes(picture: LossPicture, place: _Place) -> Iterator[str]:
    low, high = picture.losses
    for at, name in loss_ticks(picture.losses, 9, log=picture.log, width=7):
        if low <= at <= high:
            y = place.y_of(at)
            yield f'<path d="M{LEFT} {y:.1f}H{RIGHT}" {_stroke("grid", 1)}/>'
            yield _text(LEFT - 10, y + 4.5, name, "muted", anchor="end")
    for x, name in x_ticks(picture.axis, picture.window, 9):
        at = place.x(x)
        yield f'<path d="M{at:.1f} {BOTTOM}v6" {_stroke("muted", 1)}/>'
        yield _text(at, BOTTOM + 22, name, "muted", anchor="middle")
    yield f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" {_stroke("muted", 1)}/>'
    yield _text((LEFT + RIGHT) / 2, BOTTOM + 44, "step", "muted", anchor="middle")
    middle = (TOP + BOTTOM) / 2
    name = f"loss, nats{' (log scale)' if picture.log else ''}"
    yield _text(20, middle, name, "muted", anchor="middle", turned=True)


def _baselines(picture: LossPicture, place: _Place) -> Iterator[str]:
    last = -math.inf
    for name, loss in sorted(picture.baselines, key=lambda each: -each[1]):
        y = place.y(loss)
        yield from _level(place, loss, "muted", f"{name} {loss:.3f}", below=y - last < _ROW)
        last = y


def _level(
    place: _Place, loss: float, color: str, name: str, *, own: bool = False, below: bool = False
) -> Iterator[str]:
    """A line across with its name: the run's ``own`` at the left, a baseline's at the right, and ``below`` it where
    there is no room above."""
    y = place.y(loss)
    if TOP <= y <= BOTTOM:
        dashes = "" if own else ' stroke-dasharray="6 4"'
        yield f'<path d="M{LEFT} {y:.1f}H{RIGHT}" {_stroke(color, 2 if own else 1.2)}{dashes}/>'
        x, anchor = (LEFT + 8, "start") if own else (RIGHT - 4, "end")
        yield _text(x, y + 14 if below else y - 5, name, color, anchor=anchor, size=12)


def _band(run: Curve, place: _Place) -> Iterator[str]:
    xs, low, high = place.columns(run), place.ys(run.columns.low), place.ys(run.columns.high)
    for part in _stretches(run):
        over = [f"{x:.1f} {y:.1f}" for x, y in zip(xs[part], high[part], strict=True)]
        under = [f"{x:.1f} {y:.1f}" for x, y in zip(xs[part], low[part], strict=True)]
        yield f'<path d="M{"L".join([*over, *under[::-1]])}Z" {_fill("band")} clip-path="url(#chart)"/>'


def _mean(run: Curve, place: _Place) -> Iterator[str]:
    xs, ys = place.columns(run), place.ys(run.columns.mean)
    for part in _stretches(run):
        points = list(zip(xs[part].tolist(), ys[part].tolist(), strict=True))
        if len(points) == 1:  # a line has two ends
            points = [(points[0][0] - 1.5, points[0][1]), (points[0][0] + 1.5, points[0][1])]
        yield _line(points, "train", 1.6)


def _stretches(run: Curve) -> Iterator[NDArray[np.int64]]:
    """The columns of each unbroken part of the curve: it breaks where a column has losses and none is finite. Columns
    without any, as short runs have them, do not break it."""
    some = np.isfinite(run.columns.mean)
    broken = np.flatnonzero(~some & (run.columns.bad > 0))
    for part in np.split(np.arange(len(some)), broken):
        inside = part[some[part]]
        if len(inside):
            yield inside


def _dev(run: Curve, place: _Place) -> Iterator[str]:
    points = [(place.x(x), place.y(loss)) for x, loss in run.dev]
    if len(points) > 1:
        yield _line(points, "dev", 1.6)
    for x, y in points if len(points) <= _MOST_MARKS else []:
        yield f'<path d="{_diamond(x, y)}" {_fill("dev")} clip-path="url(#chart)"/>'
    if run.best is not None:
        yield f'<path d="{_star(place.x(run.best[0]), place.y(run.best[1]))}" {_fill("best")}/>'


def _edges(run: Curve, place: _Place) -> Iterator[str]:
    """Marks at the upper edge of losses that are not finite, and at both edges of those beyond the axis."""
    xs = place.columns(run)
    above, below = _is_off(run, place)
    for where, y in ((above, TOP + 1), (below, BOTTOM - 1)):
        for x in _apart(xs[where].tolist()):
            yield f'<path d="{_triangle(x, y, up=y < BOTTOM - 1)}" {_fill("train")}/>'
    for x in _apart(xs[run.columns.bad > 0].tolist()):
        yield f'<path d="{_cross(x, TOP + 16)}" {_stroke("bad", 1.6)}/>'


def _is_off(run: Curve, place: _Place) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which columns have a loss above and below the axis."""
    return place.ys(run.columns.high) < TOP - 0.05, place.ys(run.columns.low) > BOTTOM + 0.05


def _apart(xs: Sequence[float]) -> Iterator[float]:
    """Those that leave room for a mark each."""
    last = -math.inf
    for x in xs:
        if x - last >= 8:
            yield x
            last = x


def _legend(entries: Sequence[tuple[str, str, str]]) -> tuple[list[str], int]:
    """What each sign is, and how high the drawing is with it."""
    drawn: list[str] = []
    x, y = float(LEFT), BOTTOM + 72
    for sign, color, text in entries:
        width = 48 + 7.2 * len(text)
        if x + width > RIGHT and x > LEFT:
            x, y = float(LEFT), y + _ROW
        middle = y - 4.5
        if sign == "band":
            drawn.append(f'<rect x="{x:.1f}" y="{middle - 6}" width="24" height="12" {_fill(color)}/>')
        elif sign in ("line", "dev"):
            drawn.append(f'<path d="M{x:.1f} {middle}h24" {_stroke(color, 2)}/>')
        if sign == "dev":
            drawn.append(f'<path d="{_diamond(x + 12, middle)}" {_fill(color)}/>')
        elif sign == "star":
            drawn.append(f'<path d="{_star(x + 12, middle)}" {_fill(color)}/>')
        elif sign == "cross":
            drawn.append(f'<path d="{_cross(x + 12, middle)}" {_stroke(color, 1.6)}/>')
        elif sign == "triangle":
            drawn.append(f'<path d="{_triangle(x + 12, middle - 4, up=True)}" {_fill(color)}/>')
        drawn.append(_text(x + 30, y, text))
        x += width
    return drawn, y + 20


def _said(run: Curve) -> str:
    """The chart in words, for who cannot see it."""
    if run.level is not None:
        return f"{run.level[0]} loss {nats(run.level[1])}, counted in one step"
    mean = run.columns.mean[np.isfinite(run.columns.mean)]
    said = [f"The loss goes from {nats(float(mean[0]))} to {nats(float(mean[-1]))}"] if len(mean) else []
    if run.best is not None:
        said.append(f"the best dev loss is {nats(run.best[1])} at step {run.best[0]:,.0f}")
    return ", ".join(said)


# -- marks and elements


def _line(points: Sequence[tuple[float, float]], color: str, width: float) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{path}" {_stroke(color, width)} stroke-linejoin="round" clip-path="url(#chart)"/>'


def _diamond(x: float, y: float) -> str:
    return f"M{x:.1f} {y - 4:.1f}l4 4l-4 4l-4 -4Z"


def _cross(x: float, y: float) -> str:
    return f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"


def _triangle(x: float, y: float, *, up: bool) -> str:
    """With its point at (x, y)."""
    return f"M{x:.1f} {y:.1f}l4 {7 if up else -7}h-8Z"


def _star(x: float, y: float) -> str:
    corners = [(8.0 if i % 2 == 0 else 3.4, math.pi * i / 5) for i in range(10)]
    return "M" + "L".join(f"{x + r * math.sin(a):.1f} {y - r * math.cos(a):.1f}" for r, a in corners) + "Z"


def _text(
    x: float, y: float, text: str, color: str = "text", *, anchor: str = "start", size: int = 13, weight: str = "400",
    turned: bool = False,
) -> str:  # fmt: skip
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    look = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look} {_fill(color)}{turn}>{_safe(text)}</text>'


def _fill(color: str) -> str:
    return f'class="f-{color}" fill="{_COLORS[color][0]}"'


def _stroke(color: str, width: float) -> str:
    return f'class="s-{color}" fill="none" stroke="{_COLORS[color][0]}" stroke-width="{width}"'


def _styles() -> str:
    dark = "".join(f".f-{name}{{fill:{dark}}}.s-{name}{{stroke:{dark}}}" for name, (_, dark) in _COLORS.items())
    return f"@media (prefers-color-scheme: dark){{{dark}}}"


def _safe(text: str) -> str:
    """Without control characters, which XML has not even escaped."""
    return escape(printable(text))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
