"""Wall time until our presets reach the loss for which the notebook trains 200,000 steps."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import notebook
from benchmarks.notebook import NotebookLoop, lecture_config
from benchmarks.row import Row, Target
from benchmarks.timing import interleaved
from data.corpus import Corpus
from tui_mm.config import RunConfig, make_config
from tui_mm.experiments.figures import LECTURE_SHA256
from tui_mm.experiments.race import TURN_STEPS, Race, usual_target
from tui_mm.training.events import Evaluation
from tui_mm.training.setup import build_trainer
from tui_mm.words import split_for

_QUICK_STEPS = 50


@dataclass(frozen=True)
class _Reached:
    """When the dev loss first was at most the target; ``seconds`` is None if it never was, and then the best."""

    seconds: float | None
    step: int
    dev: float


def is_lecture_list(corpus: Corpus) -> bool:
    return corpus.sha256 == LECTURE_SHA256


def quality_rows(corpus: Corpus, repeats: int, quick: bool) -> list[Row]:
    """The preset speedrun from a cold start, and the preset default from words in memory.

    The notebook's time is that of some thousand steps, scaled to 200,000. They are run anew before each of our
    repeats: a rate of a minute ago is off by half when the machine has become busy since.
    """
    flags: dict[str, object] = {"threads": 1, "device": "cpu"}
    flags |= {"steps": _QUICK_STEPS, "eval_every": _QUICK_STEPS} if quick else {}
    speedrun, default = (make_config(preset, flags=flags) for preset in ("speedrun", "default"))
    target, why = usual_target(speedrun, corpus)
    turn = _QUICK_STEPS if quick else TURN_STEPS
    told = (
        f"Reference: {notebook.STEPS:,} steps at the rate at which the notebook's loop does {turn:,}, in turns with "
        f"ours; {target:.2f} is {why}"
    )
    return [
        _cold_row(target, speedrun, corpus, repeats, turn, told),
        _warm_row(target, default, corpus, repeats, turn, told),
    ]


def _cold_row(target: float, config: RunConfig, corpus: Corpus, repeats: int, turn: int, told: str) -> Row:
    """A seed a repeat, each in a new process, as ``makemore-tui speedrun`` does it."""
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder) / "words.txt"
        words.write_text(corpus.text(), encoding="utf-8")
        with Race(config.but(data=str(words)), Path(folder), target) as race:
            laps = list(race.run(repeats, turn_steps=turn))
    reached = [lap.seconds for lap in laps if lap.seconds is not None]
    warm = [lap.from_words for lap in laps if lap.from_words is not None]
    ratios = [lap.ratio for lap in laps if lap.ratio is not None]
    if len(reached) == repeats:
        found = f"worst {max(lap.dev for lap in laps):.4f}; the worst ratio is {min(ratios):.1f} ×"
        found += f"; from words in memory {min(warm):.2f} to {max(warm):.2f} s"
    else:
        found = f"{len(reached)} of {repeats} reached it, and the worst was {max(lap.dev for lap in laps):.4f}"
    return Row(
        f"time to dev loss {target:.2f}, speedrun",
        "s",
        reached if len(reached) == repeats else [],
        [lap.notebook for lap in laps],
        Target("ratio", 20),
        f"preset speedrun, {config.steps:,} steps, one thread, seeds 1 to {repeats}, each in a new process, from "
        f"before its start to the evaluation; {found}. {told}",
    )


def _warm_row(target: float, config: RunConfig, corpus: Corpus, repeats: int, turn: int, told: str) -> Row:
    runs: list[_Reached] = []
    loop = NotebookLoop(lecture_config(), corpus)
    loop.train(turn)

    def ours() -> float:
        runs.append(_train_until(target, config, corpus))
        return runs[-1].seconds or 0.0

    pair = interleaved(lambda: notebook.STEPS / loop.train(turn), ours, repeats)
    reached = all(run.seconds is not None for run in runs)
    last = runs[-1]
    found = f"reached at step {last.step:,} with {last.dev:.4f}" if reached else f"the best was {last.dev:.4f}"
    return Row(
        f"time to dev loss {target:.2f}, default",
        "s",
        pair.ours if reached else [],
        pair.reference,
        note=f"preset default, {config.steps:,} steps, one thread, from words in memory: split, windows and all "
        f"evaluations counted; {found}. {told}",
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
