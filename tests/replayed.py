"""A run that is kept, made by hand, to be replayed: its losses, evaluations, snapshots and events are known."""

from __future__ import annotations

from tests.still import CONFIG, NOON, still_embedding, still_evaluation, still_layers, still_losses, still_names
from tests.still import still_words as words_of
from tui_mm.config import RunConfig
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run, create_run
from tui_mm.runs.store import LossChunk
from tui_mm.words import data_facts, model_facts

STEPS, EVERY, CHUNK = 600, 100, 40
SECONDS = 12.0  # that it took


def made_run(home: Home, *, steps: int = STEPS, status: str = "done", config: RunConfig = CONFIG) -> Run:
    """Evaluated every hundred steps; trained at 50 steps a second with rates that fall from chunk to chunk."""
    words = words_of()
    facts = {
        "data": data_facts(config, words.splits, words.statistics.distinct),
        "model": model_facts(config, words.splits.vocabulary),
        "device": "cpu",
    }
    run = create_run(home, config, words.corpus, None, facts)
    losses = still_losses(steps, steps)
    with run.store() as store, store.transaction():
        store.set(id="0a1b2c3d", status=status)
        for first in range(1, steps + 1, CHUNK):
            part = losses[first - 1 : first - 1 + CHUNK]
            end = first + len(part) - 1
            store.add_losses(LossChunk(first, part, 0.1 - end / 10_000, end / 60, end * SECONDS / STEPS))
        for step in range(0, steps + 1, EVERY):
            store.add_evaluation(still_evaluation(step, is_bad=False))
            store.add_snapshot(step, "names", still_names(step, 10))
            store.add_snapshot(step, "embedding", still_embedding(step))
            store.add_snapshot(step, "layers", still_layers(step))
        for at, step, kind in ((0, 0, "started"), (5, 250, "paused"), (13, steps, status)):
            store.add_event(step, kind, f"{kind} at step {step:,}")
            store._run("UPDATE events SET time = ? WHERE id = last_insert_rowid()", (NOON + at,))
    return Run(run.folder.rename(home.runs / "0a1b2c3d"))
