"""The loss curve: train as the mean of each column on a log10 axis (lecture part 2's log-loss plot), dev as points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.dashboard.charts.decimate import decimate
from tui_mm.dashboard.charts.figure import build

_NICE = (1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2, 2.1, 2.2, 2.3, 2.4, 2.5, 2.75, 3, 3.5, 4, 5, 6, 7, 8, 9)


def loss_curve(
    losses: NDArray[Any],
    dev: Sequence[tuple[int, float]] = (),
    baselines: Sequence[tuple[str, float]] = (),
    *,
    width: int = 80,
    height: int = 18,
    color: bool = True,
    ascii_only: bool = False,
) -> str:
    """A chart of every step's loss (nats); ``dev``: (step, loss); ``baselines``: (name, loss) as level lines.

    Losses that are not finite or not above 0 have no logarithm: their columns are marked with ``!`` at the top.
    """
    columns = decimate(np.where(np.asarray(losses) > 0, losses, np.nan), 2 * max(10, width - 12))
    drawn = np.isfinite(columns.mean)
    if not drawn.any():
        return "no finite losses to draw"
    steps = columns.start[drawn] + 1
    train = np.log10(columns.mean[drawn])
    points = [(step, math.log10(loss)) for step, loss in dev if math.isfinite(loss) and loss > 0]
    levels = [math.log10(loss) for _, loss in baselines]
    low = min([train.min(), *(y for _, y in points), *levels])
    high = max([train.max(), *(y for _, y in points), *levels])
    margin = max(0.02 * (high - low), 1e-3)
    low, high = low - margin, high + margin
    end = max(2, len(losses))

    def draw(plt: Any) -> None:
        marker = "." if ascii_only else "braille"
        for level in levels:
            plt.plot([1, end], [level, level], marker="-" if ascii_only else "┄", color="gray")
        plt.plot(steps.tolist(), train.tolist(), marker=marker, color="blue+")
        if points:
            xs, ys = zip(*points, strict=True)
            plt.scatter(xs, ys, marker="o" if ascii_only else "◆", color="orange+")
        bad = columns.start[columns.bad > 0]
        if len(bad):
            plt.scatter((bad + 1).tolist(), [high] * len(bad), marker="!", color="red+")
        plt.xlim(1, end)
        marks = round_ticks(1, end, max(2, width // 16))
        plt.xticks(marks, [f"{t:,}" for t in marks])
        plt.ylim(low, high)
        ticks = _ticks(low, high, max(2, height // 3))
        plt.yticks([math.log10(t) for t in ticks], [f"{t:g}" for t in ticks])

    parts = ["loss (log scale) over steps:", f"{'.' if ascii_only else '⠤'} train"]
    parts += [f"{'o' if ascii_only else '◆'} dev"] if points else []
    parts += [f"{'-' if ascii_only else '┄'} {name} {loss:.3f}" for name, loss in baselines]
    parts += ["! not finite"] if columns.bad.any() else []
    return build(draw, parts, width=width, height=height, color=color)


def round_ticks(low: int, high: int, most: int) -> list[int]:
    """Whole multiples of 1, 2 or 5 times a power of ten within low..high, at most ``most``."""
    size = 1
    while (high - low) / size > most:
        size *= 10
    for step in (size // 10 * 2, size // 10 * 5):
        if step and (high - low) / step <= most:
            size = step
            break
    return list(range(-(-low // size) * size, high + 1, size))


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round losses between 10**low and 10**high, at most ``most``, evenly spread over the axis."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    inside = [n * 10.0**d for d in decades for n in _NICE if low <= math.log10(n * 10.0**d) <= high]
    if len(inside) < 2:
        inside = [float(f"{10**low:.4g}"), float(f"{10**high:.4g}")]
    if len(inside) <= most:
        return inside
    wanted = np.linspace(math.log10(inside[0]), math.log10(inside[-1]), most)
    nearest = {min(inside, key=lambda t: abs(math.log10(t) - w)) for w in wanted}
    return sorted(nearest)
