"""What every step engine does: a block of steps, whose minibatches and rates are drawn before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class StepEngine(Protocol):
    """Trains the model and the optimizer it was made with. From the same state, what comes out does not depend on how
    the steps fall into blocks, to the bit."""

    def run(self, contexts: Tensor, targets: Tensor, lrs: Sequence[float], first_step: int) -> Tensor:
        """Take ``len(lrs)`` steps, and give the loss of each before its update, in nats: (steps,).

        contexts (steps, rows, block_size) and targets (steps, rows) or (steps, rows, block_size), int64;
        first_step: how many steps were taken before
        """
