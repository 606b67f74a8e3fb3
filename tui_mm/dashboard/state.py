"""The view state: everything the panels draw from. Bulk data is read from here, never copied into a panel.

Imported before the first screen is painted: what needs numpy is imported by those who make it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from data.levels import LEVELS, Level
from tui_mm.config import RunConfig
from tui_mm.runs.row import AT_WORK
from tui_mm.settings import Settings

if TYPE_CHECKING:
    from data.bigrams import BigramCounts
    from data.corpus import Corpus
    from data.lookup import WordIndex
    from data.splits import Splits
    from data.statistics import Statistics
    from tui_mm.runs.follow import RunFollower

MAX_OVERLAYS = 5


@dataclass(frozen=True, eq=False)
class Words:
    """A word list as the dashboard shows it, before any model is there."""

    corpus: Corpus  # all of the list, also where only its first words are split
    splits: Splits
    statistics: Statistics
    index: WordIndex
    bigrams: BigramCounts  # of train

    @classmethod
    def of(cls, splits: Splits, corpus: Corpus | None = None) -> Words:
        """Takes a moment for a large list; call it in a thread."""
        from data.bigrams import BigramCounts
        from data.lookup import WordIndex
        from data.statistics import describe

        index = WordIndex(splits)
        index.find("a")  # sorts the list, which would hold up the screen later
        bigrams = BigramCounts.of(splits.train.tokens, len(splits.vocabulary))
        return cls(corpus or splits.corpus, splits, describe(splits, index), index, bigrams)

    @property
    def baselines(self) -> list[tuple[str, float]]:
        """Losses to compare with: (name, nats)."""
        size = len(self.splits.vocabulary)
        found = self.statistics.dev_bigram_loss
        bigram = self.statistics.smoothed_bigram_loss if found is None else found
        lines = [(f"uniform ln {size}", math.log(size)), ("bigram counts", bigram)]
        if self.statistics.level == "word":  # with 1 added to so many pairs, bigram counts of words are easily beaten
            found = self.statistics.dev_unigram_loss
            lines.append(("unigram counts", self.statistics.unigram_entropy if found is None else found))
        return lines


@dataclass(frozen=True)
class Overlay:
    """Another run whose loss is drawn over this one's."""

    label: str
    follower: RunFollower


@dataclass
class ViewState:
    """What is known now. ``words`` and ``follower`` are None until they are there."""

    config: RunConfig
    settings: Settings = field(default_factory=Settings)
    ascii_only: bool = False
    color: bool = True
    words: Words | None = None
    fault: str = ""  # why there are no words
    follower: RunFollower | None = None
    parameters: int | None = None
    viewer: str = ""  # what this dashboard is to the run's other viewers
    overlays: list[Overlay] = field(default_factory=list)  # at most MAX_OVERLAYS
    samples: dict[str, Any] | None = None  # the worker's last answer to Sample
    samples_fault: str = ""  # why there is none
    inspections: dict[str, dict[str, Any]] = field(default_factory=dict)  # the last answers to Inspect, by kind
    notes: list[tuple[float, str]] = field(default_factory=list)  # what the dashboard has to say: (time, line)

    @property
    def level(self) -> Level:
        """Of the words that are there, or of those that are to come."""
        return LEVELS[self.config.level] if self.words is None else self.words.splits.corpus.level

    @property
    def status(self) -> str:
        return self.follower.status if self.follower else "loading"

    @property
    def total_steps(self) -> int:
        return self.config.total_steps

    @property
    def is_training(self) -> bool:
        return self.status in AT_WORK

    def snapshots(self, kind: str) -> Sequence[tuple[int, Any]]:
        """What was kept of the model at evaluations, as (step, value): ``names``, ``embedding`` or ``layers``."""
        return self.follower.snapshots.get(kind, []) if self.follower else []

    def note(self, line: str) -> None:
        """A line for the Log panel."""
        self.notes.append((time.time(), line))
