"""A run at a glance, as lists and comparisons show it: plain values, which ``listing`` reads."""

from __future__ import annotations

from dataclasses import dataclass

DAMAGED = "damaged"
AT_WORK = ("running", "paused", "waiting")
"""What a run is while somebody trains it; it waits while its disk is full, say."""


@dataclass(frozen=True)
class RunRow:
    """A run as a list shows it. What was never taken, or is not finite, is None; ``fault`` is "" for a sound run."""

    id: str
    name: str | None = None
    status: str = DAMAGED
    data: str = ""
    model: str = ""
    parameters: int | None = None
    steps: int = 0
    total_steps: int | None = None
    train: float | None = None  # at the last evaluation, as is dev
    dev: float | None = None
    best_dev: float | None = None
    started: str = ""  # ISO 8601, UTC
    seconds: float = 0.0  # of training, evaluations included
    fault: str = ""

    @property
    def is_live(self) -> bool:
        """Whether somebody is training it now."""
        return self.status in AT_WORK
