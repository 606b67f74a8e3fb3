"""The Loss panel: every step's loss with the evaluations and the baselines."""

from __future__ import annotations

from textual.app import ComposeResult

from tui_mm.dashboard.charts.loss import loss_curve
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.panels.base import Panel


class LossPanel(Panel):
    NAME = "loss"
    TITLE = "Loss"

    def compose(self) -> ComposeResult:
        yield ChartView()

    def draw(self) -> None:
        view = self.query_one(ChartView)
        follower, words = self.state.follower, self.state.words
        if not view.size.width or words is None:
            return
        if follower is None or not follower.steps:
            view.show("press t to train: the loss of every step appears here")
            return
        view.show(
            loss_curve(
                follower.losses,
                [(e.step, e.dev) for e in follower.evaluations if e.dev is not None],
                words.baselines,
                width=view.size.width,
                height=view.size.height,
                color=self.state.color,
                ascii_only=self.state.ascii_only,
            )
        )
