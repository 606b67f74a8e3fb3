"""One training of one run: takes the trainer's events, keeps them in the run's store, and checkpoints.

The command line runs this in the foreground; a worker process runs the same code in the background.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch

from data.lookup import WordIndex
from data.splits import Splits
from models.sampling import sample
from tui_mm.compiler.compilation import supply_for
from tui_mm.config import FIELDS, ConfigError, validate
from tui_mm.engine_record import EngineRecord
from tui_mm.runs.checkpoints import Checkpoint, save_checkpoint
from tui_mm.runs.faults import StorageError
from tui_mm.runs.home import RunError
from tui_mm.runs.row import AT_WORK
from tui_mm.runs.run import Run, Which
from tui_mm.runs.store import EvaluationRow, LossChunk, RunStore, SampleRow
from tui_mm.training.devices import is_out_of_memory
from tui_mm.training.engines.base import EngineError
from tui_mm.training.events import (
    Compiling,
    EngineChanged,
    EngineKept,
    Evaluation,
    Event,
    Finished,
    StepBlock,
    TrainerState,
    Warned,
)
from tui_mm.training.setup import build_trainer
from tui_mm.training.trainer import Trainer
from tui_mm.words import model_facts
from tui_mm.worker.inspection import Inspector
from tui_mm.worker.restoring import last_good
from tui_mm.worker.trouble import Patience, WaitEndedError

FLUSH_SECONDS = 0.1
CHECKPOINT_SECONDS = 10.0
_SHARE = 20  # a flush or a checkpoint is followed by at least so many times its own time, where a disk is slow,
_LONGEST_SECONDS = 120.0  # but no longer than this
_WAIT_SECONDS = 0.02  # between looks whether a program is compiled
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
        self.patience = Patience(run, self._note_wait)
        self._pending: list[StepBlock] = []
        self._ahead: tuple[int, int] | None = None  # after which step and evaluation the store is to be truncated
        self._flush_due = time.monotonic() + FLUSH_SECONDS
        self._checkpoint_due = time.monotonic() + CHECKPOINT_SECONDS
        self._restored = ""  # a line, where the last checkpoint was not the one to go on from

    def train(
        self,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        should_end: Callable[[], bool] | None = None,
        observe: Callable[[Event], None] = lambda _: None,
    ) -> Finished | None:
        """Go on from where the trainer is. Returns how it finished, or None if it was stopped.

        ``should_stop`` is asked and ``observe`` told at every event, some thirty times a second; ``should_end`` (by
        default ``should_stop``) is asked while the training waits for a disk that is full. Whatever ends the training,
        what was done is in the store; a fault of the machine that does not pass is recorded and raised.

        Raises WaitEndedError when it was to end while it waited; what is not in the store then is after its last
        checkpoint.
        """
        self.patience.should_end = should_end or should_stop
        supply = supply_for(self.trainer)
        try:
            if supply is not None and self.trainer.engines is not None:
                self.trainer.engines.supply = supply
            self._begin()
            return self._loop(should_stop, observe)
        except WaitEndedError:
            raise
        except EngineError as error:
            raise self._without_engine(error) from None
        except Exception as error:
            memory = self._out_of_memory(error)
            with suppress(StorageError):  # it may be the store that failed; the error itself is raised
                self.store.set(status="failed")
                self.store.add_event(self.trainer.step, "failed", memory or f"{type(error).__name__}: {error}")
            if memory:
                raise RunError(f"run {self.run.id}: {memory}") from error
            raise
        finally:
            if supply is not None:
                supply.close()

    def _without_engine(self, error: EngineError) -> RunError:
        """The run stays where it is: with another machine, or another ``engine``, it goes on."""
        line = (
            f"engine: {self.trainer.config.engine} is not to be had at step {self.trainer.step:,}: {error}; train with "
            "--engine auto or eager, which need no compiler"
        )
        with suppress(StorageError):
            self.store.set(status="failed")
            self.store.add_event(self.trainer.step, "failed", line)
        return RunError(f"run {self.run.id}: {line}")

    def _out_of_memory(self, error: Exception) -> str:
        """What an error says of the memory, with the way out; "" where it is none of that."""
        if not is_out_of_memory(error):
            return ""
        c = self.trainer.config
        return (
            f"out of memory on {self.trainer.device} at step {self.trainer.step:,}; free some and go on, or train with "
            f"a smaller --batch-size (it was {c.batch_size or 'all'}) or --hidden ({c.hidden})"
        )

    def _loop(self, should_stop: Callable[[], bool], observe: Callable[[Event], None]) -> Finished | None:
        for event in self.trainer.events():
            self._keep(event)
            observe(event)
            if isinstance(event, Finished):
                self._finish(event)
                return event
            if should_stop():
                break
            if isinstance(event, Compiling):
                self._await_program(event)
        self.flush()
        self.checkpoint("last")
        step = self.trainer.step

        def note() -> None:
            self.store.set(status="stopped")
            self.store.add_event(step, "stopped", f"stopped at step {step:,}, checkpoint kept")

        self.store.write(note)
        return None

    def _await_program(self, event: Compiling) -> None:
        if event.is_first:
            self.store.add_event(event.step, "engine", event.message)
        threading.Event().wait(_WAIT_SECONDS)

    def restore(self) -> None:
        """Bring the trainer to the last checkpoint that can be used, or leave it at the start if there was none. What
        the store has beyond that stays to be seen until it is trained anew.

        Raises RunError, DamagedError among them where none of those that are there can be used.
        """
        found = last_good(self.run, self.store)
        if found is None:
            self._ahead = 0, -1
        else:
            kept = found.checkpoint
            try:
                self.trainer.load_state(TrainerState(kept.arrays, kept.values["trainer"]))
                if not 0 <= self.trainer.step <= self.trainer.total_steps:
                    raise ValueError(f"it is of step {self.trainer.step:,} of {self.trainer.total_steps:,}")
            except (LookupError, RuntimeError, ValueError, TypeError, AttributeError, OverflowError) as error:
                raise RunError(f"{found.path}: does not fit the run's configuration ({error})") from None
            self._ahead = self.trainer.step, int(kept.values["trainer"]["evaluated_at"])
            self._restored = found.line
        engines, record = self.trainer.engines, self.store.get("engines")
        if engines is not None and record is not None:  # it reaches beyond the checkpoint's, and is followed again
            engines.record = EngineRecord.parse(record)
        self._pending.clear()

    def _note_wait(self, line: str) -> None:
        self.store.add_event(self.trainer.step, "waited", line)

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

        def note() -> None:
            self.store.set(config=config.values(), model=model_facts(config, self.splits.vocabulary))
            if changed:
                news = ", ".join(f"{name} {getattr(config, name)}" for name in changed)
                self.store.add_event(0, "configured", f"configured: {news}")

        self.store.write(note)
        self.trainer = trainer

    def _begin(self) -> None:
        step, device = self.trainer.step, self.trainer.device
        verb = "resumed" if step else "started"
        restored, self._restored = self._restored, ""
        if self._ahead is not None:
            self.store.truncate(*self._ahead)
            self._ahead = None

        def note() -> None:
            self.store.set(
                status="running",
                pid=os.getpid(),
                device=str(device),
                threads=torch.get_num_threads(),
                torch=torch.__version__,
                engines=self._engines(),
            )
            if restored:
                self.store.add_event(step, "restored", restored)
            self.store.add_event(step, verb, f"{verb} at step {step:,} on {device}")
            part, whole = self.trainer.train_examples_evaluated, self.splits.train.examples
            if part < whole:
                self.store.add_event(step, "evaluates", f"the train loss is that of {part:,} of its {whole:,} examples")

        if restored:
            self.patience.tell(restored)
        self.store.write(note)

    def _engines(self) -> str | None:
        return None if self.trainer.engines is None else str(self.trainer.engines.record)

    def _keep(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, StepBlock):
            self._pending.append(event)
            if now >= self._flush_due:
                self.flush()
            if now >= self._checkpoint_due and np.isfinite(event.losses).all():
                self.flush()
                self.checkpoint("last")
        elif isinstance(event, Evaluation):
            self.flush(event)
            if event.is_best:
                # Best first: if this is cut short between the two, the older "last" makes the same "best" again.
                self.checkpoint("best", "last")
        elif isinstance(event, Warned):
            self.store.add_event(event.step, event.kind, event.message)
        elif isinstance(event, EngineKept):
            self.store.add_event(event.step, "engine", event.message)
        elif isinstance(event, EngineChanged):
            self.flush()

            def note(event: EngineChanged = event) -> None:
                self.store.set(engines=str(event.record))
                self.store.add_event(event.step, "engine", event.message)

            self.store.write(note)

    def flush(self, evaluation: Evaluation | None = None) -> None:
        """Bring the steps done so far into the store, and with an evaluation what is kept of the model then."""
        snapshots = self._snapshots() if evaluation else []
        began = time.monotonic()

        def keep() -> None:
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

        self.store.write(keep)
        self._pending.clear()
        self._flush_due = _due(began, FLUSH_SECONDS)

    def _snapshots(self) -> list[tuple[str, Any]]:
        """By kind, if it is time for them. Each name has a seed of its own: one sees the same names come to be."""
        step, last = self.trainer.step, self.store.last_snapshot()
        if not is_snapshot_due(step, last, self.trainer.total_steps):
            return []
        first = self.trainer.config.seed + SAMPLE_SEED_OFFSET
        return self.inspector.snapshots(self.trainer, [(first + i) % (1 << 63) for i in range(SNAPSHOT_NAMES)])

    def checkpoint(self, *which: Which) -> None:
        """Keep the trainer's state, under each of these names in turn; the steps before it must have been flushed."""
        began = time.monotonic()
        self.store.sync()
        state = self.trainer.state()
        values: dict[str, Any] = {
            "trainer": state.values,
            "run": self.run.id,
            "config": self.trainer.config.values(),
            "vocabulary": self.splits.vocabulary.entries,
        }
        kept = Checkpoint(state.arrays, values)
        for each in which:
            path = self.run.checkpoint(each)
            self.patience.bear(lambda path=path: save_checkpoint(path, kept))  # type: ignore[misc]
        self._checkpoint_due = _due(began, CHECKPOINT_SECONDS)

    def _finish(self, event: Finished) -> None:
        self.flush()
        if event.reason == "diverged":
            # weights that are not numbers are worth nothing: the last good checkpoint stays
            def note() -> None:
                self.store.set(status="diverged")
                self.store.add_event(event.step, "diverged", event.message)

            self.store.write(note)
            return
        self.checkpoint("last")
        rows = self._samples()

        def keep() -> None:
            self.store.set_samples(event.step, rows)
            self.store.set(status="done", finished=event.reason)
            self.store.add_event(event.step, "done", f"{event.reason} at step {event.step:,}")

        self.store.write(keep)

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
        _take_over(run, store)
        store.set(server=os.getpid() if serves else None)
        session = TrainingSession(run, trainer, splits, store)
        try:
            session.restore()
            store.bear = session.patience.bear  # to begin on a full disk is refused
            yield session
        finally:
            session.patience.close()


def _take_over(run: Run, store: RunStore) -> None:
    """Write down what the process before could not: that it was stopped while it waited."""
    notice = run.notice()
    if notice is not None and notice.status == "stopped" and store.get("status") in AT_WORK:
        step = store.steps

        def note() -> None:
            store.set(status="stopped")
            store.add_event(step, "stopped", notice.message)

        store.write(note)


def _due(began: float, interval: float) -> float:
    """When to do again, at the earliest, what took until now: at the interval of a disk that is quick."""
    now = time.monotonic()
    return now + min(_LONGEST_SECONDS, max(interval, _SHARE * (now - began)))
