"""Which engine takes the next step, and the change from the eager one to the compiled one while a training goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from statistics import median

import torch
from torch import Tensor

from models.base import LanguageModel
from tui_mm.config import RunConfig
from tui_mm.engine_record import AUTO, EngineRecord
from tui_mm.training.engines.base import EngineError, EngineMaker, StepEngine, Supply
from tui_mm.training.engines.choice import make_engine
from tui_mm.training.events import Compiling, EngineChanged, EngineKept, Event
from tui_mm.training.optimizers import Optimizer

_WORTH_SECONDS = 2.0  # of training left, below which no change is tried: a trial takes a tenth of that
_MOST_CHANGES = 50  # of a record; a run that is resumed again and again, here with and there without a compiler
_TRIAL_SECONDS = 0.01  # of a turn
_TURNS = 3
_GAIN = 1.05  # what is slower, or as fast, is not worth a change
_ROUNDING = 0.02  # of the length of a step: what the two may differ by, by far more than they do

Trial = tuple[LanguageModel, Optimizer]


class Engines:
    """The engines of one training, by its record.

    trial: copies of model and optimizer, on which a step may be tried
    example: one minibatch, contexts (rows, ...) and targets, that takes nothing from the training's random numbers
    """

    def __init__(
        self,
        model: LanguageModel,
        optimizer: Optimizer,
        config: RunConfig,
        *,
        trial: Callable[[], Trial],
        example: Callable[[], tuple[Tensor, Tensor]],
    ) -> None:
        self.record = EngineRecord.planned(config.engine)
        self.supply: Supply | None = None
        self.engine: StepEngine | None = None
        """Of the next step, after ``prepare``; None while it is waited for."""
        self._model, self._optimizer, self._config = model, optimizer, config
        self._trial, self._example = trial, example
        self._is_open = config.engine == AUTO  # to a change that the record does not have
        self._eager = make_engine(model, optimizer, config)
        self._compiled: StepEngine | None = None
        self._waits = False

    def prepare(self, step: int, remaining: float) -> Iterator[Event]:
        """Choose the engine of the step that follows ``step`` others; ``remaining``: seconds of training left, or nan.

        Raises EngineError where the record asks for the compiled one, which is not to be had, and nothing else is
        allowed.
        """
        if self.record.at(step) == "eager":
            self.engine = self._eager
            if self._is_open and self.record.next_change(step) is None and remaining >= _WORTH_SECONDS:
                yield from self._try(step, remaining)
            return
        if self._compiled is None:
            yield from self._demand(step)
        else:
            self.engine = self._compiled

    def _try(self, step: int, remaining: float) -> Iterator[Event]:
        if self._compiled is None:
            if self.supply is None:
                return
            try:
                make = self.supply.poll(remaining)
                if make is None:
                    return
                self._compiled = self._checked(make, must_gain=True)
            except EngineError as error:
                self._is_open = False
                yield EngineKept(step, f"the eager engine takes all steps: {error}")
                return
        if len(self.record.changes) < _MOST_CHANGES:
            self.engine = self._compiled
            self.record = self.record.changed(step, "compiled")
            yield EngineChanged(step, self.record, f"compiled engine from step {step + 1:,} on{self._took()}")

    def _demand(self, step: int) -> Iterator[Event]:
        self.engine = None
        try:
            if self.supply is None:
                raise EngineError("nothing here compiles it")
            make = self.supply.poll(math.inf)
            if make is None:
                yield Compiling(step, is_first=not self._waits)
                self._waits = True
                return
            self.engine = self._compiled = self._checked(make, must_gain=False)
        except EngineError as error:
            if not self._is_open:
                raise
            self._is_open = False
            self.engine = self._eager
            self.record = self.record.changed(step, "eager")
            yield EngineChanged(
                step, self.record, f"eager engine from step {step + 1:,} on, equal up to rounding: {error}"
            )

    def _took(self) -> str:
        seconds = self.supply.seconds if self.supply is not None else None
        return "" if seconds is None else f", compiled in {seconds:.0f} s"

    # -- a trial, before anything is trusted to a compiler

    def _checked(self, make: EngineMaker, *, must_gain: bool) -> StepEngine:
        """The compiled engine, once a step of it was the eager engine's, on copies. Raises EngineError."""
        contexts, targets = self._example()
        (model, optimizer), (other, others) = self._trial(), self._trial()
        eager = make_engine(model, optimizer, self._config)
        try:
            compiled = make(other, others)
            self._compare(eager, model, compiled, other, contexts, targets)
            if must_gain:
                self._measure(eager, compiled, contexts, targets)
            return make(self._model, self._optimizer)
        except RuntimeError as error:  # what the program was compiled for is something else
            raise EngineError(f"the compiled program cannot be run ({str(error).splitlines()[0]})") from None

    def _compare(
        self,
        eager: StepEngine,
        model: LanguageModel,
        compiled: StepEngine,
        other: LanguageModel,
        contexts: Tensor,
        targets: Tensor,
    ) -> None:
        before = [p.detach().clone() for p in model.parameters()]
        block = contexts[None], targets[None], [self._config.lr], 0
        losses = [float(engine.run(*block)) for engine in (eager, compiled)]
        with torch.no_grad():
            step = torch._foreach_sub(list(model.parameters()), before)
            apart = torch._foreach_sub(list(model.parameters()), list(other.parameters()))
            length, distance = (float(torch.stack(torch._foreach_norm(x)).norm()) for x in (step, apart))
        same = math.isclose(*losses, rel_tol=_ROUNDING) and distance <= _ROUNDING * length + 1e-12
        if not same and math.isfinite(losses[0]) and math.isfinite(length):
            raise EngineError(f"a compiled step is not the eager one: loss {losses[1]:.6g} instead of {losses[0]:.6g}")

    def _measure(self, eager: StepEngine, compiled: StepEngine, contexts: Tensor, targets: Tensor) -> None:
        rates: tuple[list[float], list[float]] = [], []
        counts = [1, 1]
        for _ in range(_TURNS + 1):  # the first turn finds out how many steps make one
            for k, engine in enumerate((eager, compiled)):
                block = contexts.expand(counts[k], *contexts.shape), targets.expand(counts[k], *targets.shape)
                began = time.perf_counter()
                engine.run(*block, [self._config.lr] * counts[k], 0)[-1].item()  # a GPU is waited for
                rates[k].append(counts[k] / max(1e-9, time.perf_counter() - began))
                counts[k] = max(1, min(1000, round(rates[k][-1] * _TRIAL_SECONDS)))
        old, new = (median(found[1:]) for found in rates)
        if new < _GAIN * old:
            raise EngineError(f"compiled steps are no faster here, {new:,.0f} against {old:,.0f} steps/s")
