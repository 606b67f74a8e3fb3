"""Every step's loss in memory that does not grow with the run: the least, greatest and sum of equal runs of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Axis = Literal["steps", "epochs", "seconds"]
"""What losses are drawn over."""

MAX_BUCKETS = 1 << 17


@dataclass(frozen=True, eq=False)
class Columns:
    """Per column: its first index and the least, mean and greatest of its finite values (NaN where none is), and how
    many values are not finite."""

    start: NDArray[np.int64]
    low: NDArray[np.float64]
    mean: NDArray[np.float64]
    high: NDArray[np.float64]
    bad: NDArray[np.int64]


class LossSeries:
    """Losses of steps 1, 2, ... in buckets of ``bucket`` steps each: 1 until ``MAX_BUCKETS`` are full, then pairs are
    merged, and so on. The last bucket may be part full."""

    def __init__(self, losses: NDArray[Any] | None = None, *, max_buckets: int = MAX_BUCKETS) -> None:
        """max_buckets: even."""
        self._most = max_buckets
        self.steps = 0
        self.bucket = 1
        self.first_bad: tuple[int, float] | None = None  # the first step whose loss is not finite, and that loss
        # All there will ever be, and written to at once: arrays that double leave holes behind, and a viewer's memory
        # would grow for the first MAX_BUCKETS steps.
        self._low = np.full(max_buckets, np.inf, np.float32)
        self._high = np.full(max_buckets, -np.inf, np.float32)
        self._total = np.full(max_buckets, 0.0)
        self._bad = np.full(max_buckets, 0, np.int32)
        if losses is not None:
            self.append(losses)

    def append(self, losses: NDArray[Any]) -> None:
        """The losses of the next steps."""
        rest = np.asarray(losses, np.float32)
        if self.first_bad is None:
            bad = np.flatnonzero(~np.isfinite(rest))
            if len(bad):
                self.first_bad = self.steps + int(bad[0]) + 1, float(rest[bad[0]])
        while len(rest):
            if self.steps == self._most * self.bucket:
                self._merge()
            room = self._most * self.bucket - self.steps
            self._fill(rest[:room])
            rest = rest[room:]

    def _fill(self, losses: NDArray[np.float32]) -> None:
        first = self.steps // self.bucket
        self.steps += len(losses)
        end = -(-self.steps // self.bucket)
        finite = np.isfinite(losses)
        begun = self.steps - len(losses) - first * self.bucket  # steps already in the first bucket
        start = np.maximum(np.arange(end - first) * self.bucket - begun, 0)
        where = slice(first, end)
        low = np.minimum.reduceat(np.where(finite, losses, np.float32(np.inf)), start)
        high = np.maximum.reduceat(np.where(finite, losses, np.float32(-np.inf)), start)
        np.minimum(self._low[where], low, out=self._low[where])
        np.maximum(self._high[where], high, out=self._high[where])
        self._total[where] += np.add.reduceat(np.where(finite, losses, 0.0), start, dtype=np.float64)
        self._bad[where] += np.add.reduceat(~finite, start, dtype=np.int32)

    def _merge(self) -> None:
        """Pairs into buckets twice as wide; called when all are full."""
        half = self._most // 2
        self._low[:half] = np.minimum(self._low[::2], self._low[1::2])
        self._high[:half] = np.maximum(self._high[::2], self._high[1::2])
        self._total[:half] = self._total[::2] + self._total[1::2]
        self._bad[:half] = self._bad[::2] + self._bad[1::2]
        self._low[half:], self._high[half:], self._total[half:], self._bad[half:] = np.inf, -np.inf, 0.0, 0
        self.bucket *= 2

    def columns(self, edges: NDArray[Any]) -> Columns:
        """What lies between ``edges``, rising counts of steps (n + 1): column i has the steps after edges[i] up to
        edges[i + 1], ``start`` their index from 0. A bucket belongs to the column that has its first step."""
        bounds = np.minimum(-(-np.asarray(edges, np.int64) // self.bucket), -(-self.steps // self.bucket))
        begin, end = bounds[:-1], bounds[1:]
        full = end > begin
        low, mean, high = (np.full(len(begin), np.nan) for _ in range(3))
        bad = np.zeros(len(begin), np.int64)
        if full.any():
            first, last = int(begin[full][0]), int(end[full][-1])
            at = begin[full] - first  # columns without steps lie between none of these
            number = np.minimum(end[full] * self.bucket, self.steps) - begin[full] * self.bucket
            bad[full] = np.add.reduceat(self._bad[first:last], at, dtype=np.int64)
            number -= bad[full]
            total = np.add.reduceat(self._total[first:last], at)
            least = np.minimum.reduceat(self._low[first:last], at).astype(np.float64)
            greatest = np.maximum.reduceat(self._high[first:last], at).astype(np.float64)
            some = number > 0
            low[full] = np.where(some, least, np.nan)
            high[full] = np.where(some, greatest, np.nan)
            mean[full] = np.where(some, total / np.maximum(number, 1), np.nan)
        return Columns(begin * self.bucket, low, mean, high, bad)
