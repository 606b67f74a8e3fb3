"""A program that was not compiled: its steps one after another, as Python takes them. It stands for a compiled one
where no compiler is needed to see what is done with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from tui_mm.config import RunConfig
from tui_mm.training.engines.base import EngineError, EngineMaker
from tui_mm.training.engines.compiled import BlockShape, CompiledEngine
from tui_mm.training.engines.functional import make_step
from tui_mm.training.optimizers import make_optimizer
from tui_mm.training.setup import build_model


class PythonProgram:
    """Of a model that it builds for itself, as the process that compiles does."""

    def __init__(self, config: RunConfig, vocab_size: int, dtype: torch.dtype = torch.float32) -> None:
        model = build_model(config, vocab_size, Generator().manual_seed(3)).to(dtype)
        self._function = make_step(model, make_optimizer(config, dict(model.named_parameters())), config)
        self.turns = 0
        self.shape = BlockShape(4, config.batch_size, config.context)

    def run(self, inputs: list[Tensor]) -> list[Tensor]:
        *state, contexts, targets, rates, limit = inputs
        state = self._function.enter(state)
        losses = torch.zeros(len(rates), dtype=rates.dtype)
        for k in range(int(limit)):
            state, losses[k] = self._function.step(state, contexts[k], targets[k], rates[k])
            self.turns += 1
        return [losses, *self._function.leave(state)]


@dataclass
class FakeSupply:
    """Gives ``program`` when it was asked ``after`` times; an error as it is."""

    program: PythonProgram | str
    after: int = 0
    seconds: float | None = None
    asked: list[float] = field(default_factory=list)

    def poll(self, remaining: float) -> EngineMaker | None:
        self.asked.append(remaining)
        if len(self.asked) <= self.after:
            return None
        if isinstance(self.program, str):
            raise EngineError(self.program)
        program = self.program
        return lambda model, optimizer: CompiledEngine(program, model, optimizer, program.shape)
