"""The view state: everything the panels draw from. Bulk data is read from here, never copied into a panel."""

from __future__ import annotations

import math
from dataclasses import dataclass

from data.bigrams import BigramCounts
from data.lookup import WordIndex
from data.splits import Splits
from data.statistics import Statistics, describe
from tui_mm.config import RunConfig
from tui_mm.runs.follow import RunFollower


@dataclass(frozen=True, eq=False)
class Words:
    """A word list as the dashboard shows it, before any model is there."""

    splits: Splits
    statistics: Statistics
    index: WordIndex
    bigrams: BigramCounts  # of train

    @classmethod
    def of(cls, splits: Splits) -> Words:
        """Takes a moment for a large list; call it in a thread."""
        index = WordIndex(splits)
        bigrams = BigramCounts.of(splits.train.tokens, len(splits.vocabulary))
        return cls(splits, describe(splits, index), index, bigrams)

    @property
    def baselines(self) -> list[tuple[str, float]]:
        """Losses to compare with: (name, nats)."""
        size = len(self.splits.vocabulary)
        found = self.statistics.dev_bigram_loss
        bigram = self.statistics.smoothed_bigram_loss if found is None else found
        return [(f"uniform ln {size}", math.log(size)), ("bigram counts", bigram)]


@dataclass
class ViewState:
    """What is known now. ``words`` and ``follower`` are None until they are there."""

    config: RunConfig
    words: Words | None = None
    follower: RunFollower | None = None
    parameters: int | None = None

    @property
    def status(self) -> str:
        return self.follower.status if self.follower else "loading"

    @property
    def total_steps(self) -> int:
        return 1 if self.config.model == "bigram" else self.config.steps

    @property
    def is_training(self) -> bool:
        return self.status in ("running", "paused")
