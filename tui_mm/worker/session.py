"""One training of one run: takes the trainer's events, keeps them in the run's store, and checkpoints.

The command line runs this in the foreground; a worker process runs the same code in the background.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from data.lookup import WordIndex
from data.splits import Splits
from models.sampling import sample
from tui_mm.config import FIELDS, ConfigError, validate
from tui_mm.runs.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from tui_mm.runs.home import RunError
from tui_mm.runs.run import Run, Which
from tui_mm.runs.store import EvaluationRow, LossChunk, RunStore, SampleRow
from tui_mm.training.events import Evaluation, Event, Finished, StepBlock, TrainerState, Warned
from tui_mm.training.setup import build_trainer
from tui_mm.training.trainer import Trainer
from tui_mm.words import model_facts
from tui_mm.worker.inspection import Inspector

FLUSH_SECONDS = 0.1
CHECKPOINT_SECONDS = 10.0
SAMPLES = 20
SNAPSHOT_NAMES = 10
SAMPLE_SEED_OFFSET = 10  # the lecture samples from a generator seeded with 2147483647 + 10


class TrainingSession:
    """Trains ``run`` with ``trainer`` until it is finished or asked to stop; writes to ``store``, the run's own.

    Whoever makes one holds the run's lock: see ``training_session``.
    """

    def __init__(self, run: Run, trainer: Trainer, splits: Splits, store: RunStore) -> None:
        self.run = run
        self.trainer = trainer
        self.splits = splits
        self.store = store
        self.inspector = Inspector(splits)
        self._pending: list[StepBlock] = []
        self._flushed = time.monotonic()
        self._checkpointed = time.monotonic()

    def train(
        self, *, should_stop: Callable[[], bool] = lambda: False, observe: Callable[[Event], None] = lambda _: None
    ) -> Finished | None:
        """Go on from where the trainer is. Returns how it finished, or None if it was stopped.

        ``should_stop`` is asked and ``observe`` told at every event, some thirty times a second. Whatever ends the
        training, what was done is in the store; an exception of the machine (a full disk) is recorded and raised.
        """
        self._begin()
        try:
            return self._loop(should_stop, observe)
        except Exception as error:
            self.store.set(status="failed")
            self.store.add_event(self.trainer.step, "failed", f"{type(error).__name__}: {error}")
            if _is_out_of_memory(error):
                c = self.trainer.config
                raise RunError(
                    f"run {self.run.id}: out of memory on {self.trainer.device} at step {self.trainer.step:,}; "
                    f"train with a smaller --batch-size (it was {c.batch_size or 'all'}) or --hidden ({c.hidden})"
                ) from error
            raise

    def _loop(self, should_stop: Callable[[], bool], observe: Callable[[Event], None]) -> Finished | None:
        for event in self.trainer.events():
            self._keep(event)
            observe(event)
            if isinstance(event, Finished):
                self._finish(event)
                return event
            if should_stop():
                break
        self.flush()
        self.checkpoint("last")
        with self.store.transaction():
            self.store.set(status="stopped")
            self.store.add_event(
                self.trainer.step, "stopped", f"stopped at step {self.trainer.step:,}, checkpoint kept"
            )
        return None

    def restore(self) -> None:
        """Bring trainer and store to the last checkpoint, or to the start if there is none. Raises RunError."""
        last = self.run.checkpoint("last")
        if last.exists():
            kept = load_checkpoint(last)
            try:
                self.trainer.load_state(TrainerState(kept.arrays, kept.values["trainer"]))
            except (KeyError, RuntimeError, ValueError, TypeError) as error:
                raise RunError(f"{last}: does not fit the run's configuration ({error})") from None
            self.store.truncate(self.trainer.step, kept.values["trainer"]["evaluated_at"])
        else:
            self.store.truncate(0, -1)
        self._pending.clear()

    def configure(self, values: Mapping[str, Any]) -> None:
        """Other hyperparameters for a run on which nothing was trained: from here on as if it was made with them.

        Raises RunError for a run that was trained, ConfigError or DeviceError for a value; nothing has changed then.
        """
        if self.trainer.step or self.store.get("status") != "created" or self.store.last_chunk() is not None:
            raise RunError(f"run {self.run.id}: was trained already; begin a new run with other hyperparameters")
        before = self.trainer.config
        config = validate(before.values() | dict(values))
        changed = [name for name in FIELDS if getattr(config, name) != getattr(before, name)]
        for name in changed:
            if FIELDS[name].group == "Data":
                raise ConfigError(f"{name}: is of the words of run {self.run.id}; begin a new run to change it")
        trainer = build_trainer(config, self.splits)
        for which in ("best", "last"):
            self.run.checkpoint(which).unlink(missing_ok=True)  # asked for before the training: of another model
        with self.store.transaction():
            self.store.set(config=config.values(), model=model_facts(config, self.splits.vocabulary))
            if changed:
                news = ", ".join(f"{name} {getattr(config, name)}" for name in changed)
                self.store.add_event(0, "configured", f"configured: {news}")
        self.trainer = trainer

    def _begin(self) -> None:
        step, device = self.trainer.step, self.trainer.device
        verb = "resumed" if step else "started"
        with self.store.transaction():
            self.store.set(
                status="running",
                pid=os.getpid(),
                device=str(device),
                threads=torch.get_num_threads(),
                torch=torch.__version__,
            )
            self.store.add_event(step, verb, f"{verb} at step {step:,} on {device}")
            part, whole = self.trainer.train_examples_evaluated, self.splits.train.examples
            if part < whole:
                self.store.add_event(step, "evaluates", f"the train loss is that of {part:,} of its {whole:,} examples")

    def _keep(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, StepBlock):
            self._pending.append(event)
            if now - self._flushed >= FLUSH_SECONDS:
                self.flush()
            if now - self._checkpointed >= CHECKPOINT_SECONDS and np.isfinite(event.losses).all():
                self.flush()
                self.checkpoint("last")
        elif isinstance(event, Evaluation):
            self.flush(event)
            if event.is_best:
                # Best first: if this is cut short between the two, the older "last" makes the same "best" again.
                self.checkpoint("best")
                self.checkpoint("last")
        elif isinstance(event, Warned):
            self.store.add_event(event.step, event.kind, event.message)

    def flush(self, evaluation: Evaluation | None = None) -> None:
        """Bring the steps done so far into the store, and with an evaluation what is kept of the model then."""
        snapshots = self._snapshots() if evaluation else []
        with self.store.transaction():
            if self._pending:
                last = self._pending[-1]
                losses = np.concatenate([block.losses for block in self._pending])
                first = self._pending[0].first_step
                self.store.add_losses(LossChunk(first, losses, last.lr, last.train_seconds, last.seconds))
            if evaluation:
                e = evaluation
                self.store.add_evaluation(EvaluationRow(e.step, e.train, e.dev, e.is_best, e.seconds))
                for kind, value in snapshots:
                    self.store.add_snapshot(e.step, kind, value)
        self._pending.clear()
        self._flushed = time.monotonic()

    def _snapshots(self) -> list[tuple[str, Any]]:
        """By kind, if it is time for them. Each name has a seed of its own: one sees the same names come to be."""
        step, last = self.trainer.step, self.store.last_snapshot()
        if not is_snapshot_due(step, last, self.trainer.total_steps):
            return []
        first = self.trainer.config.seed + SAMPLE_SEED_OFFSET
        return self.inspector.snapshots(self.trainer, [(first + i) % (1 << 63) for i in range(SNAPSHOT_NAMES)])

    def checkpoint(self, which: Which) -> None:
        """Keep the trainer's state; the steps before it must have been flushed."""
        self.store.sync()
        state = self.trainer.state()
        values: dict[str, Any] = {
            "trainer": state.values,
            "run": self.run.id,
            "config": self.trainer.config.values(),
            "vocabulary": self.splits.vocabulary.entries,
        }
        save_checkpoint(self.run.checkpoint(which), Checkpoint(state.arrays, values))
        self._checkpointed = time.monotonic()

    def _finish(self, event: Finished) -> None:
        self.flush()
        if event.reason == "diverged":
            # weights that are not numbers are worth nothing: the last good checkpoint stays
            with self.store.transaction():
                self.store.set(status="diverged")
                self.store.add_event(event.step, "diverged", event.message)
            return
        self.checkpoint("last")
        rows = self._samples()
        with self.store.transaction():
            self.store.set_samples(event.step, rows)
            self.store.set(status="done", finished=event.reason)
            self.store.add_event(event.step, "done", f"{event.reason} at step {event.step:,}")

    def _samples(self) -> list[SampleRow]:
        generator = torch.Generator().manual_seed((self.trainer.config.seed + SAMPLE_SEED_OFFSET) % (1 << 63))
        names = sample(self.trainer.model, SAMPLES, generator=generator)
        index = WordIndex(self.splits)
        texts = [self.splits.vocabulary.decode(name.tokens) for name in names]
        return [SampleRow(text, index.find(text)) for text in texts]


def is_snapshot_due(step: int, last: int | None, total: int) -> bool:
    """Whether an evaluation after ``step`` of ``total`` updates is kept to be looked at, if the last kept was at
    ``last``: the first, the final one, and between them those a 64th of the whole or a 20th of the way further on.
    That is at most some hundreds, dense at the start, where most happens; it is the same again after a resume."""
    if last is None or step == total:
        return True
    return step - last >= min(total / 64, last / 20)


@contextmanager
def training_session(run: Run, trainer: Trainer, splits: Splits, *, serves: bool = False) -> Iterator[TrainingSession]:
    """A session at the run's last checkpoint, with the run's lock and its store.

    ``serves``: whether whoever makes it looks into the run's inbox.

    Raises RunError while another process trains it, and for a checkpoint that cannot be used.
    """
    with run.training_lock(), run.store() as store:
        store.set(server=os.getpid() if serves else None)
        session = TrainingSession(run, trainer, splits, store)
        session.restore()
        yield session


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "alloc" in str(error) and "memory" in str(error)
