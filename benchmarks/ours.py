"""The trainer, driven as everything drives it: by taking its events."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.corpus import Corpus
from tui_mm.compiler.cache import ProgramCache
from tui_mm.compiler.compilation import supply_for
from tui_mm.config import RunConfig
from tui_mm.training.events import Compiling, EngineChanged, Event, StepBlock
from tui_mm.training.setup import build_trainer
from tui_mm.words import split_for

_LOOK_SECONDS = 0.05


class Ours:
    """A training that goes on from turn to turn. With ``cache`` it may compile; to be closed.

    losses: of all steps so far
    pause: of the change to the compiled engine, in seconds; None where there was none
    """

    def __init__(self, config: RunConfig, corpus: Corpus, cache: ProgramCache | None = None) -> None:
        self.trainer = build_trainer(config, split_for(config, corpus))
        self._supply = None if cache is None else supply_for(self.trainer, cache)
        if self.trainer.engines is not None:
            self.trainer.engines.supply = self._supply
        self._events: Iterator[Event] = self.trainer.events()
        self.losses: list[float] = []
        self.pause: float | None = None

    def train(self, steps: int) -> float:
        """Steps per second over the blocks that reach ``steps``; from the first block on, where it was waited for a
        compiler."""
        done = 0
        asked = started = time.perf_counter()
        for event in self._events:
            now = time.perf_counter()
            if isinstance(event, Compiling):
                threading.Event().wait(_LOOK_SECONDS)
                started = time.perf_counter()
            elif isinstance(event, EngineChanged):
                self.pause = now - asked
            elif isinstance(event, StepBlock):
                done += len(event.losses)
                self.losses.extend(event.losses.tolist())
                if done >= steps:
                    return done / (now - started)
            asked = time.perf_counter()
        raise RuntimeError(f"the trainer ended after {done:,} of {steps:,} steps; are these words that can be learnt?")

    @property
    def compile_seconds(self) -> float | None:
        return None if self._supply is None else self._supply.seconds

    def close(self) -> None:
        if self._supply is not None:
            self._supply.close()


@contextmanager
def empty_cache() -> Iterator[ProgramCache]:
    """A cache of its own, which has nothing: what is compiled is compiled anew."""
    folder = Path(tempfile.mkdtemp(prefix="makemore-bench-"))
    try:
        yield ProgramCache(folder / "programs")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
