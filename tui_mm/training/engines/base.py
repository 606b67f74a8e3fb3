"""What every step engine does: a block of steps, whose minibatches and rates are drawn before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from models.base import LanguageModel
from tui_mm.training.optimizers import Optimizer


class EngineError(Exception):
    """The compiled engine is not to be had; in a few words, why."""


class StepEngine(Protocol):
    """Trains the model and the optimizer it was made with. From the same state, what comes out does not depend on how
    the steps fall into blocks, to the bit."""

    def run(self, contexts: Tensor, targets: Tensor, lrs: Sequence[float], first_step: int) -> Tensor:
        """Take ``len(lrs)`` steps, and give the loss of each before its update, in nats: (steps,).

        contexts (steps, rows, block_size) and targets (steps, rows) or (steps, rows, block_size), int64;
        first_step: how many steps were taken before
        """


class Program(Protocol):
    """What a compiler made of ``engines.program.export_steps``."""

    def run(self, inputs: list[Tensor]) -> list[Tensor]:
        """The state after up to so many steps, behind their losses."""


EngineMaker = Callable[[LanguageModel, Optimizer], StepEngine]
"""An engine that trains this model and its optimizer."""


class Supply(Protocol):
    """Where a training gets its compiled engine from."""

    seconds: float | None
    """What compiling it took; None for what was there."""

    def poll(self, remaining: float) -> EngineMaker | None:
        """What makes the engine, or None while that is not there. Returns at once.

        remaining: seconds of training that are left, which decide whether it is worth to compile; infinite where the
        training waits for it
        Raises EngineError where it is not to be had.
        """
