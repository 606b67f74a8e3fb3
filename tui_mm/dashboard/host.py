"""The app without its looks: which run it is about, and what it asks of the run's worker.

``opening``, which loads numpy and the words, is imported where it is used: after the first screen is painted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import work
from textual.app import App
from textual.message import Message
from textual.worker import WorkType, get_current_worker

from tui_mm.config import ConfigError, RunConfig, validate
from tui_mm.dashboard.state import ViewState
from tui_mm.runs.home import Home, RunError
from tui_mm.text import nats
from tui_mm.worker import protocol as ask

if TYPE_CHECKING:
    from tui_mm.dashboard.opening import Opened
    from tui_mm.runs.presence import Presence
    from tui_mm.worker.client import WorkerClient

_REFUSALS = (ask.CommandError, RunError, TimeoutError)
_ASKING_SHARE = 0.008  # of a training's time may go into answering one panel
_LEAST_PAUSE = {"samples": 1.0, "bigrams": 4.0}  # seconds between two questions: a table is the most to send
_USUAL_PAUSE = 2.0
_MOST_PAUSE = 5.0  # the first answer warms torch up, and its cost tells little of the next


class _Pace:
    """When a panel may ask again: what answering costs the training stays a small share of it."""

    def __init__(self, what: str) -> None:
        self._least = _LEAST_PAUSE.get(what, _USUAL_PAUSE)
        self.due = 0.0
        self.asked: object = None  # the last question, and at what step it was put

    def wait(self, answer: dict[str, Any]) -> None:
        cost = float(answer.get("seconds", 0.0))
        self.due = time.monotonic() + max(self._least, min(_MOST_PAUSE, cost / _ASKING_SHARE))


class RunHost(App[str]):
    """Holds one run at a time, with its words, its follower and its worker."""

    class RunReady(Message):
        """A run and its words are there."""

        def __init__(self, opened: Opened) -> None:
            super().__init__()
            self.opened = opened

    class RunRefused(Message):
        """The words or the run cannot be used; the line says why."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    def __init__(self, config: RunConfig, home: Home, state: ViewState) -> None:
        super().__init__()
        self.home = home
        self.state = state
        self.opened: Opened | None = None
        self.client: WorkerClient | None = None
        self.presence: Presence | None = None  # with a run that is to be come back to, until it is
        self._wanted = config
        self._paces: dict[str, _Pace] = {}

    # -- which run

    def begin(self, config: RunConfig) -> None:
        """Go over to a new run of a configuration; what is there stays until that has its words."""
        self._wanted = config

        def prepare(before: Opened | None) -> Opened:
            from tui_mm.dashboard import opening

            return opening.begin(config, self.home, before)

        self._prepare(prepare)

    def reopen(self, ident: str) -> None:
        """Go over to a run that is kept."""
        from tui_mm.dashboard import opening

        self._prepare(lambda _: opening.reopen(self.home, ident))

    @work(thread=True, exclusive=True, group="words")
    def _prepare(self, prepare: Callable[[Opened | None], Opened]) -> None:
        from tui_mm.dashboard import opening

        try:
            opened = prepare(self.opened)
        except opening.REFUSALS as error:
            self.post_message(self.RunRefused(str(error)))
            return
        is_wanted = not get_current_worker().is_cancelled  # else another was asked for meanwhile
        if is_wanted:
            self.post_message(self.RunReady(opened))
        opening.tidy(self.home, None if is_wanted else opened)

    def take(self, opened: Opened) -> None:
        """Show a run from now on, and let go of the one before."""
        from tui_mm.dashboard import opening

        self.let_go()
        self.opened = opened
        state = self.state
        state.config, state.words = opened.config, opened.words
        state.follower, self.client, state.parameters = opening.connect(opened)
        state.viewer = self.client.sender
        if self.presence is not None:
            self.presence.end()
            self.presence = None
        state.samples, state.samples_fault = None, ""
        state.inspections.clear()
        self._paces.clear()

    def let_go(self, *, goes_on: bool = False) -> str:
        """Leave the run that is shown: see ``opening.part``."""
        from tui_mm.dashboard import opening

        client, follower = self.client, self.state.follower
        self.client = self.state.follower = self.opened = None
        if follower is not None:
            follower.close()
        return "" if client is None else opening.part(client, goes_on=goes_on)

    # -- commands

    def send(self, command: ask.Command) -> int | None:
        """Put a command into the run's inbox, with a worker to carry it out; None where that is not to be had."""
        if self.client is None:
            self.notify("the words are not there yet", severity="warning")
            return None
        try:
            self.client.start_worker()  # nothing happens if one is there
            return self.client.send(command)
        except (RunError, OSError) as error:
            self.state.note(f"{command.kind}: {error}")
            self.notify(str(error), severity="error", markup=False)
            return None

    async def answer_to(self, command: ask.Command, timeout: float = 30.0) -> dict[str, Any] | None:
        """The answer to a command, or None with a line in the log."""
        if self.client is None:
            self.notify("the words are not there yet", severity="warning")
            return None
        try:
            self.client.start_worker()
            return await self.client.ask(command, timeout)
        except (*_REFUSALS, OSError) as error:
            self.state.note(f"{command.kind}: {error}")
            self.notify(str(error), severity="error", markup=False)
            return None

    @work(group="told")
    async def tell(self, command: ask.Command, said: Callable[[dict[str, Any]], str], timeout: float = 30.0) -> None:
        """Carry a command out and say what came of it."""
        answer = await self.answer_to(command, timeout)
        if answer is not None:
            line = said(answer)
            if line:
                self.state.note(line)
                self.notify(line, markup=False)

    @work(group="told")
    async def configure(self, config: RunConfig) -> None:
        """Go over to a configuration: in the same run if nothing was trained and the words stay, else in a new one."""
        from tui_mm.dashboard import opening

        kept = self.opened is not None and opening.same_words(self.state.config, config)
        refused = self.client is not None and self.client.fault  # no worker can begin with what there is
        if not kept or refused or self.state.status != "created":
            self.begin(config)
            return
        answer = await self.answer_to(ask.Configure(config.values()))
        if answer is not None:
            self.state.config = config
            self.state.parameters = int(answer["parameters"])
            self.opened = replace(self.opened, config=config) if self.opened else None
            self.state.inspections.clear()
            self._paces.clear()
            self.configured()

    def configured(self) -> None:
        """The configuration has changed under the run that is shown."""
        raise NotImplementedError

    def set_rate(self, lr: float) -> None:
        """To the training that is under way or stopped, else into the configuration of the next."""
        if self.state.status in ("running", "paused", "waiting", "stopped", "crashed", "failed"):
            self.tell(ask.SetLr(lr), lambda answer: f"lr {answer['lr']:.4g} from the next step on")
            return
        try:
            config = validate(self.state.config.values() | {"lr": lr})
        except ConfigError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self.notify(f"lr {lr:.4g}; t trains with it")
        self.configure(config)

    def action_train(self) -> None:
        status = self.state.status
        if status == "done":
            self.notify("this run is done; e sets up another, r lists what there is")
        elif status == "running":
            self.notify("it is training; space pauses")
        elif status == "waiting" and self.state.follower is not None:
            self.notify(self.state.follower.waits_for, markup=False)
        else:
            self.send(ask.Start())

    def action_pause(self) -> None:
        if self.state.status == "running":
            self.send(ask.Pause())
        elif self.state.status == "paused":
            self.send(ask.Start())
        else:
            self.notify("nothing is being trained; t trains")

    def action_step(self, count: int) -> None:
        if self.state.status == "done":
            self.notify("this run is done; e sets up another")
        else:
            self.send(ask.Step(count))

    def action_stop(self) -> None:
        if self.state.is_training:
            self.send(ask.Stop())
        else:
            self.notify("nothing is being trained; t trains")

    def action_checkpoint(self) -> None:
        self.tell(ask.Checkpoint(), lambda answer: f"checkpoint kept at step {answer['step']:,}")

    def action_evaluate(self) -> None:
        split = "dev" if self.state.words is None or self.state.words.splits.dev.examples else "train"
        self.tell(ask.Evaluate(split), lambda a: f"{a['split']} loss {nats(a['loss'])} at step {a['step']:,}")

    # -- what panels ask for

    @property
    def is_waiting(self) -> bool:
        """Whether an answer of the worker is still to come."""
        return any(w.group.startswith(("ask ", "told")) and not w.is_finished for w in self.workers)

    def ask_for(
        self, what: str, command: ask.Command, take: Callable[[dict[str, Any]], None], refused: Callable[[str], None]
    ) -> bool:
        """Ask the worker on behalf of a panel, unless nothing can have changed or it is too soon; whether it was
        asked."""
        pace = self._paces.setdefault(what, _Pace(what))
        follower = self.state.follower
        if self.client is None or follower is None:
            return False
        now = (follower.steps, command)
        if now == pace.asked or (time.monotonic() < pace.due and self.state.status == "running"):
            return False
        pace.asked, pace.due = now, math.inf
        question: WorkType[None] = partial(self._ask, pace, command, take, refused)
        self.run_worker(question, group=f"ask {what}", exclusive=True)
        return True

    def ask_anew(self, what: str) -> None:
        """A person has changed what a panel asks for: the next ``ask_for`` is not held back."""
        self._paces.pop(what, None)

    async def _ask(
        self,
        pace: _Pace,
        command: ask.Command,
        take: Callable[[dict[str, Any]], None],
        refused: Callable[[str], None],
    ) -> None:
        client = self.client
        if client is None:
            return
        try:
            if client.is_left() and self.state.status not in ("crashed", "failed"):
                client.start_worker()  # the one before went with its training, or with who had started it
            answer = await client.ask(command, timeout=60)
        except (*_REFUSALS, OSError) as error:
            pace.wait({})
            if client is self.client:
                refused(str(error))
            return
        pace.wait(answer)
        if client is self.client:  # else the answer is of a run that is not shown any more
            take(answer)
