"""Rates that were trained at, each with several seeds: which are tried, and what their losses say. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tui_mm.config import ConfigError, RunConfig

MAX_RATES = 1000
MAX_SEEDS = 64
MAX_STEPS = 1_000_000
_EXAMPLES = 1 << 17  # that a replica is trained on where nobody says how many steps; but so many steps:
_LEAST_STEPS, _MOST_STEPS = 200, 1000


@dataclass(frozen=True, eq=False)
class Trials:
    """exponents float64 (rates,), ascending; losses float64 (rates, seeds), NaN where one diverged."""

    exponents: NDArray[np.float64]
    losses: NDArray[np.float64]

    @classmethod
    def of_points(cls, exponents: NDArray[np.float64], losses: NDArray[np.float64]) -> Self | None:
        """From the points of a sweep, one a replica, rate by rate: both (rates * seeds,). None for those of a range
        test, which has one at each rate, and for any other order."""
        if len(exponents) < 2 or exponents[0] != exponents[1]:
            return None
        rates = np.unique(exponents)
        seeds, rest = divmod(len(exponents), len(rates))
        if rest or not np.array_equal(np.repeat(rates, seeds), exponents):
            return None
        return cls(rates, losses.reshape(len(rates), seeds))

    @property
    def seeds(self) -> int:
        return int(self.losses.shape[1])

    @property
    def diverged(self) -> NDArray[np.int64]:
        """How many seeds diverged at each rate."""
        count: NDArray[np.int64] = (~np.isfinite(self.losses)).sum(1)
        return count

    @property
    def median(self) -> NDArray[np.float64]:
        """Over the seeds that did not diverge; NaN where all did."""
        return self._over_seeds(np.nanmedian)

    @property
    def low(self) -> NDArray[np.float64]:
        return self._over_seeds(np.nanmin)

    @property
    def high(self) -> NDArray[np.float64]:
        return self._over_seeds(np.nanmax)

    def _over_seeds(self, what: object) -> NDArray[np.float64]:
        found = np.full(len(self.losses), np.nan)
        kept = np.isfinite(self.losses).any(1)
        if kept.any():
            found[kept] = what(np.where(np.isfinite(self.losses), self.losses, np.nan)[kept], axis=1)  # type: ignore[operator]
        return found

    @property
    def best(self) -> int | None:
        """The place of the rate with the least median, of those at which no seed diverged."""
        sound = self.diverged == 0
        return int(np.where(sound, self.median, np.inf).argmin()) if sound.any() else None

    @property
    def as_good(self) -> tuple[int, int] | None:
        """First and last place of the rates around the best whose median lies within the best's spread."""
        best = self.best
        if best is None:
            return None
        good = (self.diverged == 0) & (np.nan_to_num(self.median, nan=np.inf) <= self.high[best])
        first = last = best
        while first > 0 and good[first - 1]:
            first -= 1
        while last + 1 < len(good) and good[last + 1]:
            last += 1
        return first, last


def trial_exponents(low: float, high: float, count: int) -> NDArray[np.float64]:
    """Evenly spaced; rate = 10**exponent. Raises ConfigError."""
    if not (-12 <= low < high <= 6):
        raise ConfigError(f"--from, --to: {low:g} to {high:g} is not allowed; give a rising pair within -12 to 6")
    if not 2 <= count <= MAX_RATES:
        raise ConfigError(f"--points: {count:,} is not allowed; give a whole number of rates from 2 to {MAX_RATES:,}")
    return np.linspace(low, high, count)


def trial_configs(config: RunConfig, exponents: NDArray[np.float64], seeds: int, steps: int) -> list[RunConfig]:
    """Of every rate and seed, rate by rate: as ``config``, whose seed is the first, for so many steps of its schedule.
    Raises ConfigError."""
    if not 1 <= seeds <= MAX_SEEDS:
        raise ConfigError(f"--seeds: {seeds:,} is not allowed; give a whole number from 1 to {MAX_SEEDS}")
    if not 1 <= steps <= MAX_STEPS:
        raise ConfigError(f"--train-steps: {steps:,} is not allowed; give a whole number from 1 to {MAX_STEPS:,}")
    first = [(config.seed + k) % (1 << 63) for k in range(seeds)]
    return [config.but(lr=float(10.0**e), seed=seed, steps=steps) for e in exponents for seed in first]


def usual_steps(config: RunConfig) -> int:
    """How long a rate is trained at where nobody says: fewer steps of larger minibatches."""
    return max(_LEAST_STEPS, min(_MOST_STEPS, _EXAMPLES // config.batch_size if config.batch_size else 0))
