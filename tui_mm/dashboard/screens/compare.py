"""Runs side by side: what they are, where their configurations differ, their losses, and what their models say.

Facts and losses are read from the runs' stores. The models are asked through the worker of the run that is open, anew
when one of the runs has been evaluated, or when a person asks something else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, get_args

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui_mm.config import LECTURE_SEED
from tui_mm.dashboard.charts.compare import differences_text, facts_text, names_line, next_text, samples_text
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.loss import Parts, loss_chart
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.compared import Compared
from tui_mm.dashboard.keysline import KeysLine
from tui_mm.dashboard.losses import comparison
from tui_mm.dashboard.panels.base import theme_colors
from tui_mm.dashboard.state import ViewState
from tui_mm.dashboard.tabs import Tab, border_title
from tui_mm.runs.differences import differences
from tui_mm.runs.home import Home, RunError
from tui_mm.runs.run import Run
from tui_mm.runs.series import Axis
from tui_mm.worker.protocol import Compare

Ask = Callable[[Compare, Callable[[dict[str, Any]], None], Callable[[str], None], bool], bool]
"""Puts a question to the worker: who takes the answer or the refusal, and whether a person has just changed it. Returns
whether it was put; if not, it is too soon."""

SECTIONS: list[Tab] = [(1, "curves", "Loss"), (2, "settings", "Differences"), (3, "following", "Next"),
                       (4, "drawn", "Samples")]  # fmt: skip
_LOOK_SECONDS = 0.5  # between two looks into the stores
_TWO_COLUMNS, _TWO_ROWS = 100, 28  # from this size on all sections are seen
_WIDE_PREFIX = 76  # columns from which it has more room
_FACTS = 20  # rows from which there is a line for each run
_FEWEST, _MOST = 3, 40  # names and next characters asked for
_LONGEST = 40  # characters of a name; columns show fewer
_AXES = get_args(Axis)
_PARTS: tuple[Parts, ...] = ("both", "dev", "train")
_SAID: dict[Parts, str] = {"both": "dev and train", "dev": "dev", "train": "train"}
_SEED = LECTURE_SEED + 10  # what 'makemore-tui compare' and 'sample' begin with


class Section(VerticalScroll, can_focus=True):
    """One of the four, in a frame."""

    class Placed(Message):
        """It has another size."""

        def can_replace(self, message: Message) -> bool:
            """All sections are drawn together: once for all that stand in the queue."""
            return isinstance(message, Section.Placed)

    def __init__(self, name: str) -> None:
        super().__init__(ChartView(), id=name)

    @property
    def view(self) -> ChartView:
        return self.query_one(ChartView)

    def on_resize(self) -> None:
        self.post_message(self.Placed())


class CompareScreen(ModalScreen[bool]):
    """Two to five runs. Dismissed with whether others are to be chosen."""

    COVERS_ALL: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"section('{name}')", title, id=f"compare.{name}", show=False,
                  tooltip=f"Go to {title}: the only one shown on a small terminal")
          for number, name, title in SECTIONS),
        Binding("p,slash,s", "prefix", "prefix", key_display="p", id="compare.prefix",
                tooltip="Type what the next character follows and every name begins with"),
        Binding("g", "draw(1)", "other names", id="compare.again",
                tooltip="Draw other names: the next seed, the same for all (enter in the input, too)"),
        Binding("G", "draw(0)", "first names", id="compare.first", show=False, tooltip="Back to the first seed"),
        Binding("b", "checkpoint", "best / last", id="compare.checkpoint",
                tooltip="Ask the weights with the least dev loss, or the last ones"),
        Binding("v", "parts", "dev / train", id="compare.parts",
                tooltip="Draw dev and train, dev alone, train alone"),
        Binding("y", "scale", "log / linear", id="compare.scale", show=False,
                tooltip="Loss on a log or a linear axis"),
        Binding("u", "axis", "steps / epochs / seconds", id="compare.axis", show=False,
                tooltip="Over steps, epochs or seconds"),
        Binding("z", "zoom", "one alone", id="compare.zoom", tooltip="This section alone, or all again"),
        Binding("r", "others", "runs", id="compare.runs", tooltip="Choose other runs to compare"),
        Binding("escape", "back", "back", key_display="esc", id="compare.back",
                tooltip="Out of the input, then back to the dashboard"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    CompareScreen { background: $background; }
    CompareScreen #facts { padding: 0 1; }
    CompareScreen #asking { height: 1; padding: 0 1; }
    CompareScreen #asking Static { width: auto; }
    CompareScreen #prefix { width: 24; }
    CompareScreen #question { padding-left: 2; color: $text-muted; }
    CompareScreen #sections { height: 1fr; }
    CompareScreen #sections.-four { layout: grid; grid-size: 2 2; }
    CompareScreen Section { border: round $foreground 35%; padding: 0 1; height: 1fr; scrollbar-size-vertical: 1;
        border-title-color: $foreground; border-subtitle-color: $foreground; }
    CompareScreen Section:focus { border: heavy $border; }
    CompareScreen.-ascii Section { border: ascii $foreground 50%; }
    CompareScreen.-ascii Section:focus { border: ascii $primary; border-title-style: bold; }
    """

    def __init__(self, state: ViewState, home: Home, idents: Sequence[str], ask: Ask) -> None:
        """``idents``: of the runs, in the order of their letters."""
        super().__init__()
        self._state = state
        self._runs = [Run(home.runs / ident) for ident in idents]
        self._ask = ask
        self._compared: list[Compared] = []
        self._current = "curves"
        self._alone = False
        self._parts: Parts = "both"
        self._checkpoint: Literal["last", "best"] = "last"
        self._further = 0  # seeds beyond the first
        self._answer: dict[str, Any] | None = None
        self._refusal = ""
        self._asked: Compare | None = None
        self._due = True  # the models are to be asked
        self._drawn: object = None  # what the curves on the screen were drawn from

    def compose(self) -> ComposeResult:
        yield ChartView(id="facts")
        with Horizontal(id="asking"):
            yield Static("prefix ")
            prefix = Input(placeholder="the beginning", id="prefix", compact=True)
            prefix.cursor_blink = False  # an idle screen sends nothing
            yield prefix
            yield ChartView(id="question")
        with Container(id="sections"):
            for _, name, _ in SECTIONS:
                yield Section(name)
        yield KeysLine(show_palette=False, ascii_only=self._state.ascii_only)

    def on_mount(self) -> None:
        self.set_class(self._state.ascii_only, "-ascii")
        self._compared = [Compared(run) for run in self._runs]
        self._arrange()
        self.query_one(f"#{self._current}").focus()
        self.set_interval(_LOOK_SECONDS, self._look)

    def on_unmount(self) -> None:
        for each in self._compared:
            each.close()

    # -- the runs

    def _look(self) -> None:
        """Take in what is new; draw and ask anew what that has changed."""
        changed = [each.look() for each in self._compared]
        if any(changed):
            self._due = True
            self._draw_runs()
        self._ask_if_due()

    # -- what the models are asked

    @property
    def question(self) -> Compare:
        rows = max(section.view.size.height for section in self.query(Section))
        wanted = min(_MOST, max(_FEWEST, rows - 2))
        return Compare(
            tuple(each.row.id for each in self._compared),
            self.query_one("#prefix", Input).value,
            count=wanted,
            likeliest=wanted,
            seed=(_SEED + self._further) % (1 << 63),
            checkpoint=self._checkpoint,
            max_length=_LONGEST,
        )

    def _ask_if_due(self, *, is_new: bool = False) -> None:
        if self._due or is_new:
            question = self.question
            self._due = not self._ask(question, self._take, self._refuse, is_new)
            if not self._due:
                self._asked = question

    def _take(self, answer: dict[str, Any]) -> None:
        self._answer, self._refusal = answer, ""
        if self.is_attached:
            self._draw_answer()

    def _refuse(self, line: str) -> None:
        self._refusal = line
        if self.is_attached:
            self._draw_answer()

    # -- where things stand

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        width, height = self.size
        all_of_them = not self._alone and width >= _TWO_COLUMNS and height >= _TWO_ROWS
        self.query_one("#facts").styles.height = 1 + len(self._runs) if height >= _FACTS else 1
        self.query_one("#prefix").styles.width = 24 if width >= _WIDE_PREFIX else 12
        self.query_one("#sections").set_class(all_of_them, "-four")
        for number, name, title in SECTIONS:
            section = self.query_one(f"#{name}", Section)
            section.display = all_of_them or name == self._current
            shown: list[Tab] = [(number, name, title)] if all_of_them else SECTIONS
            section.border_title = border_title(
                shown, name, width - 8, ascii_only=self._state.ascii_only, action="screen.section"
            )
        self.call_after_refresh(self._draw)

    @on(Section.Placed)
    def _placed(self) -> None:
        self._draw()
        asked = self._asked
        if asked is None or (self.question.count > asked.count):
            self._ask_if_due(is_new=True)

    def on_descendant_focus(self) -> None:
        if isinstance(self.focused, Section) and self.focused.id:
            self._current = self.focused.id

    # -- drawing

    def _look_of(self, view: ChartView) -> Look:
        colors = theme_colors(self.app.theme_variables) if self._state.color else None
        return Look(view.content_size.width, view.content_size.height, colors, self._state.ascii_only)

    def _draw(self) -> None:
        if self.is_attached:
            self._draw_runs()
            self._draw_answer()

    def _draw_runs(self) -> None:
        """What is read from the runs' stores."""
        facts = self.query_one("#facts", ChartView)
        look, named = self._look_of(facts), [each.name for each in self._compared]
        if look.width:
            rows = [each.row for each in self._compared]
            facts.show(facts_text(rows, look) if look.height > 1 else names_line(named, look))
        curves, settings = (self.query_one(f"#{name}", Section) for name in ("curves", "settings"))
        if curves.display and curves.view.size.width:
            self._draw_curves(curves.view)
        if settings.display and settings.view.size.width:
            self._draw_differences(settings.view, named)

    def _draw_curves(self, view: ChartView) -> None:
        look = self._look_of(view)
        known = [(each.name, each.follower) for each in self._compared]
        followed = [(name, follower) for name, follower in known if follower is not None]
        if len(followed) < len(known):
            view.say("no curves: a run's store cannot be read, see above")
            self._drawn = None
            return
        axis, log = self._state.settings.loss_axis, self._state.settings.loss_scale == "log"
        drawn = look, axis, log, self._parts, [(each.name, each.seen) for each in self._compared]
        if drawn == self._drawn:
            return
        self._drawn = drawn
        view.show(loss_chart(comparison(followed, axis, look, log=log, parts=self._parts), look))
        said = _SAID[self._parts]
        section = self.query_one("#curves", Section)
        if section.border_subtitle != said:  # setting it paints the whole section again
            section.border_subtitle = said

    def _draw_differences(self, view: ChartView, named: list[str]) -> None:
        try:
            text = differences_text(differences([each.config() for each in self._compared]), named, self._look_of(view))
        except RunError as error:
            view.say(str(error))
            return
        view.styles.height = text.plain.count("\n") + 1
        view.show(text)

    def _draw_answer(self) -> None:
        """What the models said last, or why they said nothing."""
        question = self.query_one("#question", ChartView)
        of, seed = f"{self._checkpoint} weights (b)", f"seed {(_SEED + self._further) % (1 << 63)} (g)"
        line = f"{seed}  {of}" if len(seed) + len(of) + 2 <= question.content_size.width else of
        question.show(Text(line, no_wrap=True))
        named = [each.name for each in self._compared]
        for name, draw in (("following", next_text), ("drawn", samples_text)):
            section = self.query_one(f"#{name}", Section)
            if not (section.display and section.view.size.width):
                continue
            if self._refusal or self._answer is None:
                section.view.say(self._refusal or "the models answer as soon as torch has loaded")
            else:
                section.view.show(draw(self._answer, named, self._look_of(section.view)))

    # -- keys

    def action_section(self, name: str) -> None:
        self._current = name
        self._arrange()
        self.query_one(f"#{name}").focus()

    def action_zoom(self) -> None:
        self._alone = not self._alone
        self._arrange()

    def action_prefix(self) -> None:
        self.set_focus(self.query_one("#prefix"), scroll_visible=False)  # at once: letters may follow

    @on(Input.Changed, "#prefix")
    def _prefix_changed(self) -> None:
        self._ask_if_due(is_new=True)

    @on(Input.Submitted, "#prefix")
    def _prefix_given(self) -> None:
        self.action_draw(1)

    def action_draw(self, seeds: int) -> None:
        """With so many seeds further; with 0, the first again."""
        self._further = self._further + seeds if seeds else 0
        self._draw_answer()
        self._ask_if_due(is_new=True)

    def action_checkpoint(self) -> None:
        self._checkpoint = "best" if self._checkpoint == "last" else "last"
        self._draw_answer()
        self._ask_if_due(is_new=True)

    def action_parts(self) -> None:
        self._parts = _PARTS[(_PARTS.index(self._parts) + 1) % len(_PARTS)]
        self._draw_runs()

    def action_scale(self) -> None:
        settings = self._state.settings
        settings.loss_scale = "linear" if settings.loss_scale == "log" else "log"
        self._draw_runs()

    def action_axis(self) -> None:
        settings = self._state.settings
        settings.loss_axis = _AXES[(_AXES.index(settings.loss_axis) + 1) % len(_AXES)]
        self._draw_runs()

    def action_others(self) -> None:
        self.dismiss(True)

    def action_back(self) -> None:
        """Leave the input first, if it has the focus, then the screen."""
        if isinstance(self.focused, Input):
            self.set_focus(self.query_one(f"#{self._current}"))
        else:
            self.dismiss(False)
