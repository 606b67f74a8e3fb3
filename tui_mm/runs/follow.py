"""What a viewer knows of a run: read from its store piece by piece as it grows. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.kinds import KINDS, learns_by_counting
from tui_mm.runs.row import AT_WORK
from tui_mm.runs.run import Run
from tui_mm.runs.series import Axis, LossSeries
from tui_mm.runs.store import EvaluationRow, EventRow, LossBlock, SampleRow

SNAPSHOTS = ("names", "embedding", "layers")
_RATE_SECONDS = 3.0  # the speed shown is that of the last few seconds of training
_MAX_MARKS = 4096
_RECENT_STEPS = 100


class RunFollower:
    """A run's losses, evaluations and events so far; ``poll`` brings them up to date, at a cost that does not grow with
    the run. Use from one thread."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.meta: dict[str, Any] = {}
        self.status = "created"
        self.waits_for = ""  # a line, while the training waits for its disk
        self._store = run.store()
        self._seen = -1
        self._generation = -1
        self._forget()

    def _forget(self) -> None:
        self.series = LossSeries()
        self._marks: list[tuple[int, float, float]] = []  # (step, train seconds, seconds) at the ends of chunks
        self.lr: float | None = None
        self.seconds = 0.0
        self.evaluations: list[EvaluationRow] = []
        self.events: list[EventRow] = []
        self.samples: list[SampleRow] = []
        self.sweep_exponents = self.sweep_losses = np.empty(0)  # of the last sweep, as far as it is
        self.snapshots: dict[str, list[tuple[int, Any]]] = {kind: [] for kind in SNAPSHOTS}  # (step, value), rising

    @property
    def steps(self) -> int:
        return self.series.steps

    @property
    def recent_loss(self) -> float:
        """The mean of the last steps' losses, a hundred of them; NaN where none of them is finite."""
        steps = self.series.steps
        first = max(0, steps - max(_RECENT_STEPS, self.series.bucket))
        return float(self.series.columns(np.array([first, steps])).mean[0])

    @property
    def best(self) -> EvaluationRow | None:
        """The evaluation with the least dev loss."""
        return next((e for e in reversed(self.evaluations) if e.is_best), None)

    @property
    def end(self) -> str:
        """The status of a training that came to an end, with why it failed, if it did."""
        why = next((e.message for e in reversed(self.events) if e.kind == "failed"), "")
        return f"{self.status}: {why}" if self.status == "failed" and why else self.status

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

    @property
    def epoch_size(self) -> int:
        """Train examples; 0 while the run does not say."""
        examples = self.meta.get("data", {}).get("examples", {})
        return int(examples.get("train", 0))

    @property
    def epochs_per_step(self) -> float:
        """0 where the run does not say how many examples it has.

        A sequence model's batch is of rows, which are words; longer ones than its context take several, and how many
        is only known to be at least as many as their characters need.
        """
        config, size = self.meta.get("config", {}), self.epoch_size
        model = str(config.get("model"))
        if model in KINDS and KINDS[model].sequence:
            words = int(float(config.get("train_fraction", 1)) * int(self.meta.get("data", {}).get("words", 0)))
            size = max(words, -(-size // int(config.get("block_size", 1))))
        batch = 0 if learns_by_counting(model) else int(config.get("batch_size", 0))
        return (batch or size) / size if size else 0.0  # a batch of 0 is all examples, as is counting once

    def at(self, axis: Axis, steps: NDArray[Any]) -> NDArray[np.float64]:
        """Where on an axis each of ``steps`` ends; seconds are from the start, evaluations included."""
        done = np.asarray(steps, np.float64)
        if axis == "seconds":
            marks = self._timeline()
            return np.asarray(np.interp(done, marks[:, 0], marks[:, 2]), np.float64)
        return done if axis == "steps" else done * self.epochs_per_step

    def done_by(self, axis: Axis, x: NDArray[Any]) -> NDArray[np.int64]:
        """How many steps had ended by each of the places ``x`` on an axis, at most ``steps``."""
        places = np.asarray(x, np.float64)
        if axis == "seconds":
            marks = self._timeline()
            done = np.interp(places, marks[:, 2], marks[:, 0])
        else:
            done = places / (1.0 if axis == "steps" else self.epochs_per_step or 1.0)
        return np.clip(np.floor(done + 1e-9), 0, self.steps).astype(np.int64)

    def _timeline(self) -> NDArray[np.float64]:
        """(marks + 1, 3): step, seconds of training, seconds."""
        return np.array([(0, 0.0, 0.0), *self._marks], np.float64)

    def poll(self) -> bool:
        """Take in what is new; whether there was anything. Raises RunError for a store that cannot be read."""
        changes = self._store.changes()
        if changes == self._seen and self.status not in AT_WORK and self.run.notice() is None:
            return False
        before = self.status
        if changes != self._seen:
            with self._store.reading():
                self._take_in()
            self._seen = changes
            return True
        self._judge()  # a lock can come free without a word in the store: a crash
        return self.status != before

    def _judge(self) -> None:
        self.status = self.run.judge(str(self.meta.get("status", "created")))
        notice = self.run.notice() if self.status == "waiting" else None
        self.waits_for = "" if notice is None else notice.message

    def _take_in(self) -> None:
        self.meta = self._store.meta()
        self._judge()
        generation = int(self.meta.get("generation", 0))
        if generation != self._generation:
            self._forget()
            self._generation = generation
        for block in self._store.loss_blocks(self.steps):
            self._take(block)
        # within a generation these are only added
        self.evaluations += self._store.evaluations(self.evaluations[-1].step if self.evaluations else -1)
        self.events += self._store.events(after=len(self.events))
        self.samples = self._store.samples()
        self.sweep_exponents, self.sweep_losses = self._store.sweep_points()
        for kind, kept in self.snapshots.items():
            kept += self._store.snapshots(kind, kept[-1][0] if kept else -1)

    def _take(self, block: LossBlock) -> None:
        self.series.append(block.losses)
        self.lr, self.seconds = block.lr, float(block.seconds[-1])
        self._marks += zip(block.ends.tolist(), block.train_seconds.tolist(), block.seconds.tolist(), strict=True)
        while len(self._marks) > _MAX_MARKS:
            self._marks = self._marks[::-2][::-1]  # the last stays

    def close(self) -> None:
        self._store.close()
