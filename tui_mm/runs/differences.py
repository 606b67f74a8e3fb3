"""How many runs can be compared, how they are told apart, and where their configurations differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tui_mm.config import FIELDS, RunConfig, unused

LEAST_COMPARED, MOST_COMPARED = 2, 5
LETTERS = "ABCDE"
"""By which the runs of a comparison are known, in their order."""


class Difference(NamedTuple):
    """A hyperparameter, and its value in each run's configuration: None where that run does not use it."""

    field: str
    values: tuple[Any, ...]


def differences(configs: Sequence[RunConfig]) -> list[Difference]:
    """The hyperparameters in which configurations differ, in the order of ``FIELDS``.

    One that is kept with different values but used by none of them is no difference, nor is one that has the same
    value everywhere and is used by some alone: that lies in the choice that leaves it out, which is one.
    """
    idle = [unused(config.values()) for config in configs]
    found = []
    for name in FIELDS:
        kept = [getattr(config, name) for config in configs]
        used = [value if name not in out else None for value, out in zip(kept, idle, strict=True)]
        if any(value != kept[0] for value in kept) and any(value is not None for value in used):
            found.append(Difference(name, tuple(used)))
    return found
