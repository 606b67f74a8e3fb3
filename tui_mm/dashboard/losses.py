"""What the Loss panel draws and reads of a run that is followed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tui_mm.dashboard.charts.axis import Range, clock
from tui_mm.dashboard.charts.figure import Part
from tui_mm.dashboard.charts.loss import Curve
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.series import Axis
from tui_mm.text import nats


def curve_of(label: str, follower: RunFollower, axis: Axis, edges: NDArray[np.float64]) -> Curve:
    """A run's losses in the columns between ``edges``, places on the axis."""
    columns = follower.series.columns(follower.done_by(axis, edges))
    taken = [e for e in follower.evaluations if e.dev is not None]
    places = follower.at(axis, np.array([e.step for e in taken])).tolist()
    dev = [(x, e.dev) for x, e in zip(places, taken, strict=True) if e.dev is not None and math.isfinite(e.dev)]
    best = follower.best
    best_at = None
    if best is not None and best.dev is not None:
        best_at = float(follower.at(axis, np.array([best.step]))[0]), best.dev
    inside = [(x, loss) for x, loss in dev if edges[0] <= x <= edges[-1]]
    return Curve(label, columns, inside, best_at, follower.series.first_bad)


def reading(follower: RunFollower, axis: Axis, between: Range, *, ascii_only: bool = False) -> list[Part]:
    """The losses of the steps that end between two places on an axis, and what else is known of them."""
    begin, end = _steps_between(follower, axis, between)
    low, mean, high, bad = _values(follower, begin, end)
    to = "-" if ascii_only else "–"
    says: list[Part] = [f"step {end:,}" if end == begin + 1 else f"steps {begin + 1:,}{to}{end:,}"]
    if math.isfinite(mean):
        least, most = nats(low), nats(high)
        says.append(f"train {nats(mean)}" + (f" ({least}{to}{most})" if least != most else ""))
    if bad:
        says.append(f"{bad:,} not finite")
    taken = [(e.step, e.dev) for e in follower.evaluations if e.dev is not None]
    if taken:
        step, dev = min(taken, key=lambda e: (not begin < e[0] <= end, abs(e[0] - (begin + end) / 2)))
        says.append(f"dev {nats(dev)} at {step:,}")
    if follower.epochs_per_step:
        says.append(f"epoch {end * follower.epochs_per_step:.2f}")
    says.append(f"time {clock(float(follower.at('seconds', np.array([end]))[0]))}")
    return says


def mean_reading(follower: RunFollower, axis: Axis, between: Range) -> str:
    """The mean loss of these steps in a few characters."""
    if between[0] >= follower.at(axis, np.array([follower.steps]))[0]:
        return "ended"
    _, mean, _, bad = _values(follower, *_steps_between(follower, axis, between))
    return "not finite" if bad and not math.isfinite(mean) else nats(mean)


def _steps_between(follower: RunFollower, axis: Axis, between: Range) -> tuple[int, int]:
    """The steps after the first and up to the second, in whole buckets; the nearest one where none ends there."""
    series = follower.series
    begin, end = follower.done_by(axis, np.array(between)).tolist()
    if begin == end:
        near = np.array([max(1, begin), min(series.steps, begin + 1)])
        end = int(near[np.argmin(np.abs(follower.at(axis, near) - sum(between) / 2))])
        begin = end - 1
    return begin // series.bucket * series.bucket, min(series.steps, -(-end // series.bucket) * series.bucket)


def _values(follower: RunFollower, begin: int, end: int) -> tuple[float, float, float, int]:
    """The least, mean and greatest, and how many are not finite."""
    found = follower.series.columns(np.array([begin, end]))
    return float(found.low[0]), float(found.mean[0]), float(found.high[0]), int(found.bad[0])
