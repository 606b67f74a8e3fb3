"""What is drawn and read of the losses of runs that are followed: of one with others over it, or of several alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tui_mm.dashboard.charts.axis import Range, clock, follow_end
from tui_mm.dashboard.charts.figure import Part
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.loss import Curve, LossPicture, Parts, cells, column_edges, range_of
from tui_mm.kinds import learns_by_counting
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.row import AT_WORK
from tui_mm.runs.series import Axis
from tui_mm.text import nats, printable


def is_counted(follower: RunFollower) -> bool:
    """Whether its model learns by counting, in one step: it has a level and no curve."""
    return learns_by_counting(str(follower.meta.get("config", {}).get("model")))


def level_of(follower: RunFollower) -> tuple[str, float] | None:
    """What a model has that counted: the name of the loss, dev where there is one, and the loss. None for other models,
    and before it has counted."""
    last = follower.evaluations[-1] if follower.evaluations else None
    if last is None or not last.step or not is_counted(follower):
        return None
    return ("train", last.train) if last.dev is None else ("dev", last.dev)


def compared_label(label: str, follower: RunFollower, own: RunFollower | None) -> str:
    """What a legend says of another run: its name, its kind of model, the best dev loss so far; and whether its words
    are others than those of the run that is shown, for then losses do not compare."""
    kind = str(follower.meta.get("config", {}).get("model") or "")
    parts = [label if kind in ("", label) else f"{label} {kind}"]
    best = follower.best
    if best is not None and best.dev is not None and level_of(follower) is None:
        parts.append(f"best {best.dev:.3f}")
    words, others = (f.meta.get("data", {}).get("sha256") if f else None for f in (own, follower))
    if words and others and words != others:
        parts.append("other words")
    return ", ".join(parts)


def curve_of(label: str, follower: RunFollower, axis: Axis, edges: NDArray[np.float64]) -> Curve:
    """A run's losses in the columns between ``edges``, places on the axis."""
    columns = follower.series.columns(follower.done_by(axis, edges))
    level = level_of(follower)
    if level is not None:
        return Curve(label, columns, level=level)
    taken = [e for e in follower.evaluations if e.dev is not None]
    places = follower.at(axis, np.array([e.step for e in taken])).tolist()
    dev = [(x, e.dev) for x, e in zip(places, taken, strict=True) if e.dev is not None and math.isfinite(e.dev)]
    best = follower.best
    best_at = None
    if best is not None and best.dev is not None:
        best_at = float(follower.at(axis, np.array([best.step]))[0]), best.dev
    inside = [(x, loss) for x, loss in dev if edges[0] <= x <= edges[-1]]
    return Curve(label, columns, inside, best_at, follower.series.first_bad)


def comparison(
    runs: Sequence[tuple[str, RunFollower]], axis: Axis, look: Look, *, log: bool = True, parts: Parts = "both"
) -> LossPicture:
    """Several runs over each other, none of them before the others: (name, run), in the order of their letters."""
    if axis == "epochs" and not all(follower.epochs_per_step for _, follower in runs):
        axis = "steps"
    ends = [_end(follower, axis, look) for _, follower in runs if not is_counted(follower)]
    window = 0.0, max([*ends, 0.0]) or 1.0
    edges = column_edges(window, look)
    data = [str(follower.meta.get("data", {}).get("name", "")) for _, follower in runs]
    labels = [f"{name}, {of}" if len(set(data)) > 1 else name for (name, _), of in zip(runs, data, strict=True)]
    curves = [curve_of(printable(label), f, axis, edges) for label, (_, f) in zip(labels, runs, strict=True)]
    losses = range_of(None, curves, (), log=log, whole=True, parts=parts)
    return LossPicture(axis, window, losses, log, others=curves, parts=parts)


def _end(follower: RunFollower, axis: Axis, look: Look) -> float:
    """Where a run ends on an axis; where one that is being trained will, as far as that is known."""
    done = float(follower.at(axis, np.array([follower.steps]))[0])
    if follower.status not in AT_WORK:
        return done
    total = int(follower.meta.get("config", {}).get("steps", 0))
    there = None if axis == "seconds" else float(follower.at(axis, np.array([max(total, follower.steps)]))[0])
    return follow_end(axis, done, there, cells(look))


def reading(follower: RunFollower, axis: Axis, between: Range, *, ascii_only: bool = False) -> list[Part]:
    """The losses of the steps that end between two places on an axis, and what else is known of them."""
    if level_of(follower) is not None:
        last = follower.evaluations[-1]
        said = [f"train {nats(last.train)}"] + ([] if last.dev is None else [f"dev {nats(last.dev)}"])
        return [*said, "counted in one step"]
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
    """The mean loss of these steps in a few characters; of a model that counted, its level."""
    if (level := level_of(follower)) is not None:
        return nats(level[1])
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
