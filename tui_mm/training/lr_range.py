"""The learning-rate range test of lecture part 2: one step at each of many rates, from small to large."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from models.base import CountingModel, LanguageModel
from tui_mm.config import ConfigError, RunConfig
from tui_mm.training.engines.choice import make_engine
from tui_mm.training.optimizers import make_optimizer
from tui_mm.training.rows import Rows

_BLOCK_SECONDS = 0.03


@dataclass(frozen=True, eq=False)
class SweepBlock:
    """Some rates were tried: exponents and the loss of each one's minibatch, before its update."""

    exponents: NDArray[np.float64]
    losses: NDArray[np.float64]


def lecture_exponents(low: float = -3.0, high: float = 0.0, count: int = 1000) -> NDArray[np.float64]:
    """linspace(-3, 0, 1000) by default; rate = 10**exponent. Raises ConfigError."""
    if not (-12 <= low < high <= 6):
        raise ConfigError(f"--from, --to: {low:g} to {high:g} is not allowed; give a rising pair within -12 to 6")
    if not 10 <= count <= 1_000_000:
        raise ConfigError(f"--points: {count} is not allowed; give a whole number from 10 to 1,000,000")
    return np.linspace(low, high, count)


def lr_range_test(
    model: LanguageModel,
    rows: Rows,
    config: RunConfig,
    *,
    exponents: Sequence[float] | NDArray[np.floating],
    generator: Generator,
) -> Iterator[SweepBlock]:
    """One update at each rate 10**e, on one minibatch each, with the configuration's optimizer.

    Works on a copy of ``model`` and of ``generator``; nothing of the caller's is touched. Ends early at a loss that is
    not finite, which is then the last one given. Raises ConfigError for a model that has no learning rate.
    """
    if isinstance(model, CountingModel):
        raise ConfigError(f"model: {config.model} learns by counting and has no learning rate to find; give mlp")
    rates = np.asarray(exponents, dtype=np.float64)
    return _blocks(copy.deepcopy(model), rows, config, rates, generator.clone_state())


def _blocks(
    trial: LanguageModel, rows: Rows, config: RunConfig, exponents: NDArray[np.float64], draws: Generator
) -> Iterator[SweepBlock]:
    engine = make_engine(trial, make_optimizer(config, dict(trial.named_parameters())), config)
    block: list[float] = []
    first, started = 0, time.perf_counter()
    for k, exponent in enumerate(exponents):
        if config.batch_size:
            index = torch.randint(0, len(rows), (1, config.batch_size), generator=draws).to(rows.device)
        else:
            index = torch.arange(len(rows), device=rows.device).unsqueeze(0)
        loss = engine.run(*rows.take(index), [float(10.0**exponent)], k)
        block.append(float(loss))
        last = k == len(exponents) - 1 or not np.isfinite(block[-1])
        if last or time.perf_counter() - started > _BLOCK_SECONDS:
            yield SweepBlock(exponents[first : k + 1], np.array(block))
            block, first, started = [], k + 1, time.perf_counter()
        if last:
            return
