"""Grids of hyperparameters whose trainings are replicas of one another: which combinations, and how good. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tui_mm.config import FIELDS, ConfigError, RunConfig, make_config, parse_field
from tui_mm.training.replicas.alike import VARIED, used_variations
from tui_mm.training.trials import MAX_SEEDS

GRID_FIELDS = tuple(name for name in VARIED if name != "seed")
"""What a grid may vary: seeds are how often each combination is trained."""


@dataclass(frozen=True)
class Grid:
    """varied: the values of each field that has several; combinations: one configuration each, the last field fastest;
    seeds: how often each is trained, from its own seed on."""

    varied: Mapping[str, tuple[Any, ...]]
    combinations: Sequence[RunConfig]
    seeds: int

    @property
    def configs(self) -> list[RunConfig]:
        """Of every replica, combination by combination."""
        return [c.but(seed=(c.seed + k) % (1 << 63)) for c in self.combinations for k in range(self.seeds)]

    def values(self, combination: int) -> dict[str, Any]:
        """What is its own of a combination."""
        return {name: getattr(self.combinations[combination], name) for name in self.varied}


@dataclass(frozen=True, eq=False)
class GridResult:
    """losses float64 (combinations, seeds), NaN where one diverged."""

    losses: NDArray[np.float64]

    @property
    def diverged(self) -> NDArray[np.int64]:
        count: NDArray[np.int64] = (~np.isfinite(self.losses)).sum(1)
        return count

    @property
    def order(self) -> list[int]:
        """Combinations from good to bad: by how many seeds diverged, then by the mean loss of the others."""
        return sorted(range(len(self.losses)), key=lambda k: (self.diverged[k], self.mean(k)))

    @property
    def best(self) -> int | None:
        """None where a seed diverged in every combination."""
        first = self.order[0]
        return None if self.diverged[first] else first

    def mean(self, combination: int) -> float:
        """Over the seeds that did not diverge; infinite where all did."""
        kept = self.kept(combination)
        return float(kept.mean()) if len(kept) else float("inf")

    def kept(self, combination: int) -> NDArray[np.float64]:
        losses: NDArray[np.float64] = self.losses[combination]
        return np.extract(np.isfinite(losses), losses)

    def is_as_good(self, combination: int) -> bool:
        """Whether its mean lies within the spread of the best's seeds, and none of its own diverged."""
        best = self.best
        if best is None or self.diverged[combination]:
            return False
        return self.mean(combination) <= float(self.losses[best].max())


def make_grid(preset: str | None, file: Any, flags: Mapping[str, str], seeds: int) -> Grid:
    """From flags of which those of ``GRID_FIELDS`` may have several values, with commas between them. Raises
    ConfigError."""
    if not 1 <= seeds <= MAX_SEEDS:
        raise ConfigError(f"--seeds: {seeds:,} is not allowed; give a whole number from 1 to {MAX_SEEDS}")
    lists = {name: text.split(",") for name, text in flags.items() if "," in text and _is_list(name)}
    for name in lists:
        if name not in GRID_FIELDS:
            raise ConfigError(f"--{_flag(name)}: a grid cannot vary it; give one value, and several of {_flags()}")
    varied = {
        name: tuple(dict.fromkeys(parse_field(name, text, f"--{_flag(name)}") for text in texts))
        for name, texts in lists.items()
    }
    single = {name: text for name, text in flags.items() if name not in lists}
    combinations = [
        make_config(preset, file, single | dict(zip(varied, values, strict=True)))
        for values in itertools.product(*varied.values())
    ]
    for name in varied:
        if not any(name in used_variations(c) for c in combinations):
            raise ConfigError(
                f"--{_flag(name)}: has no effect with model {combinations[0].model}, optimizer "
                f"{combinations[0].optimizer} and schedule {combinations[0].schedule}; give one value"
            )
    return Grid(varied, combinations, seeds)


def _is_list(name: str) -> bool:
    """A path or a name may have a comma of its own."""
    field = FIELDS[name]
    return field.kind is not str or bool(field.choices)


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _flags() -> str:
    return ", ".join(f"--{_flag(name)}" for name in GRID_FIELDS)
