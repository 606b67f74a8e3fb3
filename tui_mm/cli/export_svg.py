"""What the picture of `export --to svg` shows: the whole run, its baselines, and what it is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from data.bigrams import BigramCounts
from data.levels import CHARACTER, LEVELS
from tui_mm.cli.output import say
from tui_mm.dashboard.charts.loss import Curve, LossPicture, range_of
from tui_mm.dashboard.charts.loss_svg import COLUMNS, loss_svg
from tui_mm.kinds import learns_by_counting, size_text
from tui_mm.runs.export_source import RunSnapshot, Sink
from tui_mm.runs.home import RunError
from tui_mm.runs.series import LossSeries
from tui_mm.runs.store import EvaluationRow
from tui_mm.text import printable

_MOST_DEV = COLUMNS


def write_svg(source: RunSnapshot, out: Sink) -> int:
    """The loss chart over steps; returns how many there are. Raises RunError for a run without any."""
    series = LossSeries()
    for chunk in source.chunks():
        series.append(chunk.losses)
    if not series.steps:
        raise RunError(f"run {source.run.id}: has no steps yet, so there is no curve to draw")
    meta = source.meta()
    window = (0.0, float(series.steps))
    edges = np.linspace(*window, min(COLUMNS, series.steps) + 1).astype(np.int64)
    dev, best, last = _evaluations(source, series.steps)
    level = None
    if learns_by_counting(str(meta["model"]["kind"])) and last is not None:
        level = ("train", last.train) if last.dev is None else ("dev", last.dev)
    run = Curve("train", series.columns(edges), dev, best, series.first_bad, level)
    baselines = _baselines(source, meta)
    losses = range_of(run, (), baselines, log=True, whole=True)
    picture = LossPicture("steps", window, losses, run=run, baselines=baselines)
    out.write(loss_svg(picture, source.title, _subtitle(source, meta, series.steps)).encode())
    return series.steps


def _evaluations(
    source: RunSnapshot, steps: int
) -> tuple[list[tuple[float, float]], tuple[float, float] | None, EvaluationRow | None]:
    """(step, dev loss) of those that are finite, the best of all, and the last evaluation. Of very many, as an
    evaluation at every step gives them, only the last in each of ``_MOST_DEV`` parts of the run."""
    dev: list[tuple[float, float]] = []
    best: tuple[float, float] | None = None
    last: EvaluationRow | None = None
    for last in source.evaluated():
        if last.dev is None or not math.isfinite(last.dev):
            continue
        point = float(last.step), last.dev
        if best is None or point[1] < best[1]:
            best = point
        parts = [int(x / steps * _MOST_DEV) for x in (point[0], dev[-1][0])] if dev else [0, -1]
        if parts[0] == parts[1] and steps > _MOST_DEV:
            dev[-1] = point
        else:
            dev.append(point)
    return dev, best, last


def _baselines(source: RunSnapshot, meta: dict[str, Any]) -> list[tuple[str, float]]:
    size = int(meta["data"]["vocabulary"])
    uniform = (f"uniform ln {size:,}", math.log(size))
    try:
        splits = source.run.splits()
    except RunError as error:
        say(f"makemore-tui: drawn without the level of bigram counts: {printable(str(error))}", err=True)
        return [uniform]
    size = len(splits.vocabulary)
    counts = BigramCounts.of(splits.train.tokens, size)
    on = BigramCounts.of(splits.dev.tokens, size) if splits.dev.examples else None
    return [uniform, ("bigram counts", counts.loss(1, on))]


def _subtitle(source: RunSnapshot, meta: dict[str, Any], steps: int) -> str:
    config = source.config()
    data, model = meta["data"], meta["model"]
    rows = LEVELS[data.get("level", CHARACTER.name)].rows
    parts = [
        f"{model['kind']}, {size_text(model['kind'], model['parameters'])}",
        f"{Path(data['name']).name}, {data['words']:,} {rows}",
        f"{steps:,} step{'' if steps == 1 else 's'}",
    ]
    if not config.counts:
        parts.append(f"{config.optimizer}, lr {config.lr:g} {config.schedule}, batch {config.batch_size or 'all'}")
    if source.status != "done":
        parts.append(source.status)
    return " · ".join(parts)
