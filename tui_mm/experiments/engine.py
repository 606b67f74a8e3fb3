"""What the experiments share: words and their split, trainings with the real trainer, losses, and a counted test."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator

from data.corpus import Corpus, CorpusError
from data.splits import Splits
from models.base import LanguageModel
from tui_mm.config import RunConfig, make_config
from tui_mm.experiments.result import Chart, Row
from tui_mm.runs.home import Home
from tui_mm.training.events import Evaluation, Finished, StepBlock
from tui_mm.training.rows import Rows, all_rows, mean_loss
from tui_mm.training.setup import build_trainer
from tui_mm.training.trainer import Trainer
from tui_mm.words import DATA_FIELDS, split_for

WHOLE: dict[str, Any] = {"train_fraction": 1.0, "dev_fraction": 0.0}
"""All words in one split, in their order, as lecture part 1 has them."""

_MOST_VALUES = 1 << 26  # of one tensor that is made of all examples at once: 256 MiB
_LEAST_WORDS = 10  # of which a split 80/10/10 gives every part one


class StoppedError(Exception):
    """It was asked to stop."""


@dataclass(frozen=True)
class Order:
    """What an experiment is run on, and how."""

    corpus: Corpus
    words: Mapping[str, Any]  # the fields of a configuration by which it was read
    seed: int
    scale: float
    threads: int


class Lab:
    """One run of one experiment.

    home, ident: where trainings are kept as runs, and what they are named after
    tell: what is under way now, in words; should_stop: asked some thirty times a second
    """

    def __init__(
        self,
        order: Order,
        home: Home,
        ident: str,
        *,
        tell: Callable[[str], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.order = order
        self.home = home
        self.ident = ident
        self.tell = tell
        self.should_stop = should_stop
        self.notes: list[str] = []
        self.test_evaluations = 0
        self._splits: dict[tuple[Any, ...], Splits] = {}

    # -- configurations and words

    def config(self, preset: str = "default", *, evaluations: int = 0, **changes: Any) -> RunConfig:
        """A preset with changes, on this experiment's words, its steps scaled. ``evaluations``: on the way, where it is
        to be fewer than usual, as they take their time. Raises ConfigError."""
        order = self.order
        config = make_config(
            preset,
            flags={
                **order.words,
                "seed": order.seed,
                "threads": order.threads,
                "device": "cpu",
                "engine": "eager",
                **changes,
            },
        )
        if config.counts:
            return config
        steps = self.scaled(config.steps)
        return config.but(steps=steps, eval_every=-(-steps // evaluations) if evaluations else config.eval_every)

    def scaled(self, count: int) -> int:
        """So many steps, or names, in an experiment that is scaled down."""
        return max(1, round(count * self.order.scale))

    def splits(self, config: RunConfig) -> Splits:
        """Raises CorpusError for fewer words than can be split."""
        key = tuple(getattr(config, name) for name in DATA_FIELDS)
        if key not in self._splits:
            self._splits[key] = split_for(config, self.order.corpus)
        return self._splits[key]

    def words_for(self, values: int) -> int:
        """``max_words`` for a tensor of so many values an example to stay in memory: 0 where all words fit."""
        lengths = self.order.corpus.lengths
        most = max(1, _MOST_VALUES // values)
        if int(lengths.sum()) + len(lengths) <= most:
            return 0
        return max(1, int((lengths + 1).cumsum().searchsorted(most, side="right")))

    # -- models and trainings

    def trainer(self, config: RunConfig) -> Trainer:
        self.check()
        return build_trainer(config, self.splits(config))

    def trainer_of(self, model: LanguageModel, config: RunConfig) -> Trainer:
        """Of a model that no configuration names; ``config`` says how it is trained."""
        self.check()
        splits, cpu = self.splits(config), torch.device("cpu")
        generator = Generator().manual_seed(config.seed)
        return Trainer(model, all_rows(splits, model, cpu), config, generator=generator, device=cpu)

    def train(self, trainer: Trainer, label: str) -> Trainer:
        """To its end. Raises StoppedError."""
        dev = ""
        for event in trainer.events():
            if isinstance(event, Evaluation) and event.dev is not None:
                dev = f", dev {event.dev:.4f}"
            elif isinstance(event, StepBlock):
                self.tell(f"{label}: step {event.last_step:,} of {trainer.total_steps:,}{dev}")
            elif isinstance(event, Finished) and event.reason == "diverged":
                self.note(f"{label}: diverged, {event.message}")
            self.check()
        return trainer

    def trained(self, config: RunConfig, label: str) -> Trainer:
        """A trainer that has come to its end."""
        return self.train(self.trainer(config), label)

    def loss(self, trainer: Trainer, split: str) -> float | None:
        """The mean loss over a whole split; None without such words, or where it is no finite number."""
        self.check()
        assert split != "test"
        return self._loss(trainer.model, trainer.rows, split)

    def losses(self, trainer: Trainer) -> dict[str, float | None]:
        """Of train and dev."""
        return {split: self.loss(trainer, split) for split in ("train", "dev")}

    def test(self, trainer: Trainer) -> float | None:
        """The test loss of a model that has been chosen; counted."""
        self.check()
        self.test_evaluations += 1
        return self._loss(trainer.model, trainer.rows, "test")

    def _loss(self, model: LanguageModel, rows: Any, split: str) -> float | None:
        found: Rows | None = rows.get(split)
        loss = math.nan if found is None else mean_loss(model, found)
        return loss if math.isfinite(loss) else None

    # -- on the way

    def check(self) -> None:
        """Raises StoppedError if it was asked to stop."""
        if self.should_stop():
            raise StoppedError

    def note(self, line: str) -> None:
        """A line for below the table."""
        self.notes.append(line)


@dataclass(frozen=True)
class Procedure:
    """How an experiment is made, beside what the catalog says of it.

    rows: makes them; one with the same first column as an earlier one takes its place
    chart, answer: of the rows that are there; an answer only of all of them
    """

    rows: Callable[[Lab], Iterator[Row]]
    chart: Callable[[Sequence[Row]], Chart | None]
    answer: Callable[[Sequence[Row]], str]


def check_words(corpus: Corpus) -> None:
    """Raises CorpusError for a list that has too few words for train, dev and test."""
    if len(corpus) < _LEAST_WORDS:
        level = corpus.level
        raise CorpusError(
            f"{corpus.name}: {len(corpus)} {level.row if len(corpus) == 1 else level.rows} cannot be split into train, "
            f"dev and test; give an experiment at least {_LEAST_WORDS} {level.rows}"
        )


def difference(one: float, other: float) -> str:
    """How ``one`` compares with ``other``: ``0.0123 lower``."""
    if abs(one - other) < 5e-5:
        return "the same"
    return f"{abs(one - other):.4f} {'lower' if one < other else 'higher'}"
