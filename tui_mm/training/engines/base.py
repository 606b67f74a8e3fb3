"""What every step engine does: a block of steps, whose minibatches and rates are drawn before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


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


class Supply(Protocol):
    """Where a training gets its compiled program from."""

    seconds: float | None
    """What compiling it took; None for one that was there."""

    def poll(self, remaining: float) -> Program | None:
        """The program, or None while there is none. Returns at once.

        remaining: seconds of training that are left, which decide whether it is worth to compile; infinite where the
        training waits for the program
        Raises EngineError where it is not to be had.
        """
