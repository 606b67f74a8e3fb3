"""The rows of a GPU: captured steps against the notebook's loop on the same GPU, and 64 replicas on it."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.notebook import NotebookLoop, lecture_config
from benchmarks.ours import Ours, empty_cache
from benchmarks.replicas import replicas_row
from benchmarks.row import Row, Target
from benchmarks.steps import check_losses
from benchmarks.timing import interleaved
from data.corpus import Corpus

_STEPS, _QUICK_STEPS = 1_000, 100  # of one turn
_TURNS = 5  # of a repeat, both sides
_WARM_UP = 200
_LONGEST_BLOCK = 4096  # a block may pass the end of its turn by so much


def gpu_rows(corpus: Corpus, repeats: int, quick: bool) -> list[Row]:
    """None where torch sees no GPU."""
    if not torch.cuda.is_available():
        return []
    return [captured_row(corpus, repeats, quick, "cuda"), replicas_row(corpus, repeats, quick, "cuda")]


def captured_row(corpus: Corpus, repeats: int, quick: bool, device: str) -> Row:
    """Steps a second, both sides on ``device``. The first losses must be those of the notebook's loop on a CPU, which
    draws the same minibatches; the loop on the device draws its own, since bringing them there would hold it up."""
    steps, turns = (_QUICK_STEPS, repeats) if quick else (_STEPS, repeats * _TURNS)
    total = max(lecture_config().steps, 2 * _WARM_UP + turns * steps + (turns + 1) * _LONGEST_BLOCK)
    config = lecture_config().but(steps=total, eval_every=total, device=device, engine="compiled")
    with empty_cache() as cache:
        ours = Ours(config, corpus, cache)
        try:
            ours.train(_WARM_UP)
        finally:
            ours.close()
    loop = NotebookLoop(config, corpus)
    loop.train(_WARM_UP)
    check_losses(ours.losses, loop.log_losses)
    loop.move(device)
    loop.train(_WARM_UP)
    pair = interleaved(partial(loop.train, steps), partial(ours.train, steps), turns)
    note = f"batch {config.batch_size}, SGD, {turns} turns of {steps:,} steps, without "
    note += "evaluations; blocks captured in a CUDA graph against the notebook's loop, all of it on the same GPU; the "
    note += "first losses are those of the loop on a CPU"
    return Row("training on the GPU, lecture's 10/200", "steps/s", pair.ours, pair.reference, Target("ratio", 5), note)
