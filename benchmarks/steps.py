"""Steps per second of the trainer on the lecture's configuration, against the notebook's loop; one thread each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from benchmarks.notebook import NotebookLoop, lecture_config
from benchmarks.ours import Ours, empty_cache
from benchmarks.row import Row, Target
from benchmarks.timing import in_turns
from data.corpus import Corpus
from tui_mm.compiler.cache import ProgramCache
from tui_mm.config import RunConfig
from tui_mm.training.engines.base import EngineError

_STEPS, _QUICK_STEPS = 1_000, 200  # of one turn
_TURNS = 5  # of a repeat, all sides: shorter than most of what disturbs a machine
WARM_UP = 200
_LONGEST_BLOCK = 4096  # a block may pass the end of its turn by so much
_COMPARED, _TOLERANCE = 20, 1e-3  # losses; rounding grows from 1e-8 at the first to 4e-3 at the 200th, it is chaotic
_PAUSE_S = 0.3  # of a training, which nobody notices on a screen that is painted twice a second


def steps_rows(corpus: Corpus, repeats: int, quick: bool) -> list[Row]:
    """The eager engine, the compiled one, and the pause of a training that changes over. All start from the same
    numbers; their losses must agree, or the rows would compare different work."""
    steps, turns, config = turns_of(repeats, quick)
    torch.set_num_threads(1)
    reference, eager = NotebookLoop(config, corpus), Ours(config.but(engine="eager"), corpus)
    reference.train(WARM_UP)
    eager.train(WARM_UP)
    check_losses(eager.losses, reference.log_losses)
    with empty_cache() as cache:
        compiled = Ours(config.but(engine="compiled"), corpus, cache)
        missing = "a quick run starts no compiler" if quick else _warm_up(compiled)
        if not missing:
            check_losses(compiled.losses, reference.log_losses)
        sides: list[NotebookLoop | Ours] = [reference, eager, *([] if missing else [compiled])]
        rates = in_turns([partial(side.train, steps) for side in sides], turns)
        pauses = [] if missing else _pauses(config, corpus, repeats, cache)
    how = f"batch {config.batch_size}, SGD, one thread, {turns} turns of {steps:,} steps, without evaluations; same "
    how += "weights and minibatches, and the first losses agree"
    took = f"not measured: {missing}" if missing else f"{how}; compiled in {compiled.compile_seconds or 0:.0f} s before"
    changed = f"not measured: {missing}" if missing else "loading a kept program, and the trial on copies before it"
    return [
        Row("training, lecture's 10/200", "steps/s", rates[1], rates[0], Target("ratio", 1.7), f"{how}. No compiler"),
        Row("the same, compiled", "steps/s", [] if missing else rates[2], rates[0], Target("ratio", 4), took),
        Row("pause of the change to compiled", "s", pauses, [], Target("limit", _PAUSE_S), changed),
    ]


def turns_of(repeats: int, quick: bool) -> tuple[int, int, RunConfig]:
    """Steps of a turn, turns of each side, and a training that is long enough for them and for a warm-up."""
    steps, turns = (_QUICK_STEPS, repeats) if quick else (_STEPS, repeats * _TURNS)
    needed = WARM_UP + turns * steps + (turns + 1) * _LONGEST_BLOCK
    preset = lecture_config()
    total = max(preset.steps, needed)
    # Evaluations are left out, as the notebook has none in its loop: the one at step 0 falls into the warm-up.
    return steps, turns, preset.but(steps=total, eval_every=total)


def check_losses(losses: Sequence[float], log_losses: Sequence[float]) -> None:
    """Raises RuntimeError where the first losses are not those whose log10 is given."""
    expected = 10 ** np.array(log_losses[:_COMPARED])
    if not np.allclose(losses[:_COMPARED], expected, rtol=_TOLERANCE, atol=0):
        raise RuntimeError("the trainer's losses are not those of the notebook's loop")


def _warm_up(compiled: Ours) -> str:
    """Compile, and take the first steps; why not, where it cannot be done."""
    try:
        compiled.train(WARM_UP)
    except EngineError as error:
        return str(error)
    finally:
        compiled.close()
    return ""


def _pauses(config: RunConfig, corpus: Corpus, repeats: int, cache: ProgramCache) -> list[float]:
    found = []
    for _ in range(repeats):
        changing = Ours(config.but(engine="auto"), corpus, cache)
        while changing.pause is None and changing.trainer.step < config.steps // 2:
            changing.train(1)
        changing.close()
        found.append(math.inf if changing.pause is None else changing.pause)
    return found
