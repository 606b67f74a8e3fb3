"""Learning-rate schedules: what the base rate is multiplied by at each step."""

from __future__ import annotations

import math

from tui_mm.config import RunConfig

_ONE_CYCLE_START = 1 / 25  # of the highest rate, as torch's OneCycleLR has it


def lr_factor(config: RunConfig, step: int) -> float:
    """The multiplier for the update after ``step`` updates, of ``config.steps``.

    constant: 1. step: 1, then ``decay_factor`` from ``decay_at`` on (lecture part 2: 0.1, then 0.01).
    cosine: half a cosine from 1 to 0. one-cycle: a cosine up over ``warmup``, a cosine down to 0 (Smith 2018).
    bengio: 1 / (1 + r * step), r = ``decay_rate`` (Bengio et al. 2003, section 3.1).
    """
    done = step / config.steps
    if config.schedule == "step":
        return 1.0 if step < round(config.decay_at * config.steps) else config.decay_factor
    if config.schedule == "cosine":
        return _half_cosine(done)
    if config.schedule == "one-cycle":
        if done < config.warmup:
            rise = 1 - _half_cosine(done / config.warmup)
            return _ONE_CYCLE_START + (1 - _ONE_CYCLE_START) * rise
        return _half_cosine((done - config.warmup) / (1 - config.warmup))
    if config.schedule == "bengio":
        return 1 / (1 + config.decay_rate * step)
    return 1.0


def _half_cosine(done: float) -> float:
    return (1 + math.cos(math.pi * min(done, 1.0))) / 2
