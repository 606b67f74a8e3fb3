"""The sampling console: a prefix, the names that begin with it, and what comes next, as the model learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Resize
from textual.widgets import Input

from data.levels import CHARACTER
from data.vocabulary import VocabularyError
from tui_mm.dashboard.charts.bars import paired_bars
from tui_mm.dashboard.charts.cells import fit, label, wrap
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.messages import SampleWanted
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState, Words
from tui_mm.settings import Settings
from tui_mm.text import printable
from tui_mm.worker.protocol import Sample

LECTURE_OFFSET = 10  # the lecture samples from a generator seeded with 2147483647 + 10
TOP_K = (0, 1, 2, 3, 5, 10)
TOP_P = (1.0, 0.95, 0.9, 0.8, 0.5, 0.3)
_COLDEST, _HOTTEST = 0.0, 5.0
_FEWEST, _MOST = 3, 40  # names asked for
_LINES_EACH = 2  # that a sentence takes, at least
_GAP = 2  # columns between names and bars side by side
_WIDEST = 14  # cells of a word that may come next, at most
_BESIDE = 56  # from this width on, the bars stand beside the names

_T = TypeVar("_T")


@dataclass(frozen=True)
class Places:
    """How the room below the two upper lines is divided: (columns, rows) of the names and of the bars."""

    names: tuple[int, int]
    bars: tuple[int, int]
    beside: bool


def places(width: int, height: int) -> Places:
    """Of a panel's inside, so wide and so high."""
    rows = max(0, height - 2)
    if width >= _BESIDE:
        left = max(24, width * 2 // 5)
        return Places((left, rows), (width - left - _GAP, rows), True)
    bars = min(8, max(3, rows // 2)) if rows >= 4 else 0
    return Places((width, rows - bars), (width, bars), False)


class SamplesPanel(Panel):
    NAME = "samples"
    TITLE = "Samples"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "warm(-1)", "colder", id="samples.colder", show=False,
                tooltip="Temperature down by 0.1: what is likelier; 0 takes the likeliest always"),
        Binding("right_square_bracket", "warm(1)", "warmer", id="samples.warmer", show=False,
                tooltip="Temperature up by 0.1: what is less likely, too"),
        Binding("k", "top_k(1)", "top-k", id="samples.top_k", show=False,
                tooltip="Draw among the k likeliest: the next of all, 1, 2, 3, 5, 10"),
        Binding("K", "top_k(-1)", "top-k back", id="samples.top_k_back", show=False, tooltip="The top-k before"),
        Binding("p", "top_p(1)", "top-p", id="samples.top_p", show=False,
                tooltip="Draw among the likeliest that reach p: the next of 1, .95, .9, .8, .5, .3"),
        Binding("P", "top_p(-1)", "top-p back", id="samples.top_p_back", show=False, tooltip="The top-p before"),
        Binding("g", "draw_again(1)", "other names", id="samples.again", show=False,
                tooltip="Draw other names: the next seed (enter in the input, too)"),
        Binding("G", "draw_again(0)", "first names", id="samples.first", show=False,
                tooltip="Back to the names of the lecture's seed"),
        Binding("escape", "leave_input", "leave the input", id="samples.leave",
                tooltip="From the input to the panel, whose keys work then"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    SamplesPanel { layout: vertical; }
    SamplesPanel #drawing { height: 1; color: $text-muted; }
    SamplesPanel #answer { height: 1fr; layout: vertical; }
    SamplesPanel #answer.-beside { layout: horizontal; }
    SamplesPanel #answer.-beside #next { margin-left: 2; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._further = 0  # seeds beyond the lecture's

    def compose(self) -> ComposeResult:
        prefix = Input(placeholder=self._invitation, id="prefix", compact=True)
        prefix.cursor_blink = False  # an idle screen sends nothing
        yield prefix
        yield ChartView(id="drawing")
        with Container(id="answer"):
            yield ChartView(id="names")
            yield ChartView(id="next")

    @property
    def _invitation(self) -> str:
        return f"the beginning of a {self.state.level.sample}"

    @property
    def request(self) -> Sample:
        """What the worker is to be asked for."""
        settings = self.state.settings
        fitting = self._places.names[1] // (1 if self.state.level == CHARACTER else _LINES_EACH)
        return Sample(
            self.query_one("#prefix", Input).value,
            count=min(_MOST, max(_FEWEST, fitting)),
            temperature=settings.temperature,
            top_k=settings.top_k,
            top_p=settings.top_p,
            seed=self.state.config.seed + LECTURE_OFFSET + self._further,
        )

    @property
    def _places(self) -> Places:
        return places(self.size.width, self.size.height)

    def on_resize(self, _: Resize) -> None:
        if not self.size.width:
            return
        self.draw()
        answer = self.state.samples
        if answer is not None and len(answer["names"]) < self.request.count:
            self.post_message(SampleWanted())

    def _place(self, found: Places) -> None:
        self.query_one("#answer").set_class(found.beside, "-beside")
        for widget, (columns, rows) in (("#names", found.names), ("#next", found.bars)):
            styles = self.query_one(widget).styles
            styles.width, styles.height = columns, rows

    def draw(self) -> None:
        """Show the worker's last answer, or why there is none."""
        found, level = self._places, self.state.level
        columns, room = found.names
        if not columns:
            return
        prefix = self.query_one("#prefix", Input)
        if prefix.placeholder != self._invitation:
            prefix.placeholder = self._invitation
        line = settings_line(self.state.settings, LECTURE_OFFSET + self._further, self.size.width)
        self.query_one("#drawing", ChartView).show(Text(line, no_wrap=True))
        names, bars = self.query_one("#names", ChartView), self.query_one("#next", ChartView)
        answer, fault = self.state.samples, self.state.samples_fault
        if fault or answer is None:
            said = printable(fault) if fault else f"{level.samples} appear as soon as torch has loaded"
            if not fault and self.state.words is None and self.state.fault:
                said = f"no {level.samples} without words: o chooses a list"
            self._place(Places((self.size.width, max(0, self.size.height - 2)), (0, 0), False))
            names.show(Text("\n").join(Text(said).wrap(self.app.console, self.size.width)))
            bars.show("")
            self._say_new("")
            return
        self._place(found)
        new, share, other = self._styles()
        shown = answer["names"][:room]
        if level == CHARACTER:
            names.show(names_text(shown, columns, new=new, ascii_only=self.state.ascii_only))
        else:
            lines, count = sentence_lines(shown, columns, room, new=new, ascii_only=self.state.ascii_only)
            names.show(Text("\n", no_wrap=True).join(lines))
            shown = shown[:count]
        counted, step = f"{sum(not n['seen_in'] for n in shown)} of {len(shown)} new", f"step {answer['step']:,}"
        self._say_new(f"{counted}, {step}" if len(counted) + len(step) + 4 <= self.size.width else step)
        width, rows = self._places.bars
        bars.show(
            next_text(
                answer,
                self.state.words,
                width=width,
                rows=rows,
                ascii_only=self.state.ascii_only,
                styles=(share, other),
            )
        )

    def _say_new(self, line: str) -> None:
        if self.border_subtitle != line:
            self.border_subtitle = line

    def _styles(self) -> tuple[Style, Style, Style]:
        """Of a new name, of the model's bars, of the bigrams'."""
        colors = self.look(self.query_one("#names", ChartView)).colors
        if colors is None:
            return Style(bold=True), Style.null(), Style.null()
        new, share, other = (
            Style(color=Color.from_rgb(*c)) if isinstance(c, tuple) else Style.null()
            for c in (colors.best, colors.train, colors.baseline)
        )
        return new + Style(bold=True), share, other

    # -- how it is drawn

    def _change(self) -> None:
        self.draw()
        self.post_message(SampleWanted())

    @on(Input.Changed, "#prefix")
    def _prefix_changed(self) -> None:
        self.post_message(SampleWanted())

    @on(Input.Submitted, "#prefix")
    def _submitted(self) -> None:
        self.action_draw_again(1)

    def action_warm(self, tenths: int) -> None:
        settings = self.state.settings
        settings.temperature = min(_HOTTEST, max(_COLDEST, round(settings.temperature + tenths / 10, 1)))
        self._change()

    def action_top_k(self, way: int) -> None:
        self.state.settings.top_k = following(TOP_K, self.state.settings.top_k, way)
        self._change()

    def action_top_p(self, way: int) -> None:
        self.state.settings.top_p = following(TOP_P, self.state.settings.top_p, way)
        self._change()

    def action_draw_again(self, seeds: int) -> None:
        """With so many seeds further; with 0, the lecture's again."""
        self._further = self._further + seeds if seeds else 0
        self._change()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is the app's where the input has no focus."""
        return action != "leave_input" or self.query_one("#prefix", Input).has_focus

    def action_leave_input(self) -> None:
        self.focus()


def following(choices: Sequence[_T], present: _T, way: int) -> _T:
    """The choice ``way`` places on, going round; the first where ``present`` is none of them."""
    if present not in choices:
        return choices[0]
    return choices[(choices.index(present) + way) % len(choices)]


def settings_line(settings: Settings, offset: int, width: int) -> str:
    """How names are drawn, with the keys that change it where there is room; where there is little, without what has
    no effect."""
    parts = [
        ("temp", "t", f"{settings.temperature:.1f}", "[ ]"),
        ("top-k", "k", f"{settings.top_k or 'all'}", "k"),
        ("top-p", "p", f"{settings.top_p}", "p"),
        ("seed", "s", f"+{offset}", "g"),
    ]
    idle = [("top-k", not settings.top_k), ("top-p", settings.top_p >= 1)]
    telling = [part for part in parts if (part[0], True) not in idle]
    for text in (
        "  ".join(f"{name} {value} ({keys})" for name, _, value, keys in parts),
        "  ".join(f"{name} {value}" for name, _, value, _ in parts),
        "  ".join(f"{name} {value} ({keys})" for name, _, value, keys in telling),
        "  ".join(f"{name} {value}" for name, _, value, _ in telling),
        " ".join(f"{short} {value}" for _, short, value, _ in parts),
    ):
        if len(text) <= width:
            return text
    return " ".join(value for _, _, value, _ in parts)[:width]


def names_text(names: Sequence[dict[str, Any]], columns: int, *, new: Style, ascii_only: bool = False) -> Text:
    """One name a line, marked new or by the split it stands in."""
    marks = [n["seen_in"] or "new" for n in names]
    shown = [printable(n["text"]) or "(empty)" for n in names]
    room = max(1, columns - 2 - max(map(len, marks), default=0))
    width = min(room, max(map(cell_len, shown), default=0))
    lines = []
    for name, mark in zip(shown, marks, strict=True):
        line = Text(fit(name, width, ascii_only=ascii_only), new if mark == "new" else "")
        lines.append(line.append(f"  {mark}", new if mark == "new" else "dim"))
    return Text("\n", no_wrap=True).join(lines)


def sentence_lines(
    sentences: Sequence[dict[str, Any]], columns: int, rows: int, *, new: Style, ascii_only: bool = False
) -> tuple[list[Text], int]:
    """Sentences over several lines each, the mark before them, and how many there are; the last may be cut."""
    lines: list[Text] = []
    for count, sentence in enumerate(sentences):
        left = rows - len(lines)
        if left <= 0:
            return lines, count
        mark, dots = sentence["seen_in"] or "new", " .." if ascii_only else " …"
        told = wrap(f"{mark}  {printable(sentence['text']) or '(empty)'}", columns, indent=2)
        if len(told) > left:
            told[left - 1 :] = [wrap(told[left - 1], max(1, columns - len(dots)))[0] + dots]
        texts = [Text(line) for line in told]
        texts[0].stylize(new if mark == "new" else "dim", 0, len(mark))
        lines += texts
    return lines, len(sentences)


def next_text(
    answer: dict[str, Any],
    words: Words | None,
    *,
    width: int,
    rows: int,
    ascii_only: bool,
    styles: tuple[Style, Style],
) -> Text:
    """The likeliest next characters: the model's share, and that of bigram counts with 1 added to each."""
    if words is None or rows < 2:
        return Text()
    vocabulary, bigrams = words.splits.vocabulary, words.bigrams
    share, prefix = np.nan_to_num(np.asarray(answer["next"], dtype=np.float64)), answer["prefix"]
    if len(share) != len(vocabulary):
        return Text()  # of a model of other words
    try:
        before = vocabulary.encode(prefix)[-1:]
    except VocabularyError:
        return Text()
    counts = bigrams.row(before[0] if before else 0)
    total = sum(counts.values()) + len(vocabulary)
    title = "next, at temperature 1" if prefix else "first, at temperature 1"
    after = f", after {printable(prefix)}" if prefix else ""
    head = [Text(title + after if cell_len(title + after) <= width else title, "dim")]
    if rows < 6 or width < cell_len(title):
        head = []
    likely = np.argsort(-share, kind="stable")[: rows - 1 - len(head)].tolist()
    most = max(2, min(_WIDEST, width // 4))
    labels = [label(vocabulary.symbol(t), most, ascii_only=ascii_only) for t in likely]
    names = max(2, *map(cell_len, labels)) if labels else 2
    pairs = [
        (
            set_cell_size(shown, names),
            float(share[t]),
            (counts.get(t, 0) + 1) / total,
        )
        for t, shown in zip(likely, labels, strict=True)
    ]
    heads = ("model", "bigram") if head else ("next, t=1", "bigram")
    bars = paired_bars(pairs, heads, width=width, ascii_only=ascii_only, styles=styles)
    return Text("\n", no_wrap=True).join([*head, bars])
