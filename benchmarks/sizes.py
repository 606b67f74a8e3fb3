"""What was measured of sizes, as tables, charts and the sizes at which more threads or a GPU pay. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, TypeVar

from benchmarks.cell import Built, Trained
from benchmarks.row import markdown
from tui_mm.dashboard.charts.experiment import experiment_chart, experiment_height
from tui_mm.dashboard.charts.look import Look
from tui_mm.experiments.result import Chart, Series

_WIDTH, _HEIGHT = 80, 16
_MISSING = "too long"
Figures = TypeVar("Figures", Built, Trained)


@dataclass(frozen=True)
class Size:
    """What a training is of. The lists are the bundled names over and over, shuffled anew each time."""

    words: int
    block_size: int
    hidden: int
    batch_size: int

    def __str__(self) -> str:
        return f"{self.words:,} words, block size {self.block_size}, hidden {self.hidden:,}, batch {self.batch_size:,}"


@dataclass(frozen=True)
class Place:
    """Where a training runs."""

    device: str = "cpu"
    threads: int = 1

    def __str__(self) -> str:
        if self.device != "cpu":
            return "GPU"
        return f"{self.threads} thread{'s' if self.threads > 1 else ''}"


ONE = Place()
AllBuilt = Mapping[Size, Sequence[Built]]
AllTrained = Mapping[tuple[Size, Place], Sequence[Trained]]
"""What every repeat measured; nothing where the first took too long."""


@dataclass(frozen=True)
class Section:
    """A table in Markdown with its charts."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    charts: Sequence[Chart] = ()
    notes: Sequence[str] = ()

    def text(self) -> str:
        height = max(experiment_height(chart, _HEIGHT) for chart in self.charts) if self.charts else 0
        drawn = [experiment_chart(chart, Look(_WIDTH, height, None)) for chart in self.charts]
        parts = [f"### {self.title}", markdown(self.headings, self.rows)]
        parts += [f"```text\n{chart}\n```" for chart in drawn]
        if self.notes:
            parts.append("\n".join(f"- {note}." for note in self.notes))
        return "\n\n".join(parts)


# -- words and block sizes


def axis_section(name: str, sizes: Sequence[Size], built: AllBuilt, trained: AllTrained) -> Section:
    """Cost against ``name``, a field of Size, which is what differs between ``sizes``."""
    titled = name.replace("_", " ")
    made, steps = [middle_built(built[size]) for size in sizes], [middle(trained[size, ONE]) for size in sizes]
    headings = (titled, "examples", "file to windows", "its peak memory", "steps/s, 1 thread", "training's peak memory")
    rows = [
        (
            f"{getattr(size, name):,}",
            _MISSING if b is None else f"{b.examples:,}",
            _MISSING if b is None else _seconds(b.seconds),
            _MISSING if b is None else _bytes(b.peak_bytes),
            _MISSING if t is None else _rate(t.steps_per_second),
            _MISSING if t is None else _bytes(t.peak_bytes),
        )
        for size, b, t in zip(sizes, made, steps, strict=True)
    ]
    at = [getattr(size, name) for size in sizes]
    charts = [
        _chart(titled, "seconds from file to windows", {"1 thread": (at, [b.seconds if b else None for b in made])}),
        _chart(titled, "steps/s", {"1 thread": (at, [t.steps_per_second if t else None for t in steps])}),
    ]
    return Section(f"Cost against {titled}", headings, rows, charts)


# -- memory


def memory_section(axes: Mapping[str, Sequence[Size]], trained: AllTrained, places: Sequence[Place]) -> Section:
    """Peak memory of a training against each size, the others at the centre."""
    on_gpu = next((place for place in places if place.device != "cpu"), None)
    headings = ["what varies", "value", "parameters", "peak memory", "Python and torch"]
    headings += ["GPU memory"] if on_gpu else []
    rows, charts = [], []
    for name, sizes in axes.items():
        steps = [middle(trained[size, ONE]) for size in sizes]
        for size, t in zip(sizes, steps, strict=True):
            cells = [name.replace("_", " "), f"{getattr(size, name):,}"]
            if t is None:
                cells += [_MISSING] * 3
            else:
                cells += [f"{t.parameters:,}", _bytes(t.peak_bytes), _bytes(t.base_bytes)]
            if on_gpu:
                g = middle(trained[size, on_gpu])
                cells.append(_MISSING if g is None else _bytes(g.gpu_bytes))
            rows.append(cells)
        if name in ("words", "batch_size"):
            at = [getattr(size, name) for size in sizes]
            own = [(t.peak_bytes - t.base_bytes) / 1e6 if t else None for t in steps]
            charts.append(_chart(name.replace("_", " "), "MB beyond Python and torch", {"1 thread": (at, own)}))
    return Section("Memory of a training", headings, rows, charts)


# -- hidden units and batch


def plane_section(sizes: Sequence[Size], places: Sequence[Place], trained: AllTrained) -> Section:
    """Steps a second over hidden units and batch, and at which of them the further places pay."""
    first, *others = places
    headings = ["hidden", "batch", "work", *map(str, places), *(f"{place}, ratio" for place in others), "auto"]
    rows, ratios = [], {place: list[tuple[float, float]]() for place in others}
    for size in sizes:
        found = {place: middle(trained[size, place]) for place in places}
        known = next((t for t in found.values() if t is not None), None)
        cells = [
            f"{size.hidden:,}",
            f"{size.batch_size:,}",
            _MISSING if known is None else f"{known.work / 1e6:,.2f} M",
        ]
        cells += [_MISSING if t is None else _rate(t.steps_per_second) for t in found.values()]
        base = found[first]
        for place in others:
            t = found[place]
            if base is None or t is None:
                cells.append("–")
                continue
            ratios[place].append((t.work, t.steps_per_second / base.steps_per_second))
            cells.append(f"{ratios[place][-1][1]:.2f} ×")
        rows.append([*cells, "–" if known is None else str(Place(threads=known.chosen))])
    charts = [_rates_chart(sizes, first, trained)]
    if any(ratios.values()):
        lines = {str(place): _columns(points) for place, points in ratios.items() if points}
        every = [work for points in ratios.values() for work, _ in points]
        lines["no difference"] = ([min(every), max(every)], [1.0, 1.0])
        charts.append(_chart("millions of multiply-adds between two waits", f"steps/s against {first}", lines, 1e6))
    notes = ["work: multiply-adds of a forward pass between two places at which all threads wait for all"]
    notes += [_pays(place, points) for place, points in ratios.items()]
    notes += auto_notes(sizes, places, trained)
    return Section("Steps a second against hidden units and batch", headings, rows, charts, notes)


def begins_to_pay(points: Sequence[tuple[float, float]], least: float = 1.1) -> float | None:
    """The work from which on to take the other place, so that most is gained over all that was measured, in the
    geometric mean and beyond ``least``: one cell that was disturbed does not decide. None where nothing is gained.

    points: (work, steps a second against those of the first place)
    """
    found, gain, most = None, 0.0, 0.0
    for work, ratio in sorted(points, reverse=True):
        gain += math.log(ratio / least)
        if gain > most:
            found, most = work, gain
    return found


def _pays(place: Place, points: Sequence[tuple[float, float]]) -> str:
    start = begins_to_pay(points)
    if start is None:
        return f"{place} did not pay (1.1 × and more)"
    below = sum(ratio >= 1 for work, ratio in points if work < start)
    above = sum(ratio < 1 for work, ratio in points if work >= start)
    return (
        f"{place} began to pay (1.1 × and more) at {start / 1e6:,.2f} M; of {len(points)} cells {below} gained below "
        f"and {above} lost beyond"
    )


def auto_notes(sizes: Sequence[Size], places: Sequence[Place], trained: AllTrained) -> list[str]:
    """How near ``--threads auto`` comes to the best of the numbers of threads that were measured."""
    on_cpu = [place for place in places if place.device == "cpu"]
    kept = []
    for size in sizes:
        found = {place.threads: t for place in on_cpu if (t := middle(trained[size, place])) is not None}
        chosen = next(iter(found.values())).chosen if found else 0
        if chosen in found and len(found) > 1:
            best = max(t.steps_per_second for t in found.values())
            kept.append((found[chosen].steps_per_second / best, size))
    if not kept:
        return []
    worst, where = min(kept, key=lambda pair: pair[0])
    return [
        f"auto takes what was fastest in {sum(share == 1 for share, _ in kept)} of {len(kept)} cells; at worst it has "
        f"{worst:.2f} of the best steps/s, at hidden {where.hidden:,} and batch {where.batch_size:,}"
    ]


def _rates_chart(sizes: Sequence[Size], place: Place, trained: AllTrained) -> Chart:
    lines: dict[str, tuple[list[float], list[float | None]]] = {}
    for size in sizes:
        x, y = lines.setdefault(f"hidden {size.hidden:,}", ([], []))
        t = middle(trained[size, place])
        x.append(size.batch_size)
        y.append(t.steps_per_second if t else None)
    return _chart("batch", f"steps/s, {place}", lines)


# -- medians and texts


def middle(repeats: Sequence[Trained]) -> Trained | None:
    """The repeats as one, by medians."""
    if not repeats:
        return None
    return _median_of(repeats, ("steps_per_second", "peak_bytes", "base_bytes", "gpu_bytes"))


def middle_built(repeats: Sequence[Built]) -> Built | None:
    return _median_of(repeats, ("seconds", "peak_bytes")) if repeats else None


def _median_of(repeats: Sequence[Figures], names: Sequence[str]) -> Figures:
    medians: dict[str, Any] = {name: median(getattr(each, name) for each in repeats) for name in names}
    return replace(repeats[0], **medians)


def _chart(
    x: str, y: str, lines: Mapping[str, tuple[Sequence[float], Sequence[float | None]]], unit: float = 1
) -> Chart:
    series = [Series(name, tuple(at / unit for at in xs), tuple(ys)) for name, (xs, ys) in lines.items()]
    return Chart("lines", x, y, tuple(series), log_x=True, log_y=True)


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    ordered = sorted(points)
    return [x for x, _ in ordered], [y for _, y in ordered]


def _seconds(value: float) -> str:
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.2f} s"


def _bytes(value: float) -> str:
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def _rate(value: float) -> str:
    digits = max(0, 2 - math.floor(math.log10(value))) if value < 100 else 0
    return f"{value:,.{digits}f}"
