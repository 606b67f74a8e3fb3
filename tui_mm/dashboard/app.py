"""The dashboard: paints at once, reads the words in a thread, and lets the worker load torch meanwhile."""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.css.query import NoMatches
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input, Static
from textual.worker import get_current_worker

from data.catalog import load
from data.corpus import CorpusError
from tui_mm.config import ConfigError, RunConfig
from tui_mm.dashboard.lines import foot_line, head_line
from tui_mm.dashboard.messages import SampleWanted
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.panels.dataset import DatasetPanel
from tui_mm.dashboard.panels.log import LogPanel
from tui_mm.dashboard.panels.loss import LossPanel
from tui_mm.dashboard.panels.samples import SamplesPanel
from tui_mm.dashboard.panels.sweep import SweepPanel
from tui_mm.dashboard.screens.quit import Choice, QuitScreen
from tui_mm.dashboard.state import ViewState, Words
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run, create_run
from tui_mm.words import data_facts, model_facts, split_for
from tui_mm.worker import protocol as ask
from tui_mm.worker.client import WorkerClient

_POLL_SECONDS = 0.1
_LINES_SECONDS = 0.25
_CHART_SECONDS = 0.5
PANELS: tuple[type[Panel], ...] = (DatasetPanel, LossPanel, SamplesPanel, SweepPanel, LogPanel)
_SIDE = ("sweep", "log")  # share a place, but on wide terminals


class DashboardApp(App[str]):
    """One run, its words and its worker. Returns a line about the run that it leaves behind."""

    TITLE = "makemore-tui"
    CSS_PATH = "styles/app.tcss"
    AUTO_FOCUS = None  # keys are commands until a person goes to the input
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012, Textual's way
        (0, "-narrow"),
        (100, "-normal"),
        (180, "-wide"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "train", "train", id="train", tooltip="Start the training, or go on with it"),
        Binding("space", "pause", "pause", id="pause", tooltip="Pause the training, or let it go on"),
        Binding("s", "sample", "sample", id="sample", tooltip="Type the beginning of a name"),
        Binding("l", "sweep", "sweep", id="sweep", tooltip="Try a thousand learning rates; leaves a training be"),
        *(
            Binding(
                str(number),
                f"panel('{panel.NAME}')",
                panel.TITLE,
                id=panel.NAME,
                show=False,
                tooltip=f"Go to the panel {panel.TITLE}",
            )
            for number, panel in enumerate(PANELS, start=1)
        ),
        Binding("q", "quit", "quit", id="quit", tooltip="Leave; asks while a training goes on"),
        Binding("escape", "leave_input", show=False, id="leave_input"),
    ]

    class WordsRead(Message):
        """The words, and a run folder for them, are there."""

        def __init__(self, words: Words, run: Run) -> None:
            super().__init__()
            self.words = words
            self.run = run

    class WordsRefused(Message):
        """The words cannot be used; the line says why."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    def __init__(self, config: RunConfig, home: Home, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.state = ViewState(config, ascii_only=ascii_only, color=not os.environ.get("NO_COLOR"))
        self.home = home
        self.client: WorkerClient | None = None
        self._charted = 0.0
        self._chart_due = False
        self._lined = 0.0
        self._lines_due = False
        self._sampled_step = -1
        self._mounted = False

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        with Container(id="body"):
            for panel in PANELS:
                yield panel(self.state)
        yield Static(id="foot")
        yield Footer()

    def on_mount(self) -> None:
        self._mounted = True
        for name in _SIDE:
            self.query_one(f"#{name}").add_class("-side")
        self.query_one("#dataset").add_class("-active")
        self.query_one("#log").add_class("-shown")
        self._show_lines()
        self._read_words()
        self.set_interval(_POLL_SECONDS, self._poll)

    @property
    def _main(self) -> Screen[Any]:
        """The screen with the panels, also while a question stands over it."""
        return self.screen_stack[0]

    # -- the words and the worker

    @work(thread=True, exclusive=True, group="words")
    def _read_words(self) -> None:
        config = self.state.config
        try:
            corpus = load(config.data, cache=self.home.datasets, encoding=config.encoding)
            splits = split_for(config, corpus)
            words = Words.of(splits)
            facts = {
                "data": data_facts(config, splits, words.statistics.distinct),
                "model": model_facts(config, splits.vocabulary),
            }
            run = create_run(self.home, config, corpus, None, facts)
        except (CorpusError, ConfigError, RunError) as error:
            self.post_message(self.WordsRefused(str(error)))
            return
        if not get_current_worker().is_cancelled:
            self.post_message(self.WordsRead(words, run))

    @on(WordsRead)
    def _take_words(self, message: WordsRead) -> None:
        self.state.words = message.words
        self.state.follower = RunFollower(message.run)
        self.state.parameters = model_facts(self.state.config, message.words.splits.vocabulary)["parameters"]
        self.client = WorkerClient(message.run)
        self.client.start_worker()
        self._main.query_one(DatasetPanel).draw()
        self._note(f"{len(message.words.splits.corpus):,} words read; torch is loading")
        self._poll()
        self._sample_again()

    @on(WordsRefused)
    def _refuse_words(self, message: WordsRefused) -> None:
        self._main.query_one(DatasetPanel).show_fault(message.line)
        self._note(message.line)

    def _note(self, line: str) -> None:
        self.state.note(line)
        self._main.query_one(LogPanel).draw()

    # -- painting

    def _poll(self) -> None:
        try:
            self._take_in()
        except NoMatches:
            if self._main_is_whole():
                raise  # otherwise the app is being taken down around its timer

    def _main_is_whole(self) -> bool:
        return bool(self.screen_stack) and len(self._main.query("#head, #foot, #body > Panel")) == len(PANELS) + 2

    def _take_in(self) -> None:
        follower = self.state.follower
        if follower is None:
            return
        before = follower.status
        try:
            changed = follower.poll()
        except RunError as error:
            self.state.follower = None  # the store is gone or damaged: said once, what was read stays on the screen
            self._note(str(error))
            return
        if follower.status != before and follower.status in ("crashed", "failed"):
            self._tell_of_end(follower.status)
        now = time.monotonic()
        if changed:
            self._lines_due = self._chart_due = True
            self._main.query_one(LogPanel).draw()
        if self._lines_due and (follower.status != before or now - self._lined >= _LINES_SECONDS):
            self._lined, self._lines_due = now, False
            self._show_lines()
        if self._chart_due and now - self._charted >= _CHART_SECONDS:
            self._charted, self._chart_due = now, False
            self._show_charts()
            self._sample_again()

    def _tell_of_end(self, status: str) -> None:
        """The last lines of a worker that ended or failed, and the way on."""
        for line in self.client.last_lines(5) if self.client else []:
            self._note(f"worker: {line}")
        self._note(f"the training {status}; t goes on from the last checkpoint")

    def _show_lines(self) -> None:
        width = max(20, self.size.width)
        self._main.query_one("#head", Static).update(head_line(self.state, width), layout=False)
        self._main.query_one("#foot", Static).update(
            foot_line(self.state, width, ascii_only=self.state.ascii_only), layout=False
        )

    def _show_charts(self) -> None:
        for panel in self._main.query(Panel):
            if panel.display and panel.size.width:
                panel.draw()

    def on_resize(self) -> None:
        if not self._mounted:
            return  # the first size comes before the widgets
        self._show_lines()
        self.call_after_refresh(self._show_charts)

    # -- sampling

    @on(SampleWanted)
    def _sample_wanted(self) -> None:
        self._sampled_step = -1
        self._sample_again()

    @work(exclusive=True, group="sample")
    async def _sample_again(self) -> None:
        follower = self.state.follower
        if self.client is None or follower is None or follower.steps == self._sampled_step:
            return
        panel = self._main.query_one(SamplesPanel)
        request, step = panel.request, follower.steps
        try:
            self.state.samples = {**await self.client.ask(request), "prefix": request.prefix}
            self.state.samples_fault = ""
            self._sampled_step = step
        except (ask.CommandError, RunError, TimeoutError) as error:
            self.state.samples_fault = str(error)
        panel.draw()

    # -- actions

    def _send(self, command: ask.Command) -> None:
        if self.client is None:
            self.notify("the words are not there yet", severity="warning")
            return
        try:
            self.client.start_worker()  # nothing happens if one is there
            self.client.send(command)
        except (RunError, OSError) as error:
            self._note(f"{command.kind}: {error}")

    def action_train(self) -> None:
        self._send(ask.Start())

    def action_pause(self) -> None:
        if self.state.status == "running":
            self._send(ask.Pause())
        elif self.state.status == "paused":
            self._send(ask.Start())
        else:
            self.notify("nothing is being trained; t trains")

    def action_sample(self) -> None:
        self.action_panel("samples")
        self._main.query_one("#prefix", Input).focus()

    def action_leave_input(self) -> None:
        self.set_focus(None)

    def action_sweep(self) -> None:
        self.action_panel("sweep")
        self._send(ask.Sweep())

    def action_panel(self, panel: str) -> None:
        """Show a panel: the only one on a narrow terminal, the one at the side on a usual one."""
        self.set_focus(None)
        for each in self._main.query(Panel):
            each.set_class(panel == each.NAME, "-active")
        if panel in _SIDE:
            for name in _SIDE:
                self._main.query_one(f"#{name}").set_class(name == panel, "-shown")
        self.call_after_refresh(self._show_charts)

    async def action_quit(self) -> None:
        if self.state.is_training:
            self.push_screen(QuitScreen(), self._quit_as_chosen)
        else:
            self._leave()

    def _quit_as_chosen(self, choice: Choice | None) -> None:
        if choice == "stop":
            self._send(ask.Stop())
            self._leave()
        elif choice == "keep":
            if self.state.status == "paused":
                self._send(ask.Start())
            self._leave(goes_on=True)

    def _leave(self, *, goes_on: bool = False) -> None:
        client, follower = self.client, self.state.follower
        line = ""
        if client is not None and follower is not None:
            name = client.run.id
            if follower.status == "created":
                try:
                    client.discard()  # nothing was trained: the run is not worth keeping
                except RunError as error:
                    line = str(error)  # another viewer's worker has it, or its folder is gone
            elif goes_on:
                line = f"run {name} goes on training; 'makemore-tui runs show {name}' tells how far it is"
            else:
                line = f"run {name} is kept: makemore-tui sample {name}"
            follower.close()
            client.close()
            self.client = self.state.follower = None
        self.exit(line)
