"""Medians of interleaved repeats: what slows the machine for a while then slows both sides."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Measure = Callable[[], float]
"""Does the work once and returns what it measured: seconds, steps per second."""


@dataclass(frozen=True)
class Pair:
    """What every repeat measured, in order."""

    reference: list[float]
    ours: list[float]


def interleaved(reference: Measure, ours: Measure, repeats: int) -> Pair:
    """Reference, ours, reference, ours, ..."""
    return Pair(*in_turns([reference, ours], repeats))


def in_turns(measures: Sequence[Measure], repeats: int) -> list[list[float]]:
    """What each measured, one after another, again and again."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(repeats):
        for measured, measure in zip(found, measures, strict=True):
            measured.append(_once(measure))
    return found


def seconds(work: Callable[[], object]) -> Measure:
    """A measure of the wall time of ``work``; what it returns is let go after the clock has stopped."""

    def measure() -> float:
        started = time.perf_counter()
        result = work()
        elapsed = time.perf_counter() - started
        del result
        return elapsed

    return measure


def median_or_none(values: list[float]) -> float | None:
    return median(values) if values else None


def _once(measure: Measure) -> float:
    gc.collect()  # the garbage of one side is not collected on the other's time
    return measure()
