"""Fewer points for a chart without losing a spike: the least and greatest of every column. Pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.runs.series import Columns


def decimate(values: NDArray[Any], columns: int) -> Columns:
    """Divide ``values`` into at most ``columns`` runs of equal size (the last may be shorter)."""
    count = len(values)
    size = max(1, -(-count // max(1, columns)))
    start = np.arange(0, count, size)
    if not count:
        empty = np.empty(0)
        return Columns(start, empty, empty, empty, start)
    whole = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(whole)
    number = np.add.reduceat(finite.astype(np.int64), start)
    low = np.minimum.reduceat(np.where(finite, whole, np.inf), start)
    high = np.maximum.reduceat(np.where(finite, whole, -np.inf), start)
    total = np.add.reduceat(np.where(finite, whole, 0.0), start)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(number > 0, total / number, np.nan)
    nothing = number == 0
    low[nothing], high[nothing] = np.nan, np.nan
    return Columns(start, low, mean, high, np.diff(np.append(start, count)) - number)
