"""Trains replicas to the end and says how good each has become."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tui_mm.training.replicas.training import BLOCK_SECONDS, Replicas

Measured = Literal["train", "dev"]


@dataclass(frozen=True, eq=False)
class Progress:
    """How far the replicas are, and a loss of each, float64 (n,); NaN for those that diverged.

    The losses are means of train minibatches over the last tenth of the steps; in the last one, whose ``is_final`` is
    set, they are of the whole dev split where there is one.
    """

    step: int
    losses: NDArray[np.float64]
    measured: Measured
    is_final: bool
    seconds: float


def results(replicas: Replicas, block_seconds: float = BLOCK_SECONDS) -> Iterator[Progress | None]:
    """Takes turns: ``None`` says that some time has gone by and nothing is to be told yet.

    A replica has diverged if a loss was not finite, or if it ended above its start.
    """
    split: Measured = "dev" if "dev" in replicas.rows else "train"
    starts: dict[tuple[int, str], float] = {}
    for i, config in enumerate(replicas.configs):
        if (config.seed, config.init) not in starts:
            starts[config.seed, config.init] = replicas.loss(i, split)
            yield None
    for block in replicas.turns(block_seconds):
        yield (
            None
            if block is None
            else Progress(replicas.step, replicas.recent_losses(), "train", False, replicas.seconds)
        )
    ends = replicas.recent_losses()
    for i, config in enumerate(replicas.configs):
        if split == "dev":
            ends[i] = replicas.loss(i, split)
            yield None
        if not ends[i] <= starts[config.seed, config.init]:
            ends[i] = math.nan
    yield Progress(replicas.step, ends, split, True, replicas.seconds)
