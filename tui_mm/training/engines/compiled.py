"""Steps by a program that was compiled for one model, one optimizer and one size of minibatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.base import LanguageModel
from tui_mm.training.engines.base import Program
from tui_mm.training.engines.state import moving_state
from tui_mm.training.optimizers import Optimizer

_BLOCK_BYTES = 1 << 22  # of contexts and targets that a program takes at once
_MOST_STEPS = 64  # more are not faster


@dataclass(frozen=True)
class BlockShape:
    """What a program takes at once: up to ``steps`` minibatches of ``rows`` rows of ``length`` ids."""

    steps: int
    rows: int
    length: int

    @classmethod
    def of(cls, rows: int, length: int) -> BlockShape:
        """For minibatches of this size, as many as it is worth to take at once."""
        return cls(max(1, min(_MOST_STEPS, _BLOCK_BYTES // (rows * (length + 1) * 8))), rows, length)

    def places(self, model: LanguageModel, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Contexts, targets and rates of a block, to be filled; rates of the dtype of ``like``, all on its device."""
        contexts = like.new_zeros((self.steps, self.rows, self.length), dtype=torch.int64)
        targets = torch.zeros_like(contexts[:, :, 0] if model.layout == "window" else contexts)
        return contexts, targets, like.new_zeros(self.steps)


class CompiledEngine:
    """Keeps the state in the tensors of model and optimizer: before and after ``run`` they are as another engine would
    have left them, up to rounding."""

    def __init__(self, program: Program, model: LanguageModel, optimizer: Optimizer, shape: BlockShape) -> None:
        self._program = program
        self._state = [t.detach() for t in moving_state(model, optimizer)]
        self._shape = shape
        self._contexts, self._targets, self._rates = shape.places(model, self._state[0])

    @torch.no_grad()
    def run(self, contexts: Tensor, targets: Tensor, lrs: Sequence[float], first_step: int) -> Tensor:
        rates = torch.tensor(lrs, dtype=self._rates.dtype)
        losses, state = torch.empty_like(rates), self._state
        for begin in range(0, len(rates), self._shape.steps):
            count = min(self._shape.steps, len(rates) - begin)
            at = slice(begin, begin + count)
            self._contexts[:count], self._targets[:count] = contexts[at], targets[at]
            self._rates[:count] = rates[at]
            inputs = [*state, self._contexts, self._targets, self._rates, torch.tensor(count)]
            found, *state = self._program.run(inputs)
            losses[at] = found[:count]
        torch._foreach_copy_(self._state, state)
        return losses
