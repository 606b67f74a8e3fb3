"""`python -P -m tui_mm.experiments.lane ORDER`: a side of the race. Started by the race, not by a person."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.json import decode, encode
from msgspec.structs import replace

from tui_mm.experiments.side import DEV, Order, Said
from tui_mm.words import load_words, split_for

if TYPE_CHECKING:
    from tui_mm.experiments.notebook import NotebookLoop

_CHUNK_SECONDS = 0.1  # of the notebook's steps between two lines
_FIRST_CHUNK = 20  # steps

Tell = Callable[[Said], None]


def run_ours(order: Order, tell: Tell) -> None:
    """One training, up to the first evaluation of the whole dev split that is at the target, or to its end."""
    tell(Said(doing="loading torch"))
    from tui_mm.training.events import Evaluation, StepBlock
    from tui_mm.training.setup import build_trainer

    _keep_what_is_loaded()
    tell(Said(doing="reading the words"))
    corpus = load_words(order.config, Path(order.cache))
    started = time.perf_counter()
    best = Said()
    for event in build_trainer(order.config, split_for(order.config, corpus)).events():
        if isinstance(event, StepBlock):
            tell(Said(step=event.last_step, loss=float(event.losses.mean())))
        elif isinstance(event, Evaluation) and event.dev is not None and (best.dev is None or event.dev < best.dev):
            best = Said(step=event.step, dev=event.dev, seconds=time.perf_counter() - started)
            if event.dev <= order.target:
                break
    tell(replace(best, done=True))


def run_notebook(order: Order, tell: Tell, asked: Iterable[str]) -> None:
    """The notebook's loop, as many steps at a time as each line asks for; ``dev`` asks for its loss."""
    tell(Said(doing="loading torch"))
    import torch

    from tui_mm.experiments.notebook import NotebookLoop

    _keep_what_is_loaded()
    torch.set_num_threads(1)
    tell(Said(doing="making windows"))
    loop = NotebookLoop(order.config, load_words(order.config, Path(order.cache)))
    tell(Said(done=True))
    for what in asked:
        if what.strip() == DEV:
            tell(Said(step=loop.step, dev=loop.dev_loss(), done=True))
        else:
            _take_turn(loop, int(what), tell)


def _take_turn(loop: NotebookLoop, steps: int, tell: Tell) -> None:
    """The seconds are those of the steps alone, not of telling about them."""
    left, chunk, seconds = steps, _FIRST_CHUNK, 0.0
    while left:
        count = min(left, chunk)
        rate = loop.train(count)
        left, seconds = left - count, seconds + count / rate
        chunk = max(1, round(rate * _CHUNK_SECONDS))
        logs = loop.log_losses[-count:]
        loss = sum(10**log for log in logs) / count
        tell(Said(step=loop.step, loss=loss, seconds=seconds, rate=(steps - left) / seconds, done=not left))


def _keep_what_is_loaded() -> None:
    """What was loaded stays until the end: it is never looked through."""
    gc.freeze()
    gc.enable()
    atexit.register(gc.freeze)


def main() -> int:
    gc.disable()  # loading torch makes nothing to collect
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    order = decode(sys.argv[1], type=Order)

    def tell(said: Said) -> None:
        sys.stdout.buffer.write(encode(said) + b"\n")
        sys.stdout.buffer.flush()

    try:
        if order.side == "ours":
            run_ours(order, tell)
        else:
            run_notebook(order, tell, sys.stdin)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the race is gone: nobody listens
    return 0


if __name__ == "__main__":
    sys.exit(main())
