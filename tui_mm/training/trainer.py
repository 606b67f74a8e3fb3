"""The trainer: blocks of steps, evaluations between them, and events for whoever listens.

It is driven by iteration. Between two events nothing runs, so the listener can pause (by not asking for the next
event), stop (by closing the iterator), take the state for a checkpoint, or change the learning rate.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from models.base import CountingModel, LanguageModel
from tui_mm.config import RunConfig
from tui_mm.engine_record import EngineRecord
from tui_mm.training.engines.changeover import Engines
from tui_mm.training.events import Evaluating, Evaluation, Event, Finished, StepBlock, TrainerState, Warned
from tui_mm.training.optimizers import Optimizer, make_optimizer
from tui_mm.training.rows import Rows, partial_losses
from tui_mm.training.schedules import lr_factor

_BLOCK_SECONDS = 0.03  # a block's length: long against Python's part in it, short for a person's key
_MAX_BLOCK = 4096  # steps
_MOST_EVALUATED = 1 << 38  # multiply-adds of the train split, some twenty seconds; but as many examples as dev has
_MEASURED_SECONDS = 0.5  # of steps, before their rate says how long the rest will take
_DIVERGING = 1.5  # a block's mean loss beyond so many times the start's is worth a word


class Trainer:
    """Trains one model on one set of rows, by one configuration.

    The generator is the one the model was initialised with: minibatches are drawn on from it, as in the lecture.
    Results do not depend on how the steps fall into blocks, so neither on the speed of the machine.
    """

    def __init__(
        self,
        model: LanguageModel,
        rows: Mapping[str, Rows],
        config: RunConfig,
        *,
        generator: Generator,
        device: torch.device,
    ) -> None:
        self.model = model
        self.rows = rows
        self.config = config
        self.device = device
        self.step = 0
        self.lr = config.lr  # the base rate, which the schedule multiplies
        self.pause_at: int | None = None  # a block ends at this step, so that whoever listens can stop exactly there
        self.train_seconds = 0.0
        self.seconds = 0.0
        self.initial_loss = math.nan
        self._first_loss = -math.inf  # of the first minibatch
        self._last_train = math.nan
        self.best_dev: float | None = None
        self.best_step = 0
        self.generator = generator
        self._counting = isinstance(model, CountingModel)
        self._evaluated = dict(rows) | {"train": self._train_rows_evaluated()}
        self._evaluated_at = -1
        self._stale = 0  # evaluations since the best
        self._warned: set[str] = set()
        self._finite = True
        self._block = 1
        self._optimizer: Optimizer | None = None
        self.engines: Engines | None = None
        self._taken = 0, 0.0  # steps and their seconds, of this process
        if not self._counting:
            self._optimizer = make_optimizer(config, dict(model.named_parameters()))
            self.engines = Engines(model, self._optimizer, config, trial=self.trial, example=self._example)

    def _train_rows_evaluated(self) -> Rows:
        """Of a text of millions of words, whose softmax is over thousands, a part of the train split stands for all."""
        rows, dev = self.rows["train"], self.rows.get("dev")
        most = 0 if self._counting else _MOST_EVALUATED // max(1, self.model.parameter_count())
        split = rows.split.head(max(most, dev.split.examples if dev else 0)) if most else rows.split
        return rows if split is rows.split else Rows(split, self.model, self.device)

    @property
    def train_examples_evaluated(self) -> int:
        """Over how many of its examples the train loss is taken."""
        return self._evaluated["train"].split.examples

    @property
    def total_steps(self) -> int:
        return self.config.total_steps

    def events(self) -> Iterator[Event]:
        """Go on from ``step`` to the end. Can be closed at any event and called again."""
        while True:
            if self._evaluation_due():
                yield from self._evaluate()
            if not self._finite:
                yield Finished(self.step, "diverged", "the loss is not a finite number any more")
                return
            if self.step >= self.total_steps:
                break
            if self.config.patience and self._stale >= self.config.patience:
                yield Finished(self.step, "early stopping")
                return
            if self.engines is not None:
                yield from self.engines.prepare(self.step, self._seconds_left())
                if self.engines.engine is None:
                    continue
            block = self._count() if self._counting else self._train(self._block_length())
            yield block
            yield from self._warnings(block)
        if not self._counting and self._has_worsened:
            yield Finished(self.step, "diverged", "the training loss ended above where it started")
        else:
            yield Finished(self.step, "done")

    @property
    def _start_loss(self) -> float:
        """What a loss is compared with to see whether the training gets worse: the greater of the train split's and the
        first minibatch's. They differ where the predictions that are evaluated are mixed with counts, which know the
        train split by heart, and training sees the network alone."""
        return max(self.initial_loss, self._first_loss)

    @property
    def _has_worsened(self) -> bool:
        """Whether the train loss ended above its start, and not because a mixture learnt to trust its counts less."""
        has_risen = self._last_train > self.initial_loss
        return has_risen and (self._last_train > self._first_loss or "diverging" in self._warned)

    def set_lr(self, lr: float) -> None:
        """Change the base rate from the next step on; the schedule goes on multiplying it."""
        if not 0 < lr < math.inf:
            raise ValueError(f"lr: {lr} is not allowed; give a number above 0")
        self.lr = lr

    def current_lr(self) -> float:
        return self._lr_at(self.step)

    def _lr_at(self, step: int) -> float:
        return self.lr * lr_factor(self.config, step)

    def trial(self) -> tuple[LanguageModel, Optimizer]:
        """Copies of the model and its optimizer, as they are, to see what a step would do. Counting has none."""
        assert self._optimizer is not None
        model = copy.deepcopy(self.model)
        optimizer = make_optimizer(self.config, dict(model.named_parameters()))
        optimizer.load(self._optimizer.tensors())
        return model, optimizer

    # -- training

    def _block_length(self) -> int:
        interval = self.config.evaluation_interval
        count = min(self._block, self.total_steps - self.step, interval - self.step % interval)
        assert self.engines is not None
        for end in (self.pause_at, self.engines.record.next_change(self.step)):
            if end is not None and end > self.step:
                count = min(count, end - self.step)
        return count

    def _seconds_left(self) -> float:
        """Of training, by the steps that this process took; nan until it took enough to know."""
        steps, seconds = self._taken
        if not steps or seconds < _MEASURED_SECONDS:
            return math.nan
        return seconds / steps * (self.total_steps - self.step)

    def _train(self, count: int) -> StepBlock:
        assert self.engines is not None and self.engines.engine is not None
        started = time.perf_counter()
        lrs = [self._lr_at(self.step + k) for k in range(count)]
        losses = self.engines.engine.run(*self._batches(count), lrs, self.step)
        self.step += count
        values = losses.cpu().numpy()
        if self.step == count:
            self._first_loss = float(values[0])
        elapsed = time.perf_counter() - started
        self._taken = self._taken[0] + count, self._taken[1] + elapsed
        self._block = max(1, min(_MAX_BLOCK, round(_BLOCK_SECONDS * count / elapsed), 4 * count))
        return self._done(values, lrs[-1], elapsed)

    def _batches(self, count: int) -> tuple[Tensor, Tensor]:
        """Contexts and targets of so many steps, drawn: (steps, rows, ...)."""
        rows = self.rows["train"]
        size = self.config.batch_size
        if size == 0:
            contexts, targets = rows.take(torch.arange(len(rows), device=self.device))
            return contexts.expand(count, *contexts.shape), targets.expand(count, *targets.shape)
        # One draw for the whole block gives the numbers that one draw a step would (a test holds this).
        index = torch.randint(0, len(rows), (count, size), generator=self.generator)
        return rows.take(index.to(self.device))

    @property
    def minibatch_shape(self) -> tuple[int, int]:
        """Rows, and ids of context in each."""
        return self.config.batch_size or len(self.rows["train"]), self.model.block_size

    def _example(self) -> tuple[Tensor, Tensor]:
        """A minibatch of the first rows; it takes nothing from the generator."""
        rows = self.rows["train"]
        index = torch.arange(self.config.batch_size or len(rows), device=self.device)
        return rows.take(index % len(rows))

    def _count(self) -> StepBlock:
        assert isinstance(self.model, CountingModel)
        started = time.perf_counter()
        for contexts, targets, counts in self.rows["train"].distinct():
            self.model.observe(contexts, targets, counts)
        self.step += 1
        return self._done(np.array([self.initial_loss], np.float32), 0.0, time.perf_counter() - started)

    def _done(self, losses: NDArray[np.float32], lr: float, elapsed: float) -> StepBlock:
        self.train_seconds += elapsed
        self.seconds += elapsed
        if not self._counting:
            self._finite = bool(np.isfinite(losses).all())
        return StepBlock(self.step - len(losses) + 1, losses, lr, self.train_seconds, self.seconds)

    # -- evaluation

    def _evaluation_due(self) -> bool:
        if not self._finite or self._evaluated_at == self.step:
            return False
        return self.step >= self.total_steps or self.step % self.config.evaluation_interval == 0

    def _evaluate(self) -> Iterator[Event]:
        started = time.perf_counter()
        losses: dict[str, float] = {}
        if "dev" in self.rows:
            self.model.adapt(self.rows["dev"].distinct())
        for name in ("train", "dev"):
            if name not in self._evaluated:
                continue
            told = time.perf_counter()
            for done, loss in partial_losses(self.model, self._evaluated[name]):
                losses[name] = loss
                if time.perf_counter() - told > _BLOCK_SECONDS:
                    yield Evaluating(self.step, name, done, self._evaluated[name].split.examples)
                    told = time.perf_counter()
        self.seconds += time.perf_counter() - started
        self._evaluated_at = self.step
        self._last_train = losses["train"]
        dev = losses.get("dev")
        if self.step == 0:
            self.initial_loss = losses["train"]
        if not self._counting and not all(map(math.isfinite, losses.values())):
            self._finite = False
        is_best = dev is not None and dev < (math.inf if self.best_dev is None else self.best_dev)
        if is_best:
            self.best_dev, self.best_step, self._stale = dev, self.step, 0
        else:
            self._stale += 1
        yield Evaluation(self.step, losses["train"], dev, is_best, self.seconds)

    def _warnings(self, block: StepBlock) -> Iterator[Warned]:
        mean = float(block.losses.mean())
        if not self._finite and not self._counting:
            bad = block.first_step + int(np.flatnonzero(~np.isfinite(block.losses))[0])
            yield Warned(bad, "not finite", f"the loss is {block.losses[bad - block.first_step]} at step {bad:,}")
        elif mean > _DIVERGING * self._start_loss and "diverging" not in self._warned:
            self._warned.add("diverging")
            yield Warned(
                self.step,
                "diverging",
                f"the loss, {mean:.4g}, is far above its start, {self._start_loss:.4g}: "
                f"lr {block.lr:g} may be too high",
            )

    # -- state

    def state(self) -> TrainerState:
        """Everything that decides how the run goes on: weights, optimizer, random numbers, counters."""
        arrays = {f"model.{name}": _array(value) for name, value in self.model.state_dict().items()}
        if self._optimizer is not None:
            arrays |= {f"optimizer.{name}": _array(value) for name, value in self._optimizer.tensors().items()}
        arrays["generator"] = _array(self.generator.get_state())
        values = {
            "step": self.step,
            "lr": self.lr,
            "train_seconds": self.train_seconds,
            "seconds": self.seconds,
            "initial_loss": self.initial_loss,
            "best_dev": self.best_dev,
            "best_step": self.best_step,
            "evaluated_at": self._evaluated_at,
            "stale": self._stale,
            "last_train": self._last_train,
            "first_loss": self._first_loss if math.isfinite(self._first_loss) else None,
            "warned": sorted(self._warned),
            "engines": str(self.engines.record) if self.engines is not None else None,
        }
        return TrainerState(arrays, values)

    def load_state(self, state: TrainerState) -> None:
        """Take up a state that ``state`` gave; the run goes on to the bit as it would have."""
        tensors = {name: torch.from_numpy(array) for name, array in state.arrays.items()}

        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

        self.model.load_state_dict(part("model."))
        if self._optimizer is not None:
            self._optimizer.load(part("optimizer."))
        self.generator.set_state(tensors["generator"])
        v = state.values
        self.step, self.lr = v["step"], v["lr"]
        self.train_seconds, self.seconds = v["train_seconds"], v["seconds"]
        self.initial_loss, self.best_dev, self.best_step = v["initial_loss"], v["best_dev"], v["best_step"]
        self._evaluated_at, self._stale, self._last_train = v["evaluated_at"], v["stale"], v["last_train"]
        first = v.get("first_loss")  # version 0.1 did not keep it
        self._first_loss = -math.inf if first is None else first
        self._warned = set(v["warned"])
        if self.engines is not None:  # version 0.1 had the eager one alone
            self.engines.record = EngineRecord.parse(v.get("engines") or "eager")
        self._finite = True


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().clone().numpy()
