"""The Over time panel: the same seeds, sampled at every evaluation."""

from __future__ import annotations

import math
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui_mm.dashboard.charts.timeline import Snapshot, column_width, evenly, names_over_time
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState

_NOTHING = "{} that the model makes of the same seeds appear here, at every evaluation of a training"


class TimelinePanel(Panel):
    """Shows the whole training in as many columns as fit, or consecutive evaluations up to a chosen one."""

    NAME = "timeline"
    TITLE = "Over time"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "earlier", id="timeline_earlier", tooltip="Evaluations one by one, further back"),
        Binding("right", "move(1)", "later", id="timeline_later", tooltip="Later evaluations; after the last, all"),
        Binding("home", "first", "first", id="timeline_first", tooltip="The first evaluations, one by one"),
        Binding("end", "overview", "all", id="timeline_all", tooltip="The whole training, evenly chosen"),
    ]

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._first: int | None = None  # of the columns; None: an overview
        self._drawn: object = None  # what the picture depends on; looking every name up again would be waste

    def compose(self) -> ComposeResult:
        yield ChartView()

    @property
    def snapshots(self) -> list[Snapshot]:
        return [Snapshot(step, names) for step, names in self.state.snapshots("names")]

    def _columns(self, snapshots: list[Snapshot]) -> int:
        width = self.query_one(ChartView).size.width
        return max(1, width // column_width(snapshots, self._losses, width, self.state.level))

    @property
    def _losses(self) -> dict[int, str]:
        """By step: the dev loss, or that of train where there is no dev split."""
        found = {}
        for e in self.state.follower.evaluations if self.state.follower else ():
            split, loss = ("train", e.train) if e.dev is None else ("dev", e.dev)
            if math.isfinite(loss):
                found[e.step] = f"{split} {loss:.3f}"
        return found

    def draw(self) -> None:
        view, words, follower = self.query_one(ChartView), self.state.words, self.state.follower
        if not view.size.width:
            return
        snapshots = self.snapshots
        if words is None or follower is None or not snapshots:
            self._drawn = None
            view.say((self.state.words is None and self.state.fault) or _NOTHING.format(self.state.level.samples))
            return
        fitting, total = self._columns(snapshots), len(snapshots)
        if self._first is not None and total > fitting:
            self._first = min(self._first, total - fitting)
            shown = list(range(self._first, self._first + fitting))
            note = f"evaluations {shown[0] + 1} to {shown[-1] + 1} of {total}"
        else:
            self._first = None
            shown = evenly(total, fitting)
            note = f"{len(shown)} of {total} evaluations" if fitting < total else f"every evaluation, {total} so far"
        losses = self._losses
        look = self.look(view)
        depends = (look, words, follower, shown, [(s.step, list(s.names)) for s in snapshots], losses)
        if depends != self._drawn:
            self._drawn = depends
            view.show(names_over_time(snapshots, losses, words.index.find, shown, note, look, self.state.level))

    def action_move(self, by: int) -> None:
        snapshots = self.snapshots
        fitting = self._columns(snapshots)
        last = len(snapshots) - fitting
        if last <= 0:
            self.notify("all evaluations are shown" if snapshots else "there are no evaluations yet")
            return
        if self._first is None:
            self._first = last if by < 0 else None
        else:
            self._first = max(0, self._first + by)
            if self._first > last:
                self._first = None
        self.draw()

    def action_first(self) -> None:
        self._first = 0
        self.draw()

    def action_overview(self) -> None:
        self._first = None
        self.draw()
