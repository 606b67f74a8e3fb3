"""The Loss panel: every step's loss with the evaluations, the baselines and other runs, and a cursor that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from rich.text import Text
from textual import events
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui_mm.dashboard.charts.axis import Range, follow_end, settled
from tui_mm.dashboard.charts.figure import Part
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.loss import Curve, LossPicture, cells, column_edges, loss_chart, range_of
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.losses import compared_label, curve_of, is_counted, mean_reading, reading
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import MAX_OVERLAYS, Overlay, ViewState
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.series import Axis
from tui_mm.text import printable

_LEAST_STEPS = 8  # in a window, however far zoomed in
_AXES: tuple[Axis, ...] = ("steps", "epochs", "seconds")


class LossPanel(Panel):
    """Shows the whole run as it goes on ("follows"), or the window that a person chose."""

    NAME = "loss"
    TITLE = "Loss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "read(-1)", "read left", id="loss_left", show=False, tooltip="Read the column to the left"),
        Binding("right", "read(1)", "read right", id="loss_right", show=False, tooltip="Read the column to the right"),
        Binding("home", "read_end(-1)", "first", id="loss_first", show=False, tooltip="Read the first column"),
        Binding("end", "read_end(1)", "last", id="loss_last", show=False, tooltip="Read the last column"),
        Binding("plus,equals_sign", "zoom(2)", "zoom in", id="loss_in", show=False,
                tooltip="Zoom in around the cursor, or the last step"),
        Binding("minus", "zoom(0.5)", "zoom out", id="loss_out", show=False, tooltip="Zoom out"),
        Binding("shift+left", "pan(-1)", "pan left", id="loss_pan_left", show=False, tooltip="Move to earlier steps"),
        Binding("shift+right", "pan(1)", "pan right", id="loss_pan_right", show=False, tooltip="Move to later steps"),
        Binding("f", "follow", "follow", id="loss_follow", show=False,
                tooltip="Show the whole run again as it goes on, without the cursor"),
        Binding("escape", "follow(True)", "follow", id="loss_escape", show=False, tooltip="The same as f"),
        Binding("y", "scale", "log / linear", id="loss_scale", show=False, tooltip="Loss on a log or a linear axis"),
        Binding("u", "axis", "steps / epochs / seconds", id="loss_axis", show=False,
                tooltip="Over steps, epochs or seconds"),
    ]  # fmt: skip

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._zoomed: Range | None = None  # a window of the x axis, in its unit; None: follow
        self._cursor: float | None = None  # a place on the x axis
        self._losses: Range | None = None  # the y axis as it was drawn last, and what it was drawn of
        self._losses_of: object = None
        self._drawn: object = None  # what the chart on the screen was drawn from

    def compose(self) -> ComposeResult:
        yield ChartView()

    # -- what there is to draw

    @property
    def _overlays(self) -> list[Overlay]:
        """The other runs that have steps; the run that is shown is none of them."""
        own = self.state.follower
        others = self.state.overlays[:MAX_OVERLAYS]
        return [o for o in others if o.follower.steps and (own is None or o.follower.run.id != own.run.id)]

    @property
    def _lead(self) -> RunFollower | None:
        """The run that the axes and the cursor go by: this one, or the first of the others; but one that has a curve,
        if any has."""
        own = self.state.follower
        found = [*([own] if own is not None and own.steps else []), *(o.follower for o in self._overlays)]
        return next((f for f in found if not is_counted(f)), found[0] if found else None)

    @property
    def axis(self) -> Axis:
        wanted = self.state.settings.loss_axis
        lead = self._lead
        return "steps" if wanted == "epochs" and (lead is None or not lead.epochs_per_step) else wanted

    def _whole(self, lead: RunFollower, look: Look) -> Range:
        """From the start to the end of the run, as far as that is known."""
        axis = self.axis
        done, total = float(lead.at(axis, np.array([lead.steps]))[0]), None
        if lead is not self.state.follower or not self.state.is_training:
            total = done or None
        elif axis != "seconds":
            total = float(lead.at(axis, np.array([max(self.state.total_steps, lead.steps)]))[0])
        end = follow_end(axis, done, total, cells(look))
        others = [o.follower for o in self._overlays if not is_counted(o.follower)]
        ends = [float(other.at(axis, np.array([other.steps]))[0]) for other in others]
        # a run of one step stands in the middle
        return 0.0, max([end, *ends, 2 * done if lead.steps == 1 else 0.0, 1e-9])

    # -- drawing

    def draw(self) -> None:
        view, lead = self.query_one(ChartView), self._lead
        if not view.size.width:
            return
        self._title()
        if lead is None:
            says = "press t to train: the loss of every step appears here"
            if self.state.words is None and self.state.fault:
                says = "no loss without words: o chooses a list"
            self._drawn = None
            view.show(Text("\n").join(Text(says).wrap(self.app.console, view.size.width)))
            return
        look = self.look(view)
        drawn = (look, self._zoomed, self._cursor, *self._shown())
        if drawn != self._drawn:
            self._drawn = drawn
            view.show(loss_chart(self._picture(lead, look), look))

    def _shown(self) -> Iterator[object]:
        """What a chart depends on, beside its look and where a person is in it."""
        state = self.state
        yield from (self.axis, state.settings.loss_scale, state.words, state.is_training, state.total_steps)
        for name, each in (("", state.follower), *((o.label, o.follower) for o in self._overlays)):
            if each is not None:
                yield from (name, each, each.steps, len(each.evaluations), each.epochs_per_step)

    def _picture(self, lead: RunFollower, look: Look) -> LossPicture:
        axis, log = self.axis, self.state.settings.loss_scale == "log"
        window = self._window(lead, look)
        edges = column_edges(window, look)
        own = self.state.follower
        run = curve_of("train", own, axis, edges) if own is not None and own.steps else None
        others = [
            curve_of(printable(compared_label(o.label, o.follower, own)), o.follower, axis, edges)
            for o in self._overlays
        ]
        baselines = self.state.words.baselines if self.state.words else []
        losses = self._range(run, others, baselines, log, (axis, log, self._zoomed, look, lead, len(others)))
        return LossPicture(axis, window, losses, log, run, others, baselines, self._cursor, self._says(window, look))

    def _window(self, lead: RunFollower, look: Look) -> Range:
        return self._zoomed or self._whole(lead, look)

    def _range(
        self, run: Curve | None, others: list[Curve], baselines: list[tuple[str, float]], log: bool, of: object
    ) -> Range:
        """The y axis; the one drawn before while it does, so that what is on the screen stays there."""
        wanted = range_of(run, others, baselines, log=log, whole=self._zoomed is None)
        self._losses = settled(self._losses if of == self._losses_of else None, wanted)
        self._losses_of = of
        return self._losses

    def _says(self, window: Range, look: Look) -> list[Part]:
        """The values at the cursor."""
        if self._cursor is None:
            return []
        cell = self._cell(self._cursor, window, look)
        between = self._place(cell - 0.5, window, look), self._place(cell + 0.5, window, look)
        own, says = self.state.follower, list[Part]()
        if own is not None and own.steps:
            says += reading(own, self.axis, between, ascii_only=look.ascii_only)
        for n, other in enumerate(self._overlays):
            says.append(f"{'ABCDE'[n]} {mean_reading(other.follower, self.axis, between)}")
        return says

    def _title(self) -> None:
        where = "" if self._zoomed is None else "zoomed; f follows"
        if self.border_subtitle != where:  # setting it paints the whole panel again
            self.border_subtitle = where

    # -- places and cells

    @staticmethod
    def _place(cell: float, window: Range, look: Look) -> float:
        """The middle of a cell."""
        return window[0] + (cell + 0.5) * (window[1] - window[0]) / cells(look)

    @staticmethod
    def _cell(x: float, window: Range, look: Look) -> int:
        return int(np.ceil((x - window[0]) / (window[1] - window[0]) * cells(look) - 1e-9)) - 1

    def _seen(self) -> tuple[RunFollower, Look, Range] | None:
        """What is on the screen now; None, and a line about it, if nothing is."""
        view, lead = self.query_one(ChartView), self._lead
        if lead is None or not view.size.width:
            self.notify("there is no loss to read yet: t trains")
            return None
        look = self.look(view)
        return lead, look, self._window(lead, look)

    def _last_cell(self, lead: RunFollower, look: Look, window: Range) -> int:
        """That of the last step in sight."""
        done = float(lead.at(self.axis, np.array([lead.steps]))[0])
        return min(cells(look) - 1, max(0, self._cell(done, window, look)))

    # -- actions

    def action_read(self, columns: int) -> None:
        """Move the cursor; it begins at the last step, and takes a zoomed window along at its edge."""
        seen = self._seen()
        if seen is None:
            return
        lead, look, window = seen
        if self._cursor is None:
            cell = self._last_cell(lead, look, window)
        else:
            cell = self._cell(self._cursor, window, look) + columns
        if self._zoomed is not None and not 0 <= cell < cells(look):
            window = self._moved(self._place(cell, window, look) - self._place(min(max(cell, 0), cells(look) - 1),
                                 window, look), self._whole(lead, look))  # fmt: skip
        self._cursor = self._place(min(max(cell, 0), cells(look) - 1), window, look)
        self.draw()

    def action_read_end(self, side: int) -> None:
        seen = self._seen()
        if seen is not None:
            lead, look, window = seen
            self._cursor = self._place(0 if side < 0 else self._last_cell(lead, look, window), window, look)
            self.draw()

    def action_zoom(self, factor: float) -> None:
        seen = self._seen()
        if seen is None:
            return
        lead, look, (low, high) = seen
        whole = self._whole(lead, look)
        done = float(lead.at(self.axis, np.array([lead.steps]))[0])
        middle = self._cursor if self._cursor is not None and low <= self._cursor <= high else min(high, max(low, done))
        if factor > 1 and (high - low) / factor < _LEAST_STEPS * done / lead.steps:
            self.notify(f"no closer: {_LEAST_STEPS} steps are the least to look at")
            return
        size = (high - low) / factor
        if size >= whole[1] - whole[0]:
            self._zoomed = None
        else:
            self._zoomed = middle - (middle - low) / factor, middle + (high - middle) / factor
            self._moved(0.0, whole)
        self.draw()

    def action_pan(self, side: int) -> None:
        seen = self._seen()
        if seen is None:
            return
        lead, look, (low, high) = seen
        if self._zoomed is None:
            self.notify("the whole run is in sight; + zooms in")
            return
        self._moved(side * (high - low) / 4, self._whole(lead, look))
        self.draw()

    def _moved(self, by: float, whole: Range) -> Range:
        """The zoomed window, moved within the whole."""
        assert self._zoomed is not None
        low, high = self._zoomed
        by = min(max(by, whole[0] - low), whole[1] - high) if high - low <= whole[1] - whole[0] else 0.0
        self._zoomed = low + by, high + by
        return self._zoomed

    def action_follow(self, only_if_not: bool = False) -> None:
        if only_if_not and self._zoomed is None and self._cursor is None:
            raise SkipAction  # escape means something else then
        self._zoomed = self._cursor = None
        self.draw()

    def action_scale(self) -> None:
        self.state.settings.loss_scale = "linear" if self.state.settings.loss_scale == "log" else "log"
        self.draw()

    def action_axis(self) -> None:
        """The next unit; the window and the cursor stay at their steps."""
        before, lead = self.axis, self._lead
        after = _AXES[(_AXES.index(before) + 1) % 3]
        if after == "epochs" and lead is not None and not lead.epochs_per_step:
            after = "seconds"
        self.state.settings.loss_axis = after
        self._cursor = None if lead is None else _carried(self._cursor, lead, before, after)
        if lead is not None and self._zoomed is not None:
            low, high = (_carried(x, lead, before, after) for x in self._zoomed)
            self._zoomed = (low, high) if low is not None and high is not None and low < high else None
        self.draw()

    # -- the mouse

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self.query_one(ChartView))
        if at is None or self._lead is None:
            return
        seen = self._seen()
        if seen is not None:
            _, look, window = seen
            cell = at.x - (look.width - cells(look))
            if cell >= 0:
                self._cursor = self._place(cell, window, look)
                self.draw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        if self._lead is not None:
            event.stop()
            self.action_zoom(2)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        if self._lead is not None:
            event.stop()
            self.action_zoom(0.5)


def _carried(x: float | None, lead: RunFollower, before: Axis, after: Axis) -> float | None:
    """The same step's place on another axis."""
    return None if x is None else float(lead.at(after, lead.done_by(before, np.array([x])))[0])
