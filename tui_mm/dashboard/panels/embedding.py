"""The Embedding panel: where the model puts each character, now and at every evaluation before."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from data.levels import CHARACTER
from tui_mm.dashboard.charts.cells import is_vowel
from tui_mm.dashboard.charts.embedding import AXES, Limits, align, embedding_map, limits, project, usable
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState

_NOTHING = "the model's embedding appears here once the model is there"


class EmbeddingPanel(Panel):
    """Keeps only which snapshot and axes are looked at, and where things stood in the last picture, to draw the next
    like it."""

    NAME = "embedding"
    TITLE = "Embedding"
    WANTS = "embedding"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "earlier", "earlier", id="embedding_earlier", tooltip="The embedding at the evaluation before"),
        Binding("right", "later", "later", id="embedding_later", tooltip="The embedding at the next evaluation"),
        Binding("end,escape", "live", "live", id="embedding_live", tooltip="The embedding as it is now"),
        Binding("up", "axes(-1)", "axes", show=False, id="embedding_axes_up", tooltip="The principal axes before"),
        Binding("down", "axes(1)", "axes", id="embedding_axes", tooltip="Two other principal axes"),
    ]

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._at: int | None = None  # which snapshot is looked at; None: the embedding as it is now
        self._axes = 0
        self._last: dict[int, tuple[float, float]] = {}  # id -> position in the last picture
        self._limits: tuple[Limits | None, Limits | None] = (None, None)  # of its axes

    def compose(self) -> ComposeResult:
        yield ChartView()

    def _answer(self) -> tuple[dict[str, Any] | None, str]:
        """What to draw, and which step's it is."""
        snapshots = self.state.snapshots("embedding")
        if self._at is not None and snapshots:
            self._at = min(self._at, len(snapshots) - 1)
            step, value = snapshots[self._at]
            return value, f"step {step:,} (snapshot {self._at + 1} of {len(snapshots)})"
        self._at = None
        live = self.state.inspections.get("embedding")
        if live is not None:
            return live, f"step {live.get('step', 0):,}, now"
        if snapshots:
            step, value = snapshots[-1]
            return value, f"step {step:,}, the last evaluation"
        return None, ""

    def draw(self) -> None:
        view = self.query_one(ChartView)
        if not view.size.width:
            return
        words, (answer, when) = self.state.words, self._answer()
        if words is None or answer is None:
            view.say((self.state.words is None and self.state.fault) or _NOTHING)
            return
        vectors, ids = answer.get("vectors") or [], answer.get("ids") or []
        if not vectors:
            earlier = "; left: how it was at the evaluations before" if self.state.snapshots("embedding") else ""
            view.say(str(answer.get("reason") or "this model has no embedding") + earlier)
            return
        known = [0 <= i < len(words.splits.vocabulary) for i in ids[: len(vectors)]]
        kept = np.flatnonzero(usable(vectors[: len(ids)]) & np.array(known, dtype=bool)).tolist()
        if not kept:
            view.say(f"{when}: no vector of the embedding is finite")
            return
        chosen = [ids[i] for i in kept]
        axes = AXES[self._axes]
        found = project(np.array([vectors[i] for i in kept], dtype=np.float64), axes)
        positions = found.positions
        if found.dimensions > 2:
            common = [i for i, token in enumerate(chosen) if token in self._last]
            if common:
                positions = positions @ align(positions[common], np.array([self._last[chosen[i]] for i in common]))
            shown = f"axes {axes[0] + 1} and {axes[1] + 1}"
            notes = [f"PCA of {found.dimensions} dimensions", f"{shown}: {found.share:.0%} of the variance"]
        else:
            notes = [f"{found.dimensions} dimension{'s' if found.dimensions > 1 else ''}, as they are"]
        self._last = dict(zip(chosen, map(tuple, positions.tolist()), strict=True))
        symbols = [words.splits.vocabulary.symbol(i) for i in chosen]
        is_text = words.splits.corpus.level != CHARACTER
        notes += [when, *(["underlined: vowels"] if any(map(is_vowel, symbols)) and not is_text else [])]
        if is_text and len(chosen) < len(words.splits.vocabulary):
            notes.append(f"the {len(chosen)} most frequent words")
        if len(kept) < len(vectors):
            notes.append(f"{len(vectors) - len(kept)} not finite")
        bounds = limits(positions[:, 0], self._limits[0]), limits(positions[:, 1], self._limits[1])
        self._limits = bounds
        boundary = words.splits.vocabulary.boundary_symbol
        view.show(embedding_map(symbols, positions, notes, self.look(view), bounds, boundary=boundary))

    def action_earlier(self) -> None:
        if not self.state.snapshots("embedding"):
            self.notify("no earlier embedding is kept yet: one is at every evaluation of a training")
            return
        self._at = len(self.state.snapshots("embedding")) - 1 if self._at is None else max(0, self._at - 1)
        self.draw()

    def action_later(self) -> None:
        if self._at is not None:
            self._at = self._at + 1 if self._at + 1 < len(self.state.snapshots("embedding")) else None
        self.draw()

    def action_live(self) -> None:
        if self._at is None:
            raise SkipAction  # escape then leaves the panel, as it does elsewhere
        self._at = None
        self.draw()

    def action_axes(self, by: int) -> None:
        answer, _ = self._answer()
        vectors = (answer or {}).get("vectors") or [[]]
        if len(vectors[0]) <= 2:
            self.notify("there are no other axes: this embedding has no more than two dimensions")
            return
        self._axes = (self._axes + by) % len(AXES)
        self._last, self._limits = {}, (None, None)
        self.draw()
