"""A replay: the dashboard over a run as it was, which goes on by a clock of its own. No worker, nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from textual import on, work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import MouseDown, MouseMove, MouseUp
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from data.corpus import CorpusError
from tui_mm.config import ConfigError, RunConfig
from tui_mm.dashboard.app import DashboardApp
from tui_mm.dashboard.keysline import KeysLine
from tui_mm.dashboard.lines import head_line
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.replay_clock import Playback, usual_speed
from tui_mm.dashboard.replay_line import ScrubLine, scrub_line
from tui_mm.dashboard.state import Words
from tui_mm.dashboard.tabs import TABS
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.replay import ReplayFollower
from tui_mm.settings import Settings
from tui_mm.text import printable
from tui_mm.words import split_for

_FRAME_SECONDS = 0.2  # between two frames of charts and lines while it plays
_MOST_AT_ONCE = 1.0  # seconds that it goes on by at most: a screen that was held up skips nothing
_OF_MODELS = ("sweep", "bigrams")  # the panels that say least in a replay
_TRAINS_NOT = "this is a replay: nothing is trained or asked here; the dashboard does that: makemore-tui"
_CLOSING = (
    "The numbers show a panel; the same number again, or tab, goes into it: its own keys work then, and escape leaves "
    "it. A click on the bar, or a drag along it, goes there. To select text with the mouse, hold shift (in some "
    "terminals alt or option) and drag; the terminal copies."
)
_LACKING = {
    "embedding": "no embedding was kept of this run",
    "layers": "no diagnostics of its layers were kept of this run",
}
_NO_MODEL = "a replay has no model, and the bigrams of this one were not kept as it was trained"


def _key(key: str, action: str, description: str, tooltip: str, *, show: bool = False, display: str = "") -> Binding:
    return Binding(
        key, action, description, show=show, key_display=display or None, tooltip=tooltip,
        id="replay_" + key.split(",")[0],
    )  # fmt: skip


class Scrubber(Static):
    """The foot line: a click on its bar, or a drag along it, goes there."""

    ALLOW_SELECT: ClassVar[bool] = False

    class Sought(Message):
        """A share of the run, 0 to 1, that a person points at."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

    def __init__(self) -> None:
        super().__init__(id="foot", markup=False)
        self._line = ScrubLine("", 0, 0)
        self._is_dragged = False

    def show(self, line: ScrubLine) -> None:
        if line.text != self._line.text:
            self.update(line.text, layout=False)
        self._line = line

    def on_mouse_down(self, event: MouseDown) -> None:
        if self._line.share_at(event.x) is not None:
            self._is_dragged = True
            self.capture_mouse()
            self._seek(event.x)

    def on_mouse_move(self, event: MouseMove) -> None:
        if self._is_dragged:
            self._seek(event.x)

    def on_mouse_up(self, _: MouseUp) -> None:
        if self._is_dragged:
            self._is_dragged = False
            self.release_mouse()

    def _seek(self, x: int) -> None:
        """To where the mouse is; beyond the bar, to its end on that side."""
        line = self._line
        share = line.share_at(min(max(x, line.bar), line.bar + line.cells - 1))
        if share is not None:
            self.post_message(self.Sought(share))


class ReplayApp(DashboardApp, inherit_bindings=False):
    """One run as it was. The numbers show a panel and leave the keys to the scrubber; once more, or tab, goes into the
    panel, whose own keys work then, and escape leaves it. ``playback`` is where it is and how it goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *App.BINDINGS,
        _key("space", "play", "play/pause", "Play or pause; at the end, play from the start", show=True),
        _key("left,less_than_sign", "moment(-1)", "back", "To the evaluation before; < does so from a panel, too",
             show=True),
        _key("right,greater_than_sign", "moment(1)", "forward",
             "To the next evaluation; > does so from a panel, too", show=True),
        _key("plus,equals_sign", "speed(1)", "faster", "Twice as fast", show=True, display="+"),
        _key("minus", "speed(-1)", "slower", "Half as fast", show=True, display="-"),
        _key("comma,shift+left", "percent(-1)", "1% back", "A hundredth of the run back", show=True),
        _key("full_stop,shift+right", "percent(1)", "1% on", "A hundredth of the run on", show=True),
        _key("home", "edge(0)", "start", "To before the first step"),
        _key("end", "edge(1)", "end", "To the last step"),
        _key("o", "loop", "loop", "At the end, begin anew, or stop there"),
        _key("z", "zoom", "one panel", "This panel alone, or all again", show=True),
        *(
            Binding(
                str(number), f"panel('{name}')", title, id=f"panel_{name}", show=False, tooltip=f"Show panel {title}"
            )
            for number, name, title in TABS
        ),
        _key("escape", "scrubber", "leave the panel", "From a panel back to the scrubber"),
        _key("question_mark", "help", "help", "Every key", show=True),
        _key("q", "quit", "quit", "Leave the replay", show=True),
        Binding("t,l,R,s,e,r,n,N,x,L,v,c,C", "trains_not", show=False, system=True),  # the dashboard's, in every finger
    ]  # fmt: skip

    class WordsRead(Message):
        """The run's words are there."""

        def __init__(self, words: Words) -> None:
            super().__init__()
            self.words = words

    class WordsRefused(Message):
        """The run's words cannot be used; the line says why. It is replayed without them."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    def __init__(
        self,
        follower: ReplayFollower,
        config: RunConfig,
        home: Home,
        *,
        at: int | None = None,
        speed: float | None = None,
        ascii_only: bool = False,
        settings: Settings | None = None,
        when_up: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins to play from the start, or stands at the step ``at``; by default at a speed by which the whole takes
        half a minute. ``config``: the run's own; ``now``: seconds of a clock that goes on.

        A replay begins with ``settings``, or what the home keeps, and keeps none: its panels are not the dashboard's.
        """
        kept, fault = (settings, "") if settings is not None else Settings.load(home)
        super().__init__(config, home, ascii_only=ascii_only, settings=kept, when_up=when_up)
        if fault:
            self.state.note(fault)
        if kept.side in _OF_MODELS:
            kept.side = "timeline"
        if self._current in _OF_MODELS:
            self._current = "loss"
        self.followed = follower
        self._now = now
        self._ticked: float | None = None  # when the clock was looked at last
        self._is_broken = False
        follower.show(at or 0)
        self.playback = Playback(
            follower.time_of(follower.steps),
            follower.duration,
            speed or usual_speed(follower.duration),
            playing=at is None,
            grows=follower.is_live,
        )
        state = self.state
        state.follower = follower
        parameters = follower.meta.get("model", {}).get("parameters")
        state.parameters = int(parameters) if isinstance(parameters, int) else None
        state.inspections["bigrams"] = {"reason": _NO_MODEL}
        for kind, reason in _LACKING.items():
            if not follower.keeps(kind):
                state.inspections[kind] = {"reason": reason}

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        yield Container(id="body")
        yield Scrubber()
        yield KeysLine(ascii_only=self.state.ascii_only)

    # -- the run, which is there from the start, and its words

    def begin(self, config: RunConfig) -> None:
        """Read the run's words; a replay goes over to no other run."""
        self._read_words(config)

    @work(thread=True, exclusive=True, group="words")
    def _read_words(self, config: RunConfig) -> None:
        try:
            corpus = self.followed.run.corpus()
            words = Words.of(split_for(config, corpus), corpus)
        except (CorpusError, ConfigError, RunError) as error:
            self.post_message(self.WordsRefused(str(error)))
        else:
            self.post_message(self.WordsRead(words))

    @on(WordsRead)
    def _take_words(self, message: WordsRead) -> None:
        self.state.words = message.words
        self.show_all()

    @on(WordsRefused)
    def _do_without_words(self, message: WordsRefused) -> None:
        self.state.fault = message.line
        self.state.note(f"{message.line}; the replay goes without them")
        self.show_all()

    async def furnish(self) -> None:
        """All panels at once: most of what they show is there."""
        await self.furnish_all()

    def panel_types(self) -> Sequence[type[Panel]]:
        from tui_mm.dashboard.replay_panels import REPLAY_PANELS

        return REPLAY_PANELS

    # -- going on

    def _take_in(self) -> None:
        """What the clock says, and what a run that is still trained has done meanwhile."""
        if self._is_broken:
            return
        now = self._now()
        passed = 0.0 if self._ticked is None else min(_MOST_AT_ONCE, now - self._ticked)
        self._ticked = now
        follower, before = self.followed, self.playback
        try:
            self._due |= follower.poll()
            self.playback = before.within(follower.duration, grows=follower.is_live).after(passed)
            if self.playback.position != before.position:
                self._due |= follower.show(follower.step_at(self.playback.position))
        except RunError as error:
            self._break_off(error)
        self._due |= self.playback.playing != before.playing
        if self._due and now - self._painted >= _FRAME_SECONDS and self.may_paint:
            self._painted, self._due = now, False
            self.show_all()

    def _break_off(self, error: RunError) -> None:
        """The store is gone or damaged: said once, what was read stays on the screen."""
        self._is_broken, self.playback = True, self.playback.at(self.playback.position)
        self.state.note(str(error))
        self.notify(str(error), severity="error", markup=False)

    def go_to(self, step: int) -> None:
        """Show the run as it was after a step, and go on from there if it plays."""
        if self._is_broken:
            return
        try:
            self.followed.poll()  # a run that is resumed has other steps
            self.followed.show(step)
        except RunError as error:
            self._break_off(error)
        self.playback = self.playback.at(self.followed.time_of(self.followed.steps))
        self.show_all()

    # -- painting

    def _show(self, panel: Panel) -> None:
        if panel.is_shown:
            panel.draw()  # and nobody is asked

    def _show_lines(self) -> None:
        width, state = max(20, self._room.width), self.state
        named = self.followed.meta.get("name") or self.followed.run.id
        title = f"replay of {printable(str(named))}"
        head = head_line(state, width, ascii_only=state.ascii_only, title=title)
        widget = self.main.query_one("#head", Static)
        if str(widget.content) != head:
            widget.update(head, layout=False)
        follower = self.followed
        share = follower.steps / follower.total
        line = scrub_line(self.playback, share, follower.total, follower, width, ascii_only=state.ascii_only)
        self.main.query_one(Scrubber).show(line)

    def get_key_display(self, binding: Binding) -> str:
        shown = super().get_key_display(binding)
        return binding.key if self.state.ascii_only and not shown.isascii() else shown

    # -- keys

    @on(Scrubber.Sought)
    def _sought(self, message: Scrubber.Sought) -> None:
        self.go_to(round(message.share * self.followed.total))

    def action_play(self) -> None:
        before = self.playback
        self.playback = before.toggled()
        if self.playback.position != before.position:
            self.go_to(0)
        else:
            self._show_lines()

    def action_moment(self, way: int) -> None:
        self.go_to(self.followed.moment(way))

    def action_percent(self, way: int) -> None:
        self.go_to(self.followed.steps + way * max(1, round(self.followed.total / 100)))

    def action_edge(self, side: int) -> None:
        self.go_to(side * self.followed.total)

    def action_speed(self, way: int) -> None:
        self.playback = self.playback.faster(way)
        self._show_lines()

    def action_loop(self) -> None:
        self.playback = self.playback.looped()
        self._show_lines()

    async def action_panel(self, name: str) -> None:
        """Show a panel; go into it where it is the one that was shown last."""
        await self.furnish_all()
        if self.samples is None:
            return  # left already
        was_there = self._current == name and self.main.query_one(f"#{name}").display
        await super().action_panel(name)
        if not was_there:
            self.main.set_focus(None)

    def action_scrubber(self) -> None:
        self.main.set_focus(None)

    def action_trains_not(self) -> None:
        self.notify(_TRAINS_NOT)

    def set_rate(self, lr: float) -> None:
        self.action_trains_not()

    def action_help(self) -> None:
        from tui_mm.dashboard.replay_panels import REPLAY_PANELS
        from tui_mm.dashboard.screens.help import HelpScreen, help_sections

        own = [b for b in self.BINDINGS if isinstance(b, Binding) and not b.system and b not in App.BINDINGS]
        sections = help_sections(own, REPLAY_PANELS)
        own_keys = [(title.replace(" or tab first", " twice or tab first"), keys) for title, keys in sections]
        self.push_screen(HelpScreen(own_keys, _CLOSING))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Without the exercises, which train."""
        yield from (c for c in super().get_system_commands(screen) if not c.title.startswith("Experiment"))

    async def action_quit(self) -> None:
        self.leave()
