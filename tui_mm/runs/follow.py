"""What a viewer knows of a run: read from its store piece by piece as it grows. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.runs.run import Run
from tui_mm.runs.store import EvaluationRow, EventRow, LossChunk, SampleRow

_RATE_SECONDS = 3.0  # the speed shown is that of the last few seconds of training


class RunFollower:
    """A run's losses, evaluations and events so far; ``poll`` brings them up to date. Use from one thread."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.meta: dict[str, Any] = {}
        self.status = "created"
        self._store = run.store()
        self._seen = -1
        self._generation = -1
        self._forget()

    def _forget(self) -> None:
        self._buffer = np.empty(1024, np.float32)
        self._marks: list[tuple[int, float, float]] = []  # (step, train seconds, seconds) at the end of each chunk
        self.steps = 0
        self.lr: float | None = None
        self.seconds = 0.0
        self.evaluations: list[EvaluationRow] = []
        self.events: list[EventRow] = []
        self.samples: list[SampleRow] = []
        self.sweep_exponents = self.sweep_losses = np.empty(0)  # of the last sweep, as far as it is

    @property
    def losses(self) -> NDArray[np.float32]:
        """Every step's loss so far, (steps,); a view that must not be written to."""
        return self._buffer[: self.steps]

    @property
    def best(self) -> EvaluationRow | None:
        """The evaluation with the least dev loss."""
        return next((e for e in reversed(self.evaluations) if e.is_best), None)

    @property
    def steps_per_second(self) -> float | None:
        """Of the last seconds of training, evaluations left out."""
        if not self._marks:
            return None
        last_step, last_time, _ = self._marks[-1]
        for step, at, _ in reversed(self._marks):
            if last_time - at >= _RATE_SECONDS:
                return (last_step - step) / (last_time - at)
        return last_step / last_time if last_time else None

    def seconds_at(self, steps: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Seconds from the start, evaluations included, at which each of ``steps`` was done."""
        marks = [(0, 0.0, 0.0), *self._marks]
        at: NDArray[np.float64] = np.interp(steps, [m[0] for m in marks], [m[2] for m in marks])
        return at

    def poll(self) -> bool:
        """Take in what is new; whether there was anything. Raises RunError for a store that cannot be read."""
        changes = self._store.changes()
        if changes == self._seen and self.status not in ("running", "paused"):
            return False
        before = self.status
        if changes != self._seen:
            self.meta = self._store.meta()
        # a lock can come free without a word in the store: a crash
        self.status = self.run.judge(str(self.meta.get("status", "created")))
        if changes == self._seen:
            return self.status != before
        self._seen = changes
        generation = int(self.meta.get("generation", 0))
        if generation != self._generation:
            self._forget()
            self._generation = generation
        for chunk in self._store.loss_chunks(after_step=self.steps):
            self._take(chunk)
        self.evaluations = self._store.evaluations()
        self.events += self._store.events(after=len(self.events))
        self.samples = self._store.samples()
        self.sweep_exponents, self.sweep_losses = self._store.sweep_points()
        return True

    def _take(self, chunk: LossChunk) -> None:
        end = self.steps + len(chunk.losses)
        if end > len(self._buffer):
            grown = np.empty(max(end, 2 * len(self._buffer)), np.float32)
            grown[: self.steps] = self.losses
            self._buffer = grown
        self._buffer[self.steps : end] = chunk.losses
        self.steps = end
        self.lr, self.seconds = chunk.lr, chunk.seconds
        self._marks.append((end, chunk.train_seconds, chunk.seconds))

    def close(self) -> None:
        self._store.close()
