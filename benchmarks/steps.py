"""Steps per second of the trainer on the lecture's configuration, against the notebook's loop; one thread each."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.notebook import NotebookLoop, lecture_config
from benchmarks.row import Row, Target
from benchmarks.timing import interleaved
from data.corpus import Corpus
from tui_mm.config import RunConfig
from tui_mm.training.events import Event, StepBlock
from tui_mm.training.setup import build_trainer
from tui_mm.words import split_for

_STEPS, _QUICK_STEPS = 1_000, 200  # of one turn
_TURNS = 5  # of a repeat, both sides: shorter than most of what disturbs a machine
_WARM_UP = 200
_LONGEST_BLOCK = 4096  # a block may pass the end of its turn by so much
_COMPARED, _TOLERANCE = 20, 1e-3  # losses; rounding grows from 1e-8 at the first to 4e-3 at the 200th, it is chaotic


class _Ours:
    """The trainer, driven as everything drives it: by taking its events."""

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
        self._events: Iterator[Event] = build_trainer(config, split_for(config, corpus)).events()
        self.losses: list[float] = []

    def train(self, steps: int) -> float:
        """Steps per second over the blocks that reach ``steps``."""
        done = 0
        started = time.perf_counter()
        for event in self._events:
            if isinstance(event, StepBlock):
                done += len(event.losses)
                self.losses.extend(event.losses.tolist())
                if done >= steps:
                    return done / (time.perf_counter() - started)
        raise RuntimeError(f"the trainer ended after {done:,} of {steps:,} steps; are these words that can be learnt?")


def steps_row(corpus: Corpus, repeats: int, quick: bool) -> Row:
    """Both loops start from the same numbers; their losses must agree, or the row would compare different work."""
    steps, turns = (_QUICK_STEPS, repeats) if quick else (_STEPS, repeats * _TURNS)
    needed = _WARM_UP + turns * steps + (turns + 1) * _LONGEST_BLOCK
    preset = lecture_config()
    total = max(preset.steps, needed)
    # Evaluations are left out, as the notebook has none in its loop: the one at step 0 falls into the warm-up.
    config = preset.but(steps=total, eval_every=total)
    torch.set_num_threads(1)
    reference, ours = NotebookLoop(config, corpus), _Ours(config, corpus)
    ours.train(_WARM_UP)
    reference.train(_WARM_UP)
    expected = 10 ** np.array(reference.log_losses[:_COMPARED])
    if not np.allclose(ours.losses[:_COMPARED], expected, rtol=_TOLERANCE, atol=0):
        raise RuntimeError("the trainer's losses are not those of the notebook's loop")
    pair = interleaved(lambda: reference.train(steps), lambda: ours.train(steps), turns)
    return Row(
        "training, lecture's 10/200",
        "steps/s",
        pair.ours,
        pair.reference,
        Target("ratio", 1.7),
        f"batch {config.batch_size}, SGD, one thread, {turns} turns of {steps:,} steps, without evaluations; same "
        "weights and minibatches, and the first losses agree. 1.7 × is the aim without a compiler, 4 × with one",
    )
