"""What a trainer tells, as plain values: no torch, so that anything can read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tui_mm.engine_record import EngineRecord


@dataclass(frozen=True, eq=False)
class StepBlock:
    """Some steps were done. Step k, counted from 1, is the k-th update; its loss is of its minibatch, before it."""

    first_step: int
    losses: NDArray[np.float32]  # (steps,) nats
    lr: float  # of the last of them
    train_seconds: float  # spent in steps since the run began
    seconds: float  # spent in steps and evaluations

    @property
    def last_step(self) -> int:
        return self.first_step + len(self.losses) - 1


@dataclass(frozen=True)
class Evaluating:
    """An evaluation is under way: it comes often enough that whoever listens can answer a person."""

    step: int
    split: str
    done: int  # predictions
    total: int


@dataclass(frozen=True)
class Evaluation:
    """Losses over whole splits, every prediction counted once, in nats; ``dev`` is None without a dev split."""

    step: int  # after so many updates
    train: float
    dev: float | None
    is_best: bool
    seconds: float


@dataclass(frozen=True)
class Warned:
    """Something to tell a person, once."""

    step: int
    kind: Literal["not finite", "diverging", "slow"]
    message: str


@dataclass(frozen=True)
class Compiling:
    """The next step is one of the compiled engine, which is not there yet: to be asked again."""

    step: int
    is_first: bool
    message: ClassVar[str] = "the step is being compiled; the training waits for it"


@dataclass(frozen=True)
class EngineChanged:
    """Another engine takes the steps from the next one on. To be kept before they are taken: whoever goes on from an
    older state changes at the same step."""

    step: int  # the last one of the engine before
    record: EngineRecord
    message: str


@dataclass(frozen=True)
class EngineKept:
    """The compiled engine is not to be had, and the eager one goes on; told once."""

    step: int
    message: str


@dataclass(frozen=True)
class Finished:
    step: int
    reason: Literal["done", "early stopping", "diverged"]
    message: str = ""  # why it diverged


Event = StepBlock | Evaluating | Evaluation | Warned | Compiling | EngineChanged | EngineKept | Finished


@dataclass(frozen=True, eq=False)
class TrainerState:
    """All that a trainer needs to go on to the bit: arrays by name, and values that JSON can hold."""

    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]
