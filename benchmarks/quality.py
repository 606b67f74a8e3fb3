"""Wall time until the default preset reaches the loss for which the notebook trains 200,000 steps."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from benchmarks import notebook
from benchmarks.notebook import NotebookLoop, lecture_config
from benchmarks.row import Row, Target
from benchmarks.timing import interleaved
from data.bigrams import BigramCounts
from data.catalog import CATALOG
from data.corpus import Corpus
from tui_mm.config import RunConfig, make_config
from tui_mm.training.events import Evaluation
from tui_mm.training.setup import build_trainer
from tui_mm.words import split_for

_LECTURE_DEV = 2.17  # what the notebook's 200,000 steps reach on the lecture's list
_BELOW_BIGRAM = 0.2  # nats; the target on other lists
_QUICK_STEPS = 50
_REFERENCE_STEPS = 3_000  # of the notebook's, before each of our runs


@dataclass(frozen=True)
class _Reached:
    """When the dev loss first was at most the target; ``seconds`` is None if it never was, and then the best."""

    seconds: float | None
    step: int
    dev: float


def is_lecture_list(corpus: Corpus) -> bool:
    """The lecture's file has no final newline."""
    text = corpus.text().removesuffix("\n")
    return hashlib.sha256(text.encode()).hexdigest() == CATALOG["lecture-names"].sha256


def quality_row(corpus: Corpus, repeats: int, quick: bool) -> Row:
    """The notebook's time is that of some thousand steps, scaled to 200,000. They are run anew before each of our
    repeats: a rate of a minute ago is off by half when the machine has become busy since.
    """
    flags: dict[str, object] = {"threads": 1, "device": "cpu"}
    config = make_config(
        "default", flags=flags | ({"steps": _QUICK_STEPS, "eval_every": _QUICK_STEPS} if quick else {})
    )
    if is_lecture_list(corpus):
        target, which = _LECTURE_DEV, f"{_LECTURE_DEV} is what the notebook's {notebook.STEPS:,} steps reach"
    else:
        target = _bigram_dev_loss(config, corpus) - _BELOW_BIGRAM
        which = (
            f"not the lecture's list, so the target is bigram counts - {_BELOW_BIGRAM:g}, which the notebook's "
            f"{notebook.STEPS:,} steps may miss or reach early: the ratio says little"
        )
    runs: list[_Reached] = []
    loop = NotebookLoop(lecture_config(), corpus)
    steps = _QUICK_STEPS if quick else _REFERENCE_STEPS
    loop.train(steps)

    def ours() -> float:
        runs.append(_train_until(target, config, corpus))
        return runs[-1].seconds or 0.0

    pair = interleaved(lambda: notebook.STEPS / loop.train(steps), ours, repeats)
    reached = all(run.seconds is not None for run in runs)
    last = runs[-1]
    found = f"reached at step {last.step:,} with {last.dev:.4f}" if reached else f"the best was {last.dev:.4f}"
    return Row(
        f"time to dev loss {target:.2f}",
        "s",
        pair.ours if reached else [],
        pair.reference,
        Target("ratio", 20),
        f"preset default{f' cut to {_QUICK_STEPS} steps' if quick else ''}, one thread, split, windows and all "
        f"evaluations counted; {found}. Reference: {notebook.STEPS:,} steps at the rate at which the notebook's "
        f"loop does {steps:,}, in turns with ours; {which}",
    )


def _train_until(target: float, config: RunConfig, corpus: Corpus) -> _Reached:
    """The trainer evaluates the whole dev split (and the train split) every twentieth of its steps."""
    best = _Reached(None, 0, float("inf"))
    started = time.perf_counter()
    for event in build_trainer(config, split_for(config, corpus)).events():
        if isinstance(event, Evaluation) and event.dev is not None and event.dev < best.dev:
            elapsed = time.perf_counter() - started
            if event.dev <= target:
                return _Reached(elapsed, event.step, event.dev)
            best = _Reached(None, event.step, event.dev)
    return best


def _bigram_dev_loss(config: RunConfig, corpus: Corpus) -> float:
    """Counted on train with 1 added, evaluated on dev."""
    splits = split_for(config, corpus)
    train, dev = (BigramCounts.of(split.tokens, len(splits.vocabulary)) for split in (splits.train, splits.dev))
    return train.loss(1, dev)
