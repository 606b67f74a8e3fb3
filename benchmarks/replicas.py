"""64 trainings of the lecture's model at once, against the notebook's loop 64 times; one thread each."""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.notebook import NotebookLoop, lecture_config
from benchmarks.row import Row, Target
from benchmarks.timing import interleaved
from data.corpus import Corpus
from tui_mm.training.replicas.training import Replicas, build_replicas
from tui_mm.words import split_for

REPLICAS = 64
_STEPS, _QUICK_STEPS = 60, 10  # of a turn, all replicas; the notebook's loop takes as many as that ...
_LOOP_STEPS = 1_000  # ... or these
_TURNS = 5  # of a repeat, both sides
_WARM_UP = 20
_LONGEST_BLOCK = 256  # a block may pass the end of its turn by so much
_COMPARED = (0, 1, REPLICAS - 1)  # replicas whose first losses are compared with the loop's
_TOLERANCE = 1e-3


def replicas_row(corpus: Corpus, repeats: int, quick: bool, device: str = "cpu") -> Row:
    """Seconds of one step of all replicas, and of 64 steps of the loop, which is run once and taken 64 times."""
    steps, loop_steps, turns = (
        (_QUICK_STEPS, 10 * _QUICK_STEPS, repeats) if quick else (_STEPS, _LOOP_STEPS, repeats * _TURNS)
    )
    preset = lecture_config()
    total = max(preset.steps, 2 * (_WARM_UP + (turns + 1) * (steps + _LONGEST_BLOCK)))  # the rate drops halfway
    config = preset.but(steps=total, device=device)
    ours = build_replicas([config.but(seed=config.seed + k) for k in range(REPLICAS)], split_for(config, corpus))
    torch.set_num_threads(1)
    first = _losses(ours, _WARM_UP)
    for replica in _COMPARED:
        loop = NotebookLoop(ours.configs[replica], corpus)
        loop.train(_WARM_UP)
        if not np.allclose(first[:_WARM_UP, replica], 10 ** np.array(loop.log_losses), rtol=_TOLERANCE, atol=0):
            raise RuntimeError(f"the losses of replica {replica} are not those of the notebook's loop")

    def train_all() -> float:
        """To the end of the block that reaches so many steps."""
        started, before = time.perf_counter(), ours.step
        _losses(ours, steps)
        return (time.perf_counter() - started) / (ours.step - before)

    pair = interleaved(lambda: REPLICAS / loop.train(loop_steps), train_all, turns)
    on_gpu = device != "cpu"
    return Row(
        f"{REPLICAS} replicas{' on the GPU' if on_gpu else ''}, lecture's 10/200",
        "s",
        pair.ours,
        pair.reference,
        Target("ratio", 50.0 if on_gpu else 4.0),
        f"one step of {REPLICAS} trainings with seeds of their own, batch {config.batch_size}, SGD, "
        f"{'on ' + device if on_gpu else 'one thread'}, {turns} turns of {steps} steps or more; the reference is "
        f"{REPLICAS} times a step of the notebook's loop on one thread; same weights and minibatches, and the first "
        "losses agree",
    )


def _losses(replicas: Replicas, steps: int) -> NDArray[np.float32]:
    """Of the blocks that reach so many steps more: (steps, replicas)."""
    found: list[NDArray[np.float32]] = []
    blocks = replicas.blocks()
    while sum(map(len, found)) < steps:
        found.append(next(blocks).losses)
    return np.concatenate(found)
