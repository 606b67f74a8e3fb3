"""The dashboard: paints at once, reads the words in a thread, and lets the worker load torch meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.css.query import NoMatches
from textual.events import Key, Resize
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.theme import Theme
from textual.widgets import Input, Static

from tui_mm.config import RunConfig
from tui_mm.dashboard.host import RunHost
from tui_mm.dashboard.keysline import KeysLine
from tui_mm.dashboard.lines import foot_line, head_line
from tui_mm.dashboard.messages import InspectionWanted, RateChosen, SampleWanted
from tui_mm.dashboard.pacing import PacedApp
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.placing import PanelHost
from tui_mm.dashboard.scrollbars import AsciiScrollBarRender
from tui_mm.dashboard.state import ViewState
from tui_mm.dashboard.tabs import TABS
from tui_mm.runs.home import Home, RunError
from tui_mm.settings import Settings
from tui_mm.worker import protocol as ask

_POLL_SECONDS = 0.1
_KEEP_SECONDS = 1.0  # between two looks at whether a setting has changed
_TELLING_SECONDS = 2.0  # a shorter training tells little of a machine's speed
_END_SECONDS = 15.0  # a worker's last words stand on the screen
_PAINT_SECONDS = 0.5  # between two frames of charts and lines while a training goes on


def _key(key: str, action: str, description: str, tooltip: str, *, show: bool = False) -> Binding:
    return Binding(key, action, description, show=show, id=action.split("(")[0] + "_" + key, tooltip=tooltip)


class DashboardApp(PacedApp, PanelHost):
    """One run, its words and its worker. Returns a line about the run that it leaves behind."""

    TITLE = "makemore-tui"
    CSS_PATH = "styles/app.tcss"
    AUTO_FOCUS = None  # keys are commands until a person goes to a panel or an input
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("t", "train", "train", "Start the training, or go on with it", show=True),
        _key("space", "pause", "pause", "Pause the training, or let it go on", show=True),
        _key("l", "sweep", "sweep", "Try a thousand learning rates; leaves a training be", show=True),
        _key("s", "sample", "sample", "Type the beginning of a name, or of a sentence", show=True),
        _key("e", "setup", "edit", "Every hyperparameter, presets, and the word list", show=True),
        _key("r", "runs", "runs", "All runs: open, overlay, compare, rename, delete", show=True),
        _key("n", "step(1)", "one step", "Train one step, then pause"),
        _key("N", "step(100)", "100 steps", "Train a hundred steps, then pause"),
        _key("x", "stop", "stop", "Stop the training and keep a checkpoint; t goes on from it"),
        _key("L", "rate", "set the rate", "Type a learning rate, from the next step on"),
        _key("R", "train_rates", "train at rates", "Train at 16 learning rates, 4 seeds each, all at once"),
        _key("X", "end_sweep", "end the sweep", "No more of the sweep that is under way; what it found stays"),
        _key("v", "evaluate", "evaluate", "The loss over the whole dev split, now"),
        _key("c", "checkpoint", "checkpoint", "Keep a checkpoint now"),
        _key("o", "words", "open words", "Choose another word list"),
        _key("C", "compare", "compare runs", "This run and those laid over its chart, side by side"),
        _key("z", "zoom", "one panel", "This panel alone, or all again"),
        *(
            Binding(
                str(number), f"panel('{name}')", title, id=f"panel_{name}", show=False, tooltip=f"Go to panel {title}"
            )
            for number, name, title in TABS
        ),
        _key("question_mark", "help", "help", "Every key", show=True),
        _key("q", "quit", "quit", "Leave; asks while a training goes on", show=True),
    ]

    def __init__(
        self,
        config: RunConfig,
        home: Home,
        *,
        ascii_only: bool = False,
        settings: Settings | None = None,
        when_up: Callable[[], None] = lambda: None,
        attach: str | None = None,
        offers: bool = False,
    ) -> None:
        """``settings`` that are given are not kept; ``when_up`` is called once all panels are there; ``attach``: the id
        of a run to begin with instead of a new one; ``offers``: whether trainings that go on are offered then."""
        kept, fault = (settings, "") if settings is not None else Settings.load(home)
        state = ViewState(config, kept, ascii_only=ascii_only, color=not os.environ.get("NO_COLOR"))
        super().__init__(config, home, state)
        if fault:
            state.note(fault)
        self.keep_from_now_on(settings is None)
        self._when_up = when_up
        self._first_run = attach
        self._offers = offers
        self.animation_level = "none"  # every frame of one would go over the line
        self._painted = 0.0
        self._due = False
        self._widgets = 0  # that there are once all panels are up
        self.worker_ended = False
        self._ended_worker: int | None = None  # the process whose end was told of

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        yield Container(id="body")
        yield Static(id="foot", markup=False)
        yield KeysLine(ascii_only=self.state.ascii_only)

    def on_mount(self) -> None:
        if self.state.settings.theme in self.available_themes:
            self.theme = self.state.settings.theme
        self.theme_changed_signal.subscribe(self, self._recolour)
        self.set_class(self.state.ascii_only, "-ascii")
        ScrollBar.renderer = AsciiScrollBarRender if self.state.ascii_only else ScrollBarRender
        self._show_lines()
        if self._first_run is None:
            self.begin(self._wanted)
        else:
            self.reopen(self._first_run)
        self.call_after_refresh(self.furnish)

    def _recolour(self, theme: Theme) -> None:
        self.state.settings.theme = theme.name
        self.call_after_refresh(self.show_all)

    def furnished(self) -> None:
        self._widgets = len(self.main.query("#head, #foot, #body *"))
        self.set_interval(_POLL_SECONDS, self._poll)
        self.set_interval(_KEEP_SECONDS, self.keep_changes)
        self._when_up()
        if self._offers:
            self.look_for_live()

    # -- the run

    @on(RunHost.RunReady)
    def _take_run(self, message: RunHost.RunReady) -> None:
        is_served = message.opened.run.is_live()
        self.take(message.opened)
        self.state.fault, self.worker_ended = "", False
        source = message.opened.config.data
        if os.path.isfile(source):  # noqa: PTH113, a string that may be no path
            self.state.settings.remember_words(os.path.abspath(source))  # noqa: PTH100
        corpus = message.opened.words.splits.corpus
        self.state.note(f"{len(corpus):,} {corpus.level.rows} read{'' if is_served else '; torch is loading'}")
        self._poll()
        self.show_all()
        self.call_after_refresh(self.furnish_all)

    @on(RunHost.RunRefused)
    def _refuse_run(self, message: RunHost.RunRefused) -> None:
        self.state.fault = message.line
        if self.state.words is not None:
            self.notify(message.line, severity="error", markup=False)
        self.state.note(message.line)
        self.show_all()
        self.call_after_refresh(self.furnish_all)

    def configured(self) -> None:
        self.state.note("the configuration has changed")
        self.show_all()

    # -- painting

    def _poll(self) -> None:
        with self._unless_taken_down():
            self._take_in()

    @contextmanager
    def _unless_taken_down(self) -> Iterator[None]:
        """A timer and an answer may come while the app is being taken down around them, with widgets gone already."""
        try:
            yield
        except NoMatches:
            if self.screen_stack and len(self.main.query("#head, #foot, #body *")) >= self._widgets:
                raise

    def _take_in(self) -> None:
        from tui_mm.dashboard.overlays import poll_overlays

        follower = self.state.follower
        if follower is None:
            return
        before = follower.status
        try:
            changed = follower.poll()
        except RunError as error:
            self.state.follower = None  # the store is gone or damaged: said once, what was read stays on the screen
            self.state.note(str(error))
            self.show_all()
            return
        for line in self.client.new_lines() if self.client else ():
            self.state.note(f"worker: {line}")
            self._due = True
        if follower.status != before and follower.waits_for:
            self.state.note(follower.waits_for)
            self.notify(follower.waits_for, severity="warning", markup=False)
        if follower.status != before and follower.status == "done":
            self._learn_speed()
        if follower.status != before and follower.status in ("crashed", "failed"):
            self._tell_of_end(f"the training {follower.end}; t goes on from the last checkpoint")
        elif self.client is not None and self.client.exit_code and self.client.pid != self._ended_worker:
            self._tell_of_end("the worker has ended; t starts another")
        if self.state.overlays:
            changed |= poll_overlays(self.state)
        self._due |= changed
        now = time.monotonic()
        if self._due and (follower.status != before or now - self._painted >= _PAINT_SECONDS) and self.may_paint:
            self._painted, self._due = now, False
            self.show_all()

    def _learn_speed(self) -> None:
        """So that the set-up screen's expected time is this machine's."""
        from tui_mm.estimate import speed_of

        words, follower = self.state.words, self.state.follower
        if words is not None and follower is not None and follower.seconds > _TELLING_SECONDS:
            splits = words.splits
            self.state.settings.speed = speed_of(
                self.state.config, len(splits.vocabulary), splits.train.examples, follower.seconds
            )

    def _tell_of_end(self, way_on: str) -> None:
        """The last lines of a worker that ended or failed, and the way on."""
        self.worker_ended = True
        self._ended_worker = self.client.pid if self.client else None
        if self.client is not None and self.client.fault:
            way_on = f"no training here: {self.client.fault}"
        else:
            for line in self.client.last_lines(5) if self.client else []:
                self.state.note(f"worker: {line}")
        self.state.note(way_on)
        self.notify(way_on, severity="error", timeout=_END_SECONDS, markup=False)
        self._due = True

    def show_all(self) -> None:
        if self.is_covered:  # Textual would send the screen above anew, wherever something changes under it
            self._due = True
            return
        self._show_lines()
        for panel in self.main.query(Panel):
            self._show(panel)

    def _show(self, panel: Panel) -> None:
        if not panel.is_shown:
            return
        panel.draw()
        if panel is self.samples:
            request = self.samples.request
            self.ask_for(
                "samples",
                request,
                lambda answer: self._take_samples({**answer, "prefix": request.prefix}),
                self._refuse_samples,
            )
        elif panel.WANTS:
            what = panel.WANTS
            self.ask_for(
                what,
                ask.Inspect(what, **panel.inspect_arguments),
                lambda answer: self._take_inspection(panel, answer),
                lambda line: self._refuse_inspection(panel, line),
            )

    def _show_lines(self) -> None:
        width = max(20, self._room.width)
        ascii_only = self.state.ascii_only
        for name, line in (
            ("#head", head_line(self.state, width, ascii_only=ascii_only)),
            ("#foot", foot_line(self.state, width, ascii_only=ascii_only)),
        ):
            widget = self.main.query_one(name, Static)
            if str(widget.content) != line:
                widget.update(line, layout=False)

    # -- what panels ask for and say

    def _take_samples(self, answer: dict[str, Any]) -> None:
        panel = self.samples
        if panel is None:
            return
        self.state.samples, self.state.samples_fault = answer, ""
        with self._unless_taken_down():
            panel.draw()
            self._show(panel)  # what was typed meanwhile

    def _refuse_samples(self, line: str) -> None:
        self.state.samples_fault = line
        if self.samples is not None:
            with self._unless_taken_down():
                self.samples.draw()

    def _take_inspection(self, panel: Panel, answer: dict[str, Any]) -> None:
        self.state.inspections[panel.WANTS] = answer
        if not self.may_paint:
            self._due = True  # drawn with the next paint
            return
        with self._unless_taken_down():
            panel.draw()

    def _refuse_inspection(self, panel: Panel, line: str) -> None:
        self._take_inspection(panel, {"reason": line})

    @on(Panel.Placed)
    def _panel_placed(self, message: Panel.Placed) -> None:
        self._show(message.panel)

    @on(SampleWanted)
    def _sample_wanted(self) -> None:
        self.ask_anew("samples")
        if self.samples is not None:
            self._show(self.samples)

    @on(InspectionWanted)
    def _inspection_wanted(self) -> None:
        for panel in self.main.query(Panel):
            if panel.WANTS and panel.is_shown:
                self.ask_anew(panel.WANTS)
                self._show(panel)

    @on(RateChosen)
    def _rate_chosen(self, message: RateChosen) -> None:
        self.set_rate(message.lr)

    # -- keys and sizes

    def on_key(self, event: Key) -> None:
        """A letter typed right behind the key that leads to an input was sent to where the focus was before; an input
        lets no letter through, so one that comes here while an input has the focus belongs into it."""
        if isinstance(self.focused, Input) and event.is_printable:
            self.focused.post_message(Key(event.key, event.character))

    def on_resize(self, event: Resize) -> None:
        self._room = event.size  # Textual's own ``size`` follows after this
        if self.main.query(Panel):  # the first size comes before the widgets
            self.arrange()
            self._show_lines()
