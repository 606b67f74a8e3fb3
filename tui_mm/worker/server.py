"""The training process: serves one run's inbox, and trains it when asked to.

It is always in one of three states: idle (before a training, and after one), running, and paused. While it trains,
``attend`` is called between blocks, some thirty times a second; it carries out what the inbox asks for and, while
paused, does not return. A worker that nobody watches trains on to the end, and then goes too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from data.corpus import CorpusError
from data.lookup import WordIndex
from data.vocabulary import VocabularyError
from models.sampling import SamplingConfig, SamplingError, next_distribution, sample
from tui_mm.config import ConfigError
from tui_mm.runs.differences import LEAST_COMPARED, MOST_COMPARED
from tui_mm.runs.faults import StorageError
from tui_mm.runs.home import RunError
from tui_mm.training.devices import DeviceError
from tui_mm.training.events import Event, Finished
from tui_mm.training.rows import mean_loss
from tui_mm.training.trainer import Trainer
from tui_mm.worker import protocol as ask
from tui_mm.worker.client import OUTDATED
from tui_mm.worker.comparison import Comparer, Live, Question
from tui_mm.worker.loading import TrainedModel
from tui_mm.worker.session import TrainingSession
from tui_mm.worker.sweeping import RangeTest, RunningSweep, TrainedRates
from tui_mm.worker.trouble import WaitEndedError, log_exception, write_line
from tui_mm.worker.viewers import Foreground, Viewers

MAX_SAMPLES = 1000
_WAIT_SECONDS = 0.02  # between looks into the inbox while there is nothing to do
_TIDY_SECONDS = 60.0  # what was answered stands at least so long, however many commands follow
USER_ERRORS = (ask.CommandError, ConfigError, CorpusError, DeviceError, SamplingError, VocabularyError, RunError)


class Server:
    """Serves ``session``'s run until it has nothing to do and nobody is there."""

    def __init__(
        self,
        session: TrainingSession,
        viewers: Viewers | Foreground,
        told_to_stop: Callable[[], bool] = lambda: False,
        *,
        observe: Callable[[Event], None] = lambda _: None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """``observe`` is told the training's events, ``tell`` a line about each order that changes something, and about
        what the training waits for; without it the latter goes to the log."""
        self._session = session
        session.patience.should_end = self._is_to_end
        session.patience.tell = tell or write_line
        self._told_to_stop = told_to_stop
        self._store = session.store
        self._viewers = viewers
        self._observe = observe
        self._tell = tell or (lambda _: None)
        self._running = False
        self._paused = False
        self._stopping = False
        self._training = False  # inside the session's loop
        self._announced = False  # the pause stands in the store
        self._spoilt = False  # the trainer's state is not to be gone on from
        self._seen = -1
        self._sweep: RunningSweep | None = None
        self._index: WordIndex | None = None
        self._comparer = Comparer()
        self._outdated: list[int] = []  # commands to be deleted at the next tidying
        self._tidied = time.monotonic()

    @property
    def _trainer(self) -> Trainer:
        return self._session.trainer

    def serve(self) -> None:
        """Returns when there is no training, no sweep and no viewer, or when it is told to stop."""
        if self._store.get("status") in ("running", "paused"):  # and yet the lock was free
            self._store.set(status="crashed")
            self._event("crashed", f"the training was cut off; back at the checkpoint of step {self._trainer.step:,}")
        while True:
            self._look()
            if self._told_to_stop():
                return
            if self._running:
                self._train_or_note()
            elif not self._advance_sweep():
                if self._viewers.gone:
                    return
                self._viewers.wait(_WAIT_SECONDS)

    def forget_orders(self) -> None:
        """Refuse what stands in the inbox from before: nobody expects it any more."""
        for row in self._store.open_commands():
            self._store.answer_command(row.id, {"error": OUTDATED})

    def train(self) -> Finished | None:
        """Train now, and serve the inbox meanwhile. Returns how it finished, or None if it was stopped."""
        try:
            self._running = self._training = True
            return self._session.train(should_stop=self._attend, should_end=self._is_to_end, observe=self._observe)
        finally:
            self._training = self._running = self._paused = False

    def _train_or_note(self) -> None:
        self._recover()
        try:
            finished = self.train()
            self._spoilt = finished is not None and finished.reason == "diverged"
        except (StorageError, WaitEndedError):
            raise  # without its store there is nothing to serve
        except Exception:  # noqa: BLE001, it stands in the store, and in worker.log with its lines
            log_exception()
            self._spoilt = True

    def _recover(self) -> None:
        """Back to the last good checkpoint, if the trainer's state is of a training that failed."""
        if self._spoilt:
            self._session.restore()
            self._spoilt = False

    def _attend(self) -> bool:
        """Between blocks: whether the training is to stop."""
        self._viewers.wait(0)
        self._look()
        self._advance_sweep()
        if self._trainer.pause_at is not None and self._trainer.step >= self._trainer.pause_at:
            self._pause()
        if self._is_held():
            self._announce_pause()  # asked for before the training began
        was_watched = False
        while self._is_held():
            self._look()
            if not self._is_held():
                break
            was_watched |= not self._viewers.gone
            if (was_watched and self._viewers.gone) or self._told_to_stop():
                self._stopping = True  # whoever watched it wait has gone
            elif not self._advance_sweep():
                self._viewers.wait(_WAIT_SECONDS)
        return self._stopping or self._told_to_stop()

    def _is_to_end(self) -> bool:
        """While nothing can be written: whether not to wait any longer. An order to stop is not carried out as others
        are, since it cannot be answered."""
        self._viewers.wait(0)
        if self._told_to_stop() or (self._training and self._stopping):
            return True
        if not self._training and self._viewers.gone:
            return True
        return any(row.name == ask.Stop.kind for row in self._store.open_commands())

    def _is_held(self) -> bool:
        return self._paused and not self._stopping

    # -- the inbox

    def _look(self) -> None:
        changes = self._store.changes()
        if changes == self._seen:
            return
        self._seen = changes
        for row in self._store.open_commands():
            if self._sweep is not None and row.id == self._sweep.command:
                continue  # under way, answered at its end
            began = time.perf_counter()
            try:
                command = ask.parse(row.name, row.arguments)
                if isinstance(command, ask.ORDERS):
                    self._note_order(command, row.sender)
                answer = self._carry_out(row.id, command)
            except USER_ERRORS as error:
                answer = {"error": str(error)}
            except Exception as error:  # noqa: BLE001, a fault of ours must not end somebody's training
                log_exception()  # into worker.log
                answer = {"error": f"{type(error).__name__}: {error}; see worker.log"}
            if answer is not None:
                answer["seconds"] = round(time.perf_counter() - began, 4)  # what it took from the training
                self._store.answer_command(row.id, answer)
        if time.monotonic() - self._tidied >= _TIDY_SECONDS:
            self._tidy()

    def _tidy(self) -> None:
        """Delete the old commands that had been answered at the last tidying, so that whoever waits has had the time
        to read, and note those for the next."""
        self._store.delete_commands(self._outdated)
        self._outdated = self._store.outdated_commands()
        self._tidied = time.monotonic()

    def _note_order(self, command: ask.Command, sender: str) -> None:
        """So that every viewer sees who asked for what."""
        line = ask.describe(command)
        self._store.add_event(self._trainer.step, "asked", line, sender)
        self._tell(f"{sender}: {line}")

    def _carry_out(self, number: int, command: ask.Command) -> dict[str, Any] | None:
        """The answer, or None if it comes later."""
        handlers: dict[type[ask.Command], Callable[[Any], dict[str, Any]]] = {
            ask.Start: self._start,
            ask.Pause: lambda _: self._pause(),
            ask.Step: self._step,
            ask.Stop: self._stop,
            ask.SetLr: self._set_lr,
            ask.Sample: self._sample,
            ask.Compare: self._compare,
            ask.Evaluate: self._evaluate,
            ask.Checkpoint: lambda _: self._checkpoint(),
            ask.EndSweep: lambda _: self._end_sweep(),
            ask.Inspect: lambda command: self._session.inspector.answer(self._trainer, command),
            ask.Configure: self._configure,
        }
        if isinstance(command, ask.Sweep | ask.TrainedSweep):
            self._begin_sweep(number, command)
            return None
        return handlers[type(command)](command)

    def _start(self, _: ask.Start) -> dict[str, Any]:
        self._trainer.pause_at = None
        self._go()
        return {}

    def _step(self, command: ask.Step) -> dict[str, Any]:
        if command.count < 1:
            raise ask.CommandError(f"step: {command.count} is not allowed; give a whole number from 1 on")
        self._trainer.pause_at = self._trainer.step + command.count
        self._go()
        return {}

    def _go(self) -> None:
        self._recover()
        if self._trainer.step >= self._trainer.total_steps:
            raise ask.CommandError("start: the run is done; begin a new one")
        if self._announced and self._training:
            self._store.set(status="running")
            self._event("resumed", "resumed")
        self._paused = self._announced = self._stopping = False
        self._running = True

    def _pause(self) -> dict[str, Any]:
        self._trainer.pause_at = None
        if self._running and not self._paused:
            self._paused = True
            if self._training:
                self._announce_pause()
        return {"step": self._trainer.step}

    def _announce_pause(self) -> None:
        if not self._announced:
            self._announced = True
            self._checkpoint()
            self._store.set(status="paused")
            self._event("paused", f"paused at step {self._trainer.step:,}")

    def _stop(self, _: ask.Stop) -> dict[str, Any]:
        self._stopping = True
        return {"step": self._trainer.step}

    def _set_lr(self, command: ask.SetLr) -> dict[str, Any]:
        self._recover()
        try:
            self._trainer.set_lr(command.lr)
        except ValueError as error:
            raise ask.CommandError(str(error)) from None
        # Kept at once: a run that is killed and resumed must change its rate at this same step.
        self._checkpoint()
        self._event("lr", f"lr {command.lr:g} from step {self._trainer.step + 1:,} on")
        return {"lr": command.lr}

    def _configure(self, command: ask.Configure) -> dict[str, Any]:
        if self._sweep is not None:
            raise ask.CommandError("configure: a sweep is under way; wait for it")
        if self._running:
            raise ask.CommandError("configure: the run is being trained; begin a new one")
        self._session.configure(command.values)
        return {"parameters": self._trainer.model.parameter_count()}

    def _checkpoint(self) -> dict[str, Any]:
        self._recover()
        self._session.flush()
        self._session.checkpoint("last")
        return {"step": self._trainer.step}

    def _event(self, kind: str, message: str) -> None:
        self._store.add_event(self._trainer.step, kind, message)

    # -- sampling and evaluation

    def _sample(self, command: ask.Sample) -> dict[str, Any]:
        if not 0 <= command.count <= MAX_SAMPLES:
            raise ask.CommandError(f"sample: count {command.count} is not allowed; give 0 to {MAX_SAMPLES:,}")
        vocabulary, model = self._session.splits.vocabulary, self._trainer.model
        config = SamplingConfig(command.temperature, command.top_k, command.top_p, command.max_length)
        prefix = vocabulary.encode(command.prefix)
        generator = torch.Generator().manual_seed(command.seed % (1 << 63))
        names = sample(model, command.count, generator=generator, prefix=prefix, config=config)
        history = torch.tensor([prefix], dtype=torch.int64).view(1, len(prefix))
        following = next_distribution(model, history)[0]
        texts = [vocabulary.decode(name.tokens) for name in names]
        return {
            "step": self._trainer.step,
            "names": [{"text": text, "seen_in": self._words.find(text)} for text in texts],
            "next": following.tolist(),
        }

    @property
    def _words(self) -> WordIndex:
        self._index = self._index or WordIndex(self._session.splits)
        return self._index

    def _compare(self, command: ask.Compare) -> dict[str, Any]:
        if not LEAST_COMPARED <= len(set(command.runs)) == len(command.runs) <= MOST_COMPARED:
            raise ask.CommandError(
                f"compare: {', '.join(command.runs) or 'no run'} is not allowed; give {LEAST_COMPARED} to "
                f"{MOST_COMPARED} runs, each once"
            )
        for name, value in (("count", command.count), ("likeliest", command.likeliest)):
            if not 0 <= value <= MAX_SAMPLES:
                raise ask.CommandError(f"compare: {name} {value} is not allowed; give 0 to {MAX_SAMPLES:,}")
        own, trainer = self._session.run, self._trainer
        runs = [own.beside(ident) for ident in command.runs]
        question = Question(
            command.prefix, command.seed, command.count, command.likeliest, command.checkpoint, command.max_length
        )
        model = TrainedModel(trainer.model, self._session.splits.vocabulary, trainer.config, trainer.step)
        live = {own.id: Live(model, self._words)} if own in runs and not self._spoilt else {}
        return self._comparer.compare(runs, question, live)

    def _evaluate(self, command: ask.Evaluate) -> dict[str, Any]:
        rows = self._trainer.rows.get(command.split)
        if rows is None:
            raise ask.CommandError(f"evaluate: no split {command.split!r}; give one of {', '.join(self._trainer.rows)}")
        answer = {"step": self._trainer.step, "split": command.split, "loss": mean_loss(self._trainer.model, rows)}
        if command.split == "test":
            answer["test_evaluations"] = self._store.increment("test_evaluations")
        return answer

    # -- the sweep

    def _begin_sweep(self, number: int, command: ask.Sweep | ask.TrainedSweep) -> None:
        if self._sweep is not None:
            raise ask.CommandError("sweep: one is under way; wait for it, or end it (X)")
        given = self._trainer, len(self._session.splits.vocabulary), self._store
        if isinstance(command, ask.TrainedSweep):
            self._sweep = TrainedRates(number, command, *given)
        else:
            self._sweep = RangeTest(number, command, *given)
        self._event("sweep", self._sweep.title)

    def _end_sweep(self) -> dict[str, Any]:
        if self._sweep is None:
            raise ask.CommandError("end sweep: none is under way")
        sweep, self._sweep = self._sweep, None
        self._store.answer_command(sweep.command, sweep.end())
        return {}

    def _advance_sweep(self) -> bool:
        """Try some more rates, if a sweep is under way: as long as a block of training, so that both go on."""
        sweep = self._sweep
        if sweep is None:
            return False
        try:
            answer = sweep.advance()
        except (StorageError, WaitEndedError):
            raise
        except Exception as error:  # noqa: BLE001, a sweep that fails must not end a training
            log_exception()
            answer = {"error": f"sweep: {error}; see worker.log"}
        if answer is not None:
            self._sweep = None
            self._store.answer_command(sweep.command, answer)
        return True
