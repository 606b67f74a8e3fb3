"""A row of a GPU: captured steps against the notebook's loop on the same GPU."""

from __future__ import annotations

from functools import partial

from benchmarks.notebook import NotebookLoop
from benchmarks.ours import Ours, empty_cache
from benchmarks.row import Row, Target
from benchmarks.steps import WARM_UP, check_losses, turns_of
from benchmarks.timing import interleaved
from data.corpus import Corpus


def captured_row(corpus: Corpus, repeats: int, quick: bool, device: str) -> Row:
    """Steps a second, both sides on ``device``. The first losses must be those of the notebook's loop on a CPU, which
    draws the same minibatches; the loop on the device draws its own, since bringing them there would hold it up."""
    steps, turns, config = turns_of(repeats, quick)
    config = config.but(device=device, engine="compiled")
    with empty_cache() as cache:
        ours = Ours(config, corpus, cache)
    ours.train(WARM_UP)
    loop = NotebookLoop(config, corpus)
    loop.train(WARM_UP)
    check_losses(ours.losses, loop.log_losses)
    loop.move(device)
    loop.train(WARM_UP)
    pair = interleaved(partial(loop.train, steps), partial(ours.train, steps), turns)
    note = f"batch {config.batch_size}, SGD, {turns} turns of {steps:,} steps, without "
    note += "evaluations; blocks captured in a CUDA graph against the notebook's loop, all of it on the same GPU; the "
    note += "first losses are those of the loop on a CPU"
    return Row("training on the GPU, lecture's 10/200", "steps/s", pair.ours, pair.reference, Target("ratio", 5), note)
