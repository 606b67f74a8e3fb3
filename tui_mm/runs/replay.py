"""A run as it was at any of its steps: what a viewer knew of it then, read from its store afterwards. No torch."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import RunError
from tui_mm.runs.row import AT_WORK
from tui_mm.runs.run import Run
from tui_mm.runs.series import MAX_BUCKETS, LossSeries
from tui_mm.runs.store import EventRow, LossBlock

_STEPS_A_SECOND = 1000.0  # supposed of a run whose times say nothing
_MAX_MARKS = 1 << 12  # times that are kept
_ROWS = 16  # of losses, read at once


class LayeredSeries(LossSeries):
    """Losses that can be cut anywhere: whenever pairs of buckets are merged, what they were before is kept as a layer.

    A layer is 2.5 MiB, and there is one more each time that the run doubles beyond ``max_buckets`` steps.
    """

    def __init__(self, *, max_buckets: int = MAX_BUCKETS) -> None:
        """max_buckets: even."""
        self._layers: list[LossSeries] = []  # the k-th has buckets of 2**k steps, all full
        super().__init__(max_buckets=max_buckets)

    def _merge(self) -> None:
        self._layers.append(_copied(self, self._most))
        super()._merge()

    def bucket_at(self, step: int) -> int:
        """How many steps a bucket held when the series was ``step`` steps long."""
        return self._layer_of(step).bucket

    def cut(self, step: int, rest: NDArray[Any]) -> LossSeries:
        """The series as it was when it was ``step`` steps long. ``rest``: the losses of the last bucket where that was
        part full then, (step % bucket,)."""
        layer = self._layer_of(step)
        full = step // layer.bucket
        cut = _copied(layer, full)
        cut.steps = full * layer.bucket
        if cut.first_bad is not None and cut.first_bad[0] > step:
            cut.first_bad = None
        cut.append(rest)
        return cut

    def _layer_of(self, step: int) -> LossSeries:
        return next((layer for layer in self._layers if step <= layer.steps), self)


def _copied(series: LossSeries, full: int) -> LossSeries:
    """A series of its first ``full`` buckets; the others are empty."""
    made = LossSeries(max_buckets=series._most)
    for name in ("_low", "_high", "_total", "_bad"):
        getattr(made, name)[:full] = getattr(series, name)[:full]
    made.steps, made.bucket, made.first_bad = series.steps, series.bucket, series.first_bad
    return made


class _Whole(RunFollower):
    """All of a run, with losses that can be cut, and times that are as close to each other everywhere."""

    def __init__(self, run: Run, max_buckets: int) -> None:
        self._max_buckets = max_buckets
        super().__init__(run)

    def _forget(self) -> None:
        super()._forget()
        self.layered = LayeredSeries(max_buckets=self._max_buckets)
        self.series = self.layered
        self._kept: list[tuple[int, float, float]] = []  # the marks of every ``_stride``-th chunk
        self._stride, self._chunks = 1, 0
        self._times: NDArray[np.float64] | None = None

    def _take(self, block: LossBlock) -> None:
        self.series.append(block.losses)
        self.lr, self.seconds = block.lr, float(block.seconds[-1])
        marks = list(zip(block.ends.tolist(), block.train_seconds.tolist(), block.seconds.tolist(), strict=True))
        self._kept += marks[-self._chunks % self._stride :: self._stride]
        self._chunks += len(marks)
        while len(self._kept) > _MAX_MARKS:
            self._kept, self._stride = self._kept[::2], 2 * self._stride
        self._marks = [*self._kept, *(marks[-1:] if self._kept[-1] != marks[-1] else ())]
        self._times = None

    def _timeline(self) -> NDArray[np.float64]:
        if self._times is None:
            self._times = super()._timeline()
        return self._times


class ReplayFollower(RunFollower):
    """Shows a run as a ``RunFollower`` showed it when it was ``step`` steps long.

    The run is read once, and again as far as it has gone on if it is still being trained. Going to another step takes
    a few milliseconds, however long the run is, and so much memory as two followers and the layers of its losses.
    What the store does not tell the time of, the last sweep, is there throughout. Use from one thread.
    """

    def __init__(self, run: Run, *, max_buckets: int = MAX_BUCKETS) -> None:
        """Raises RunError for a run that cannot be read, or was never trained. Begins at the first step."""
        super().__init__(run)
        self._whole = _Whole(run, max_buckets)
        self._moments: list[int] = []
        self._event_steps: list[int] = []
        try:
            self.poll()
            if not self.total:
                way_on = (
                    "it has only just begun: try again" if self.is_live else f"train it: makemore-tui resume {run.id}"
                )
                raise RunError(f"run {run.id}: has no steps yet, there is nothing to replay; {way_on}")
        except RunError:
            self.close()
            raise

    def close(self) -> None:
        self._whole.close()
        super().close()

    # -- the whole run

    @property
    def total(self) -> int:
        """How many steps the run has."""
        return self._whole.steps

    @property
    def is_live(self) -> bool:
        """Whether somebody is training it."""
        return self._whole.status in AT_WORK

    def keeps(self, kind: str) -> bool:
        """Whether anything of a kind of ``SNAPSHOTS`` was kept of the run."""
        return bool(self._whole.snapshots[kind])

    @property
    def moments(self) -> list[int]:
        """The steps at which something was taken of the model, an evaluation or a snapshot; the first and the last."""
        return self._moments

    def moment(self, way: int) -> int:
        """The next of ``moments``, or the one before where ``way`` is below 0; the step itself at either end."""
        if way < 0:
            return self._moments[max(0, bisect_left(self._moments, self.steps) - 1)]
        return self._moments[min(len(self._moments) - 1, bisect_right(self._moments, self.steps))]

    @property
    def _has_times(self) -> bool:
        return math.isfinite(self._whole.seconds) and self._whole.seconds > 0

    @property
    def duration(self) -> float:
        """Seconds that the run took, evaluations included and pauses not."""
        return self._whole.seconds if self._has_times else self.total / _STEPS_A_SECOND

    def time_of(self, step: int) -> float:
        """Seconds from the start to the end of a step."""
        if not self._has_times:
            return step / _STEPS_A_SECOND
        return float(self._whole.at("seconds", np.array([step]))[0])

    def step_at(self, seconds: float) -> int:
        """How many steps had ended so many seconds after the start."""
        if not self._has_times:
            return max(0, min(self.total, math.floor(seconds * _STEPS_A_SECOND)))
        return int(self._whole.done_by("seconds", np.array([seconds]))[0])

    # -- the run as it was

    def poll(self) -> bool:
        """Take in how far the run has gone on; whether it has. Raises RunError for a store that cannot be read."""
        if not self._whole.poll():
            return False
        whole = self._whole
        kept = {step for rows in whole.snapshots.values() for step, _ in rows}
        kept |= {0, whole.steps, *(e.step for e in whole.evaluations)}
        self._moments = sorted(step for step in kept if 0 <= step <= whole.steps)
        self._event_steps = _seen_from(whole.events)
        self._show(min(self.steps, whole.steps))
        return True

    def show(self, step: int) -> bool:
        """Go to where the run was ``step`` steps long, at most all that it has; whether that is somewhere else. Raises
        RunError for a store that cannot be read."""
        wanted = max(0, min(step, self.total))
        if wanted == self.steps:
            return False
        self._show(wanted)
        return True

    def _show(self, step: int) -> None:
        whole, is_end = self._whole, step == self._whole.steps
        bucket = whole.layered.bucket_at(step)
        rest, self.lr = self._read(step // bucket * bucket, step)
        self.series = whole.layered.cut(step, rest)
        count = bisect_right(whole._marks, step, key=lambda mark: mark[0])
        self._marks = whole._marks[:count]
        if step and (not count or self._marks[-1][0] < step):
            times = whole._timeline()
            train, seconds = (float(np.interp(step, times[:, 0], times[:, column])) for column in (1, 2))
            self._marks.append((step, train, seconds))
        self.seconds = self._marks[-1][2] if self._marks else 0.0
        self.evaluations = whole.evaluations[: bisect_right(whole.evaluations, step, key=lambda e: e.step)]
        self.snapshots = {
            kind: rows[: bisect_right(rows, step, key=lambda row: row[0])] for kind, rows in whole.snapshots.items()
        }
        self.events = whole.events[: len(whole.events) if is_end else bisect_right(self._event_steps, step)]
        self.samples = whole.samples if is_end and not self.is_live else []
        self.sweep_exponents, self.sweep_losses = whole.sweep_exponents, whole.sweep_losses
        self.status = whole.status if is_end else "running"
        self.waits_for = whole.waits_for if is_end else ""
        self.meta = whole.meta | {"status": self.status}

    def _read(self, begin: int, step: int) -> tuple[NDArray[np.float32], float | None]:
        """The losses after ``begin`` and up to ``step``, less than a bucket's, and the rate of the last step."""
        if not step:
            return np.empty(0, np.float32), None
        first = min(begin, step - 1)  # the rate is in the row that has the step
        count = bisect_right(self._whole._marks, first, key=lambda mark: mark[0])
        parts, lr = list[NDArray[np.float32]](), None
        done = self._whole._marks[count - 1][0] if count else 0
        while done < step:
            chunks = list(self._store.loss_chunks(done, _ROWS))
            if not chunks:
                raise RunError(f"run {self.run.id}: its losses end before step {step:,} now; it is damaged")
            for chunk in chunks:
                parts.append(chunk.losses[max(0, first - done) : step - done])
                done, lr = chunk.last_step, chunk.lr
                if done >= step:
                    break
        losses = np.concatenate(parts)
        return losses[len(losses) - (step - begin) :], lr


def _seen_from(events: list[EventRow]) -> list[int]:
    """From which step on each event is seen. A run that was killed went back to a checkpoint: what had happened in the
    steps that it lost is seen from where it went on."""
    steps = [event.step for event in events]
    for i in range(len(steps) - 2, -1, -1):
        steps[i] = min(steps[i], steps[i + 1])
    return steps
