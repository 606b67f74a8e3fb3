"""The LR sweep panel: the lecture's chart of loss against the exponent, with the suggestions marked and named."""

from __future__ import annotations

from textual.app import ComposeResult

from tui_mm.dashboard.charts.sweep import sweep_chart
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.panels.base import Panel
from tui_mm.training.suggestions import smooth, suggest


class SweepPanel(Panel):
    NAME = "sweep"
    TITLE = "LR sweep"

    def compose(self) -> ComposeResult:
        yield ChartView()

    def draw(self) -> None:
        view = self.query_one(ChartView)
        if not view.size.width:
            return
        follower = self.state.follower
        if follower is None or len(follower.sweep_losses) < 2:
            view.show("press l to try a thousand learning rates")
            return
        smoothed = smooth(follower.sweep_losses)
        found = suggest(follower.sweep_exponents, smoothed)
        view.show(
            sweep_chart(
                follower.sweep_exponents,
                follower.sweep_losses,
                smoothed,
                [("valley", found.valley), ("steepest", found.steepest), ("minimum", found.minimum)],
                width=view.size.width,
                height=view.size.height,
                color=self.state.color,
                ascii_only=self.state.ascii_only,
            )
        )
