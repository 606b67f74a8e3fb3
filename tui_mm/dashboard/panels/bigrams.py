"""The Bigrams panel: what follows what, in the words and in the model."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from data.levels import CHARACTER
from tui_mm.dashboard.charts.bigrams import (
    Grid,
    Table,
    data_shares,
    grid,
    heat_maps,
    model_shares,
    most_frequent,
    window,
)
from tui_mm.dashboard.charts.cells import label
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.messages import InspectionWanted
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState, Words

_CHARACTERS = 64  # as many are shown of a large vocabulary, or words
_VIEWS = ("data", "model", "difference")
_TITLES = {
    False: ("model: after that {unit} alone", "model: alone", "model"),
    True: ("model: mean over the {rows}' contexts", "model: mean of contexts", "model: mean", "model"),
}

_NOTHING = "the words' bigrams appear here once the words are read"


class BigramsPanel(Panel):
    """Keeps a cursor, where its window begins, and which table is looked at."""

    NAME = "bigrams"
    TITLE = "Bigrams"
    WANTS = "bigrams"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "view", "data/model", id="bigrams_view", tooltip="The words, the model, or their difference"),
        Binding("m", "average", "alone/mean", id="bigrams_average",
                tooltip="The model after that one alone, or the mean over the contexts that end in it"),
        Binding("up", "move(-1, 0)", "up", show=False, id="bigrams_up", tooltip="The row before"),
        Binding("down", "move(1, 0)", "down", show=False, id="bigrams_down", tooltip="The next row"),
        Binding("left", "move(0, -1)", "left", show=False, id="bigrams_left", tooltip="The column before"),
        Binding("right", "move(0, 1)", "right", show=False, id="bigrams_right", tooltip="The next column"),
    ]  # fmt: skip

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._cursor = (0, 1)
        self._start = (0, 0)
        self._view = 0
        self._drawn: object = None  # what the picture was made of

    def compose(self) -> ComposeResult:
        yield ChartView()

    @property
    def average(self) -> bool:
        """Whether the model's table is to be the mean over the words' contexts."""
        return self.state.settings.bigrams == "average"

    @property
    def inspect_arguments(self) -> dict[str, Any]:
        return {"characters": _CHARACTERS, "average": self.average}

    def _ids(self, words: Words) -> list[int]:
        answer = self.state.inspections.get("bigrams") or {}
        size = len(words.splits.vocabulary)
        ids = [i for i in answer.get("ids") or [] if 0 <= i < size]
        return ids or most_frequent(words.bigrams, _CHARACTERS)

    def draw(self) -> None:
        view = self.query_one(ChartView)
        if not view.size.width:
            return
        words = self.state.words
        if words is None:
            self._drawn = None
            view.say(self.state.fault or _NOTHING)
            return
        ids, answer, look = self._ids(words), self.state.inspections.get("bigrams") or {}, self.look(view)
        drawn = (words, answer.get("table"), answer.get("reason"), self._cursor, self._view, look)
        if drawn == self._drawn:  # 27 x 27 cells take a while; tables are compared by identity first
            return
        self._drawn = drawn
        symbols = [words.splits.vocabulary.symbol(i) for i in ids]
        counts, data = data_shares(words.bigrams, ids)
        model = model_shares(answer.get("table") or [], len(ids))
        self._cursor = min(self._cursor[0], len(ids) - 1), min(self._cursor[1], len(ids) - 1)
        if not answer.get("table") and _VIEWS[self._view] != "data":
            view.say(f"no model to show: {answer.get('reason') or 'it is not there yet'}")
            return
        level = words.splits.corpus.level
        titles = [title.format(unit=level.unit, rows=level.rows) for title in _TITLES[bool(answer.get("average"))]]
        tables = [Table(("data: counts of train", "data"), data), Table(titles, model)]
        shown = tables
        if _VIEWS[self._view] == "difference":
            shown = [Table(("difference: model less data", "difference"), model - data, is_difference=True)]
        elif not self._fit_beside(symbols):
            shown = [tables[self._view]]
        laid_out = grid(symbols, len(shown), look.width, look.height)
        self._follow(laid_out, len(ids))
        below = self._in_words(symbols, counts, data, model, answer, words)
        view.show(heat_maps(symbols, shown, self._cursor, self._start, laid_out, below, look))

    def _fit_beside(self, symbols: list[str]) -> bool:
        """Whether there are two tables, and room for both."""
        if not (self.state.inspections.get("bigrams") or {}).get("table"):
            return False
        size = self.query_one(ChartView).size
        return grid(symbols, 2, size.width, size.height).columns == len(symbols)

    def _follow(self, laid_out: Grid, total: int) -> None:
        self._start = (
            window(self._start[0], self._cursor[0], laid_out.rows, total),
            window(self._start[1], self._cursor[1], laid_out.columns, total),
        )

    def _in_words(
        self,
        symbols: list[str],
        counts: NDArray[np.int64],
        data: NDArray[np.float64],
        model: NDArray[np.float64],
        answer: dict[str, Any],
        words: Words,
    ) -> list[str]:
        """The cell at the cursor: ``e→m  data 769 (3.4%)  model 4.1%``, and what the tables leave out."""
        level, total = words.splits.corpus.level, len(words.splits.vocabulary)
        first, second = (label(symbols[i], ascii_only=self.state.ascii_only) for i in self._cursor)
        arrow = "->" if self.state.ascii_only else "→"
        share, likely = data[self._cursor], model[self._cursor]
        parts = [
            f"{first}{arrow}{second}" if level == CHARACTER else f"{first} {arrow} {second}",
            f"data {counts[self._cursor]:,} ({'-' if np.isnan(share) else f'{share:.1%}'})",
            f"model {'-' if np.isnan(likely) else f'{likely:.1%}'}",
        ]
        if not answer.get("table"):
            parts[-1] = "no model (b: why)" if answer.get("reason") else "no model yet"
        if answer.get("step") is not None:
            parts.append(f"step {answer['step']:,}")
        if len(symbols) < total:
            parts.append(f"{len(symbols)} of {total:,} {level.units}")
        return parts

    def action_move(self, down: int, right: int) -> None:
        words = self.state.words
        if words is None:
            return
        last = len(self._ids(words)) - 1
        row, column = self._cursor
        self._cursor = min(max(0, row + down), last), min(max(0, column + right), last)
        self.draw()

    def action_view(self) -> None:
        words = self.state.words
        if words is None:
            return
        ids = self._ids(words)
        beside = self._fit_beside([words.splits.vocabulary.symbol(i) for i in ids])
        self._view = (self._view + 1) % len(_VIEWS)
        if beside and _VIEWS[self._view] == "model":
            self._view += 1  # data and model are shown together
        self.draw()

    def action_average(self) -> None:
        self.state.settings.bigrams = "alone" if self.average else "average"
        self.post_message(InspectionWanted())
        self.draw()
