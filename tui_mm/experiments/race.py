"""The race to a dev loss: a configuration, each time from a cold start, against the notebook's 200,000 steps. No torch.

Both sides run in processes of their own (``lane.py``), and one at a time. Every lap of ours is a new process. The
notebook's stays, and takes some thousand steps before each of our laps: what slows the machine for a while slows both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

from data.bigrams import BigramCounts
from data.corpus import Corpus, CorpusError
from tui_mm.config import FIELDS, ConfigError, RunConfig, make_config
from tui_mm.experiments.figures import LECTURE_SHA256
from tui_mm.experiments.side import DEV, Order, Said, Side
from tui_mm.words import split_for

BUNDLED_SHA256 = "86eaaae117969e4a9587e421b8a3dd126cdb75128a3bd821ca71a77bb8296c16"
TARGETS = {LECTURE_SHA256: 2.17, BUNDLED_SHA256: 2.49}
"""What the notebook's 200,000 steps reach on dev, in nats, by the list: 2.1682 on the lecture's names, 2.4863 on the
bundled ones (seed 2147483647)."""
_BELOW_BIGRAM = 0.1  # nats; the target on other lists
TURN_STEPS = 3_000  # of the notebook's, before each of our laps
_WARM_UP = 200
_TICK_SECONDS = 0.1
_FIXED = ("level", "max_words", "train_fraction", "dev_fraction", "split_seed")


class RaceStoppedError(Exception):
    """The race was asked to stop; what was done is in it."""


@dataclass
class Scene:
    """Who is where; changed in place while the race goes on.

    seed: None before the first lap; lap_seconds: since our process was started, up to the end of its lap
    """

    notebook: Said = field(default_factory=lambda: Said(doing="starting Python"))
    seed: int | None = None
    ours: Said = field(default_factory=Said)
    lap_seconds: float = 0.0


@dataclass(frozen=True)
class Lap:
    """One cold start. ``seconds`` and ``from_words`` are None where no dev loss was at the target; then ``dev`` and
    ``step`` are those of the best.

    seconds: from before the process was started until the line that says the dev loss was read
    notebook: seconds of all the notebook's steps, at the rate of its turn before this lap
    """

    seed: int
    seconds: float | None
    from_words: float | None
    step: int
    dev: float
    notebook: float

    @property
    def ratio(self) -> float | None:
        return None if self.seconds is None else self.notebook / self.seconds


class Race:
    """As a context manager, ends both processes with it.

    notebook_steps: how many the notebook is to take, the lecture's 200,000 if none are given
    should_stop: asked ten times a second; the race then raises RaceStoppedError
    """

    def __init__(
        self,
        config: RunConfig,
        cache: Path,
        target: float,
        *,
        notebook_steps: int | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        lecture = make_config("lecture", flags={"threads": 1, "device": "cpu"})
        self.notebook_config = lecture.but(
            data=config.data, encoding=config.encoding, steps=notebook_steps or lecture.steps
        )
        self.config = config
        self.target = target
        self.scene = Scene()
        self.watch: Callable[[Scene], None] = lambda scene: None
        """Called with the scene whenever it changes, and ten times a second."""
        self.laps: list[Lap] = []
        self.turns: list[tuple[int, float]] = []  # of the notebook: steps, seconds
        self._cache = str(cache)
        self._should_stop = should_stop
        self._full = False
        self._notebook: Side | None = None
        self._ours: Side | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for side in (self._ours, self._notebook):
            if side is not None:
                side.close()

    def run(self, seeds: int, *, turn_steps: int = TURN_STEPS, full: bool = False) -> Iterator[Lap]:
        """Laps of the seeds 1, 2, ..., each after a turn of the notebook. Once.

        full: the turns add up to all of the notebook's steps. Raises RaceError and RaceStoppedError.
        """
        total = self.notebook_config.steps
        self._full = full
        if not full:
            self._turn(min(_WARM_UP, turn_steps, total))
            self.turns.clear()
        for k in range(seeds):
            steps = total * (k + 1) // seeds - total * k // seeds if full else min(turn_steps, total)
            notebook = self._turn(steps) * total / steps
            lap = self._lap(k + 1, notebook)
            self.laps.append(lap)
            yield lap

    @property
    def is_whole(self) -> bool:
        """Whether the notebook took all its steps."""
        return self._full and sum(steps for steps, _ in self.turns) == self.notebook_config.steps

    @property
    def notebook_seconds(self) -> float:
        """Of all the notebook's steps: as they were, where all were taken, else the median of the turns, scaled."""
        if self.is_whole:
            return sum(seconds for _, seconds in self.turns)
        return median(seconds * self.notebook_config.steps / steps for steps, seconds in self.turns)

    def notebook_dev(self) -> float:
        """The notebook's loss over the whole dev split, as it is now, in nats."""
        assert self._notebook is not None
        self._notebook.ask(DEV)
        _, said = self._until_done(self._notebook)
        assert said.dev is not None
        return said.dev

    def _turn(self, steps: int) -> float:
        """Let the notebook take so many steps, and say their seconds."""
        if self._notebook is None:
            self._notebook = Side(Order("notebook", self.notebook_config, self._cache))
            self._until_done(self._notebook)
        self._notebook.ask(str(steps))
        _, said = self._until_done(self._notebook)
        assert said.seconds is not None
        self.turns.append((steps, said.seconds))
        return said.seconds

    def _lap(self, seed: int, notebook: float) -> Lap:
        self.scene.seed, self.scene.ours = seed, Said(doing="starting Python")
        side = self._ours = Side(Order("ours", self.config.but(seed=seed), self._cache, self.target))
        at, said = self._until_done(side)
        side.close()
        self._ours = None
        dev = math.inf if said.dev is None else said.dev
        if dev > self.target:
            return Lap(seed, None, None, said.step, dev, notebook)
        return Lap(seed, at - side.started, said.seconds, said.step, dev, notebook)

    def _until_done(self, side: Side) -> tuple[float, Said]:
        """The line that ends what was asked for, and when it came in."""
        while True:
            if self._should_stop():
                raise RaceStoppedError
            at, said = side.next(_TICK_SECONDS)
            if side is self._ours:
                self.scene.lap_seconds = at - side.started
                self.scene.ours = said or self.scene.ours
            else:
                self.scene.notebook = said or self.scene.notebook
            self.watch(self.scene)
            if said is not None and said.done:
                return at, said


def usual_target(config: RunConfig, corpus: Corpus) -> tuple[float, str]:
    """The dev loss to reach, in nats, and what that is: the notebook's where it is known, else bigram counts less 0.1.

    Raises CorpusError for words that cannot be split.
    """
    splits = split_for(config, corpus)
    if corpus.sha256 in TARGETS:
        return TARGETS[corpus.sha256], "what the notebook's 200,000 steps reach"
    train, dev = (BigramCounts.of(split.tokens, len(splits.vocabulary)) for split in (splits.train, splits.dev))
    return train.loss(1, dev) - _BELOW_BIGRAM, f"bigram counts less {_BELOW_BIGRAM:g}"


def check_race(config: RunConfig, corpus: Corpus) -> None:
    """Both sides must learn from the same words and be asked about the same. Raises ConfigError or CorpusError."""
    for name in _FIXED:
        if getattr(config, name) != FIELDS[name].default:
            raise ConfigError(
                f"--{name.replace('_', '-')}: the notebook's words and split are those of the lecture, and so are "
                f"ours; leave it at {FIELDS[name].default}"
            )
    if (corpus.codes == ord(".")).any():
        raise CorpusError(f"{corpus.name}: has words with '.', the notebook's end of a word; give words without it")
