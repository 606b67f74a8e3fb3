"""A run as it stands at one moment, read piece by piece: what an export is made from. No torch."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tui_mm.config import ConfigError, RunConfig, validate
from tui_mm.runs import bounds, faults
from tui_mm.runs.home import RunError
from tui_mm.runs.row import AT_WORK
from tui_mm.runs.run import Run
from tui_mm.runs.store import EvaluationRow, LossChunk, RunStore, SampleRow
from tui_mm.training.schedules import lr_factor


class Sink(Protocol):
    """Where an export is written to."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, eq=False)
class Steps:
    """Consecutive steps, (steps,) each: losses float32, and as of their ends the learning rate that was used and the
    seconds since the run began, evaluations included, float64."""

    first: int
    losses: NDArray[np.float32]
    lr: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def part(self, begin: int, end: int) -> Steps:
        where = slice(begin, end)
        return Steps(self.first + begin, self.losses[where], self.lr[where], self.seconds[where])


class RunSnapshot(RunStore):
    """A run's store at the moment when it was opened. Whoever trains the run goes on; what is written from then on is
    not seen. What grows with the run is read row by row, so that memory stays flat. Use as a context manager."""

    def __init__(self, run: Run) -> None:
        """Raises RunError as RunStore does."""
        super().__init__(run.folder / "run.db")
        self.run = run
        try:
            if not self.has_log:  # without one, a reader holds up who writes
                self._read_copy()
            self._run("BEGIN")
            self._run("SELECT count(*) FROM meta")  # a transaction sees the store as of its first read
            self.status = run.judge(str(self.get("status", "created")))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RunSnapshot:
        return self

    def _read_copy(self) -> None:
        copy = bounds.restrain(sqlite3.connect("", isolation_level=None))  # a file without a name, gone with it
        try:
            self._db.backup(copy)
        except sqlite3.Error as error:
            copy.close()
            raise faults.of_sqlite(self.path, error) from None
        self._db.close()
        self._db = copy

    def config(self) -> RunConfig:
        """Raises RunError for one that this program cannot use."""
        try:
            return validate(self.get("config"))
        except (ConfigError, TypeError) as error:
            raise RunError(f"run {self.run.id}: its configuration cannot be used ({error})") from None

    @property
    def title(self) -> str:
        """The run's name, or its id."""
        return str(self.get("name") or self.run.id)

    @property
    def is_live(self) -> bool:
        """Whether the run goes on while it is read."""
        return self.status in AT_WORK

    def require_training(self) -> None:
        """Raises RunError for a run of which there is nothing to export."""
        if self.last_chunk() is None and self.last_evaluated() is None:
            raise RunError(
                f"run {self.run.id}: was never trained, there is nothing to export; give another "
                "('makemore-tui runs' lists them)"
            )

    def chunks(self) -> Iterator[LossChunk]:
        """All losses in order, float32. Raises RunError when steps are missing or double."""
        expected = 1
        sql = "SELECT first_step, data, lr, train_seconds, seconds FROM losses ORDER BY first_step"
        for row in self._rows(sql, bounds.check_losses):
            chunk = self._chunk(row)
            if chunk.first_step != expected:
                raise RunError(f"{self.path}: expected step {expected:,} and found {chunk.first_step:,}; it is damaged")
            yield chunk
            expected += len(chunk.losses)

    def evaluated(self) -> Iterator[EvaluationRow]:
        """All evaluations in order."""
        sql = "SELECT step, train, dev, has_dev, is_best, seconds FROM evaluations ORDER BY step"
        for step, train, dev, has_dev, best, seconds in self._rows(sql, bounds.check_evaluations):
            yield EvaluationRow(step, _loss(train), _loss(dev) if has_dev else None, bool(best), seconds)

    def drawn(self) -> Iterator[tuple[int, int, SampleRow]]:
        """All samples that are kept: step, position, sample."""
        sql = "SELECT step, position, text, seen_in FROM samples ORDER BY step, position"
        for step, position, *sample in self._rows(sql):
            [(text, seen_in)] = bounds.check_samples([tuple(sample)], self.path)
            yield int(step), int(position), SampleRow(text, seen_in)

    def kept_snapshots(self) -> Iterator[tuple[int, str, Any]]:
        """Step, kind and value of each."""
        for step, kind, data in self._rows("SELECT step, kind, data FROM snapshots ORDER BY step, kind"):
            bounds.check_snapshots(str(kind), [(step, data)], self.path)
            yield step, str(kind), self._value(data)

    def swept(self) -> Iterator[tuple[int, float, float]]:
        """The points of all sweeps: number of the sweep, exponent, loss."""
        for sweep, *columns in self._rows("SELECT sweep, exponents, losses FROM sweeps ORDER BY sweep, first"):
            exponents, losses = bounds.sweep_columns([columns], self.path)
            for exponent, loss in zip(exponents.tolist(), losses.tolist(), strict=True):
                yield int(sweep), exponent, loss

    def history(self) -> Iterator[Steps | EvaluationRow]:
        """Steps and evaluations as they were done; an evaluation comes right behind the step after which it was taken.

        The store keeps the learning rate and the time of every tenth of a second. Between, the rate is that of the
        schedule, and the time goes on evenly.
        """
        rates = _Rates(self.config())
        evaluations = self.evaluated()
        coming = next(evaluations, None)
        seconds = 0.0
        while coming is not None and coming.step < 1:
            yield coming
            seconds, coming = max(seconds, coming.seconds), next(evaluations, None)
        for chunk in self.chunks():
            count = len(chunk.losses)
            times = np.linspace(seconds, chunk.seconds, count + 1)[1:]
            steps, done, seconds = Steps(chunk.first_step, chunk.losses, rates.of(chunk), times), 0, chunk.seconds
            while coming is not None and coming.step < chunk.first_step + count:
                until = coming.step - chunk.first_step + 1
                if until > done:
                    yield steps.part(done, until)
                    done = until
                yield coming
                seconds, coming = max(seconds, coming.seconds), next(evaluations, None)
            if done < count:
                yield steps.part(done, count)
        while coming is not None:
            yield coming
            coming = next(evaluations, None)

    def _rows(
        self, sql: str, check: Callable[[list[Any], Path], Sequence[Any]] = lambda rows, _: rows
    ) -> Iterator[tuple[Any, ...]]:
        """One row after another, each checked, so that neither a long run nor a strange one takes much memory."""
        try:
            for row in self._db.execute(sql):
                yield from check([row], self.path)
        except sqlite3.Error as error:
            raise faults.of_sqlite(self.path, error) from None


@contextmanager
def damage_named(run: Run) -> Iterator[None]:
    """Raises RunError, one line, for what a store holds in place of what a run has."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise RunError(f"run {run.id}: its store lacks what a run has ({error!r}); it is damaged") from None


def _loss(value: Any) -> float:
    """SQLite keeps NaN as NULL."""
    return math.nan if value is None else float(value)


class _Rates:
    """The learning rate of each step, from those that are kept: the schedule's, times the base rate, which a person may
    have changed between two chunks."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._base = config.lr

    def of(self, chunk: LossChunk) -> NDArray[np.float64]:
        """(steps,), the last of them as it is kept."""
        count = len(chunk.losses)
        done = chunk.first_step - 1  # updates before the first of these
        factors = np.ones(count)
        if self._config.schedule != "constant":
            factors = np.array([lr_factor(self._config, done + k) for k in range(count)])
        if count and factors[-1] and self._base * factors[-1] != chunk.lr:
            self._base = chunk.lr / float(factors[-1])
        rates = self._base * factors
        rates[-1:] = chunk.lr
        return rates
