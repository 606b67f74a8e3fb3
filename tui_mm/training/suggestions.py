"""What a learning-rate range test suggests: pure functions of its curve. No torch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WINDOW = 20  # the curve is smoothed over a twentieth of its points


@dataclass(frozen=True)
class Suggestions:
    """Learning rates read off a smoothed curve; None where the curve never falls.

    valley: well down the longest fall of the loss (fastai's default); steepest: where it falls fastest
    (fastai's steep, torch-lr-finder); minimum: a tenth of the rate with the least loss (fastai's minimum)
    """

    valley: float | None
    steepest: float | None
    minimum: float | None


def smooth(losses: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    """Centred moving mean over a twentieth of the points, taken twice, narrower at the ends.

    An exponential average, as the usual finders have, lags behind the curve and moves every suggestion up.
    From the first loss that is not finite on, the smoothed curve is NaN.
    """
    values = np.asarray(losses, dtype=np.float64)
    finite = _finite_prefix(values)
    curve = _moving_mean(_moving_mean(values[:finite]))
    return np.concatenate((curve, np.full(len(values) - finite, np.nan)))


def _half_window(points: int) -> int:
    return points // _WINDOW // 2


def _moving_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    count = len(values)
    total = np.concatenate(([0.0], np.cumsum(values)))
    at = np.arange(count)
    reach = np.minimum(_half_window(count), np.minimum(at, count - 1 - at))
    means: NDArray[np.float64] = (total[at + reach + 1] - total[at - reach]) / (2 * reach + 1)
    return means


def suggest(
    exponents: Sequence[float] | NDArray[np.floating], smoothed: Sequence[float] | NDArray[np.floating]
) -> Suggestions:
    """Suggestions from the exponents (rate = 10**exponent, ascending) and the smoothed losses of a range test."""
    curve = np.asarray(smoothed, dtype=np.float64)
    finite = _finite_prefix(curve)
    x, y = np.asarray(exponents, dtype=np.float64)[:finite], curve[:finite]
    lowest = int(y.argmin()) if finite else 0
    if lowest == 0:
        return Suggestions(None, None, None)
    slopes = np.gradient(y, x)
    edge = min(_half_window(finite), lowest)  # where the mean is narrow, slopes are noise
    return Suggestions(
        valley=_rate(x[_valley(y)]),
        steepest=_rate(x[edge + int(slopes[edge : lowest + 1].argmin())]),
        minimum=_rate(x[lowest]) / 10,
    )


def _valley(y: NDArray[np.float64]) -> int:
    """fastai's valley: two thirds into the longest decreasing subsequence (its index arithmetic kept)."""
    tails: list[float] = []  # least negated end of an increasing run of each length
    tail_at: list[int] = []
    before = np.full(len(y), -1)
    for i, value in enumerate(-y):
        length = bisect_left(tails, value)
        if length:
            before[i] = tail_at[length - 1]
        tails[length : length + 1] = [float(value)]
        tail_at[length : length + 1] = [i]
    start = end = tail_at[-1]
    while before[start] >= 0:
        start = int(before[start])
    third = (end - start) / 3
    return start + int(third) + int(third / 2)


def _finite_prefix(values: NDArray[np.float64]) -> int:
    bad = np.flatnonzero(~np.isfinite(values))
    return int(bad[0]) if len(bad) else len(values)


def _rate(exponent: float) -> float:
    return float(10.0 ** float(exponent))
