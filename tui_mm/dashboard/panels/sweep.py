"""The LR sweep panel: the lecture's chart of loss against the exponent, or that of rates that were trained at,
suggestions, and a cursor to choose a rate."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click, Resize

from tui_mm.dashboard.charts.sweep import Axis, shown_rate, sweep_axis, sweep_chart
from tui_mm.dashboard.charts.trials import trials_chart
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.messages import RateChosen
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState
from tui_mm.training.suggestions import Suggestions, smooth, suggest
from tui_mm.training.trials import Trials
from tui_mm.worker.protocol import Sweep

_NOTHING = np.empty(0)
_NO_SUGGESTIONS = Suggestions(None, None, None)


class SweepPanel(Panel):
    """The cursor is an exponent; what is shown of a sweep is worked out again only when it has new points."""

    NAME = "sweep"
    TITLE = "LR sweep"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "lower", id="sweep.lower", show=False, tooltip="Move the cursor to a lower rate"),
        Binding("right", "move(1)", "higher", id="sweep.higher", show=False,
                tooltip="Move the cursor to a higher rate"),
        Binding("down", "suggestion(-1)", "suggestion below", id="sweep.previous", show=False,
                tooltip="Put the cursor at the next lower suggestion"),
        Binding("up", "suggestion(1)", "suggestion above", id="sweep.next", show=False,
                tooltip="Put the cursor at the next higher suggestion"),
        Binding("enter", "apply", "use this rate", id="sweep.apply",
                tooltip="Train at the cursor's rate, or the best one where there is no cursor"),
        Binding("escape", "no_cursor", "no cursor", id="sweep.no_cursor", show=False, tooltip="Take the cursor away"),
    ]  # fmt: skip

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self.cursor: float | None = None
        self._points: tuple[NDArray[np.float64], NDArray[np.float64]] = (_NOTHING, _NOTHING)  # what the rest is made of
        self._plan: dict[str, Any] = {}  # of rates that are trained at
        self._trials: Trials | None = None  # None for a range test
        self._exponents: NDArray[np.float64] = _NOTHING
        self._losses: NDArray[np.float64] = _NOTHING
        self._planned: NDArray[np.float64] = _NOTHING
        self._smoothed: NDArray[np.float64] = _NOTHING
        self._suggestions: list[tuple[str, float | None]] = []  # the first is the one to take
        self._drawn: Any = None

    def compose(self) -> ComposeResult:
        yield ChartView()

    def on_resize(self, _: Resize) -> None:
        self.draw()

    def draw(self) -> None:
        view = self.query_one(ChartView)
        if not view.size.width:
            return
        self._take_in()
        look, now = self.look(view), self.state.config.lr
        drawn = (look, now, self.cursor, self._axis is not None, self.state.config.model)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        if self._axis is None and self._trials is not None:
            view.say(trials_chart(self._trials, look=look, under_way=self._under_way))
            return
        if self._axis is None:
            words = Text("\n").join(Text(self._invitation()).wrap(self.app.console, max(1, look.width)))
            view.show(words)
            return
        if self._trials is not None:
            measured = str(self._plan.get("measured", "dev"))
            chart = trials_chart(
                self._trials, look=look, measured=measured, under_way=self._under_way, cursor=self.cursor, now=now
            )
        else:
            chart = sweep_chart(
                self._exponents,
                self._losses,
                self._smoothed,
                self._suggestions,
                look=look,
                planned=self._planned,
                cursor=self.cursor,
                now=now,
            )
        view.show(chart)

    @property
    def _under_way(self) -> str:
        """How far a training of many rates is; empty once it is done."""
        plan = self._plan
        return (
            ""
            if plan.get("is_final", True)
            else f"{plan.get('done', 0):,} of {plan.get('steps', 0):,} steps, X ends it"
        )

    def _take_in(self) -> None:
        """Work out what belongs to the sweep as far as it is, if it has changed."""
        follower = self.state.follower
        exponents, losses = (follower.sweep_exponents, follower.sweep_losses) if follower else (_NOTHING, _NOTHING)
        trials = Trials.of_points(exponents, losses)
        plan = follower.meta.get("trained_sweep", {}) if follower and trials else {}
        seen, lost = self._points
        if np.array_equal(losses, lost, equal_nan=True) and np.array_equal(exponents, seen) and plan == self._plan:
            return
        if len(exponents) < len(seen) or (trials is None) != (self._trials is None):
            self.cursor = None  # another sweep
        self._points, self._plan, self._trials = (exponents, losses), plan, trials
        if trials is not None:
            self._exponents = self._planned = trials.exponents
            self._losses = self._smoothed = trials.median
            self._suggestions = [] if self._under_way else _of_trials(trials)
        else:
            self._exponents, self._losses = exponents, losses
            self._planned = planned_exponents(exponents)
            self._smoothed = smooth(losses)
            ended = len(exponents) == len(self._planned) or not np.isfinite(losses[-1:]).all()
            found = suggest(exponents, self._smoothed) if ended else _NO_SUGGESTIONS
            self._suggestions = [
                ("valley", found.valley), ("steepest", found.steepest), ("minimum/10", found.minimum),
            ]  # fmt: skip
        self._drawn = None

    def _invitation(self) -> str:
        """What there is to do before there is a sweep."""
        if self.state.config.counts:
            return f"the {self.state.config.model} model learns by counting: there is no learning rate to find"
        plan = Sweep()
        return (
            f"press l to sweep: one step at each of {plan.points:,} rates 10**e, e from {plan.low:g} to {plan.high:g}, "
            "on a fresh model. Where the loss falls steadily, before it turns up, is a good rate. "
            "A training under way goes on undisturbed. R trains at fewer rates, several seeds each."
        )

    # -- the cursor

    @property
    def _tried(self) -> NDArray[np.float64]:
        """The exponents at which the cursor can stand."""
        return self._exponents[np.isfinite(self._smoothed)]

    @property
    def _axis(self) -> Axis | None:
        """None where there is nothing to put a cursor in."""
        if len(self._exponents) < 2 or not len(self._tried):
            return None
        return sweep_axis(self._planned, self.query_one(ChartView).size.width)

    def _stops(self) -> list[float]:
        """The exponents of the suggestions, ascending."""
        return sorted(math.log10(rate) for rate in {rate for _, rate in self._suggestions} if rate)

    @property
    def _preferred(self) -> float | None:
        """The rate that is used where there is no cursor."""
        return self._suggestions[0][1] if self._suggestions else None

    def _first_place(self) -> float:
        """The valley or the best, or the middle of what was tried."""
        preferred, tried = self._preferred, self._tried
        return math.log10(preferred) if preferred else float(tried[len(tried) // 2])

    def _put(self, exponent: float) -> None:
        tried = self._tried
        self.cursor = min(max(exponent, float(tried[0])), float(tried[-1]))
        self.draw()

    def _can_choose(self) -> bool:
        self._take_in()
        if self._axis is not None:
            return True
        line = "press l to sweep first" if not self.state.config.counts else self._invitation()
        self.notify(line, severity="warning", markup=False)
        return False

    def action_move(self, columns: int) -> None:
        if not self._can_choose():
            return
        axis = self._axis
        assert axis is not None
        if self.cursor is None:
            self._put(self._first_place())
        elif self._trials is None:
            self._put(axis.exponent(axis.column(self.cursor) + columns))
        else:  # from one rate that was trained at to the next
            beyond = self._tried[columns * (self._tried - self.cursor) > 1e-9]
            if len(beyond):
                self._put(float(beyond[np.abs(beyond - self.cursor).argmin()]))

    def action_suggestion(self, way: int) -> None:
        if not self._can_choose():
            return
        stops = self._stops()
        if not stops:
            self.notify("no suggestions: the sweep is under way, or its loss never fell", severity="warning")
            return
        if self.cursor is None:
            self._put(self._first_place())
            return
        at = self.cursor
        beyond = [e for e in stops[::way] if way * (e - at) > 1e-9]
        self._put(beyond[0] if beyond else stops[::way][0])

    def action_no_cursor(self) -> None:
        if self.cursor is None:
            raise SkipAction  # the app's escape
        self.cursor = None
        self.draw()

    def action_apply(self) -> None:
        if not self._can_choose():
            return
        rate = 10**self.cursor if self.cursor is not None else self._preferred
        if rate is None:
            self.notify("no suggestion to use: choose a rate with left and right", severity="warning")
            return
        self.post_message(RateChosen(shown_rate(rate)))

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is."""
        axis = self._axis
        if axis is None:
            return
        column = event.screen_x - self.query_one(ChartView).region.x - axis.left
        if 0 <= column < axis.columns:
            self._put(axis.exponent(int(column)))


def _of_trials(trials: Trials) -> list[tuple[str, float | None]]:
    """The best rate, and the least and the greatest that are as good."""
    if trials.best is None or trials.as_good is None:
        return []
    places = (("best", trials.best), ("least", trials.as_good[0]), ("greatest", trials.as_good[1]))
    return [(name, 10.0 ** float(trials.exponents[k])) for name, k in places]


def planned_exponents(exponents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those of the whole sweep, from the first ones: evenly spaced, up to where the dashboard's sweeps end."""
    if len(exponents) < 2 or exponents[1] <= exponents[0]:
        return exponents
    low, step = float(exponents[0]), float(exponents[1] - exponents[0])
    missing = round((Sweep().high - float(exponents[-1])) / step)
    if missing <= 0:
        return exponents
    return np.append(exponents, low + step * np.arange(len(exponents), len(exponents) + missing))
