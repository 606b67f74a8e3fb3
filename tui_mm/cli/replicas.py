"""Trainings of many replicas at once, with their progress: what `sweep --train-steps` and `grid` share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tui_mm.cli.progress import make_display
from tui_mm.config import RunConfig
from tui_mm.training.events import StepBlock

if TYPE_CHECKING:
    from data.splits import Splits
    from tui_mm.training.replicas.results import Progress

BLOCK_SECONDS = 0.2  # nobody waits between two blocks: a group of replicas stays in the cache for as long


def train_replicas(configs: Sequence[RunConfig], splits: Splits, *, as_json: bool) -> Progress:
    """All of them to the end; progress shows the median of their losses. Raises ConfigError, DeviceError."""
    from tui_mm.training.replicas.results import results
    from tui_mm.training.replicas.training import build_replicas

    replicas = build_replicas(configs, splits)
    last: Progress | None = None
    done, started = 0, time.perf_counter()
    with make_display(replicas.total_steps, 0, as_json=as_json) as display:
        for progress in results(replicas, BLOCK_SECONDS):
            if progress is None:
                continue
            last = progress
            if progress.step > done:
                finite = progress.losses[np.isfinite(progress.losses)]
                loss = float(np.median(finite)) if finite.size else np.nan
                losses = np.full(progress.step - done, loss, np.float32)
                display(StepBlock(done + 1, losses, 0.0, progress.seconds, time.perf_counter() - started))
                done = progress.step
    assert last is not None
    assert last.is_final
    return last


def finite(values: Sequence[float]) -> list[float | None]:
    """As JSON has them."""
    return [value if np.isfinite(value) else None for value in values]
