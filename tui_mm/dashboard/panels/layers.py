"""The Layers panel: lecture part 3's diagnostics of activations, gradients and updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui_mm.dashboard.charts.cells import fit, line, paint, rows
from tui_mm.dashboard.charts.layers import NO_RATIOS, activation_lines, hints, parameter_lines, ratio_chart
from tui_mm.dashboard.charts.look import Look
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.state import ViewState

_CHART_ROWS = 8  # the least with which the chart is worth its place

_NOTHING = "activations and gradients appear here once the model is there"


class LayersPanel(Panel):
    NAME = "layers"
    TITLE = "Layers"
    WANTS = "layers"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "history", "history", id="layers_history", tooltip="Update ratios over the steps, or the table"),
        Binding("up", "scroll_rows(-1)", "up", show=False, id="layers_up", tooltip="Rows further up"),
        Binding("down", "scroll_rows(1)", "down", show=False, id="layers_down", tooltip="Rows further down"),
    ]

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._history = False  # the chart alone
        self._top = 0

    def compose(self) -> ComposeResult:
        yield ChartView()

    def draw(self) -> None:
        view = self.query_one(ChartView)
        if not view.size.width:
            return
        look, snapshots = self.look(view), self.state.snapshots("layers")
        history = [(step, value.get("parameters") or []) for step, value in snapshots]
        if self._history:
            self._show_history(view, history)
            return
        answer = self.state.inspections.get("layers") or (snapshots[-1][1] if snapshots else None)
        if answer is None:
            view.say((self.state.words is None and self.state.fault) or _NOTHING)
            return
        activations, parameters = answer.get("activations") or [], answer.get("parameters") or []
        if not activations and not parameters:
            view.say(str(answer.get("reason") or "this model has no layers to look into"))
            return
        table = [*activation_lines(activations, look), *parameter_lines(parameters, look)]
        room = look.height - len(table) - 1
        if room >= _CHART_ROWS and len(history) > 1:
            self._top = 0
            chart = ratio_chart(history, self.state.total_steps, replace(look, height=room))
            view.show(rows([*table, self._hint(answer, look), Text.from_ansi(chart or NO_RATIOS)]))
            return
        self._top = max(0, min(self._top, len(table) - (look.height - 1)))
        view.show(rows([*table[self._top : self._top + look.height - 1], self._hint(answer, look)]))

    def _show_history(self, view: ChartView, history: Sequence[tuple[int, Any]]) -> None:
        chart = ratio_chart(history, self.state.total_steps, self.look(view))
        if chart:
            view.show(chart)
        else:
            view.say(str((self.state.inspections.get("layers") or {}).get("reason") or NO_RATIOS))

    def _hint(self, answer: dict[str, Any], look: Look) -> Text:
        """What is healthy and how to read the marks, as much of it as fits."""
        ways = hints(answer.get("parameters") or [], answer.get("step") or 0)
        said = next((text for text in ways if len(text) <= look.width), ways[-1])
        return line([(fit(said, look.width, ascii_only=look.ascii_only).rstrip(), paint(look, "baseline"))])

    def action_history(self) -> None:
        self._history = not self._history
        self.draw()

    def action_scroll_rows(self, by: int) -> None:
        self._top = max(0, self._top + by)
        self.draw()
