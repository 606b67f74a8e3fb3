"""The panels of a replay: the dashboard's, but for what they say where only a model could answer."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType

from data.levels import CHARACTER
from tui_mm.dashboard.charts.view import ChartView
from tui_mm.dashboard.panels.base import Panel
from tui_mm.dashboard.panels.bigrams import BigramsPanel
from tui_mm.dashboard.panels.dataset import DatasetPanel
from tui_mm.dashboard.panels.embedding import EmbeddingPanel
from tui_mm.dashboard.panels.layers import LayersPanel
from tui_mm.dashboard.panels.log import LogPanel
from tui_mm.dashboard.panels.loss import LossPanel
from tui_mm.dashboard.panels.samples import SamplesPanel, names_text, sentence_lines
from tui_mm.dashboard.panels.sweep import SweepPanel
from tui_mm.dashboard.panels.timeline import TimelinePanel
from tui_mm.text import printable


class ReplayDatasetPanel(DatasetPanel):
    def draw(self) -> None:
        """Without words, only why there are none: a replay cannot choose others."""
        if self.state.words is not None or not self.state.fault:
            super().draw()
            return
        width = max(1, self.size.width - 1)
        self._show(Text("\n").join(Text(printable(self.state.fault)).wrap(self.app.console, width)))


class ReplayLossPanel(LossPanel):
    def draw(self) -> None:
        view, follower = self.query_one(ChartView), self.state.follower
        if follower is None or follower.steps or not view.size.width:
            super().draw()
            return
        self._drawn = None
        first = follower.evaluations[0] if follower.evaluations else None
        losses = "" if first is None else f": train {first.train:.4f}"
        losses += "" if first is None or first.dev is None else f", dev {first.dev:.4f}"
        view.say(f"step 0, before the first update{losses}. The loss of every step appears here as the replay goes on.")


class ReplaySamplesPanel(SamplesPanel, inherit_bindings=False):
    """The names of the same seeds as they were at the last evaluation that kept them: nobody is asked for others."""

    BINDINGS: ClassVar[list[BindingType]] = []
    DEFAULT_CSS = """
    ReplaySamplesPanel #names { height: 1fr; }
    ReplaySamplesPanel #why { height: auto; color: $text-muted; }
    """

    def compose(self) -> ComposeResult:
        yield ChartView(id="names")
        yield ChartView(id="why")

    def draw(self) -> None:
        """Show the names of this moment, each marked by the split that it stands in."""
        view, width, height = self.query_one("#names", ChartView), self.size.width, self.size.height
        if not width:
            return
        kept, level = self._kept(), self.state.level
        told = self._hint(width)
        if kept is None or height - len(told) < len(kept[1]):
            told = []  # names come first
        why = self.query_one("#why", ChartView)
        why.styles.height = len(told)
        why.show(Text("\n").join(told))
        room = max(1, height - len(told))
        if kept is None:
            view.say(f"no {level.samples} were kept of this run so far")
            self._say_new("")
            return
        step, texts = kept
        find = self.state.words.index.find if self.state.words is not None else None
        names = [{"text": text, "seen_in": find(text) if find else "?"} for text in texts][:room]
        new, ascii_only = self._styles()[0], self.state.ascii_only
        if level == CHARACTER:
            view.show(names_text(names, width, new=new, ascii_only=ascii_only))
        else:
            lines, count = sentence_lines(names, width, room, new=new, ascii_only=ascii_only)
            view.show(Text("\n", no_wrap=True).join(lines))
            names = names[:count]
        counted = f"{sum(not n['seen_in'] for n in names)} of {len(names)} new, " if find else ""
        said = f"{counted}step {step:,}"
        self._say_new(said if len(said) + 4 <= width else f"step {step:,}")

    def _kept(self) -> tuple[int, list[str]] | None:
        """The names of the last evaluation that kept any; of a run that kept none, those drawn at its end."""
        snapshots, follower = self.state.snapshots("names"), self.state.follower
        if snapshots:
            step, texts = snapshots[-1]
            return step, list(texts)
        if follower is not None and follower.samples:
            return follower.steps, [sample.text for sample in follower.samples]
        return None

    def _hint(self, width: int) -> list[Text]:
        follower = self.state.follower
        run = "RUN" if follower is None else follower.run.id
        said = f"the same seeds at each evaluation; for others: makemore-tui sample {run}"
        return list(Text(said).wrap(self.app.console, width))


class ReplaySweepPanel(SweepPanel):
    def _invitation(self) -> str:
        return "no sweep of learning rates was kept with this run"


class ReplayTimelinePanel(TimelinePanel):
    def draw(self) -> None:
        if self.state.words is None or self.snapshots:
            super().draw()
            return
        self._drawn = None
        self.query_one(ChartView).say(f"no {self.state.level.samples} were kept of this run so far")


REPLAY_PANELS: tuple[type[Panel], ...] = (
    ReplayDatasetPanel,
    ReplayLossPanel,
    ReplaySamplesPanel,
    ReplaySweepPanel,
    EmbeddingPanel,
    BigramsPanel,
    LayersPanel,
    ReplayTimelinePanel,
    LogPanel,
)
"""In the order of their number keys."""
