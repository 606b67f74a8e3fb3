"""Sweeps of the learning rate beside a training: each ``advance`` takes about as long as a block of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch

from tui_mm.runs.store import RunStore
from tui_mm.training.lr_range import SweepBlock, lecture_exponents, lr_range_test
from tui_mm.training.replicas.results import Progress, results
from tui_mm.training.replicas.training import Replicas
from tui_mm.training.setup import build_model, prepare
from tui_mm.training.trainer import Trainer
from tui_mm.training.trials import trial_configs, trial_exponents
from tui_mm.worker import protocol as ask

_TOLD_SECONDS = 0.5  # between two states of a training of many that are kept


class RunningSweep(Protocol):
    command: int
    """To be answered when it is done."""
    title: str
    """What the run's events say of it."""

    def advance(self) -> dict[str, Any] | None:
        """Go on for a moment; the answer when it is done."""

    def end(self) -> dict[str, Any]:
        """Go no further; the answer."""


class RangeTest:
    """One step at each rate; a row of points in the store with every block."""

    def __init__(self, number: int, command: ask.Sweep, trainer: Trainer, vocab_size: int, store: RunStore) -> None:
        """Raises ConfigError."""
        exponents = lecture_exponents(command.low, command.high, command.points)
        config = trainer.config
        generator = torch.Generator().manual_seed(config.seed)
        model = build_model(config, vocab_size, generator).to(trainer.device)
        prepare(model, trainer.rows)
        self.command = number
        self.title = f"sweep of {command.points:,} rates from 10**{command.low:g} to 10**{command.high:g}"
        self._blocks: Iterator[SweepBlock] = lr_range_test(
            model, trainer.rows["train"], config, exponents=exponents, generator=generator
        )
        self._store = store
        self._number = store.next_sweep()
        self._done = 0

    def advance(self) -> dict[str, Any] | None:
        block = next(self._blocks, None)
        if block is None:
            return {"sweep": self._number}
        self._store.add_sweep_points(self._number, self._done, block.exponents, block.losses)
        self._done += len(block.losses)
        return None

    def end(self) -> dict[str, Any]:
        return {"sweep": self._number, "ended": True}


class TrainedRates:
    """Every rate trained at, with several seeds, all at once; the points in the store, one a replica, are replaced as
    they train, and at last by what came of them."""

    def __init__(
        self, number: int, command: ask.TrainedSweep, trainer: Trainer, vocab_size: int, store: RunStore
    ) -> None:
        """Raises ConfigError, CommandError."""
        if command.seeds < 2:
            raise ask.CommandError(f"trained sweep: {command.seeds} seeds are not allowed; a spread needs two")
        rates = trial_exponents(command.low, command.high, command.rates)
        configs = trial_configs(trainer.config, rates, command.seeds, command.steps)
        replicas = Replicas(configs, trainer.rows, vocab_size, trainer.device)
        self.command = number
        self.title = (
            f"sweep of {command.rates:,} rates from 10**{command.low:g} to 10**{command.high:g}, each trained "
            f"{command.steps:,} steps with {command.seeds} seeds"
        )
        self._progress: Iterator[Progress | None] = results(replicas)
        self._store = store
        self._number = store.next_sweep()
        self._exponents = np.repeat(rates, command.seeds)
        self._plan = command
        self._told = time.monotonic()
        self._last = Progress(0, np.full(len(configs), np.nan), "train", False, 0.0)
        self._tell(self._last)

    def advance(self) -> dict[str, Any] | None:
        progress = next(self._progress)
        if progress is None:
            return None
        self._last = progress
        if progress.is_final or time.monotonic() - self._told >= _TOLD_SECONDS:
            self._tell(progress)
        return {"sweep": self._number} if progress.is_final else None

    def end(self) -> dict[str, Any]:
        self._tell(replace(self._last, is_final=True))  # by their minibatches, as far as they came
        return {"sweep": self._number, "ended": True}

    def _tell(self, progress: Progress) -> None:
        plan = {
            "steps": self._plan.steps,
            "done": progress.step,
            "measured": progress.measured,
            "is_final": progress.is_final,
        }
        self._store.set_trained_sweep(self._number, self._exponents, progress.losses, plan)
        self._told = time.monotonic()
